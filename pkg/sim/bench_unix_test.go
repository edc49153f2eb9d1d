//go:build unix

package sim

import (
	"syscall"
	"time"
)

// processorTime is what this process has used of all cores. On a busy host it says
// more than the time on the wall.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano())
}
