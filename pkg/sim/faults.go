package sim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
)

// faults is what breaks in a run, and what is broken now.
type faults struct {
	plan *fault.Plan
	down []int64 // by machine: when it comes back, 0: it is there

	missed []uint64 // by machine: ticks that will never run
}

const (
	// reconnect is how long it takes until a connection that broke stands again.
	reconnect = int64(10 * time.Millisecond)
	// patience is how late a tick may run before the schedule moves on, as in
	// package vm.
	patience = int64(100 * time.Millisecond)
)

func newFaults(cfg *Config) (*faults, error) {
	plan := cfg.Faults
	if cfg.Duration > 0 {
		var err error
		if plan, err = plan.Within(cfg.Duration); err != nil {
			return nil, err
		}
	}
	n := len(cfg.Rates)
	return &faults{
		plan: plan, down: make([]int64, n), missed: make([]uint64, n),
	}, nil
}

// actions returns what the plan of faults does in the run, in its order.
func (e *engine) actions() iter.Seq[fault.Action] {
	if e.faults == nil {
		return func(func(fault.Action) bool) {}
	}
	until := fault.Forever
	if e.end != never {
		until = time.Duration(e.end) + 1
	}
	return e.faults.plan.Actions(until)
}

// act lets a fault begin or end. Those that strike only what is sent from then on,
// or arrives, are asked about in route.
func (e *engine) act(a *fault.Action) {
	at, end := int64(a.At), int64(a.At+a.For)
	switch {
	case a.Kind == fault.Kill && !a.Over:
		for _, id := range a.Machines {
			e.faults.down[id] = end
		}
		for _, id := range a.Machines {
			e.kill(id, at, end)
		}
	case a.Kind == fault.Kill:
		for _, id := range a.Machines {
			e.recover(id, at)
		}
	case a.Kind == fault.Pause && !a.Over:
		for _, id := range a.Machines {
			e.rota(id).due = never
		}
	case a.Kind == fault.Pause:
		for _, id := range a.Machines {
			r := e.rota(id)
			r.due = r.base
			e.catchUp(id, at)
		}
	case a.Kind == fault.Reset:
		for to := range e.machines {
			e.resend(to, at, func(m *message) (int64, bool) {
				return at + reconnect, m.arrival > at && a.Link.Has(int(m.from), to)
			})
		}
	}
}

// route returns when a message is in its recipient's queue that is handed to the
// network at an instant, if none on its link is slower. What is held back by a
// fault sets out when that is over; what has set out arrives.
func (e *engine) route(from, to int, key uint64, at int64) int64 {
	f := e.faults
	for {
		until, blocked := f.plan.Blocked(from, to, time.Duration(at))
		later := max(at, f.down[from], f.down[to])
		if blocked {
			later = max(later, int64(until))
		}
		if later == at {
			break
		}
		at = later
	}
	arrival := at + e.latency(from, to, key) + int64(f.plan.Delay(from, to, time.Duration(at), key))
	for {
		until, stopped := f.plan.NotReading(to, time.Duration(arrival))
		if !stopped {
			return arrival
		}
		arrival = int64(until)
	}
}

// resend sends some of the messages to a machine once more, each at an instant
// that which names for it. On each link it must choose all from some message on.
func (e *engine) resend(to int, now int64, which func(*message) (at int64, again bool)) {
	q := e.queue(to)
	if q.n == 0 {
		return
	}
	ring := e.shards[0].ring(q)
	mask := uint32(len(ring) - 1)
	waiting := make([]message, q.n)
	again := 0
	for i := range waiting {
		waiting[i] = ring[(q.head+uint32(i))&mask]
		m := &waiting[i]
		if at, ok := which(m); ok {
			// Not the latency that it had the first time.
			m.arrival = e.route(int(m.from), to, splitmix.First(uint64(m.sent)^uint64(now)^saltResend), at)
			again++
		}
	}
	if again == 0 {
		return
	}
	slices.SortFunc(waiting, func(a, b message) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.sent, b.sent))
	})
	for i := 1; i < len(waiting); i++ { // each link keeps its order
		if waiting[i].from == waiting[i-1].from {
			waiting[i].arrival = max(waiting[i].arrival, waiting[i-1].arrival)
		}
	}
	slices.SortFunc(waiting, func(a, b message) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	for i := range waiting {
		ring[(q.head+uint32(i))&mask] = waiting[i]
	}
}

