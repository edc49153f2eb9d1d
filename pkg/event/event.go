// Package event is the vocabulary of a run: what one step of a machine did, and
// what it sent.
package event

import (
	"fmt"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Kind is what an instruction did.
type Kind uint8

// The kinds of instruction. A send to two machines is one event.
const (
	Internal Kind = iota + 1
	Send
	Receive
)

var kindNames = [...]string{Internal: "internal", Send: "send", Receive: "receive"}

// String returns the kind's name in the event log.
func (k Kind) String() string {
	if k < Internal || k > Receive {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Message is one message on the link From → To.
type Message struct {
	From, To int32
	Seq      uint64     // its number on that link: 1, 2, 3, …
	Sent     clock.Time // the sender's clock after the send
}

// Event is one executed instruction. Two events are compared with [Event.Equal].
type Event struct {
	Step  uint64     // 1, 2, 3, … on each machine
	Clock clock.Time // after the instruction
	Queue int        // messages waiting, after the instruction
	Kind  Kind

	// One or two messages stand in the event itself, so that they cost no
	// allocation. More are rare, and behind a pointer rather than in a slice: events
	// are held in batches of thousands, and a pointer is 16 bytes less in each.
	//
	// Invariant: many is nil, and the messages are few[:count], the rest of few being
	// zero; or many has all of them, three or more, and few and count are zero.
	// So equal events have equal fields, which tests compare, but for the pointer.
	count uint8
	_     [0]func() // forbids ==, which would compare the pointer
	many  *[]Message
	few   [2]Message // the last: who wants none of them need not fetch where they stand
}

// Messages returns what a Send sent, in the order in which it was sent, or the one
// message that a Receive took; none for Internal. The slice is for reading only:
// copies of e may share it.
func (e *Event) Messages() []Message {
	if e.many != nil {
		return *e.many
	}
	return e.few[:e.count]
}

// SetMessages makes e an event about these messages, any number of them. It keeps
// nothing of m, and allocates only for more than two.
func (e *Event) SetMessages(m ...Message) {
	// Small enough to be inlined, where the number is known and one case is left.
	e.count, e.many = uint8(len(m)), nil
	switch len(m) {
	case 0:
		e.few = [2]Message{}
	case 1:
		e.few = [2]Message{m[0]}
	case 2:
		e.few = [2]Message{m[0], m[1]}
	default:
		e.setMany(m)
	}
}

func (e *Event) setMany(m []Message) {
	all := slices.Clone(m) // and not the old array, which copies of e may share
	e.count, e.few, e.many = 0, [2]Message{}, &all
}

// Equal reports whether e and o are the same instruction with the same outcome:
// all that their lines in a log say.
func (e *Event) Equal(o *Event) bool {
	return e.Step == o.Step && e.Clock == o.Clock && e.Queue == o.Queue && e.Kind == o.Kind &&
		slices.Equal(e.Messages(), o.Messages())
}

// String says in a few words what happened.
func (e *Event) String() string {
	s := fmt.Sprintf("step %d, clock %d, %v", e.Step, e.Clock, e.Kind)
	for _, m := range e.Messages() {
		if e.Kind == Receive {
			s += fmt.Sprintf(" of message %d from machine %d stamped %d", m.Seq, m.From, m.Sent)
		} else {
			s += fmt.Sprintf(" of message %d to machine %d", m.Seq, m.To)
		}
	}
	return s
}
