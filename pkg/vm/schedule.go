package vm

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// patience is how late a tick of a fast machine may be before the schedule moves
// on. A hiccup of a few milliseconds on a busy host is caught up in a short
// burst, so the rate stays exact; what a machine misses while its host sleeps
// or its process is stopped is gone.
const patience = 100 * time.Millisecond

// schedule says when ticks are due. It knows no clock: the time is an argument,
// in nanoseconds since the start.
//
// Invariant: every tick 1 … next-1 has been executed or is counted as missed.
type schedule struct {
	rate   clock.Rate
	next   uint64 // the tick that comes next, from 1
	missed uint64
}

func newSchedule(rate clock.Rate) *schedule { return &schedule{rate: rate, next: 1} }

// due returns when the next tick is due; an unpaced machine's always is.
func (s *schedule) due() int64 { return s.rate.Due(s.next) }

// tick takes in that a tick is executed at now, and returns how late it is. It
// is the next tick, or where that one is late by more than its period and more
// than patience, the latest that is due: the ones before it are missed. Each
// due time is computed from the start, so no error adds up.
func (s *schedule) tick(now int64) (late time.Duration, missed uint64) {
	if s.rate == clock.Unpaced {
		s.next++
		return 0, 0
	}
	if late := now - s.due(); late > int64(patience) && now > s.rate.Due(s.next+1) {
		latest := s.rate.Ticks(now)
		missed = latest - s.next
		s.missed += missed
		s.next = latest
	}
	late = time.Duration(now - s.due())
	s.next++
	return late, missed
}
