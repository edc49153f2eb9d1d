package event_test

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"

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
	assert.Equal(t, []event.Message{a, b, c}, e.Messages(), "none is dropped")

	e.SetMessages(b, a)
	assert.Equal(t, []event.Message{b, a}, e.Messages(), "fewer again")

	all := slices.Repeat([]event.Message{a, b, c}, 100)
	e.SetMessages(all...)
	assert.Equal(t, all, e.Messages())
}

// An event can be kept: neither the caller's slice nor what a copy of the event is
// told later changes its messages.
func TestEventsCanBeKept(t *testing.T) {
	for n := range 5 {
		given := make([]event.Message, n)
		for i := range given {
			given[i] = event.Message{From: 0, To: int32(i), Seq: 1, Sent: 5}
		}
		want := slices.Clone(given)

		var e event.Event
		e.SetMessages(given...)
		kept := e
		clear(given)
		for other := range 5 {
			e.SetMessages(make([]event.Message, other)...)
			assert.Equal(t, want, kept.Messages(), "%d messages, then %d", n, other)
		}
	}
}

func TestEventAllocatesNothing(t *testing.T) {
	var e event.Event
	m := event.Message{From: 0, To: 1, Seq: 1, Sent: 5}
	n := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		e.SetMessages()
		e.SetMessages(m)
		e.SetMessages(m, m)
		n += len(e.Messages())
	}))
}

// Events are held in batches of thousands.
func TestEventIsSmall(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(event.Event{}), uintptr(88))
}

// Events that say the same are equal, whatever they said before; their fields are
// too.
func TestEventsCompare(t *testing.T) {
	m := func(to int32) event.Message { return event.Message{From: 0, To: to, Seq: 1, Sent: 5} }
	lists := [][]event.Message{
		nil, {m(1)}, {m(2)}, {m(1), m(2)}, {m(2), m(1)}, {m(1), {}}, {m(1), m(2), m(3)}, {m(1), m(2), m(4)}, {m(1), m(2), m(3), {}},
	}
	for i, before := range lists {
		for j, then := range lists {
			var fresh, used event.Event
			fresh.SetMessages(then...)
			used.SetMessages(before...)
			assert.Equal(t, i == j, used.Equal(&fresh), "%v and %v", before, then)
			used.SetMessages(then...)
			assert.True(t, used.Equal(&fresh), "%v after %v", then, before)
			assert.Equal(t, fresh, used)
		}
	}
	e := event.Event{Step: 1, Clock: 2, Queue: 3, Kind: event.Internal}
	for name, o := range map[string]event.Event{
		"step":  {Step: 2, Clock: 2, Queue: 3, Kind: event.Internal},
		"clock": {Step: 1, Clock: 1, Queue: 3, Kind: event.Internal},
		"queue": {Step: 1, Clock: 2, Queue: 2, Kind: event.Internal},
		"kind":  {Step: 1, Clock: 2, Queue: 3, Kind: event.Send},
	} {
		assert.False(t, e.Equal(&o), name)
	}
}

// == would compare where messages stand, not what they are.
func TestEventsAreNotComparedByAccident(t *testing.T) {
	assert.False(t, reflect.TypeFor[event.Event]().Comparable())
}
