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
	// stood: the run has stood still before, and may have gone on where a machine was that
	// had done less than this one. Then log proves nothing.
	stood bool
	own   comeback   // what this machine says itself
	back  []comeback // what the peers say that come back as well
}

// comeback is what a machine that comes back to its run says of it.
type comeback struct {
	// at is when its run can go on without it missing anything, counted from the start: for
	// one that was paused, when that was; for another, when its next tick is due.
	at     time.Duration
	paused bool
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
// Where all come back and any of them was paused, the run has stood still meanwhile. It goes
// on where the machine was that had done the least, so that nobody misses a tick: those that had come
// further wait for it. All machines that hear all come to the same.
//
// Without peers, the system's clock is believed unless it is behind what the log proves.
// If it was put forward, that cannot be told from a long absence.
func (e evidence) elapsed() time.Duration {
	if n := len(e.peers); n > 0 {
		said := e.peers[(n-1)/2]
		if e.own.paused || e.stood {
			return said
		}
		if (e.wall - said).Abs() <= sameTime {
			said = e.wall
		}
		return max(said, e.log)
	}
	if !e.standsStill() {
		return max(e.wall, e.log)
	}
	least := e.own.at
	for _, b := range e.back {
		least = min(least, b.at)
	}
	return least
}

// stoodMeanwhile reports whether the run has stood still while the machine was away, and goes
// on already: the peers say that it has not been going on for as long as the system's clock has.
func (e evidence) stoodMeanwhile() bool {
	return len(e.peers) > 0 && e.wall-e.elapsed() > sameTime
}

// standsStill reports whether the run does: nobody is in it, and somebody has left it to
// come back.
func (e evidence) standsStill() bool {
	still := e.own.paused
	for _, b := range e.back {
		still = still || b.paused
	}
	return still && len(e.peers) == 0
}

// proven returns how much of the run is over, by a log that ends at this step and
// instant. The stamps of a paced machine prove less than its steps, as the system's clock may
// have been set between two of them.
func (p *past) proven(rate clock.Rate, steps uint64) time.Duration {
	switch {
	case p.paused > 0:
		return p.paused
	case rate == clock.Unpaced || p.stood:
		return max(p.last.Sub(p.began), 0)
	}
	return time.Duration(rate.Due(steps))
}

// comeback returns what a machine says of its log that ends at this step.
func (p *past) comeback(rate clock.Rate, steps uint64) comeback {
	switch {
	case p.paused > 0:
		return comeback{p.paused, true}
	case rate == clock.Unpaced:
		return comeback{at: p.proven(rate, steps)}
	}
	return comeback{at: time.Duration(rate.Due(steps + 1))}
}
