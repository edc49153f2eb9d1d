package cluster

import (
	"errors"
	"fmt"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/transport"
)

// What a host may not have enough of for so many machines. Each is a process with a
// link to each other one.
var (
	ErrDescriptors = errors.New("too few file descriptors")
	ErrThreads     = errors.New("too few processes")
	ErrMemory      = errors.New("too little memory")
)

// host is what this host has for a run. 0: that is not known, or without a limit.
type host struct {
	descriptors uint64 // that a process may have open, if it asks for all
	threads     uint64 // that this user may have; for the system, each is a process
	memory      uint64 // bytes that can be had without harm to others
}

// What a run needs of a host, as measured with up to 300 machines on Linux.
const (
	// Of the launcher, for each machine: its listener, its standard input and
	// output, and the process itself.
	launcherDescriptors = 4
	otherDescriptors    = 32

	machineThreads = 8
	machineMemory  = 6 << 20
	// linkMemory is that of one end of a connection, with what the system has of it. Each
	// machine has two connections with each other one.
	linkMemory = 8 << 10
)

// fits says why so many machines cannot run on the host, or returns nil: all that is
// known to be limited is enough.
func (h host) fits(machines int) error {
	n := uint64(machines)
	for _, need := range []struct {
		kind      error
		has, want uint64
		text      string
	}{
		{ErrDescriptors, h.descriptors, max(uint64(transport.Descriptors(machines)), launcherDescriptors*n+otherDescriptors),
			"file descriptors in one process"},
		{ErrThreads, h.threads, machineThreads * n, "threads of one user"},
		{ErrMemory, h.memory >> 20, (n*machineMemory + 2*n*(n-1)*linkMemory) >> 20, "MB of memory"},
	} {
		if need.has > 0 && need.want > need.has {
			return &cause{need.kind, fmt.Sprintf("a run of %s needs %s %s, and this host has %s",
				figure.Plural(n, "machine"), figure.Count(need.want), need.text, figure.Count(need.has)), nil}
		}
	}
	return nil
}
