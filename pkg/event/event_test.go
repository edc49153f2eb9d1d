package event_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/event"
)

func TestKindString(t *testing.T) {
	for kind, want := range map[event.Kind]string{
		event.Internal: "internal",
		event.Send:     "send",
		event.Receive:  "receive",
		0:              "kind(0)", // no kind: an event that nobody filled in
		4:              "kind(4)",
		255:            "kind(255)",
	} {
		assert.Equal(t, want, kind.String())
	}
}

func TestMessages(t *testing.T) {
	a := event.Message{From: 0, To: 1, Seq: 1, Sent: 5}
	b := event.Message{From: 0, To: 2, Seq: 1, Sent: 5}
	c := event.Message{From: 0, To: 2, Seq: 2, Sent: 5}

	var e event.Event
	assert.Empty(t, e.Messages())

	e.SetMessages(a)
	assert.Equal(t, []event.Message{a}, e.Messages())

	e.SetMessages(a, b)
	assert.Equal(t, []event.Message{a, b}, e.Messages())

	e.SetMessages(b)
	assert.Equal(t, []event.Message{b}, e.Messages(), "what was set before is gone")

	e.SetMessages()
	assert.Empty(t, e.Messages())

	e.SetMessages(a, b, c)
	assert.Equal(t, []event.Message{a, b}, e.Messages(), "at most two")
}

// An event can be kept: neither the caller's slice nor a copy of the event shares
// its messages.
func TestEventsShareNoMessages(t *testing.T) {
	a := event.Message{From: 0, To: 1, Seq: 1, Sent: 5}
	b := event.Message{From: 0, To: 2, Seq: 1, Sent: 5}
	given := []event.Message{a}

	var e event.Event
	e.SetMessages(given...)
	given[0] = b
	assert.Equal(t, []event.Message{a}, e.Messages())

	kept := e
	e.SetMessages(b)
	assert.Equal(t, []event.Message{a}, kept.Messages())
}

func TestEventAllocatesNothing(t *testing.T) {
	var e event.Event
	m := event.Message{From: 0, To: 1, Seq: 1, Sent: 5}
	n := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		e.SetMessages(m, m)
		n += len(e.Messages())
	}))
}

// Two events that say the same are ==, whatever they said before.
func TestEventsCompare(t *testing.T) {
	a := event.Message{From: 0, To: 1, Seq: 1, Sent: 5}
	b := event.Message{From: 0, To: 2, Seq: 1, Sent: 5}
	var fresh, used event.Event
	fresh.SetMessages(a)
	used.SetMessages(b, b)
	assert.NotEqual(t, fresh, used)
	used.SetMessages(a)
	assert.Equal(t, fresh, used)
}
