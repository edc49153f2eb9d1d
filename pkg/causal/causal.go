// Package causal holds the events of a run in memory, and answers what came before what:
// the causal past and future of an event, whether two events are concurrent, and the
// chains of messages that lead from one to another.
//
// An [Index] is built by a [Builder], a visitor of [trace.Run.Walk], so that the logs are
// read once for it and all others. It keeps about 24 bytes for an event and 16 for each
// end of a message.
//
// No question is answered by a walk over the graph of events. On each machine its own
// component of the vector clock (Mattern 1989, Fidge 1988) rises by 1 from event to event,
// and every other one never falls. So the past of an event is a prefix of each log and its
// future is a suffix of each, and both are found by binary search over vector clocks that
// are kept at checkpoints, every few events.
//
// In a broken run only what is certain counts as a cause: a receive whose send is not
// known, or comes only after it, has no cause but the event before it on its machine. So the
// relation is always a partial order.
package causal

import (
	"math"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// MaxMachines is the largest number of machines for which vector clocks are kept. Of more, and
// of those whose vector clocks take more memory than a walk allows, pasts and futures are
// found all the same, by a walk.
const MaxMachines = 256

// Place is where an event is: Machine is the place of its machine in [trace.Run.Present],
// and Position counts the events in its log from 0.
type Place struct{ Machine, Position int }

// Nowhere stands for an event that is not known.
var Nowhere = Place{-1, -1}

// Event is an event as the index keeps it.
type Event struct {
	Place
	Kind  event.Kind
	Clock clock.Time
	Micro int64  // global time, Unix µs
	Queue uint32 // a longer queue is one of the largest number
	Line  int    // in the log
	Step  uint64
}

// Message is one end of a message.
type Message struct {
	Peer  int // id of the machine at the other end
	Seq   uint64
	Other Place // the event at the other end, Nowhere if that is not kept
}

// Index is the events of a run, or of a part of it. It is safe for concurrent use.
//
// A part of a run is cut out so that it holds all that is between its events: what leads
// from one of them to another goes through no event outside. Events before it on a
// machine are taken as being in everybody's past.
type Index struct {
	ids     []int     // of the machines
	logs    []machine // theirs
	every   int       // events between checkpoints
	vectors bool
	links   links
}

// machine is the log of one.
type machine struct {
	first    int // position of the first event that is kept
	seen     int // events that the log has, as far as the walk has seen it
	rows     column[row]
	messages column[end]
	stamps   column[stamp]  // of receives, where they are not what the known send says
	lines    column[skip]   // line - position, from a position on
	steps    column[skip]   // step - position, likewise
	vectors  column[uint32] // the vector clock of the last event of each block of checkpoints
}

// row is an event in 24 bytes.
type row struct {
	micro int64
	clock uint64
	queue uint32
	// kind in the lowest two bits, above them where its messages begin.
	messages uint32
}

const (
	kindBits    = 2
	maxMessages = math.MaxUint32 >> kindBits // of one machine
	maxEvents   = math.MaxUint32 - 1         // of one machine
)

func (r *row) kind() event.Kind { return event.Kind(r.messages & (1<<kindBits - 1)) }
func (r *row) begin() int       { return int(r.messages >> kindBits) }

// end is one end of a message.
type end struct {
	seq   uint64
	peer  int32
	other uint32 // position of the other end, plus 1; 0: not kept
}

// stamp is the timestamp of a message that was received at a position.
type stamp struct {
	position uint32
	sent     uint64
}

// skip says by how much more a number exceeds the position from there on.
type skip struct {
	position uint32
	by       uint64 // may wrap around
}

// Machines returns how many machines there are.
func (x *Index) Machines() int { return len(x.ids) }

// ID returns the id of a machine.
func (x *Index) ID(machine int) int { return x.ids[machine] }

// Find returns the machine with an id, false if it has no log.
func (x *Index) Find(id int) (machine int, ok bool) {
	if id >= 0 && id < len(x.ids) && x.ids[id] == id {
		return id, true
	}
	return slices.BinarySearch(x.ids, id)
}

// First returns the position of a machine's first event that is kept.
func (x *Index) First(machine int) int { return x.logs[machine].first }

// End returns the position after a machine's last event that is kept.
func (x *Index) End(machine int) int { return x.logs[machine].end() }

// Kept returns how many events are kept of all machines.
func (x *Index) Kept() (n int) {
	for i := range x.logs {
		n += x.logs[i].rows.n
	}
	return n
}

// Has reports whether an event is kept.
func (x *Index) Has(p Place) bool {
	return p.Machine >= 0 && p.Machine < len(x.logs) && p.Position >= x.First(p.Machine) && p.Position < x.End(p.Machine)
}

// At returns an event that is kept.
func (x *Index) At(p Place) Event {
	m := &x.logs[p.Machine]
	r := m.row(p.Position)
	return Event{
		Place: p, Kind: r.kind(), Clock: clock.Time(r.clock), Micro: r.micro, Queue: r.queue,
		Line: int(value(&m.lines, p.Position)), Step: value(&m.steps, p.Position),
	}
}

// Messages calls f for each message that an event sent, in order, or for the one that it
// received, until f returns false.
func (x *Index) Messages(p Place, f func(Message) bool) {
	m := &x.logs[p.Machine]
	for i, last := m.messagesOf(p.Position); i < last; i++ {
		if !f(x.message(m.messages.at(i))) {
			return
		}
	}
}

// Received returns the message that a receive took, and its timestamp; false for other
// events.
func (x *Index) Received(p Place) (m Message, sent clock.Time, ok bool) {
	log := &x.logs[p.Machine]
	r := log.row(p.Position)
	if r.kind() != event.Receive {
		return Message{}, 0, false
	}
	m = x.message(log.messages.at(r.begin()))
	return m, clock.Time(x.sent(log, p.Position, m.Other)), true
}

// OfLine returns the event in a line of a machine's log, false if that is none that is kept.
func (x *Index) OfLine(machine, line int) (Place, bool) {
	return x.ofNumber(machine, &x.logs[machine].lines, uint64(line))
}

// OfStep returns the event of a step of a machine, false if it is not kept.
func (x *Index) OfStep(machine int, step uint64) (Place, bool) {
	return x.ofNumber(machine, &x.logs[machine].steps, step)
}

func (x *Index) ofNumber(machine int, numbers *column[skip], n uint64) (Place, bool) {
	position, ok := positionOf(numbers, n)
	p := Place{machine, position}
	return p, ok && x.Has(p)
}

func (m *machine) end() int              { return m.first + m.rows.n }
func (m *machine) row(position int) *row { return m.rows.at(position - m.first) }

// messagesOf returns where the messages of an event begin, and where they end.
func (m *machine) messagesOf(position int) (first, last int) {
	i := position - m.first
	first, last = m.rows.at(i).begin(), m.messages.n
	if i+1 < m.rows.n {
		last = m.rows.at(i + 1).begin()
	}
	return first, last
}

// cause returns the send of an event that received a message, false if there is none that
// is kept.
func (x *Index) cause(m *machine, position int) (Place, bool) {
	r := m.row(position)
	if r.kind() != event.Receive {
		return Nowhere, false
	}
	e := m.messages.at(r.begin())
	if e.other == 0 {
		return Nowhere, false
	}
	peer, _ := x.Find(int(e.peer))
	return Place{peer, int(e.other) - 1}, true
}

func (x *Index) message(e *end) Message {
	m := Message{Peer: int(e.peer), Seq: e.seq, Other: Nowhere}
	if e.other > 0 {
		peer, _ := x.Find(m.Peer)
		m.Other = Place{peer, int(e.other) - 1}
	}
	return m
}

// sent returns the timestamp of the message that was received at a position.
func (x *Index) sent(m *machine, position int, send Place) uint64 {
	i := m.stamps.search(func(s *stamp) bool { return int(s.position) >= position })
	if i < m.stamps.n {
		if s := m.stamps.at(i); int(s.position) == position {
			return s.sent
		}
	}
	return x.logs[send.Machine].row(send.Position).clock
}

// follow takes in that a number of the event at a position is n.
func follow(c *column[skip], position int, n uint64) {
	by := n - uint64(position)
	if c.n == 0 || c.at(c.n-1).by != by {
		c.add(skip{uint32(position), by})
	}
}

// value returns the number of the event at a position.
func value(c *column[skip], position int) uint64 {
	i := c.search(func(s *skip) bool { return int(s.position) > position })
	return uint64(position) + c.at(i-1).by
}

// positionOf returns where a number stands, as far as the numbers rise.
func positionOf(c *column[skip], n uint64) (position int, ok bool) {
	i := c.search(func(s *skip) bool { return uint64(s.position)+s.by > n })
	if i == 0 {
		return 0, false
	}
	s := c.at(i - 1)
	position = int(n - s.by)
	if i < c.n && position >= int(c.at(i).position) {
		return 0, false
	}
	return position, true
}

// Every returns after how many events of a machine there is a checkpoint.
func (x *Index) Every() int { return x.every }

// Checkpoints returns how many checkpoints a machine has: one at the last event of each
// block of [Index.Every] events, of which the last may be shorter; none where vector
// clocks are not kept.
func (x *Index) Checkpoints(machine int) int {
	if !x.vectors {
		return 0
	}
	return x.logs[machine].vectors.n / len(x.logs)
}

// Checkpoint returns one component of the vector clock at a checkpoint of a machine.
func (x *Index) Checkpoint(machine, checkpoint, component int) int {
	return int(*x.logs[machine].vectors.at(checkpoint*len(x.logs) + component))
}
