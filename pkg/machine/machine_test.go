package machine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// rolling returns a machine whose die shows face in the given step.
func rolling(t require.TestingT, cfg Config, step uint64, face int) *Machine {
	for seed := range uint64(100_000) {
		if 1+NewDice(seed, cfg.ID).throw(step, 0, cfg.Die) == face {
			cfg.Seed = seed
			m, err := New(cfg)
			require.NoError(t, err)
			return m
		}
	}
	require.Failf(t, "no seed", "face %d in step %d of %+v", face, step, cfg)
	return nil
}

func step(t require.TestingT, m *Machine) event.Event {
	var ev event.Event
	require.NoError(t, m.Step(&ev))
	return ev
}

// snapshot is all that a machine is, down to the last number, as a text.
func snapshot(m *Machine) string { return fmt.Sprintf("%+v", *m) }

func ids(r Recipients) (ids []int) {
	for i := range r.Len() {
		ids = append(ids, r.At(i))
	}
	return ids
}

func to(ev event.Event) []int {
	var ids []int
	for _, msg := range ev.Messages() {
		ids = append(ids, int(msg.To))
	}
	return ids
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{ID: 0, Machines: 0, Die: 10}, "0 machines: a run has at least 1"},
		{Config{ID: 0, Machines: -3, Die: 10}, "-3 machines: a run has at least 1"},
		{Config{ID: 3, Machines: 3, Die: 10}, "machine id 3: want 0 to 2"},
		{Config{ID: -1, Machines: 3, Die: 10}, "machine id -1: want 0 to 2"},
		{Config{ID: 0, Machines: 3, Die: 0}, "a die with 0 faces: want at least 1"},
		{Config{ID: 0, Machines: 3, Die: -10}, "a die with -10 faces: want at least 1"},
	} {
		m, err := New(c.cfg)
		assert.EqualError(t, err, c.want)
		assert.Nil(t, m)
	}
}

func TestNewMachineHasExecutedNothing(t *testing.T) {
	m, err := New(Config{ID: 1, Machines: 3, Die: DefaultDie, Seed: 1})
	require.NoError(t, err)
	assert.Zero(t, m.Clock())
	assert.Zero(t, m.Steps())
	assert.Zero(t, m.QueueLen())
	assert.Empty(t, m.Pending())
}

// The laboratory's table, where the recipients leave nothing to chance. A face
// stands for the same machines in every step and for every seed.
func TestIdleInstructions(t *testing.T) { // CS 262, Scale Models; Lamport 1978, IR1
	for _, c := range []struct {
		machines, id, face int
		want               []int // recipients; none: an internal event
	}{
		{3, 0, 1, []int{1}}, {3, 0, 2, []int{2}}, {3, 0, 3, []int{1, 2}},
		{3, 1, 1, []int{2}}, {3, 1, 2, []int{0}}, {3, 1, 3, []int{2, 0}},
		{3, 2, 1, []int{0}}, {3, 2, 2, []int{1}}, {3, 2, 3, []int{0, 1}},
		{3, 0, 4, nil}, {3, 1, 7, nil}, {3, 2, 10, nil},

		// Only one peer: faces 1 and 2 both mean it, and "both" is one message.
		{2, 0, 1, []int{1}}, {2, 0, 2, []int{1}}, {2, 0, 3, []int{1}}, {2, 0, 4, nil},
		{2, 1, 1, []int{0}}, {2, 1, 2, []int{0}}, {2, 1, 3, []int{0}}, {2, 1, 10, nil},

		// Nobody to send to.
		{1, 0, 1, nil}, {1, 0, 2, nil}, {1, 0, 3, nil}, {1, 0, 4, nil},
	} {
		for _, k := range []uint64{1, 2, 9} {
			t.Run(fmt.Sprintf("machine %d of %d, face %d, step %d", c.id, c.machines, c.face, k), func(t *testing.T) {
				m := rolling(t, Config{ID: c.id, Machines: c.machines, Die: DefaultDie}, k, c.face)
				for range k - 1 {
					step(t, m)
				}
				before := m.Clock()
				ev := step(t, m)

				assert.Equal(t, k, ev.Step)
				assert.Equal(t, before+1, ev.Clock, "one event, one increment")
				assert.Equal(t, ev.Clock, m.Clock())
				assert.Equal(t, c.want, to(ev))
				if c.want == nil {
					assert.Equal(t, event.Internal, ev.Kind)
				} else {
					assert.Equal(t, event.Send, ev.Kind)
				}
				for _, msg := range ev.Messages() {
					assert.EqualValues(t, c.id, msg.From)
					assert.Equal(t, ev.Clock, msg.Sent, "a message carries the clock after the increment")
				}
			})
		}
	}
}

