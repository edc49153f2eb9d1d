//go:build unix

package warden

import (
	"os"
	"syscall"
)

func pause(p *os.Process, stop bool) error {
	if stop {
		return p.Signal(syscall.SIGSTOP)
	}
	return p.Signal(syscall.SIGCONT)
}

func interrupt(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
