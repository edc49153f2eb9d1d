package sim

import (
	"math/bits"

	"github.com/scalemodel/lamport/pkg/clock"
)

// message is a message that waits in a queue or is on its way there.
type message struct {
	arrival int64 // instant from which on it is in the queue
	sent    clock.Time
	from    int32
	seq     uint32 // on its link; 0 where no logs are written
}

// before is the order of the messages to one machine. Of one link, a later one has
// a later stamp.
func (m *message) before(o *message) bool {
	if m.arrival != o.arrival {
		return m.arrival < o.arrival
	}
	if m.from != o.from {
		return m.from < o.from
	}
	return m.sent < o.sent
}

// pool lends out rings of 4, 8, 16, … messages. A million machines with a slice
// each would have the garbage collector look at a million pointers, and
// every ring that grows leave its old one behind; here there is no pointer in a
// ring or a machine, and a ring that is given back is lent out again.
type pool struct {
	chunks [][]message
	fresh  uint32     // where the unused part of the last small chunk begins
	free   [][]uint32 // by size: rings given back
}

const (
	unit       = 4       // messages in the smallest ring
	chunkUnits = 1 << 12 // in a chunk of small rings
)

// ring returns the ring lent out under a number, of 4·2^size messages.
func (p *pool) ring(ref uint32, size uint8) []message {
	at := (ref & (chunkUnits - 1)) * unit
	return p.chunks[ref/chunkUnits][at : at+unit<<size]
}

// lend returns the number of a ring of 4·2^size messages.
func (p *pool) lend(size uint8) uint32 {
	for int(size) >= len(p.free) {
		p.free = append(p.free, nil)
	}
	if free := p.free[size]; len(free) > 0 {
		ref := free[len(free)-1]
		p.free[size] = free[:len(free)-1]
		return ref
	}
	units := uint32(1) << size
	if units >= chunkUnits {
		p.chunks = append(p.chunks, make([]message, unit<<size))
		return uint32(len(p.chunks)-1) * chunkUnits
	}
	left := -p.fresh & (chunkUnits - 1)
	if left < units {
		for left > 0 { // what is left serves smaller rings
			s := uint8(bits.TrailingZeros32(left))
			p.take(s, p.fresh)
			p.fresh += 1 << s
			left -= 1 << s
		}
		p.chunks = append(p.chunks, make([]message, chunkUnits*unit))
		p.fresh = uint32(len(p.chunks)-1) * chunkUnits
	}
	ref := p.fresh
	p.fresh += units
	return ref
}

// sizeClass returns the size, as the pool counts it, of a ring for so many messages.
func sizeClass(messages uint32) uint8 { return uint8(bits.Len32(messages/unit) - 1) }

// take takes a ring back.
func (p *pool) take(size uint8, ref uint32) {
	p.free[size] = append(p.free[size], ref)
}