// A die with fewer than three faces never sends to both, one with one face
// never rests.
func TestSmallDice(t *testing.T) {
	for die := 1; die <= 3; die++ {
		m, err := New(Config{ID: 0, Machines: 3, Die: die, Seed: 5})
		require.NoError(t, err)
		seen := make(map[string]bool)
		for range 200 {
			seen[fmt.Sprint(to(step(t, m)))] = true
		}
		want := []string{"[1 2]", "[1]", "[2]"}
		switch die {
		case 1:
			want = []string{"[1]"}
		case 2:
			want = []string{"[1]", "[2]"}
		}
		assert.Equal(t, want, slices.Sorted(maps.Keys(seen)), "die %d", die)
	}
}

// One event, one stamp, two messages: two stamps would be two events in one tick.
func TestSendToBothIsOneEvent(t *testing.T) {
	m := rolling(t, Config{ID: 1, Machines: 3, Die: DefaultDie}, 1, 3)
	ev := step(t, m)
	assert.Equal(t, []event.Message{
		{From: 1, To: 2, Seq: 1, Sent: 1},
		{From: 1, To: 0, Seq: 1, Sent: 1},
	}, ev.Messages())
	assert.EqualValues(t, 1, m.Clock())
	assert.EqualValues(t, 1, m.Steps())
}

func TestReceiveTakesTheOldestAndAdvancesClock(t *testing.T) { // Lamport 1978, IR2
	m, err := New(Config{ID: 0, Machines: 3, Die: DefaultDie})
	require.NoError(t, err)
	ahead := event.Message{From: 1, To: 0, Seq: 1, Sent: 7}
	behind := event.Message{From: 2, To: 0, Seq: 1, Sent: 3}
	equal := event.Message{From: 1, To: 0, Seq: 2, Sent: 9}
	for _, msg := range []event.Message{ahead, behind, equal} {
		m.Deliver(msg)
	}

	for i, c := range []struct {
		msg   event.Message
		clock clock.Time
	}{
		{ahead, 8},  // max(0, 7) + 1
		{behind, 9}, // max(8, 3) + 1: an old message moves the clock too
		{equal, 10}, // max(9, 9) + 1
	} {
		ev := step(t, m)
		assert.Equal(t, event.Receive, ev.Kind)
		assert.EqualValues(t, i+1, ev.Step)
		assert.Equal(t, c.clock, ev.Clock)
		assert.Equal(t, c.clock, m.Clock())
		assert.Equal(t, []event.Message{c.msg}, ev.Messages())
		assert.Equal(t, 2-i, ev.Queue, "the queue is counted after the instruction")
		assert.Equal(t, 2-i, m.QueueLen())
	}
}

// A waiting message comes before the die, and the step that takes it uses up
// its throw: what a later step throws depends on its number alone.
func TestReceiveDoesNotRollTheDie(t *testing.T) {
	for face := 1; face <= 4; face++ {
		m := rolling(t, Config{ID: 0, Machines: 3, Die: DefaultDie}, 1, face)
		idle := rolling(t, Config{ID: 0, Machines: 3, Die: DefaultDie}, 1, face)

		m.Deliver(event.Message{From: 1, To: 0, Seq: 1, Sent: 1})
		assert.Empty(t, ids(m.NextRecipients()))
		ev := step(t, m)
		assert.Equal(t, event.Receive, ev.Kind, "face %d", face)

		step(t, idle)
		for range 50 {
			received, rolled := step(t, m), step(t, idle)
			assert.Equal(t, rolled.Kind, received.Kind)
			assert.Equal(t, to(rolled), to(received))
		}
	}
}

// Each link counts for itself, from 1, whatever happens in between.
func TestMessagesAreNumberedPerLink(t *testing.T) {
	for _, machines := range []int{2, 3, 5, 1023, 1024, 1025} {
		m, err := New(Config{ID: 1, Machines: machines, Die: 3, Seed: 8})
		require.NoError(t, err)
		last := make(map[int32]uint64)
		for i := range 3000 {
			if i%7 == 0 {
				m.Deliver(event.Message{From: 0, To: 1, Seq: uint64(i/7 + 1)})
			}
			ev := step(t, m)
			if ev.Kind != event.Send {
				continue
			}
			for _, msg := range ev.Messages() {
				last[msg.To]++
				require.Equal(t, last[msg.To], msg.Seq, "%d machines, link 1 → %d", machines, msg.To)
			}
		}
		assert.NotEmpty(t, last)
		assert.NotContains(t, last, int32(1), "nobody sends to itself")
	}
}

