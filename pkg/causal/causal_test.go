package causal

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// naive is the dumb twin: all events of a walk with all that leads from one to another,
// and searches over that.
type naive struct {
	ids    []int
	all    [][]seen // by machine
	lines  []map[int]int
	kept   func(Place) bool
	places []Place
	began  int64
}

type seen struct {
	event  event.Event
	micro  int64
	line   int
	vector []uint64
	send   Place // Nowhere: none is known
	to     []Place
}

func newNaive(run *trace.Run) *naive {
	n := &naive{ids: run.Present(), all: make([][]seen, len(run.Present()))}
	for range n.ids {
		n.lines = append(n.lines, make(map[int]int))
	}
	return n
}

func (n *naive) WantsVectors() bool { return true }

func (n *naive) Visit(s *trace.Step) error {
	if n.began == 0 {
		n.began = s.Micro
	}
	if s.Event == nil {
		return nil
	}
	e := seen{event: *s.Event, micro: s.Micro, line: s.Line, vector: slices.Clone(s.Vector), send: Nowhere}
	p := Place{s.Index, len(n.all[s.Index])}
	if s.Sent != nil {
		from := slices.Index(n.ids, int(s.Event.Messages()[0].From))
		e.send = Place{from, n.lines[from][s.Sent.Line]}
		sender := n.at(e.send)
		sender.to = append(sender.to, p)
	}
	n.lines[s.Index][s.Line] = p.Position
	n.all[s.Index] = append(n.all[s.Index], e)
	n.places = append(n.places, p)
	return nil
}

func (n *naive) at(p Place) *seen { return &n.all[p.Machine][p.Position] }

// future returns all that an event happened before, by breadth-first search, and by how
// many messages at least.
func (n *naive) future(p Place) map[Place]int {
	found := map[Place]int{p: 0}
	for front, messages := []Place{p}, 0; len(front) > 0; messages++ {
		var next []Place
		for i := 0; i < len(front); i++ {
			if n.found(found, Place{front[i].Machine, front[i].Position + 1}, messages) {
				front = append(front, Place{front[i].Machine, front[i].Position + 1})
			}
		}
		for _, q := range front {
			for _, to := range n.at(q).to {
				if n.found(found, to, messages+1) {
					next = append(next, to)
				}
			}
		}
		front = next
	}
	delete(found, p)
	return found
}

func (n *naive) found(found map[Place]int, p Place, messages int) bool {
	if p.Position >= len(n.all[p.Machine]) || !n.kept(p) {
		return false
	}
	if _, ok := found[p]; ok {
		return false
	}
	found[p] = messages
	return true
}

// build walks once, for both.
func build(t require.TestingT, run *trace.Run, o Options, every int) (*Index, *naive) {
	n := newNaive(run)
	b := NewBuilder(run, o)
	b.x.every = every
	_, err := run.Walk(trace.Options{}, b, n)
	require.NoError(t, err)
	x, err := b.Index()
	require.NoError(t, err)
	n.kept = x.Has
	return x, n
}

// anyRun draws a run, which may be broken in several places.
func anyRun(t *rapid.T) *trace.Run {
	m := newRun(t, rapid.IntRange(1, 5).Draw(t, "machines"), rapid.IntRange(0, 80).Draw(t, "steps"))
	for range rapid.IntRange(0, 3).Draw(t, "harms") {
		m.harm(t)
	}
	return m.logs.run(t)
}

// agree holds all that an index says against a search over all events.
func agree(t require.TestingT, x *Index, n *naive) {
	var kept []Place
	for _, p := range n.places {
		if x.Has(p) {
			kept = append(kept, p)
		}
	}
	require.Equal(t, len(kept), x.Kept())
	futures := make(map[Place]map[Place]int)
	for _, p := range kept {
		futures[p] = n.future(p)
	}
	for _, p := range kept {
		past, future, counts := x.Past(p), x.Future(p), x.Counts(p)
		require.Equal(t, Counts{len(kept) - 1 - concurrent(kept, futures, p) - len(futures[p]), len(futures[p]), concurrent(kept, futures, p)}, counts)
		for j := range past {
			require.Equal(t, max(int(n.at(p).vector[j]), x.First(j)), past[j], "the past of %v is its vector clock", p)
			require.LessOrEqual(t, past[j], x.End(j))
		}
		for _, q := range kept {
			messages, after := futures[p][q]
			_, before := futures[q][p]
			require.Equal(t, after, q.Position >= future[q.Machine], "%v to %v", p, q)
			require.Equal(t, before || p == q, q.Position < past[q.Machine], "%v from %v", p, q)
			want := map[[2]bool]Relation{{false, false}: Concurrent, {true, false}: After, {false, true}: Before}[[2]bool{before, after}]
			if p == q {
				want = Same
			}
			require.Equal(t, want, x.Relation(p, q))
			chain, ok := x.Shortest(p, q)
			require.Equal(t, after, ok, "%v to %v", p, q)
			if ok {
				require.Len(t, chain, messages)
				leads(t, n, p, q, chain)
			}
		}
		carried(t, x, n, p)
	}
}

