//go:build unix

package whole

import (
	"os"
	"runtime"
	"syscall"
)

// peakOf returns the largest memory of the largest process of a command, in MB.
func peakOf(s *os.ProcessState) float64 {
	use, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	unit := 1024.0
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(use.Maxrss) * unit / 1e6
}