func TestPendingCountsBySender(t *testing.T) {
	m, err := New(Config{ID: 0, Machines: 4, Die: DefaultDie})
	require.NoError(t, err)
	for i, from := range []int32{1, 3, 1, 1, 3} {
		m.Deliver(event.Message{From: from, Seq: uint64(i)})
	}
	assert.Equal(t, map[int]uint64{1: 3, 3: 2}, m.Pending())
	assert.Equal(t, 5, m.QueueLen())

	step(t, m)
	assert.Equal(t, map[int]uint64{1: 2, 3: 2}, m.Pending())
	for range 4 {
		step(t, m)
	}
	assert.Empty(t, m.Pending())
}

// At the end of logical time nothing happens any more: no step, no message, no
// number used up, nothing taken off the queue.
func TestSaturationLeavesTheMachineAsItWas(t *testing.T) {
	untouched := event.Event{Step: 77, Clock: 77, Kind: event.Send}
	untouched.SetMessages(event.Message{Seq: 77})

	refuses := func(t *testing.T, m *Machine) {
		t.Helper()
		before, recipients := snapshot(m), m.NextRecipients()
		for range 3 {
			ev := untouched
			assert.ErrorIs(t, m.Step(&ev), clock.ErrSaturated)
			assert.Equal(t, untouched, ev)
			assert.Equal(t, before, snapshot(m))
			assert.Equal(t, recipients, m.NextRecipients())
		}
	}

	for _, face := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprintf("idle, face %d", face), func(t *testing.T) {
			m := rolling(t, Config{ID: 0, Machines: 3, Die: DefaultDie}, 2, face)
			m.Deliver(event.Message{From: 1, Seq: 1, Sent: clock.Max - 1})
			assert.Equal(t, clock.Max, step(t, m).Clock)
			refuses(t, m)
		})
	}
	t.Run("receive", func(t *testing.T) {
		m, err := New(Config{ID: 0, Machines: 3, Die: DefaultDie})
		require.NoError(t, err)
		m.Deliver(event.Message{From: 1, Seq: 1, Sent: clock.Max})
		m.Deliver(event.Message{From: 1, Seq: 2, Sent: 1})
		refuses(t, m)
		assert.Zero(t, m.Clock())
		assert.Equal(t, 2, m.QueueLen())
	})
}

// For more than three machines the peers are drawn: every pair of different
// peers equally often, never the machine itself.
func TestPeersAreDrawnUniformly(t *testing.T) {
	for _, machines := range []int{4, 5, 8} {
		const id = 1
		one, two := make([]int, machines), make([]int, machines*machines)
		for seed := range uint64(20) {
			m, err := New(Config{ID: id, Machines: machines, Die: 3, Seed: seed})
			require.NoError(t, err)
			for range 3000 {
				ev := step(t, m)
				switch recipients := to(ev); len(recipients) {
				case 1:
					one[recipients[0]]++
				case 2:
					two[recipients[0]*machines+recipients[1]]++
				}
			}
		}
		var pairs []int
		for a := range machines {
			for b := range machines {
				if count := two[a*machines+b]; a == id || b == id || a == b {
					assert.Zero(t, count, "%d machines: sent to both %d and %d", machines, a, b)
				} else {
					pairs = append(pairs, count)
				}
			}
		}
		assert.Zero(t, one[id], "nobody sends to itself")
		assertUniform(t, slices.Delete(one, id, id+1), "%d machines: one recipient", machines)
		assertUniform(t, pairs, "%d machines: two recipients", machines)
	}
}

// NextRecipients looks ahead without doing anything, and Step then does what it
// said.
func TestNextRecipientsAgreesWithStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(configs.Draw(t, "config"))
		require.NoError(t, err)
		for i := range rapid.IntRange(1, 100).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "deliver") == 0 {
				m.Deliver(event.Message{Seq: uint64(i)})
			}
			before := snapshot(m)
			said := ids(m.NextRecipients())
			require.Equal(t, said, ids(m.NextRecipients()))
			require.Equal(t, before, snapshot(m))

			ev := step(t, m)
			if ev.Kind == event.Send {
				require.Equal(t, said, to(ev))
			} else {
				require.Empty(t, said)
			}
		}
	})
}

var configs = rapid.Custom(func(t *rapid.T) Config {
	machines := rapid.OneOf(rapid.IntRange(1, 6), rapid.Just(1030)).Draw(t, "machines")
	return Config{
		ID:       rapid.IntRange(0, machines-1).Draw(t, "id"),
		Machines: machines,
		Die:      rapid.IntRange(1, 12).Draw(t, "die"),
		Seed:     rapid.Uint64().Draw(t, "seed"),
	}
})

