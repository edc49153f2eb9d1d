package trace

import (
	"math"
	"slices"
)

// atMost says that one clock is ahead of another by no more than so much, in µs.
type atMost struct {
	of, than int // the clocks
	by       int64
	why      int // for whoever made it
}

// unbounded is more than any clock is ahead of another.
const unbounded = math.MaxInt64 / 4

// differences are what is known of how far some clocks are apart, at one instant. Each
// bound is an edge of a graph, than → of; what follows from all of them are shortest
// paths, and bounds that cannot all hold are a cycle of negative length (Bellman 1958;
// Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, section 22.4).
type differences struct {
	clocks int
	bounds []atMost
}

// contradiction returns bounds that go round in a circle and cannot all hold, nil if there
// are none.
func (d *differences) contradiction() []atMost {
	// As from one more clock, of which none is ahead.
	dist := make([]int64, d.clocks)
	by := make([]int, d.clocks) // the bound that led here
	for i := range by {
		by[i] = -1
	}
	last := -1
	for range d.clocks {
		last = -1
		for i, b := range d.bounds {
			if next := dist[b.than] + b.by; next < dist[b.of] {
				dist[b.of], by[b.of], last = next, i, b.of
			}
		}
		if last < 0 {
			return nil
		}
	}
	for range d.clocks { // surely onto the cycle
		last = d.bounds[by[last]].than
	}
	var cycle []atMost
	for at := last; ; {
		b := d.bounds[by[at]]
		cycle = append(cycle, b)
		if at = b.than; at == last {
			slices.Reverse(cycle)
			return cycle
		}
	}
}

// from returns by how much each clock is ahead of one at most, [unbounded] where nothing
// says so; backwards, by how much it is behind at most. There is no contradiction.
func (d *differences) from(clock int, backwards bool) []int64 {
	dist := make([]int64, d.clocks)
	for i := range dist {
		dist[i] = unbounded
	}
	dist[clock] = 0
	for changed := true; changed; {
		changed = false
		for _, b := range d.bounds {
			than, of := b.than, b.of
			if backwards {
				than, of = of, than
			}
			if dist[than] < unbounded && dist[than]+b.by < dist[of] {
				dist[of], changed = dist[than]+b.by, true
			}
		}
	}
	return dist
}

// within says between which values a clock is ahead of another, in µs: from least to most,
// either of which may be unbounded.
type within struct{ least, most int64 }

// whole reports whether it has an end on both sides.
func (w within) whole() bool { return w.least > -unbounded && w.most < unbounded }

// middle returns the value in the middle. Those of all clocks together break none of the
// bounds: the least values do not, nor do the greatest, and what lies half-way between two
// solutions is one.
func (w within) middle() int64 { return w.least + (w.most-w.least)/2 }

// solve returns how far each clock is ahead of one, by all bounds.
func (d *differences) solve(clock int) []within {
	most, behind := d.from(clock, false), d.from(clock, true)
	all := make([]within, d.clocks)
	for i := range all {
		all[i] = within{-behind[i], most[i]}
	}
	return all
}
