package sim

import (
	"math/bits"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/machine"
)

// node is one machine: its state, its schedule, and what is known of its past. It
// has two cache lines and no pointer, so that a million of them are no burden.
//
// Invariant: seen ≤ n. The ring holds n messages from head on, in the order of
// [message.before]. The first seen of them were in the queue at the last tick.
type node struct {
	state machine.State
	due   int64  // instant of the next tick
	frac  uint64 // its fraction, in units of 1/rate ns; see class

	ring uint32 // number in the pool, of 4·2^size messages
	head uint32 // grows for ever; the place in the ring are its low bits
	n    uint32
	seen uint32

	class uint32
	size  uint8
	lent  bool // there is a ring

	maxQueue uint32
	sends    uint64
	receives uint64
	sent     uint64 // messages
	gaps     uint64
	queueSum uint64
	maxJump  uint64
}

// class is what machines of one rate have in common: the time from tick to tick
// is whole nanoseconds and rest/rate of one, exactly. Adding it up tick by
// tick gives clock.Rate.Due without its division.
type class struct {
	rate  clock.Rate
	whole int64
	rest  uint64
}

// period is 10¹⁸: with rates in billionths of a tick per second, a tick is due
// every period/rate nanoseconds.
const period = 1e18

func classOf(r clock.Rate) class {
	return class{rate: r, whole: int64(period / uint64(r)), rest: period % uint64(r)}
}

// advance moves the schedule on to the next tick.
func (nd *node) advance(c *class) {
	nd.due += c.whole
	if nd.frac += c.rest; nd.frac >= uint64(c.rate) {
		nd.frac -= uint64(c.rate)
		nd.due++
	}
}

// seek sets the schedule of a machine to tick k since an origin.
func (c *class) seek(nd *node, origin int64, k uint64) {
	hi, lo := bits.Mul64(k, period)
	whole, frac := bits.Div64(hi, lo, uint64(c.rate))
	nd.due, nd.frac = origin+int64(whole), frac
}

// shard is a part of the machines, and all that is needed to run them apart from
// the others until a message can pass between them.
type shard struct {
	*engine
	first int // the first machine
	nodes []node
	pool  pool

	wheel  wheel
	out    [2][][]post // by parity of the window, by recipient's shard
	parity int

	events  uint64
	touched uint64 // means nothing; see fetch
	err     error  // the first
	ev      event.Event
	sending []event.Message // of the send that is being logged
	_       [64]byte        // keeps what another core writes off this one's cache lines
}

// post is a message on its way to another shard.
type post struct {
	message
	to int32
}

// tick executes the instruction of machine id that is due.
func (s *shard) tick(nd *node, id int) {
	now := nd.due
	nd.advance(&s.classes[nd.class])
	s.step(nd, id, now)
}

// step executes an instruction of machine id at an instant.
func (s *shard) step(nd *node, id int, now int64) {
	s.events++
	if nd.n > 0 {
		ring := s.pool.ring(nd.ring, nd.size)
		mask := uint32(len(ring) - 1)
		for nd.seen < nd.n && ring[(nd.head+nd.seen)&mask].arrival <= now {
			nd.seen++
		}
		if nd.seen > 0 {
			s.receive(nd, id, now, &ring[nd.head&mask])
			return
		}
	}
	to, err := s.rules.Idle(&nd.state, id)
	if err != nil {
		s.fail(err)
		return
	}
	if n := to.Len(); n > 0 {
		nd.sends++
		nd.sent += uint64(n)
	}
	if s.logs != nil {
		s.logIdle(nd, id, now, to)
		return
	}
	for i := range to.Len() {
		s.send(nd, id, to.At(i), now)
	}
}

// receive takes the oldest message, m.
func (s *shard) receive(nd *node, id int, now int64, m *message) {
	before := nd.state.Clock()
	if err := nd.state.Receive(m.sent); err != nil {
		s.fail(err)
		return
	}
	jump := uint64(nd.state.Clock() - before)
	nd.head++
	nd.n--
	nd.seen--
	nd.receives++
	nd.queueSum += uint64(nd.seen)
	nd.maxQueue = max(nd.maxQueue, nd.seen)
	nd.maxJump = max(nd.maxJump, jump)
	if jump > 1 {
		nd.gaps++
	}
	if s.logs != nil {
		s.log(nd, id, now, event.Receive, event.Message{From: m.from, To: int32(id), Seq: uint64(m.seq), Sent: m.sent})
	}
}

// send sends a message and returns its number on the link, 0 without logs.
func (s *shard) send(nd *node, id, to int, now int64) uint32 {
	m := message{arrival: now + s.constant, sent: nd.state.Clock(), from: int32(id)}
	if s.logs != nil {
		m.seq = s.number(id, to)
	}
	if s.constant < 0 {
		m.arrival = s.arrives(id, to, nd.state.Steps(), now)
	}
	if !s.batched {
		s.push(&s.nodes[to], m)
	} else {
		out := &s.out[s.parity][to/s.perShard]
		*out = append(*out, post{m, int32(to)})
	}
	return m.seq
}

// push puts a message among those that its recipient has not seen. None is put
// before one of the same link, however fast it is: a link keeps its order.
func (s *shard) push(nd *node, m message) {
	if !nd.lent || nd.n == unit<<nd.size {
		s.grow(nd)
	}
	ring := s.pool.ring(nd.ring, nd.size)
	mask := uint32(len(ring) - 1)
	i := nd.n // where the message belongs, from head
	for i > nd.seen {
		last := &ring[(nd.head+i-1)&mask]
		if last.before(&m) {
			break
		}
		if last.from == m.from { // overtaken
			m.arrival = last.arrival
			break
		}
		i--
	}
	for j := nd.n; j > i; j-- {
		ring[(nd.head+j)&mask] = ring[(nd.head+j-1)&mask]
	}
	ring[(nd.head+i)&mask] = m
	nd.n++
}

// grow gives a machine a ring of twice the size.
func (s *shard) grow(nd *node) {
	if !nd.lent {
		nd.ring, nd.lent = s.pool.lend(0), true
		return
	}
	fresh := s.pool.lend(nd.size + 1)
	from, to := s.pool.ring(nd.ring, nd.size), s.pool.ring(fresh, nd.size+1)
	for i := range nd.n {
		to[i] = from[(nd.head+i)&uint32(len(from)-1)]
	}
	s.pool.take(nd.size, nd.ring)
	nd.ring, nd.head = fresh, 0
	nd.size++
}

func (s *shard) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}
