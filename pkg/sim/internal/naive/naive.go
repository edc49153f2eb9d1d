// Package naive runs machines in virtual time in the plainest way: one heap of
// ticks, one machine.Machine each, one sorted list of messages under way to each. It
// is what package sim is held against, and where machines that break the rules are
// run.
package naive

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// Machine is one machine.
type Machine interface {
	Deliver(event.Message)
	Step(*event.Event) error
}

// Config is a run. Instants are nanoseconds since its start.
type Config struct {
	Machines []Machine
	Rates    []clock.Rate
	Origins  []int64 // when each machine starts
	End      int64
	// Latency returns how long the message is under way that a machine sends in
	// its step.
	Latency func(from, to int, step uint64) int64
	// Carry, if not nil, returns what becomes of a message that leaves at one
	// instant and is to arrive at another. A right network changes nothing and
	// loses nothing.
	Carry func(m event.Message, leaves, arrives int64) (_ event.Message, lost bool)
}

// Restless is a machine that may execute more than one instruction a tick.
type Restless interface {
	Machine
	// Again reports whether the tick goes on with another instruction.
	Again() bool
}

// Run executes a run, and shows each event.
func Run(cfg Config, visit func(id int, at int64, ev *event.Event)) error {
	r := &run{under: make([][]flight, len(cfg.Machines)), last: make(map[[2]int32]int64)}
	for id, rate := range cfg.Rates {
		r.ticks = append(r.ticks, tick{cfg.Origins[id] + rate.Due(1), id, 1})
	}
	heap.Init(&r.ticks)
	for {
		t := r.ticks[0]
		if t.at > cfg.End {
			break
		}
		m := cfg.Machines[t.id]
		r.arrive(m, t.id, t.at)
		for again := true; again; {
			var ev event.Event
			if err := m.Step(&ev); err != nil {
				return err
			}
			visit(t.id, t.at, &ev)
			if ev.Kind == event.Send {
				r.send(cfg, t, &ev)
			}
			restless, ok := m.(Restless)
			again = ok && restless.Again()
		}
		r.ticks[0] = tick{cfg.Origins[t.id] + cfg.Rates[t.id].Due(t.k+1), t.id, t.k + 1}
		heap.Fix(&r.ticks, 0)
	}
	for id, m := range cfg.Machines {
		r.arrive(m, id, 1<<63-1)
	}
	return nil
}

type run struct {
	ticks ticks
	under [][]flight // by recipient
	last  map[[2]int32]int64
}

type flight struct {
	at int64
	m  event.Message
}

// send puts the messages of a send under way.
func (r *run) send(cfg Config, t tick, ev *event.Event) {
	for _, m := range ev.Messages() {
		link := [2]int32{m.From, m.To}
		at := max(t.at+cfg.Latency(t.id, int(m.To), ev.Step), r.last[link])
		r.last[link] = at
		if cfg.Carry != nil {
			var lost bool
			if m, lost = cfg.Carry(m, t.at, at); lost {
				continue
			}
		}
		r.under[m.To] = append(r.under[m.To], flight{at, m})
	}
}

// arrive delivers what has arrived at a machine by an instant.
func (r *run) arrive(m Machine, id int, by int64) {
	slices.SortFunc(r.under[id], func(a, b flight) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.m.From, b.m.From), cmp.Compare(a.m.Seq, b.m.Seq))
	})
	for len(r.under[id]) > 0 && r.under[id][0].at <= by {
		m.Deliver(r.under[id][0].m)
		r.under[id] = r.under[id][1:]
	}
}

// tick is the k-th tick of a machine.
type tick struct {
	at int64
	id int
	k  uint64
}

type ticks []tick

func (t ticks) Len() int { return len(t) }

func (t ticks) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].id < t[j].id
}

func (t ticks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push is for package heap.
func (t *ticks) Push(x any) { *t = append(*t, x.(tick)) }

// Pop is for package heap.
func (t *ticks) Pop() any { panic("a tick is only ever replaced") }
