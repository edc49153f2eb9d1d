package vm

import (
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// patience is how late a tick of a fast machine may be before the schedule moves
// on. A hiccup of a few milliseconds on a busy host is caught up in a short
// burst, so the rate stays exact; what a machine misses while its host sleeps
// or its process is stopped is gone.
const patience = 100 * time.Millisecond

// schedule says when the ticks of a paced machine are due. It knows no clock:
// the time is an argument, in nanoseconds since the start.
//
// Invariant: every tick 1 … next-1 has been executed or is counted as missed;
// next ≤ last+1.
type schedule struct {
	rate clock.Rate
	next uint64 // the tick that comes next, from 1
	last uint64 // of the run
	// Ticks that were due from delayed on and up to begun came due while the process of the
	// machine was on its way back to a run that stood still: they are late at most.
	delayed, begun int64
}

// newSchedule returns the schedule of a run of this length; 0: without end.
func newSchedule(rate clock.Rate, duration time.Duration) *schedule {
	s := &schedule{rate: rate, next: 1, last: math.MaxUint64}
	if duration > 0 {
		s.last = rate.Ticks(int64(duration))
	}
	return s
}

// over reports whether no tick of the run is left.
func (s *schedule) over() bool { return s.next > s.last }

// due returns when the next tick is due.
func (s *schedule) due() int64 { return s.rate.Due(s.next) }

// together is how long the first of several ticks waits for the others, so that a machine
// wakes up once for them, writes once and sends once: about as late as a tick is
// anyway, for waking up takes its time, and no tick is late at all that has no other
// so close behind it.
const together = 100 * time.Microsecond

// wake returns when to wake up for the next tick: when the last one is due that is due
// no more than together after it.
func (s *schedule) wake() int64 {
	due := s.due()
	last := min(s.rate.Ticks(due+int64(together)), s.last)
	if last <= s.next {
		return due
	}
	return s.rate.Due(last)
}

// catchUp is how much of the run is caught up in a burst, at most. A log with much longer bursts
// looks like one of a machine that is faster than its rate.
const catchUp = 2 * time.Second

// comeBack takes in that the machine goes on at now in a run that stood still, and that its process
// has taken so long to come back. On a busy host a part of that is in the run.
func (s *schedule) comeBack(now int64, delay time.Duration) {
	s.delayed, s.begun = now-int64(min(delay, catchUp)), now
}

// skip takes in that nothing is executed before now, and returns how many ticks are missed
// by that: where the next one is late by more than its period and more than patience, all before
// the latest that is due, or before the first that is only delayed.
func (s *schedule) skip(now int64) (missed uint64) {
	if s.over() || now-s.due() <= int64(patience) || now <= s.rate.Due(s.next+1) {
		return 0
	}
	next := min(s.rate.Ticks(now), s.last)
	if first := max(s.rate.Ticks(s.delayed-1)+1, s.next); s.rate.Due(first) <= s.begun {
		next = min(next, first)
	}
	missed = next - s.next
	s.next = next
	return missed
}

// tick takes in that a tick is executed at now, and returns how late it is. It
// is the next tick that is not missed. Each due time is computed from the start,
// so no error adds up.
func (s *schedule) tick(now int64) (late time.Duration, missed uint64) {
	missed = s.skip(now)
	late = time.Duration(now - s.due())
	s.next++
	return late, missed
}

// leave takes in that the run is left at now, to come back, and returns for how long it has to
// have been going on for the next tick: until now, or where that tick is late, until it was due. What
// is so late that it would be missed now, is.
func (s *schedule) leave(now int64) (reached int64, missed uint64) {
	missed = s.skip(now)
	return min(now, s.due()), missed
}

// abandon takes in that the run ends at now, and returns how many ticks have
// been due but will not be executed: they are missed.
func (s *schedule) abandon(now int64) (missed uint64) {
	due := min(s.rate.Ticks(now), s.last)
	if due < s.next {
		return 0
	}
	missed = due - s.next + 1
	s.next = due + 1
	return missed
}
