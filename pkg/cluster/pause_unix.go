//go:build unix

package cluster

import (
	"os"
	"syscall"
)

// CanPause says whether processes can be stopped for a while on this system.
const CanPause = true

func pause(p *os.Process, stop bool) error {
	if stop {
		return p.Signal(syscall.SIGSTOP)
	}
	return p.Signal(syscall.SIGCONT)
}
