// Package event is the vocabulary of a run: what one step of a machine did, and
// what it sent.
package event

import (
	"fmt"

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

// Event is one executed instruction.
type Event struct {
	Step  uint64     // 1, 2, 3, … on each machine
	Clock clock.Time // after the instruction
	Queue int        // messages waiting, after the instruction
	Kind  Kind

	// Invariant: count is 0 for Internal, 1 for Receive, 1 or 2 for Send.
	count    uint8
	messages [2]Message
}

// Messages returns the one or two messages that a Send sent, the one that a
// Receive took, none for Internal. The slice belongs to e.
func (e *Event) Messages() []Message { return e.messages[:e.count] }

// SetMessages makes e an event about these messages, at most two.
func (e *Event) SetMessages(m ...Message) {
	n := copy(e.messages[:], m)
	clear(e.messages[n:]) // so that events can be compared with ==
	e.count = uint8(n)
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
