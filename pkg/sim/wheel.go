package sim

import "math/bits"

// wheel is a calendar of the ticks of a shard: a ring of buckets, each for a window
// of 2^shift nanoseconds, and in each the machines whose next tick is in that window,
// in no particular order. One that ticks more than a revolution later is passed by
// until it is due.
//
// R. Brown, "Calendar Queues: A Fast O(1) Priority Queue Implementation for the
// Simulation Event Set Problem", CACM 31(10), 1988.
type wheel struct {
	shift uint8
	mask  uint64
	ends  []ends
	set   []uint64 // a bit for each bucket that is not empty
	// chunks hold the machines of all buckets; a chunk that is read is used
	// again. Slices that grow would each keep room for its fullest moment.
	chunks []chunk
	free   uint32 // 0: none
}

// ends are the first and the last chunk of a bucket, 0: none.
type ends struct{ first, last uint32 }

type chunk struct {
	ids  [62]int32
	n    int32
	next uint32 // 0: none
}

// newWheel returns the calendar for windows of 2^shift ns and periods of up to
// longest ns.
func newWheel(shift uint8, longest int64) wheel {
	n := bucketsFor(shift, longest)
	return wheel{
		shift:  shift,
		mask:   n - 1,
		ends:   make([]ends, n),
		set:    make([]uint64, n/64),
		chunks: make([]chunk, 1),
	}
}

// maxBuckets bounds what a calendar takes where there is a machine far slower than
// the latency; that machine is passed by a few times a tick.
const maxBuckets = 1 << 16

func bucketsFor(shift uint8, longest int64) uint64 {
	n := uint64(64)
	for n < maxBuckets && n < uint64(longest>>shift)+2 {
		n *= 2
	}
	return n
}

// add puts a machine where its next tick is.
func (w *wheel) add(id int32, due int64) {
	b := uint64(due) >> w.shift & w.mask
	e := &w.ends[b]
	if e.last == 0 || w.chunks[e.last].n == int32(len(chunk{}.ids)) {
		w.extend(e)
		w.set[b/64] |= 1 << (b % 64)
	}
	c := &w.chunks[e.last]
	c.ids[c.n] = id
	c.n++
}

// extend adds a chunk to a bucket.
func (w *wheel) extend(e *ends) {
	fresh := w.free
	if fresh != 0 {
		w.free = w.chunks[fresh].next
		w.chunks[fresh].n, w.chunks[fresh].next = 0, 0
	} else {
		fresh = uint32(len(w.chunks))
		w.chunks = append(w.chunks, chunk{})
	}
	if e.last == 0 {
		e.first = fresh
	} else {
		w.chunks[e.last].next = fresh
	}
	e.last = fresh
}

// take empties the bucket of a window and returns its first chunk.
func (w *wheel) take(window uint64) uint32 {
	b := window & w.mask
	first := w.ends[b].first
	w.ends[b] = ends{}
	w.set[b/64] &^= 1 << (b % 64)
	return first
}

// release gives a chunk back, and returns the next of its bucket.
func (w *wheel) release(c uint32) (next uint32) {
	next = w.chunks[c].next
	w.chunks[c].next = w.free
	w.free = c
	return next
}

// noWindow stands behind all windows.
const noWindow = 1<<64 - 1

// next returns the first window after one in which a machine may tick.
func (w *wheel) next(window uint64) uint64 {
	from := window + 1
	for gone := uint64(0); gone <= w.mask; {
		b := (from + gone) & w.mask
		if word := w.set[b/64] >> (b % 64); word != 0 {
			return from + gone + uint64(bits.TrailingZeros64(word))
		}
		gone += 64 - b%64
	}
	return noWindow
}
