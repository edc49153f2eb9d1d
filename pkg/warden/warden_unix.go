//go:build unix && !linux

package warden

import (
	"os/exec"
	"syscall"
)

// tie keeps signals to this process's group from the process. That this one has died,
// it hears by its standard input.
func tie(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() {}
}
