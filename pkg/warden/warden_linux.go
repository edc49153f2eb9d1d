package warden

import (
	"os/exec"
	"runtime"
	"syscall"
)

// tie has the kernel stop the process if this one dies: of the thread that starts it,
// to be precise, so that is held until the end.
func tie(cmd *exec.Cmd) (release func()) {
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return runtime.UnlockOSThread
}
