//go:build unix

// Package standstill has a process stand still for a while.
package standstill

import (
	"os"
	"syscall"
)

// Can says whether processes can be stopped for a while on this system.
const Can = true

// Hold stops a process, or lets it go on.
func Hold(p *os.Process, on bool) error {
	if on {
		return p.Signal(syscall.SIGSTOP)
	}
	return p.Signal(syscall.SIGCONT)
}
