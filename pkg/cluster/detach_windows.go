package cluster

import (
	"os/exec"
	"syscall"
)

// detach takes a process out of the console's group, so that Ctrl-C reaches
// only the launcher, which stops the machines in order.
func detach(cmd *exec.Cmd, _ bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func holdThread() {}
