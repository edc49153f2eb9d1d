package sim

import (
	"iter"
	"time"

	"github.com/scalemodel/lamport/pkg/summary"
)

// Result is what a run did.
type Result struct{ e *engine }

// Events returns how many instructions were executed.
func (r *Result) Events() uint64 { return r.e.events() }

// At returns the virtual time at which the run ended.
func (r *Result) At() time.Duration { return time.Duration(r.e.now) }

// Log returns the log of a machine, of a run whose logs are in memory: the bytes that
// would stand in its file.
func (r *Result) Log(id int) []byte { return r.e.logs.files[id].mem }

// Machines returns what each machine did, in the order of their ids, as its own
// [summary.Collector] would have gathered it.
func (r *Result) Machines() iter.Seq[summary.Machine] {
	return func(yield func(summary.Machine) bool) {
		for id := range r.e.machines {
			if !yield(r.e.summary(id)) {
				return
			}
		}
	}
}

func (e *engine) summary(id int) summary.Machine {
	s := e.shardOf(id)
	place := s.places[id-s.first]
	nd := &s.nodes[place]
	p := past{maxJump: uint64(s.jumps[place])}
	if s.pasts != nil {
		p = s.pasts[place]
		p.maxJump = max(p.maxJump, uint64(s.jumps[place]))
	}
	m := summary.Machine{
		ID:       id,
		Rate:     e.cfg.Rates[id],
		Steps:    nd.state.Steps(),
		Sends:    p.sends + uint64(nd.sends),
		Receives: p.receives + uint64(nd.receives),
		Sent:     p.sent + uint64(nd.sent),
		Clock:    nd.state.Clock(),
		MaxJump:  p.maxJump,
		Gaps:     p.gaps + uint64(nd.gaps),
		MaxQueue: int(nd.maxQueue),
		Queue:    int(s.queues[place].n),
	}
	m.Internal = m.Steps - m.Sends - m.Receives
	if m.Steps > 0 {
		m.MaxJump = max(m.MaxJump, 1) // every other event moves the clock by 1
		m.MeanJump = float64(m.Clock) / float64(m.Steps)
		m.MeanQueue = float64(nd.queueSum) / float64(m.Steps)
	}
	if e.faults != nil {
		m.Missed = e.faults.missed[id]
	}
	m.Elapsed = time.Duration(m.Rate.Due(m.Steps + m.Missed))
	if e.machines <= MaxLogs {
		m.Pending = e.pending(id)
	}
	return m
}
