package page

import (
	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/event"
)

// eventColumns are the columns of a machine's events. Numbers are written as what they
// differ by from what is to be expected, which is mostly nothing: so the columns take about
// two bytes for an event when they are compressed.
type eventColumns struct {
	x       *causal.Index
	machine int
	start   int64 // of the run, Unix µs
	// By machine, what came last on the link to it and on that from it. Those that have no
	// log are kept apart.
	out, in         []lastOn
	strayOut, stray map[int]*lastOn

	kind, micro, clock, queue, line, step column
	messages, to, seq, arrives            column // of sends
	from, rseq, sends, sent               column // of receives
	vector                                column
}

// lastOn is what came last on a link.
type lastOn struct {
	seq      uint64
	position int // at the other end
}

// encodeEvents adds the columns of all events of an index.
func encodeEvents(s *sections, x *causal.Index, start int64) {
	for i := range x.Machines() {
		c := newEventColumns(x, i, start)
		c.events()
		c.checkpoints()
		for _, part := range []struct {
			name   string
			column *column
		}{
			{"kind", &c.kind}, {"micro", &c.micro}, {"clock", &c.clock}, {"queue", &c.queue}, {"line", &c.line}, {"step", &c.step},
			{"messages", &c.messages}, {"to", &c.to}, {"seq", &c.seq}, {"arrives", &c.arrives},
			{"from", &c.from}, {"rseq", &c.rseq}, {"sends", &c.sends}, {"sent", &c.sent},
			{"vector", &c.vector},
		} {
			s.add(part.name, i, part.column)
		}
	}
}

func newEventColumns(x *causal.Index, machine int, start int64) *eventColumns {
	c := &eventColumns{
		x: x, machine: machine, start: start,
		out: make([]lastOn, x.Machines()), in: make([]lastOn, x.Machines()),
		strayOut: make(map[int]*lastOn), stray: make(map[int]*lastOn),
	}
	for j := range c.out {
		c.out[j].position, c.in[j].position = x.First(j)-1, x.First(j)-1
	}
	return c
}

// link returns what came last on a link with a machine.
func (c *eventColumns) link(peer int, known []lastOn, stray map[int]*lastOn) *lastOn {
	if j, ok := c.x.Find(peer); ok {
		return &known[j]
	}
	l := stray[peer]
	if l == nil {
		l = new(lastOn)
		stray[peer] = l
	}
	return l
}

// events adds all events of the machine.
func (c *eventColumns) events() {
	var micro int64
	var clock uint64
	var queue uint32
	line, step := 0, uint64(0)
	for position := c.x.First(c.machine); position < c.x.End(c.machine); position++ {
		e := c.x.At(causal.Place{Machine: c.machine, Position: position})
		at := e.Micro - c.start
		c.kind.unsigned(uint64(e.Kind))
		c.micro.signed(at - micro)
		c.clock.signed(int64(uint64(e.Clock) - clock - 1))
		c.queue.signed(int64(e.Queue) - int64(queue))
		c.line.signed(int64(e.Line - line - 1))
		c.step.signed(int64(e.Step - step - 1))
		switch e.Kind {
		case event.Send:
			c.send(e.Place)
		case event.Receive:
			c.receive(e.Place, clock)
		}
		micro, clock, queue, line, step = at, uint64(e.Clock), e.Queue, e.Line, e.Step
	}
}

func (c *eventColumns) send(p causal.Place) {
	n := uint64(0)
	c.x.Messages(p, func(m causal.Message) bool {
		n++
		last := c.link(m.Peer, c.out, c.strayOut)
		c.to.unsigned(uint64(m.Peer))
		c.seq.signed(int64(m.Seq - last.seq - 1))
		last.seq = m.Seq
		c.arrives.other(m.Other, last)
		return true
	})
	c.messages.unsigned(n)
}

// receive adds a receive; before is the clock of the event before it.
func (c *eventColumns) receive(p causal.Place, before uint64) {
	m, sent, _ := c.x.Received(p)
	last := c.link(m.Peer, c.in, c.stray)
	c.from.unsigned(uint64(m.Peer))
	c.rseq.signed(int64(m.Seq - last.seq - 1))
	last.seq = m.Seq
	expected := before
	if m.Other != causal.Nowhere {
		expected = uint64(c.x.At(m.Other).Clock)
	}
	c.sends.other(m.Other, last)
	c.sent.signed(int64(uint64(sent) - expected))
}

// other adds the position of the other end of a message, 0 for one that is not known.
func (c *column) other(p causal.Place, last *lastOn) {
	if p == causal.Nowhere {
		c.unsigned(0)
		return
	}
	c.unsigned(1 + zigzag(int64(p.Position-last.position)))
	last.position = p.Position
}

// checkpoints adds the vector clocks at the checkpoints, component by component.
func (c *eventColumns) checkpoints() {
	for j := range c.x.Machines() {
		last := 0
		for k := range c.x.Checkpoints(c.machine) {
			n := c.x.Checkpoint(c.machine, k, j)
			c.vector.unsigned(uint64(n - last))
			last = n
		}
	}
}
