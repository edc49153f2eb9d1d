package trace

import "math/bits"

// vectors are the vector clocks of messages in flight, as long as all together take no more
// than they may.
type vectors struct {
	width  int        // of each
	spare  int64      // bytes that they may still take
	chunks [][]uint64 // of 1<<shift vectors each
	shift  uint
	made   vector
	free   []vector // the last one is given away first: it is at hand
}

// vector is the number of a vector clock, from 1; 0: none.
type vector uint32

// newVectors returns none, of so many entries each.
func newVectors(width int, spare int64) vectors {
	const chunk = 8192 // entries that are made at once, but for wide vectors
	return vectors{width: width, spare: spare, shift: uint(bits.Len(uint(chunk/max(width, 1))|1)) - 1}
}

func vectorBytes(width int) int64 { return 8 * int64(width) }

// keep returns a copy of a vector clock, 0 if it would be too much.
func (v *vectors) keep(clock []uint64) vector {
	if v.spare -= vectorBytes(v.width); v.spare < 0 {
		return 0
	}
	var n vector
	if last := len(v.free) - 1; last >= 0 {
		n, v.free = v.free[last], v.free[:last]
	} else {
		if v.made&(1<<v.shift-1) == 0 {
			v.chunks = append(v.chunks, make([]uint64, v.width<<v.shift))
		}
		v.made++
		n = v.made
	}
	copy(v.of(n), clock)
	return n
}

// of returns a vector clock that is kept.
func (v *vectors) of(n vector) []uint64 {
	n--
	return v.chunks[n>>v.shift][int(n&(1<<v.shift-1))*v.width:][:v.width]
}

// landed gives back a vector clock.
func (v *vectors) landed(n vector) {
	v.spare += vectorBytes(v.width)
	v.free = append(v.free, n)
}
