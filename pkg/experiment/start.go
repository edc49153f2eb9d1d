package experiment

import (
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Start returns what the first line of a machine's log says of the machine and its
// run, which has so many.
func (c *Common) Start(id, machines int, rate clock.Rate) logging.Start {
	peers := make([]int, 0, machines-1)
	for p := range machines {
		if p != id {
			peers = append(peers, p)
		}
	}
	return logging.Start{
		Version: logging.Version, Run: c.Run, Machines: machines, Rate: rate, Seed: c.Seed, Die: c.Die, Peers: peers,
	}
}

// Adopt makes c that of a recorded run, as far as the first line of a log says it.
func (c *Common) Adopt(s logging.Start) { c.Run, c.Seed, c.Die = s.Run, s.Seed, s.Die }
