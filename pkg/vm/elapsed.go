package vm

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// evidence is what a machine that comes back knows of how long its run has been going on.
type evidence struct {
	peers []time.Duration // by each peer that has been in it all the time, ascending
	log   time.Duration   // at least so long: the machine had come this far
	wall  time.Duration   // by the system's clock, against the start line
}

// sameTime is by how much the system's clock may differ from what the peers say: the
// time that their word takes, on a busy host. With more, it was set.
const sameTime = time.Second

// elapsed returns for how long the run has been going on.
//
// The peers know best: they have measured it, and none of them with a clock that can be
// set. Of those that differ the median counts, the lower one of two, so that one that is
// wrong changes nothing. Where the system's clock agrees with them it is preferred, since
// nothing that it says is on its way for some time.
//
// Without peers, the system's clock is believed unless it is behind what the log proves.
// If it was put forward, that cannot be told from a long absence.
func (e evidence) elapsed() time.Duration {
	said := e.wall
	if n := len(e.peers); n > 0 {
		if median := e.peers[(n-1)/2]; (e.wall - median).Abs() > sameTime {
			said = median
		}
	}
	return max(said, e.log)
}

// proven returns how much of the run is over, by a log that ends at this step and
// instant. The stamps of a paced machine prove less than its steps, as the system's clock may
// have been set between two of them.
func (p *past) proven(rate clock.Rate, steps uint64) time.Duration {
	if rate == clock.Unpaced {
		return max(p.last.Sub(p.start), 0)
	}
	return time.Duration(rate.Due(steps))
}
