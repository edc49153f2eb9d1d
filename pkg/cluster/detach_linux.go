package cluster

import (
	"os/exec"
	"runtime"
	"syscall"
)

// detach takes a process out of the terminal's group, so that Ctrl-C reaches
// only the launcher, which stops the machines in order; and if it is tied, has the
// kernel stop it if this process dies.
func detach(cmd *exec.Cmd, tied bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if tied {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
}

// holdThread binds the calling goroutine to its thread: Pdeathsig looks at the
// thread that started the process.
func holdThread() { runtime.LockOSThread() }
