// Package machine is the model: a virtual machine with a queue, a die and a
// logical clock, which executes one instruction a step.
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

// Machine is one virtual machine. It is not safe for concurrent use.
type Machine struct {
	cfg   Config
	dice  Dice
	step  uint64
	clock clock.Time
	queue fifo
	sent  counters
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
		cfg:  cfg,
		dice: NewDice(cfg.Seed, cfg.ID),
		sent: newCounters(cfg.Machines),
	}, nil
}

// Clock returns the timestamp of the last event, 0 before the first.
func (m *Machine) Clock() clock.Time { return m.clock }

// Steps returns how many instructions the machine has executed.
func (m *Machine) Steps() uint64 { return m.step }

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

// Step executes one instruction and describes it in ev. On
// [clock.ErrSaturated] nothing has happened.
func (m *Machine) Step(ev *event.Event) error {
	if m.queue.len() > 0 {
		return m.receive(ev)
	}
	a, b, n := m.recipients()
	now, err := m.clock.Tick()
	if err != nil {
		return err
	}
	m.clock, m.step = now, m.step+1
	ev.Step, ev.Clock, ev.Queue, ev.Kind = m.step, now, 0, event.Internal
	switch n {
	case 0:
		ev.SetMessages()
	case 1:
		ev.Kind = event.Send
		ev.SetMessages(m.message(a))
	case 2: // one event and one stamp, though two messages leave
		ev.Kind = event.Send
		ev.SetMessages(m.message(a), m.message(b))
	}
	return nil
}

// NextRecipients returns to whom the next step will send if the queue is still
// empty by then: nobody, one machine, or two. A shell that must not
// overrun a link asks before it steps.
func (m *Machine) NextRecipients() []int {
	// Small enough to be inlined, so that the slice stays on the caller's stack.
	a, b, n := m.recipients()
	return []int{a, b}[:n]
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

func (m *Machine) receive(ev *event.Event) error {
	msg := m.queue.at(0)
	now, err := m.clock.Receive(msg.Sent)
	if err != nil {
		return err
	}
	m.queue.pop()
	m.clock, m.step = now, m.step+1
	ev.Step, ev.Clock, ev.Queue, ev.Kind = m.step, now, m.queue.len(), event.Receive
	ev.SetMessages(msg)
	return nil
}

// message numbers the next message to machine `to`. It carries the clock after
// the send's own tick: stamped earlier, a send could equal its receipt.
func (m *Machine) message(to int) event.Message {
	return event.Message{
		From: int32(m.cfg.ID),
		To:   int32(to),
		Seq:  m.sent.next(to),
		Sent: m.clock,
	}
}

// recipients throws the die of the coming step: n of the machines a, b are
// sent to. The die is not thrown where a message waits.
func (m *Machine) recipients() (a, b, n int) {
	if m.queue.len() > 0 {
		return 0, 0, 0
	}
	return m.dice.Recipients(m.cfg.ID, m.cfg.Machines, m.cfg.Die, m.step+1)
}