// kill takes from a machine all that is not in its log. What waits in its queue has
// been acknowledged to nobody, so its senders have it still; what it has sent
// and nobody holds is sent again when it is back.
func (e *engine) kill(id int, at, end int64) {
	s, nd := e.shards[0], e.node(id)
	if err := e.logs.settle(id); err != nil {
		s.fail(err)
		return
	}
	// It died in the middle of a line.
	if err := e.logs.files[id].tear(int(below(e.cfg.Seed^uint64(at), 100))); err != nil {
		s.fail(err)
		return
	}
	e.rota(id).due, e.queue(id).seen = never, 0
	nd.state = machine.NewState(e.cfg.Seed, id)
	e.logs.links[id].Clear()
	e.resend(id, at, func(*message) (int64, bool) { return end, true })
	for to := range e.machines {
		e.resend(to, at, func(m *message) (int64, bool) { return end, m.arrival > at && int(m.from) == id })
	}
}

// recover brings a machine back from its log, as a process does that is started
// with its log in place: it executes again what the log says.
func (e *engine) recover(id int, at int64) {
	s, nd := e.shards[0], e.node(id)
	if err := e.redo(id, nd); err != nil {
		s.fail(fmt.Errorf("machine %d cannot be brought back after %v: %w", id, time.Duration(at), err))
		return
	}
	e.faults.down[id] = 0
	e.logs.writers[id].Resume(instant(at), logging.Resume{Step: nd.state.Steps(), Clock: nd.state.Clock()})
	// The schedule is the old one. Which of its ticks were missed before is not
	// in the log, so all that have no step count now.
	e.faults.missed[id] = 0
	e.rota(id).seek(e.origin(id), nd.state.Steps()+1)
	e.catchUp(id, at)
}

func (e *engine) redo(id int, nd *node) error {
	m, err := machine.New(machine.Config{ID: id, Machines: e.machines, Die: e.rules.Die, Seed: e.cfg.Seed})
	if err != nil {
		return err
	}
	text, err := e.logs.files[id].contents()
	if err != nil {
		return err
	}
	r := logging.NewReader(bytes.NewReader(text), logging.FileName(id, e.cfg.Rates[id]))
	var rec logging.Record
	for {
		err := r.Next(&rec)
		switch {
		case errors.Is(err, io.EOF):
			nd.state = m.State()
			return nil
		case errors.Is(err, logging.ErrTorn):
			nd.state = m.State()
			return e.logs.files[id].cut(r.Offset())
		case err != nil:
			return err
		case rec.Kind != logging.EventRecord:
			continue
		}
		if err := m.Redo(&rec.Event); err != nil {
			return err
		}
		if rec.Event.Kind == event.Send {
			for _, sent := range rec.Event.Messages() {
				e.logs.links[id].Set(int(sent.To), uint32(sent.Seq))
			}
		}
	}
}

// catchUp executes the ticks that have become late at one instant, except that
// where more than one is late, and one by more than patience, all but the latest
// are missed.
func (e *engine) catchUp(id int, at int64) {
	s, r := e.shards[0], e.rota(id)
	later := *r
	later.round()
	if at-r.due > patience && later.due < at {
		for ; later.due <= at; later.round() {
			*r = later
			e.faults.missed[id]++
		}
	}
	for r.due <= at {
		r.round()
		s.step(int32(id), at)
	}
}

// rota returns the rota of a machine. With faults each has one of its own, and they
// stand, like the machines, in the order of their ids.
func (e *engine) rota(id int) *rota { return &e.shards[0].rotas[id] }

// restore brings all machines back at the end of a run that was stopped.
func (e *engine) restore() {
	for id, end := range e.faults.down {
		if end > 0 {
			e.recover(id, e.now)
		}
	}
}
