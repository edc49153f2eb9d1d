package trace

import "math/bits"

// vectors are the vector clocks of messages in flight, as long as all together take no more
// than they may.
//
// Where many messages are pending, their vectors are in no processor's cache any more when
// they are received. A link's messages are received in the order in which they were sent;
// so the vectors of a link stand in blocks, one behind the other in that order, and one line of
// the cache brings several of them. Wide ones fill lines by themselves, and have a block each.
type vectors struct {
	width  int        // of each
	spare  int64      // bytes that they may still take
	chunks [][]uint64 // of 1<<shift vectors each
	shift  uint
	made   vector
	block  uint     // 1<<block vectors are one
	last   []vector // by sender and recipient: what was kept; nil: each has a block
	left   []uint8  // by block: of how many of its vectors the message has not landed, or not been sent
	free   []vector // blocks; the last one is given away first: it is at hand
}

// vector is the number of a vector clock, from 1; 0: none.
type vector uint32

// newVectors returns none, of so many entries each.
func newVectors(width int, spare int64) vectors {
	const (
		chunk = 8192 // entries that are made at once, but for wide vectors
		block = 128  // entries that one link fills, likewise
	)
	log2 := func(n int) uint { return uint(bits.Len(uint(max(n, 1)))) - 1 }
	v := vectors{width: width, spare: spare, shift: log2(chunk / max(width, 1)), block: log2(block / max(width, 1))}
	if v.block > 0 {
		v.last = make([]vector, width*width)
	}
	return v
}

func vectorBytes(width int) int64 { return 8 * int64(width) }

// keep returns a copy of a vector clock for a message of a link, 0 if it would be too much. The
// link is that of two machines by their indices.
func (v *vectors) keep(clock []uint64, from, to int) vector {
	if v.spare -= vectorBytes(v.width); v.spare < 0 {
		return 0
	}
	var n vector
	if v.last == nil {
		n = v.fresh() + 1
	} else {
		last := &v.last[from*v.width+to]
		if n = *last; n&(1<<v.block-1) == 0 { // none yet, or the last one of its block
			n = v.fresh()
		}
		n++
		*last = n
	}
	copy(v.of(n), clock)
	return n
}

// fresh returns the number before the first one of a block that nobody uses.
func (v *vectors) fresh() vector {
	if last := len(v.free) - 1; last >= 0 {
		b := v.free[last]
		v.free = v.free[:last]
		v.left[b] = 1 << v.block
		return b << v.block
	}
	if v.made&(1<<v.shift-1) == 0 {
		v.chunks = append(v.chunks, make([]uint64, v.width<<v.shift))
	}
	before := v.made
	v.made += 1 << v.block
	v.left = append(v.left, 1<<v.block)
	return before
}

// of returns a vector clock that is kept.
func (v *vectors) of(n vector) []uint64 {
	n--
	return v.chunks[n>>v.shift][int(n&(1<<v.shift-1))*v.width:][:v.width]
}

// landed gives back a vector clock.
func (v *vectors) landed(n vector) {
	v.spare += vectorBytes(v.width)
	b := (n - 1) >> v.block
	if v.left[b]--; v.left[b] == 0 {
		v.free = append(v.free, b)
	}
}
