package machine

import "github.com/scalemodel/lamport/pkg/event"

// fifo is an unbounded queue of messages in a ring that grows by doubling.
// Invariant: len(ring) is 0 or a power of two; n ≤ len(ring).
type fifo struct {
	ring []event.Message
	head int
	n    int
}

// shrinkFrom is the smallest ring that is given back when it has become far too
// large: a queue that was long once need not hold its memory for ever. The queues of
// machines that run as fast as they can reach tens of thousands many times a second,
// and would be copied as often.
const shrinkFrom = 1 << 17

func (f *fifo) len() int { return f.n }

// at returns the i-th oldest message, 0 ≤ i < len.
func (f *fifo) at(i int) event.Message { return f.ring[(f.head+i)&(len(f.ring)-1)] }

func (f *fifo) push(m event.Message) {
	if f.n == len(f.ring) {
		f.resize(max(4, 2*f.n))
	}
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = m
	f.n++
}

func (f *fifo) pushAll(messages []event.Message) {
	size := max(4, len(f.ring))
	for size < f.n+len(messages) {
		size *= 2
	}
	if size > len(f.ring) {
		f.resize(size)
	}
	// What does not fit before the end of the ring stands at its start.
	before := copy(f.ring[(f.head+f.n)&(size-1):], messages)
	copy(f.ring, messages[before:])
	f.n += len(messages)
}

// pop drops the oldest message; there must be one.
func (f *fifo) pop() {
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	if len(f.ring) >= shrinkFrom && f.n == len(f.ring)/8 {
		f.resize(len(f.ring) / 2)
	}
}

func (f *fifo) resize(size int) {
	ring := make([]event.Message, size)
	for i := range f.n {
		ring[i] = f.at(i)
	}
	f.ring, f.head = ring, 0
}
