// Package machine is the model: a virtual machine with a queue, a die and a
// logical clock, which executes one instruction a step. [Rules] are what it does in
// a step, [Machine] is such a machine.
//
// It is a pure state machine. It knows no time, network, file or goroutine; the
// same calls in the same order give the same events. A shell delivers
// messages with [Machine.Deliver], calls [Machine.Step] whenever the machine's
// clock ticks, and carries the messages of the returned event to their
// recipients.
//
// Sources: L. Lamport, CACM 21(7), 1978 (rules IR1 and IR2); Harvard CS 262,
// "Scale Models and Logical Clocks" (the machine and its die).
package machine

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/counter"
)

// DefaultDie is the laboratory's number of faces.
const DefaultDie = 10

// Config is what a machine is from its first step to its last.
type Config struct {
	ID       int    // 0 … Machines-1
	Machines int    // in the whole run, ≥ 1
	Die      int    // faces, ≥ 1: 1 to 3 send, the others are internal
	Seed     uint64 // of the run; together with ID and step it decides every throw
}

// Machine is one virtual machine: [Rules] and a [State], with a queue and the numbers
// of its messages. It is not safe for concurrent use.
type Machine struct {
	id    int
	rules Rules
	state State
	queue fifo
	sent  counter.Counters[uint64] // messages on the link to each
}

// New returns a machine that has executed nothing.
func New(cfg Config) (*Machine, error) {
	switch {
	case cfg.Machines < 1:
		return nil, fmt.Errorf("%d machines: a run has at least 1", cfg.Machines)
	case cfg.ID < 0 || cfg.ID >= cfg.Machines:
		return nil, fmt.Errorf("machine id %d: want 0 to %d", cfg.ID, cfg.Machines-1)
	case cfg.Die < 1:
		return nil, fmt.Errorf("a die with %d faces: want at least 1", cfg.Die)
	}
	return &Machine{
		id:    cfg.ID,
		rules: Rules{Machines: cfg.Machines, Die: cfg.Die},
		state: NewState(cfg.Seed, cfg.ID),
		sent:  counter.New[uint64](cfg.Machines),
	}, nil
}

// Clock returns the timestamp of the last event, 0 before the first.
func (m *Machine) Clock() clock.Time { return m.state.Clock() }

// Steps returns how many instructions the machine has executed.
func (m *Machine) Steps() uint64 { return m.state.Steps() }

// State returns what the rules have made of the machine so far.
func (m *Machine) State() State { return m.state }

// QueueLen returns how many messages wait.
func (m *Machine) QueueLen() int { return m.queue.len() }

// Pending returns how many of the waiting messages are of each sender.
func (m *Machine) Pending() map[int]uint64 {
	pending := make(map[int]uint64)
	for i := range m.queue.len() {
		pending[int(m.queue.at(i).From)]++
	}
	return pending
}

// Deliver puts a message at the end of the queue.
func (m *Machine) Deliver(msg event.Message) { m.queue.push(msg) }

// DeliverAll puts messages at the end of the queue, in this order. It keeps nothing of the
// slice.
func (m *Machine) DeliverAll(messages []event.Message) { m.queue.pushAll(messages) }

// Step executes one instruction and describes it in ev. On
// [clock.ErrSaturated] nothing has happened.
func (m *Machine) Step(ev *event.Event) error {
	if m.queue.len() > 0 {
		return m.receive(ev)
	}
	return m.idle(ev)
}

func (m *Machine) receive(ev *event.Event) error {
	oldest := m.queue.at(0)
	if err := m.state.Receive(oldest.Sent); err != nil {
		return err
	}
	m.queue.pop()
	m.describe(ev, event.Receive)
	ev.SetMessages(oldest)
	return nil
}

func (m *Machine) idle(ev *event.Event) error {
	to, err := m.rules.Idle(&m.state, m.id)
	if err != nil {
		return err
	}
	switch to.Len() {
	case 0:
		m.describe(ev, event.Internal)
		ev.SetMessages()
	case 1: // most sends; the next case is slower
		m.describe(ev, event.Send)
		ev.SetMessages(m.message(to.At(0)))
	default:
		m.describe(ev, event.Send)
		messages := make([]event.Message, 0, 2) // on the stack, for two
		for i := range to.Len() {
			messages = append(messages, m.message(to.At(i)))
		}
		ev.SetMessages(messages...)
	}
	return nil
}

// describe says in ev what was done, except for its messages.
func (m *Machine) describe(ev *event.Event, kind event.Kind) {
	ev.Step, ev.Clock, ev.Queue, ev.Kind = m.Steps(), m.Clock(), m.queue.len(), kind
}

// message numbers and stamps the next message to machine `to`.
func (m *Machine) message(to int) event.Message {
	return event.Message{From: int32(m.id), To: int32(to), Seq: m.sent.Next(to), Sent: m.Clock()}
}

// NextRecipients returns to whom the next step will send if the queue is still
// empty by then. A shell that must not overrun a link asks before it steps.
func (m *Machine) NextRecipients() Recipients {
	if m.queue.len() > 0 {
		return Recipients{}
	}
	return m.rules.Recipients(m.state.dice, m.id, m.Steps()+1)
}

// Redo executes the next instruction again as a log recorded it, to bring the
// machine back to where its log ends. The queue must be empty: each receive
// brings its message along. An error says that this machine, with its seed and
// rules, would have done something else; the machine is then of no use.
//
// The length of the queue is not compared: the messages that waited besides are
// not in the log before they are received.
func (m *Machine) Redo(recorded *event.Event) error {
	if recorded.Kind == event.Receive {
		m.Deliver(recorded.Messages()[0])
	}
	var done event.Event
	if err := m.Step(&done); err != nil {
		return err
	}
	done.Queue = recorded.Queue
	if !done.Equal(recorded) {
		return fmt.Errorf("recorded is %v, but this machine does %v", recorded, &done)
	}
	return nil
}