func concurrent(kept []Place, futures map[Place]map[Place]int, p Place) (count int) {
	for _, q := range kept {
		_, after := futures[p][q]
		_, before := futures[q][p]
		if q != p && !after && !before {
			count++
		}
	}
	return count
}

// leads fails if a chain is none.
func leads(t require.TestingT, n *naive, from, to Place, chain []Hop) {
	at := from
	for _, h := range chain {
		require.Equal(t, at.Machine, h.Send.Machine)
		require.LessOrEqual(t, at.Position, h.Send.Position)
		require.Equal(t, h.Send, n.at(h.Receive).send)
		at = h.Receive
	}
	require.Equal(t, to.Machine, at.Machine)
	require.LessOrEqual(t, at.Position, to.Position)
}

// carried holds the way of a clock against one that is gone event by event.
func carried(t require.TestingT, x *Index, n *naive, p Place) {
	var want []Hop
	at := p
	for {
		e := n.at(at)
		before := uint64(0)
		first := at.Position == x.First(at.Machine)
		if !first {
			before = uint64(n.at(Place{at.Machine, at.Position - 1}).event.Clock)
		}
		if e.event.Kind == event.Receive && uint64(e.event.Messages()[0].Sent) >= before {
			if !x.Has(e.send) {
				break
			}
			want = append(want, Hop{e.send, at})
			at = e.send
			continue
		}
		if first {
			break
		}
		at.Position--
	}
	slices.Reverse(want)
	chain, origin := x.Carried(p)
	require.Equal(t, want, chain)
	require.Equal(t, at, origin)
}

// Pasts, futures, relations and chains are those that a search over all events finds, in
// any run, however broken.
func TestAgreesWithASearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, n := build(t, anyRun(t), Options{}, rapid.IntRange(1, 9).Draw(t, "every"))
		require.Equal(t, len(n.places), x.Kept())
		agree(t, x, n)
	})
}

// So it is in a part of a run: nothing is missing between the events that are kept.
func TestAgreesInAPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := anyRun(t)
		o := Options{Events: rapid.IntRange(0, 60).Draw(t, "events")}
		o.From = time.Duration(rapid.IntRange(0, 40_000).Draw(t, "from")) * time.Microsecond
		if rapid.Bool().Draw(t, "ends") {
			o.To = o.From + time.Duration(rapid.IntRange(1, 40_000).Draw(t, "lasts"))*time.Microsecond
		}
		x, n := build(t, run, o, rapid.IntRange(1, 9).Draw(t, "every"))
		for i := range x.Machines() {
			for position := x.First(i) + 1; position < x.End(i); position++ {
				e := n.at(Place{i, position})
				require.True(t, o.To == 0 || e.micro <= n.began+o.To.Microseconds())
			}
		}
		if o.Events > 0 {
			require.LessOrEqual(t, x.Kept(), o.Events)
		}
		all := n.kept
		n.kept = func(Place) bool { return true } // also by what lies outside of the part
		for _, p := range n.places {
			if !all(p) {
				continue
			}
			future := x.Future(p)
			reached := n.future(p)
			for _, q := range n.places {
				if all(q) {
					_, after := reached[q]
					require.Equal(t, after, q.Position >= future[q.Machine], "%v to %v", p, q)
				}
			}
		}
		n.kept = all
		agree(t, x, n)
	})
}