// naive is the dumb twin of [Machine]: the table of the model, line by line, on a
// plain slice. Only the throws are the machine's own.
type naive struct {
	cfg   Config
	step  uint64
	clock clock.Time
	queue []event.Message
	sent  map[int]uint64
}

func (n *naive) Step() event.Event {
	n.step++
	if len(n.queue) > 0 {
		oldest := n.queue[0]
		n.queue = n.queue[1:]
		if oldest.Sent > n.clock {
			n.clock = oldest.Sent
		}
		n.clock++
		ev := event.Event{Step: n.step, Clock: n.clock, Queue: len(n.queue), Kind: event.Receive}
		ev.SetMessages(oldest)
		return ev
	}

	n.clock++
	var recipients []int
	if a, b, ok := n.peers(); ok {
		switch 1 + NewDice(n.cfg.Seed, n.cfg.ID).throw(n.step, 0, n.cfg.Die) {
		case 1:
			recipients = []int{a}
		case 2:
			recipients = []int{b}
		case 3:
			recipients = slices.Compact([]int{a, b})
		}
	}
	ev := event.Event{Step: n.step, Clock: n.clock, Kind: event.Internal}
	var messages []event.Message
	for _, id := range recipients {
		ev.Kind = event.Send
		n.sent[id]++
		messages = append(messages, event.Message{From: int32(n.cfg.ID), To: int32(id), Seq: n.sent[id], Sent: n.clock})
	}
	ev.SetMessages(messages...)
	return ev
}

func (n *naive) peers() (a, b int, ok bool) {
	i := n.cfg.ID
	switch n.cfg.Machines {
	case 1:
		return 0, 0, false
	case 2:
		return 1 - i, 1 - i, true
	case 3:
		return (i + 1) % 3, (i + 2) % 3, true
	}
	var hat []int // all others, in the order of the ring
	for j := i + 1; j < i+n.cfg.Machines; j++ {
		hat = append(hat, j%n.cfg.Machines)
	}
	draw := func(throw int) int {
		at := NewDice(n.cfg.Seed, i).throw(n.step, throw, len(hat))
		id := hat[at]
		hat = slices.Delete(hat, at, at+1)
		return id
	}
	a = draw(1)
	b = draw(2)
	return a, b, true
}

func TestMachineEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := configs.Draw(t, "config")
		m, err := New(cfg)
		require.NoError(t, err)
		twin := &naive{cfg: cfg, sent: make(map[int]uint64)}
		for i := range rapid.IntRange(1, 60).Draw(t, "calls") {
			for range rapid.IntRange(-5, 6).Draw(t, "deliveries") {
				msg := event.Message{
					From: int32(rapid.IntRange(0, cfg.Machines-1).Draw(t, "from")),
					To:   int32(cfg.ID),
					Seq:  uint64(i),
					Sent: clock.Time(rapid.Uint64Range(0, 200).Draw(t, "sent")),
				}
				m.Deliver(msg)
				twin.queue = append(twin.queue, msg)
			}
			for range rapid.IntRange(0, 5).Draw(t, "steps") {
				require.Equal(t, twin.Step(), step(t, m))
			}

			pending := make(map[int]uint64)
			for _, msg := range twin.queue {
				pending[int(msg.From)]++
			}
			require.Equal(t, pending, m.Pending())
			require.Equal(t, len(twin.queue), m.QueueLen())
			require.Equal(t, twin.clock, m.Clock())
			require.Equal(t, twin.step, m.Steps())
		}
	})
}

// Same calls, same events; and an event is whole, whatever the caller's variable
// held before.
func TestStepOverwritesTheEvent(t *testing.T) {
	a, err := New(Config{ID: 0, Machines: 3, Die: 4, Seed: 3})
	require.NoError(t, err)
	b, err := New(Config{ID: 0, Machines: 3, Die: 4, Seed: 3})
	require.NoError(t, err)
	var reused event.Event
	for i := range 200 {
		if i%3 == 0 {
			a.Deliver(event.Message{From: 1, Seq: uint64(i)})
			b.Deliver(event.Message{From: 1, Seq: uint64(i)})
		}
		require.NoError(t, a.Step(&reused))
		require.Equal(t, step(t, b), reused)
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	m, err := New(Config{ID: 0, Machines: 3, Die: 3, Seed: 1})
	require.NoError(t, err)
	var ev event.Event
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = m.Step(&ev) }), "idle")
	m.Deliver(event.Message{})
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		m.Deliver(event.Message{})
		_ = m.Step(&ev)
	}), "receive")

	n := 0
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		next := m.NextRecipients()
		for i := range next.Len() {
			n += next.At(i)
		}
		_ = m.Step(&ev)
	}), "look ahead")
}
