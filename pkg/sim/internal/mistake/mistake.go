// Package mistake runs machines that make the known mistakes of programs for the
// laboratory, to show that they are found. Nothing but a hunt for them uses it.
package mistake

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/sim/internal/naive"
)

// Kind is a mistake.
type Kind string

// The mistakes.
const (
	// StampEarly: a message carries the clock from before its send.
	StampEarly Kind = "stamp-early"
	// NoPlusOne: a receipt sets the clock to the larger of the two.
	NoPlusOne Kind = "no-plus-one"
	// TwoSends: a send to both is two events with two stamps, in one tick.
	TwoSends Kind = "two-sends"
	// LostOnReset: what is under way when a connection breaks is not sent again.
	LostOnReset Kind = "lost-on-reset"
)

// Kinds are all mistakes.
var Kinds = []Kind{StampEarly, NoPlusOne, TwoSends, LostOnReset}

// Run is a run with a mistake.
type Run struct {
	experiment.Spec
	Kind    Kind
	Latency time.Duration // of all messages, whatever the Spec says
	// Resets are the instants at which all connections break.
	Resets []time.Duration
}

// Write executes the run and writes its logs to a directory.
func (r Run) Write(dir string) error {
	n := len(r.Rates)
	cfg := naive.Config{
		Rates: r.Rates, Origins: make([]int64, n), End: int64(r.Duration),
		Latency: func(int, int, uint64) int64 { return int64(r.Latency) },
		Carry:   r.carry,
	}
	all, writers := make([]*wrong, n), make([]*logging.Writer, n)
	files := make([]*os.File, n)
	defer func() {
		for _, f := range files {
			if f != nil {
				_ = f.Close()
			}
		}
	}()
	for id, rate := range r.Rates {
		f, err := os.Create(filepath.Join(dir, logging.FileName(id, rate)))
		if err != nil {
			return err
		}
		files[id] = f
		all[id] = &wrong{
			kind: r.Kind, id: id, rules: machine.Rules{Machines: n, Die: r.Die}, dice: machine.NewDice(r.Seed, id), seqs: make([]uint64, n),
		}
		cfg.Machines = append(cfg.Machines, all[id])
		writers[id] = logging.NewWriter(f, id)
		writers[id].Start(experiment.Epoch, r.Start(id, n, rate))
	}
	err := naive.Run(cfg, func(id int, at int64, ev *event.Event) {
		writers[id].Event(experiment.Epoch.Add(time.Duration(at)), ev)
	})
	for id, m := range all {
		pending := make(map[int]uint64)
		for _, msg := range m.queue {
			pending[int(msg.From)]++
		}
		writers[id].Stop(experiment.Epoch.Add(r.Duration+r.Latency), logging.Stop{
			Step: m.step, Clock: m.clock, Queue: len(m.queue), Pending: logging.Counts(pending),
		})
		err = errors.Join(err, writers[id].Flush())
	}
	return err
}

func (r Run) carry(m event.Message, leaves, arrives int64) (event.Message, bool) {
	switch r.Kind {
	case StampEarly:
		m.Sent--
	case LostOnReset:
		for _, at := range r.Resets {
			if leaves < int64(at) && int64(at) < arrives {
				return m, true
			}
		}
	}
	return m, false
}

// wrong is a machine that makes a mistake.
type wrong struct {
	kind   Kind
	id     int
	rules  machine.Rules
	dice   machine.Dice
	step   uint64
	clock  clock.Time
	queue  []event.Message
	seqs   []uint64
	second int // whom the other half of a send to both is for
	again  bool
}

// Deliver is that of a machine.
func (w *wrong) Deliver(m event.Message) { w.queue = append(w.queue, m) }

// Again says that a send to both is not over.
func (w *wrong) Again() bool { return w.again }

// Step is that of a machine, but for the mistake.
func (w *wrong) Step(ev *event.Event) (err error) {
	w.step++
	switch {
	case w.again:
		w.again = false
		w.clock, err = w.clock.Tick()
		*ev = event.Event{Step: w.step, Clock: w.clock, Queue: len(w.queue), Kind: event.Send}
		ev.SetMessages(w.message(w.second))
		return err
	case len(w.queue) > 0:
		m := w.queue[0]
		w.queue = w.queue[1:]
		if w.kind == NoPlusOne {
			w.clock = max(w.clock, m.Sent)
		} else {
			w.clock, err = w.clock.Receive(m.Sent)
		}
		*ev = event.Event{Step: w.step, Clock: w.clock, Queue: len(w.queue), Kind: event.Receive}
		ev.SetMessages(m)
		return err
	}
	to := w.rules.Recipients(w.dice, w.id, w.step)
	w.clock, err = w.clock.Tick()
	*ev = event.Event{Step: w.step, Clock: w.clock, Kind: event.Internal}
	switch {
	case to.Len() == 2 && w.kind == TwoSends:
		ev.Kind = event.Send
		ev.SetMessages(w.message(to.At(0)))
		w.second, w.again = to.At(1), true
	case to.Len() > 0:
		ev.Kind = event.Send
		var messages []event.Message
		for i := range to.Len() {
			messages = append(messages, w.message(to.At(i)))
		}
		ev.SetMessages(messages...)
	}
	return err
}

func (w *wrong) message(to int) event.Message {
	w.seqs[to]++
	return event.Message{From: int32(w.id), To: int32(to), Seq: w.seqs[to], Sent: w.clock}
}
