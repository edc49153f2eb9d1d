package cluster

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// thisHost returns what is known of this host.
func thisHost() host {
	h := host{memory: availableMemory()}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Max != unix.RLIM_INFINITY {
		h.descriptors = limit.Max // a Go program takes all that it may have
	}
	// The superuser has no such limit.
	if unix.Getrlimit(unix.RLIMIT_NPROC, &limit) == nil && limit.Cur != unix.RLIM_INFINITY && os.Geteuid() != 0 {
		h.threads = limit.Cur
	}
	return h
}

// availableMemory returns the system's estimate, 0 where it has none.
func availableMemory() uint64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kilobytes uint64
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