// What the index keeps of an event is what its line says.
func TestKeepsEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, n := build(t, anyRun(t), Options{}, 4)
		for _, p := range n.places {
			e, got := n.at(p), x.At(p)
			require.Equal(t, Event{
				Place: p, Kind: e.event.Kind, Clock: e.event.Clock, Micro: e.micro, Queue: uint32(e.event.Queue), Line: e.line, Step: e.event.Step,
			}, got)
			var messages []event.Message
			x.Messages(p, func(m Message) bool {
				messages = append(messages, event.Message{To: int32(m.Peer), Seq: m.Seq})
				if m.Other != Nowhere && got.Kind == event.Send {
					require.Equal(t, p, n.at(m.Other).send)
				}
				return true
			})
			for i, m := range e.event.Messages() {
				if got.Kind == event.Receive {
					in, sent, ok := x.Received(p)
					require.True(t, ok)
					require.Equal(t, Message{Peer: int(m.From), Seq: m.Seq, Other: e.send}, in)
					require.Equal(t, m.Sent, sent)
					continue
				}
				require.Equal(t, event.Message{To: m.To, Seq: m.Seq}, messages[i])
			}
			found, ok := x.OfLine(p.Machine, e.line)
			require.True(t, ok)
			require.Equal(t, p, found)
		}
		for i := range x.Machines() {
			_, ok := x.OfLine(i, 1<<30)
			require.False(t, ok)
			_, ok = x.OfLine(i, 0)
			require.False(t, ok)
		}
	})
}

func TestLargeQueue(t *testing.T) {
	m := &maker{logs: make(logs, 1), skew: make([]int64, 1), micro: 1}
	m.add(0, start(1))
	ev := event.Event{Step: 1, Clock: 1, Kind: event.Internal, Queue: math.MaxInt}
	m.add(0, eventRecord(ev))
	x, _ := build(t, m.logs.run(t), Options{}, 4)
	require.Equal(t, uint32(min(uint64(math.MaxInt), math.MaxUint32)), x.At(Place{0, 0}).Queue)
}

// A machine to which few messages lead late, and more lead earlier, is passed late.
func TestShortestByALateMessage(t *testing.T) {
	m := &maker{logs: make(logs, 4), skew: make([]int64, 4), micro: 1}
	for id := range m.logs {
		m.add(id, start(4))
	}
	clocks := make([]clock.Time, 4)
	do := func(id int, kind event.Kind, messages ...event.Message) {
		m.micro++
		clocks[id] += 10
		e := event.Event{Step: uint64(len(m.logs[id])), Clock: clocks[id], Kind: kind}
		for i := range messages {
			if messages[i].Seq = 1; kind == event.Send {
				messages[i].From = int32(id)
			} else {
				messages[i].To = int32(id)
			}
		}
		e.SetMessages(messages...)
		m.add(id, eventRecord(e))
	}
	do(0, event.Send, event.Message{To: 1}, event.Message{To: 2})
	do(2, event.Receive, event.Message{From: 0})
	do(2, event.Send, event.Message{To: 1})
	do(1, event.Receive, event.Message{From: 2})
	do(1, event.Receive, event.Message{From: 0})
	do(1, event.Send, event.Message{To: 3})
	do(3, event.Receive, event.Message{From: 1})
	x, _ := build(t, m.logs.run(t), Options{}, 4)
	chain, ok := x.Shortest(Place{0, 0}, Place{3, 0})
	require.True(t, ok)
	require.Equal(t, []Hop{{Place{0, 0}, Place{1, 1}}, {Place{1, 2}, Place{3, 0}}}, chain)
}

// Of many machines no vector clocks are kept, nor where they take too much memory. All that is
// asked is answered all the same.
func TestWithoutVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := anyRun(t)
		n := newNaive(run)
		b := NewBuilder(run, Options{})
		// The naive one is shown a walk of its own, which keeps them.
		_, err := run.Walk(trace.Options{}, n)
		require.NoError(t, err)
		_, err = run.Walk(trace.Options{VectorBytes: int64(rapid.IntRange(1, 200).Draw(t, "bytes"))}, b)
		require.NoError(t, err)
		x, err := b.Index()
		require.NoError(t, err)
		n.kept = x.Has
		agree(t, x, n)
	})
	m := &maker{logs: make(logs, MaxMachines+1), skew: make([]int64, MaxMachines+1), micro: 1}
	for id := range m.logs {
		m.add(id, start(len(m.logs)))
	}
	require.False(t, NewBuilder(m.logs.run(t), Options{}).WantsVectors())
}
