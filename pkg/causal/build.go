package causal

import (
	"errors"
	"math"
	"math/bits"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Options says what an index is to keep. The zero Options keeps all.
type Options struct {
	// From and To bound the time of the events, counted from the run's first line; a To of 0
	// is the end. What lies at the bounds is kept or not so that no cause is missing
	// between events that are kept: on a machine the part begins with the first event of
	// that time, or with the first that an event that is kept has caused, and it ends
	// with the last event of that time, or before the first that has a cause behind the
	// part.
	From, To time.Duration
	// Events is the largest number of events to keep; 0: any. Those that the walk shows
	// first are kept.
	Events int
}

// Builder is a [trace.VectorVisitor] that builds an [Index].
type Builder struct {
	o      Options
	x      *Index
	some   bool  // there was a line
	from   int64 // Unix µs, as to
	to     int64
	begun  []bool // by machine: its part has begun
	ended  []bool // … and ended
	open   int    // machines whose part has not ended
	kept   int
	failed error
}

// NewBuilder returns a Builder for one walk over the run.
func NewBuilder(run *trace.Run, o Options) *Builder {
	ids := run.Present()
	b := &Builder{o: o, begun: make([]bool, len(ids)), ended: make([]bool, len(ids)), open: len(ids)}
	b.x = &Index{ids: ids, logs: make([]machine, len(ids)), every: every(len(ids)), vectors: len(ids) <= MaxMachines}
	return b
}

// every returns after how many events there is a checkpoint: so many that the checkpoints
// take no more room than the events, however many machines there are.
func every(machines int) int { return max(32, 1<<bits.Len(uint(machines-1))) }

// WantsVectors reports whether vector clocks are kept.
func (b *Builder) WantsVectors() bool { return b.x.vectors }

// errTooMany says that a log has more events or messages than positions have numbers.
var errTooMany = errors.New("a log of more than a billion messages is not held in memory")

// Visit takes in a line.
func (b *Builder) Visit(s *trace.Step) error {
	if !b.some {
		b.begin(s.Micro)
	}
	if s.Event == nil {
		return nil
	}
	m := &b.x.logs[s.Index]
	position := m.seen
	m.seen++
	if b.ended[s.Index] {
		return nil
	}
	if uint64(m.seen) == maxEvents || m.messages.n+len(s.Event.Messages()) > maxMessages {
		b.failed, b.x = errTooMany, nil
		return trace.ErrEnough
	}
	send, known := b.send(s)
	inside := known && b.x.Has(send)
	dropped := known && b.ended[send.Machine] && send.Position >= b.x.End(send.Machine)
	if !b.begun[s.Index] {
		if !inside && !dropped && (s.Micro < b.from || s.Micro > b.to) {
			m.first = m.seen
			return nil
		}
		b.begun[s.Index] = true
	}
	if dropped || s.Micro > b.to {
		return b.end(s.Index)
	}
	if b.kept == b.o.Events && b.o.Events > 0 {
		return trace.ErrEnough // and so no event is kept that is caused by a later one
	}
	b.kept++
	b.x.add(s, position, send, inside) // else it is before the part
	return nil
}

// begin takes in when the run began.
func (b *Builder) begin(micro int64) {
	b.some, b.from, b.to = true, micro+b.o.From.Microseconds(), math.MaxInt64
	if b.o.From <= 0 { // also what clocks that were set back show
		b.from = math.MinInt64
	}
	if b.o.To > 0 {
		b.to = micro + b.o.To.Microseconds()
	}
}

// end ends the part of a machine.
func (b *Builder) end(machine int) error {
	b.ended[machine] = true
	if b.open--; b.open == 0 {
		return trace.ErrEnough
	}
	return nil
}

// send returns the send of a receive, false if it is not known.
func (b *Builder) send(s *trace.Step) (Place, bool) {
	if s.Sent == nil {
		return Nowhere, false
	}
	from, ok := b.x.Find(int(s.Event.Messages()[0].From))
	if !ok {
		return Nowhere, false
	}
	m := &b.x.logs[from]
	position, ok := positionOf(&m.lines, uint64(s.Sent.Line))
	if !ok { // not kept: before the part, or after it
		position = m.first - 1
		if b.ended[from] {
			position = m.end()
		}
	}
	return Place{from, position}, true
}

// add adds an event.
func (x *Index) add(s *trace.Step, position int, send Place, known bool) {
	m := &x.logs[s.Index]
	e := s.Event
	m.rows.add(row{
		micro: s.Micro, clock: uint64(e.Clock), queue: uint32(min(uint64(e.Queue), math.MaxUint32)),
		messages: uint32(m.messages.n)<<kindBits | uint32(e.Kind),
	})
	follow(&m.lines, position, uint64(s.Line))
	follow(&m.steps, position, e.Step)
	switch e.Kind {
	case event.Receive:
		r := &e.Messages()[0]
		in := end{seq: r.Seq, peer: r.From}
		stamped := !known
		if known {
			in.other = uint32(send.Position + 1)
			x.arrive(send, x.ids[s.Index], r.Seq, position)
			stamped = uint64(r.Sent) != x.logs[send.Machine].row(send.Position).clock
		}
		if stamped {
			m.stamps.add(stamp{uint32(position), uint64(r.Sent)})
		}
		m.messages.add(in)
	case event.Send:
		for _, out := range e.Messages() {
			m.messages.add(end{seq: out.Seq, peer: out.To})
		}
	}
	switch {
	case s.Vector == nil:
		x.vectors = false
	case x.vectors && m.rows.n%x.every == 0:
		for _, n := range s.Vector {
			m.vectors.add(uint32(n))
		}
	}
}

// arrive notes at a send where its message was received.
func (x *Index) arrive(send Place, to int, seq uint64, position int) {
	m := &x.logs[send.Machine]
	for i, last := m.messagesOf(send.Position); i < last; i++ {
		if e := m.messages.at(i); int(e.peer) == to && e.seq == seq {
			e.other = uint32(position + 1)
			return
		}
	}
}

// Index returns what was built, when the walk has come to its end. The Builder is of no
// further use.
func (b *Builder) Index() (*Index, error) {
	if b.failed != nil {
		return nil, b.failed
	}
	x := b.x
	b.x = nil
	if x.vectors {
		x.conclude()
	}
	return x, nil
}

// conclude adds a checkpoint at the last event of each machine that has none there.
func (x *Index) conclude() {
	last := make([][]int, len(x.logs))
	for i := range x.logs {
		if m := &x.logs[i]; m.rows.n%x.every != 0 {
			last[i] = x.Past(Place{i, m.end() - 1})
		}
	}
	for i, vector := range last { // only now: what is asked for has whole blocks only
		for _, n := range vector {
			x.logs[i].vectors.add(uint32(n))
		}
	}
}
