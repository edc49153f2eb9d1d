package trace

import (
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Schedule finds out from the times in a machine's log how late its ticks were, and
// which of them it missed: tick k is due at start + k/rate, but where a machine stood still
// for more than a period and a tenth of a second, its schedule has moved on. The zero
// Schedule is that of a machine without a pace.
type Schedule struct {
	rate   clock.Rate
	start  int64  // Unix µs
	ends   int64  // when no tick is due any more, in ns after the start
	ticked uint64 // due so far: executed or missed
	dues   dues   // of rate
}

// NewSchedule returns the schedule of a machine with this start line, in a run that lasts
// so long; 0: until it is stopped.
func NewSchedule(start *logging.Record, lasts time.Duration) Schedule {
	s := Schedule{rate: start.Start.Rate, start: start.UnixMicro, ends: math.MaxInt64, dues: dues{rate: start.Start.Rate}}
	if lasts > 0 {
		s.ends = int64(lasts)
	}
	return s
}

// Paced reports whether the machine has a pace that it could be late for.
func (s *Schedule) Paced() bool { return s.rate != 0 && s.rate != clock.Unpaced }

// Resumed takes in that the machine came back with this line. Where the run has stood still, its
// ticks are due later by as much.
func (s *Schedule) Resumed(rec *logging.Record) {
	if rec.Resume.Elapsed > 0 {
		s.start = beganBefore(rec.UnixMicro, rec.Resume.Elapsed)
	}
}

// Tick takes in that a step was executed at a time, in Unix µs. It returns how late its
// tick was, and how many were missed before it.
func (s *Schedule) Tick(micro int64) (late time.Duration, missed uint64) {
	// The log holds whole microseconds; the end of one is what can be said.
	now := int64(between(s.start, micro)) + 999
	tick := s.ticked + 1
	due := s.dues.at(tick)
	if now-due > int64(patience) && now > s.rate.Due(tick+1) {
		missed = max(s.rate.Ticks(min(now, s.ends)), tick) - tick // none is due later
		tick += missed
		due = s.rate.Due(tick)
	}
	s.ticked = tick
	return time.Duration(max(0, now-999-due)), missed
}

// Due returns when a tick is due, counted from the start line.
func (s *Schedule) Due(tick uint64) time.Duration { return time.Duration(s.rate.Due(tick)) }
