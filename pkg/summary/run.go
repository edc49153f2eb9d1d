package summary

import (
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Run is what the machines of a run did together. The zero Run holds no
// machine; [Run.Add] takes them in one by one, so that a run of a million
// machines need not hold all their figures at once.
type Run struct {
	Machines int `json:"machines"`

	// FirstStart and LastStart span the starts of those machines whose start was
	// measured; StartLateness is their largest.
	FirstStart    time.Time     `json:"first_start,omitzero"`
	LastStart     time.Time     `json:"last_start,omitzero"`
	StartLateness time.Duration `json:"start_lateness_ns,omitzero"`

	Elapsed time.Duration `json:"elapsed_ns"` // the longest of all machines

	Steps    uint64 `json:"steps"`
	Internal uint64 `json:"internal"`
	Sends    uint64 `json:"sends"`
	Receives uint64 `json:"receives"`

	// What becomes of a message: it is received, it waits in a queue, or it
	// never reached one; see [Run.Unaccounted].
	Sent        uint64 `json:"sent"`
	Queue       uint64 `json:"queue"`
	Undelivered uint64 `json:"undelivered,omitzero"`

	Clock     clock.Time `json:"clock"`      // the largest
	MeanJump  float64    `json:"mean_jump"`  // over all steps
	MaxJump   uint64     `json:"max_jump"`   // of any machine
	Gaps      uint64     `json:"gaps"`       // of all machines
	MeanQueue float64    `json:"mean_queue"` // over all steps
	MaxQueue  int        `json:"max_queue"`  // of any machine

	Late    uint64        `json:"late,omitzero"`
	Latest  time.Duration `json:"latest_ns,omitzero"` // the largest lateness
	Missed  uint64        `json:"missed,omitzero"`
	Stalls  uint64        `json:"stalls,omitzero"`
	Stalled time.Duration `json:"stalled_ns,omitzero"`

	Wire transport.Stats `json:"wire,omitzero"`
}

// Add takes in a machine.
func (r *Run) Add(m *Machine) {
	r.Machines++
	if !m.Started.IsZero() {
		if r.FirstStart.IsZero() || m.Started.Before(r.FirstStart) {
			r.FirstStart = m.Started
		}
		if r.LastStart.IsZero() || m.Started.After(r.LastStart) {
			r.LastStart = m.Started
		}
		r.StartLateness = max(r.StartLateness, m.StartLateness)
	}
	r.Elapsed = max(r.Elapsed, m.Elapsed)

	r.Steps += m.Steps
	r.Internal += m.Internal
	r.Sends += m.Sends
	r.Receives += m.Receives

	r.Sent += m.Sent
	r.Queue += uint64(m.Queue)
	r.Undelivered += m.UndeliveredTotal()

	r.Clock = max(r.Clock, m.Clock)
	if r.Steps > 0 {
		// Two terms of one sign: moving the mean by a difference would cancel
		// its digits where a few steps had a mean of millions.
		weight := float64(m.Steps) / float64(r.Steps)
		before := float64(r.Steps-m.Steps) / float64(r.Steps)
		r.MeanJump = r.MeanJump*before + m.MeanJump*weight
		r.MeanQueue = r.MeanQueue*before + m.MeanQueue*weight
	}
	r.MaxJump = max(r.MaxJump, m.MaxJump)
	r.Gaps += m.Gaps
	r.MaxQueue = max(r.MaxQueue, m.MaxQueue)

	r.Late += m.Lateness.Late
	r.Latest = max(r.Latest, m.Lateness.Max)
	r.Missed += m.Missed
	r.Stalls += m.Stalls
	r.Stalled += m.Stalled

	r.Wire.Add(m.Wire)
}

// StartSkew returns how far apart the machines started, from the first to the
// last.
func (r *Run) StartSkew() time.Duration { return r.LastStart.Sub(r.FirstStart) }

// EventRate returns how many events per second happened on all machines
// together, NaN where no time is known.
func (r *Run) EventRate() float64 {
	if r.Elapsed <= 0 {
		return math.NaN()
	}
	return float64(r.Steps) / r.Elapsed.Seconds()
}

// Unaccounted returns how many messages were sent but neither received, nor
// waiting, nor known as undelivered; below 0, how many appeared that nobody
// sent. Over all machines of a run it is 0, or the run is broken; see law
// "conservation".
func (r *Run) Unaccounted() int64 {
	missing := int64(r.Sent - r.Receives - r.Queue)
	// What is called undelivered may be more than that: where a peer could not be
	// asked any more, it is a bound.
	return missing - min(max(missing, 0), int64(r.Undelivered))
}
