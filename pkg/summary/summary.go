// Package summary says what a machine did in a run, in figures.
//
// A [Collector] gathers the figures while the machine runs: it is shown every
// event, keeps none, and costs a few nanoseconds and about a hundred bytes. A
// process paced in real time also tells it how late each tick was. A
// [Machine] is the result, plain data that goes through JSON; a [Run] adds up
// the machines of a run, and holds what was sent against what was received.
// [Machine.WriteText] prints one machine for a person; package table prints a
// run, and is apart so that a process of one machine need not carry it.
//
// All durations are in nanoseconds, in JSON too (the keys end in _ns).
package summary

import (
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/transport"
)

// LateAfter is how late a tick must run to be counted as late.
const LateAfter = time.Millisecond

// Machine is what one machine did in a run.
//
// [Collector.Machine] fills what follows from the events and the ticks. What
// only the shell around the machine knows, it adds: Started, StartLateness,
// Elapsed of an unpaced machine, Stalls, Stalled, Pending, Undelivered, Left
// and Wire.
type Machine struct {
	ID   int        `json:"id"`
	Rate clock.Rate `json:"rate,omitzero"` // nominal

	// Started is when the machine's first tick could have run, as measured,
	// and StartLateness is that instant minus the agreed one. Zero where
	// nothing was measured: in virtual time, and by a machine that came back
	// after a crash.
	Started       time.Time     `json:"started,omitzero"`
	StartLateness time.Duration `json:"start_lateness_ns,omitzero"`

	// Elapsed goes from the agreed start, which is tick 0 of the schedule, to
	// when the last tick ran; where ticks were missed after that one, to when
	// the last of them was due. Steps over Elapsed is the achieved rate.
	//
	// Both ends of the interval matter. From first tick to last there are
	// only Steps-1 periods, and to the end of the run there is a part of a
	// period in which nothing was due: either would show a perfect machine
	// with few ticks as wrong by many per cent.
	Elapsed time.Duration `json:"elapsed_ns"`

	// Restarts is how often the machine died and was started again, and Down how
	// long it was dead in all, as far as whoever watched it knows.
	Restarts int           `json:"restarts,omitzero"`
	Down     time.Duration `json:"down_ns,omitzero"`

	// Missed is how many ticks never ran, since the schedule had moved on by
	// more than a period. A tick that was due is either a step or missed.
	Missed   uint64   `json:"missed,omitzero"`
	Lateness Lateness `json:"lateness,omitzero"`

	// Invariant: Steps = Internal + Sends + Receives.
	Steps    uint64 `json:"steps"`
	Internal uint64 `json:"internal"`
	Sends    uint64 `json:"sends"`
	Receives uint64 `json:"receives"` // also the messages received: each event takes one

	Sent uint64 `json:"sent"` // messages; a send to two machines counts two

	Clock clock.Time `json:"clock"` // after the last step
	// A jump is the difference of consecutive values of the clock. The 0 that
	// it starts from is a value, so there are as many jumps as steps, and a
	// first event that receives the stamp 7 jumps by 8.
	MeanJump float64 `json:"mean_jump"` // ≥ 1; 0 without a step
	MaxJump  uint64  `json:"max_jump"`
	Gaps     uint64  `json:"gaps"` // jumps of more than 1

	// The queue's length is taken after each instruction; MeanQueue is its
	// mean over the instructions, not over time.
	MeanQueue float64 `json:"mean_queue"`
	MaxQueue  int     `json:"max_queue"`
	// Queue is how many messages wait at the end: those that arrived after
	// the last step too, so it can be larger than MaxQueue.
	Queue   int            `json:"queue"`
	Pending map[int]uint64 `json:"pending,omitempty"` // the same by sender, where known

	// Stalls is how many steps were held back by the full window of a link,
	// and Stalled for how long in all.
	Stalls  uint64        `json:"stalls,omitzero"`
	Stalled time.Duration `json:"stalled_ns,omitzero"`

	// Undelivered is, by recipient, how many messages may be lost to it, at most; see
	// logging.Stop.
	Undelivered map[int]uint64 `json:"undelivered,omitempty"`
	// Left names the peers that left before the end.
	Left []int `json:"left,omitempty"`

	Wire transport.Stats `json:"wire,omitzero"`
}

// Lateness is how late the ticks of a paced machine ran: when one ran minus
// when it was due. It is zero where nothing was timed.
type Lateness struct {
	Ticks uint64 `json:"ticks"` // that were timed
	Late  uint64 `json:"late"`  // of these, more than [LateAfter]

	// P50 and P99 are percentiles by the nearest rank, in whole microseconds, rounded
	// up; above 65 ms they are too high by up to 0.004 % besides. Max is exact.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

// AchievedRate returns how many ticks per second the machine ran, NaN where it
// ran none or no time is known. Missed ticks did not run.
func (m *Machine) AchievedRate() float64 {
	if m.Steps == 0 || m.Elapsed <= 0 {
		return math.NaN()
	}
	return float64(m.Steps) / m.Elapsed.Seconds()
}

// RateError returns the achieved rate against the nominal one in parts per
// million, below 0 for a machine that was too slow. It is NaN for an unpaced
// machine, and below two ticks, where it would be one tick's lateness and not
// a rate.
func (m *Machine) RateError() float64 {
	if m.Rate == clock.Unpaced || m.Rate == 0 || m.Steps < 2 {
		return math.NaN()
	}
	return (m.AchievedRate()/m.Rate.PerSecond() - 1) * 1e6
}

// Whole reports whether the machine had all that was due in a run of this length, 0 for one that
// goes on until it is stopped, which is never whole.
func (m *Machine) Whole(duration time.Duration) bool {
	switch {
	case duration <= 0:
		return false
	case m.Rate == clock.Unpaced:
		return m.Elapsed >= duration
	}
	return m.Steps+m.Missed >= m.Rate.Ticks(int64(duration))
}

// EndPhase returns how far the machine stands behind its nominal schedule at
// the end: Elapsed minus when the last tick, missed ones counted, was due.
// However long the run, it should be one tick's lateness; if it grows with
// the run's length, the pace drifts. It reports false for an unpaced machine
// and where no tick was due.
func (m *Machine) EndPhase() (time.Duration, bool) {
	ticks := m.Steps + m.Missed
	if m.Rate == clock.Unpaced || m.Rate == 0 || ticks == 0 {
		return 0, false
	}
	return m.Elapsed - time.Duration(m.Rate.Due(ticks)), true
}

// UndeliveredTotal returns how many messages may be lost to all recipients, at most.
func (m *Machine) UndeliveredTotal() uint64 {
	total := uint64(0)
	for _, n := range m.Undelivered {
		total += n
	}
	return total
}
