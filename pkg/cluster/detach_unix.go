//go:build unix && !linux

package cluster

import (
	"os/exec"
	"syscall"
)

// detach takes a process out of the terminal's group, so that Ctrl-C reaches
// only the launcher, which stops the machines in order.
func detach(cmd *exec.Cmd, _ bool) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func holdThread() {}
