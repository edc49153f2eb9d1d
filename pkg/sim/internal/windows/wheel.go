package windows

import "math/bits"

// Wheel is a calendar: a ring of buckets, each for a window of 2^shift units of time,
// and in each the items that are due in that window, in no particular order. What is due
// more than a revolution later is handed out too early, and has to be put back.
//
// R. Brown, "Calendar Queues: A Fast O(1) Priority Queue Implementation for the
// Simulation Event Set Problem", CACM 31(10), 1988.
type Wheel[T any] struct {
	shift   uint8
	mask    uint64
	set     []uint64 // a bit for each bucket that is not empty
	buckets Piles[T]
}

// NewWheel returns the calendar for windows of 2^shift units, and for what is due up to
// longest units after the window in which it is put there.
func NewWheel[T any](shift uint8, longest int64) Wheel[T] {
	n := Buckets(shift, longest)
	return Wheel[T]{shift: shift, mask: n - 1, set: make([]uint64, n/64), buckets: NewPiles[T](int(n))}
}

// MaxBuckets bounds what a calendar takes where something is due far later than a
// window is long; that is handed out a few times too early.
const MaxBuckets = 1 << 16

// Buckets returns how many buckets the calendar has that [NewWheel] makes.
func Buckets(shift uint8, longest int64) uint64 {
	n := uint64(64)
	for n < MaxBuckets && n < uint64(longest>>shift)+2 {
		n *= 2
	}
	return n
}

// Add puts an item where it is due: not before the window that is being executed.
func (w *Wheel[T]) Add(item T, due int64) {
	b := uint64(due) >> w.shift & w.mask
	w.set[b/64] |= 1 << (b % 64)
	w.buckets.Add(int(b), item)
}

// Open takes all items out of the bucket of a window, for [Wheel.Take].
func (w *Wheel[T]) Open(window uint64) {
	b := window & w.mask
	w.set[b/64] &^= 1 << (b % 64)
	w.buckets.Open(int(b))
}

// Take returns some of the items that [Wheel.Open] has taken out, none when all have been
// returned. They stay until the next Take, whatever is added meanwhile.
func (w *Wheel[T]) Take() []T { return w.buckets.Take() }

// Next returns the first window after one in which something may be due. After [None]
// comes window 0.
func (w *Wheel[T]) Next(window uint64) uint64 {
	from := window + 1
	for gone := uint64(0); gone <= w.mask; {
		b := (from + gone) & w.mask
		if word := w.set[b/64] >> (b % 64); word != 0 {
			return from + gone + uint64(bits.TrailingZeros64(word))
		}
		gone += 64 - b%64
	}
	return None
}
