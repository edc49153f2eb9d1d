package sim

import (
	"math"
	"math/bits"

	"github.com/scalemodel/lamport/pkg/machine"
)

// node is one machine as its own ticks move it. It has a cache line and no pointer, so
// that a million of them are no burden; most ticks touch nothing else.
//
// What it counts is what was since the last step whose number is a multiple of
// [remembered]: more is in [past].
type node struct {
	state    machine.State
	id       int32
	sends    uint32
	sent     uint32 // messages
	receives uint32
	gaps     uint32
	maxQueue uint32
	queueSum uint64
}

// past is what there was no room for in a node, or in a queue.
type past struct {
	sends, sent, receives, gaps uint64
	maxJump                     uint64
}

// remembered is for how many steps a node counts: none of its counts overflows.
const remembered = 1 << 24

// queue is what a machine has been sent and has not received. It has a cache line of its
// own, since messages come in another order than ticks.
//
// Invariant: seen ≤ n. The ring holds n messages from head on, in the order of
// [message.before]. The first seen of them were in the queue at the last tick that looked.
type queue struct {
	n    uint32
	seen uint32
	head uint32 // the place in the ring, and above it a bit that is the size of the ring
	ring uint32 // if that is above 2: number in the pool

	small [2]message // the ring if not
}

// shard is a part of the machines, and all that is needed to run them apart from
// the others until a message can pass between them. Its machines have ids of a row, and
// stand in memory by rota.
type shard struct {
	*engine
	first   int // the first machine
	nodes   []node
	rotas   []rota
	offsets []int64  // by place; nil: none; see [rota.advance]
	queues  []queue  // by place
	jumps   []uint32 // by place: the largest; above that, it is in the past
	pasts   []past   // by place; nil: none has any
	waiting []uint64 // by place: a bit for each queue that is not empty
	places  []int32  // of the machines, from first on
	pool    pool

	sharing

	events  uint64
	touched uint64   // means nothing; see fetch
	err     error    // the first
	_       [64]byte // keeps what another core writes off this one's cache lines
}

// tick executes the instruction that is due of the machine whose turn it is.
func (s *shard) tick(r *rota) {
	place, now := r.next, r.due
	r.advance(s.offsets)
	s.step(place, now)
}

// step executes an instruction of the machine in a place at an instant.
func (s *shard) step(place int32, now int64) {
	s.events++
	nd := &s.nodes[place]
	if nd.state.Steps()%remembered == remembered-1 {
		s.remember(place)
	}
	if at := uint(place); s.waiting[at/64]>>(at%64)&1 != 0 {
		q := &s.queues[at]
		ring := s.ring(q)
		mask := uint32(len(ring) - 1)
		for q.seen < q.n && ring[(q.head+q.seen)&mask].arrival <= now {
			q.seen++
		}
		if q.seen > 0 {
			s.receive(place, q, now, &ring[q.head&mask])
			if q.n == 0 {
				s.waiting[at/64] &^= 1 << (at % 64)
			}
			return
		}
	}
	to, err := s.rules.Idle(&nd.state, int(nd.id))
	if err != nil {
		s.fail(err)
		return
	}
	n := to.Len()
	if n > 0 {
		nd.sends++
		nd.sent += uint32(n)
	}
	if s.logs != nil {
		s.logIdle(nd, now, to)
		return
	}
	for i := range n {
		s.send(nd, to.At(i), now)
	}
}

// receive takes the oldest message, m.
func (s *shard) receive(place int32, q *queue, now int64, m *message) {
	nd := &s.nodes[place]
	before := nd.state.Clock()
	if err := nd.state.Receive(m.sent); err != nil {
		s.fail(err)
		return
	}
	q.next()
	nd.receives++
	nd.queueSum += uint64(q.seen)
	nd.maxQueue = max(nd.maxQueue, q.seen)
	if jump := uint64(nd.state.Clock() - before); jump > 1 {
		nd.gaps++
		if jump > uint64(s.jumps[place]) {
			s.leap(place, jump)
		}
	}
	if s.logs != nil {
		s.logReceive(nd, now, q.seen, m)
	}
}

// leap takes down the largest jump of a machine so far.
func (s *shard) leap(place int32, jump uint64) {
	s.jumps[place] = uint32(min(jump, math.MaxUint32))
	if jump > math.MaxUint32 {
		p := s.past(place)
		p.maxJump = max(p.maxJump, jump)
	}
}

// remember moves what a node has counted to where there is room for more.
func (s *shard) remember(place int32) {
	nd, p := &s.nodes[place], s.past(place)
	p.sends += uint64(nd.sends)
	p.sent += uint64(nd.sent)
	p.receives += uint64(nd.receives)
	p.gaps += uint64(nd.gaps)
	nd.sends, nd.sent, nd.receives, nd.gaps = 0, 0, 0, 0
}

func (s *shard) past(place int32) *past {
	if s.pasts == nil {
		s.pasts = make([]past, len(s.nodes))
	}
	return &s.pasts[place]
}

// send sends a message and returns its number on the link, 0 without logs.
func (s *shard) send(nd *node, to int, now int64) uint32 {
	m := message{arrival: now + s.constant, sent: nd.state.Clock(), from: nd.id}
	if s.logs != nil {
		m.seq = s.number(int(nd.id), to)
	}
	if s.constant < 0 {
		m.arrival = s.arrives(int(nd.id), to, nd.state.Steps(), now)
	}
	if !s.batched {
		s.push(s.places[to], &m)
	} else {
		s.out.Send(int(uint32(to)/uint32(s.perShard)), post{m, int32(to)})
	}
	return m.seq
}

// push puts a message among those that the machine in a place has not seen. None is put
// before one of the same link, however fast it is: a link keeps its order.
func (s *shard) push(place int32, m *message) {
	q := &s.queues[place]
	switch q.n {
	case 0:
		s.waiting[place/64] |= 1 << (place % 64)
	case q.size():
		s.grow(q)
	}
	ring := s.ring(q)
	mask := uint32(len(ring) - 1)
	arrival := m.arrival
	i := q.n // where the message belongs, from head
	for i > q.seen {
		last := &ring[(q.head+i-1)&mask]
		if last.before(m) {
			break
		}
		if last.from == m.from { // overtaken
			arrival = last.arrival
			break
		}
		i--
	}
	for j := q.n; j > i; j-- {
		ring[(q.head+j)&mask] = ring[(q.head+j-1)&mask]
	}
	at := &ring[(q.head+i)&mask]
	*at = *m
	at.arrival = arrival
	q.n++
}

// size returns for how many messages there is room in the ring.
func (q *queue) size() uint32 { return 1 << (bits.Len32(q.head|2) - 1) }

// next moves on to the next message.
func (q *queue) next() {
	mask := q.size() - 1
	q.head = q.head&^mask | (q.head+1)&mask
	q.n--
	q.seen--
}

// ring returns the ring of a queue.
func (s *shard) ring(q *queue) []message {
	if q.head < 4 {
		return q.small[:]
	}
	return s.pool.ring(q.ring, sizeClass(q.size()))
}

// grow gives a queue a ring of twice the size.
func (s *shard) grow(q *queue) {
	old, size := s.ring(q), 2*q.size()
	number := s.pool.lend(sizeClass(size))
	fresh := s.pool.ring(number, sizeClass(size))
	for i := range q.n {
		fresh[i] = old[(q.head+i)&uint32(len(old)-1)]
	}
	if len(old) > len(q.small) {
		s.pool.take(sizeClass(uint32(len(old))), q.ring)
	}
	q.ring, q.head = number, size
}

func (s *shard) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}
