package sim

import "github.com/scalemodel/lamport/pkg/machine"

// node is one machine as its own ticks move it. It has a cache line and no pointer, so
// that a million of them are no burden; most ticks touch nothing else.
type node struct {
	state machine.State
	sends uint64
	sent  uint64 // messages
	id    int32
	_     [12]byte
}

// queue is what a machine has been sent, and what is known of that. It has cache lines of
// its own, since messages come in another order than ticks.
//
// Invariant: seen ≤ n. The ring holds n messages from head on, in the order of
// [message.before]. The first seen of them were in the queue at the last tick that looked.
type queue struct {
	n    uint32
	seen uint32
	head uint32 // grows for ever; the place in the ring are its low bits
	ring uint32 // where size is above 0: number in the pool, of unit·2^size messages

	size     uint8
	maxQueue uint32
	receives uint64
	gaps     uint64
	queueSum uint64
	maxJump  uint64

	small [unit]message // the ring where size is 0
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
	if at := uint(place); s.waiting[at/64]>>(at%64)&1 != 0 {
		q := &s.queues[at]
		ring := s.ring(q)
		mask := uint32(len(ring) - 1)
		for q.seen < q.n && ring[(q.head+q.seen)&mask].arrival <= now {
			q.seen++
		}
		if q.seen > 0 {
			s.receive(nd, q, now, &ring[q.head&mask])
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
		nd.sent += uint64(n)
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
func (s *shard) receive(nd *node, q *queue, now int64, m *message) {
	before := nd.state.Clock()
	if err := nd.state.Receive(m.sent); err != nil {
		s.fail(err)
		return
	}
	jump := uint64(nd.state.Clock() - before)
	q.head++
	q.n--
	q.seen--
	q.receives++
	q.queueSum += uint64(q.seen)
	q.maxQueue = max(q.maxQueue, q.seen)
	q.maxJump = max(q.maxJump, jump)
	if jump > 1 {
		q.gaps++
	}
	if s.logs != nil {
		s.logReceive(nd, now, q.seen, m)
	}
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
	case unit << q.size:
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

// ring returns the ring of a queue.
func (s *shard) ring(q *queue) []message {
	if q.size == 0 {
		return q.small[:]
	}
	return s.pool.ring(q.ring, q.size)
}

// grow gives a queue a ring of twice the size.
func (s *shard) grow(q *queue) {
	fresh := s.pool.lend(q.size + 1)
	from, to := s.ring(q), s.pool.ring(fresh, q.size+1)
	for i := range q.n {
		to[i] = from[(q.head+i)&uint32(len(from)-1)]
	}
	if q.size > 0 {
		s.pool.take(q.size, q.ring)
	}
	q.ring, q.head = fresh, 0
	q.size++
}

func (s *shard) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}
