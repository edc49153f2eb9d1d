package machine

import "github.com/scalemodel/lamport/pkg/internal/splitmix"

// Dice is all of a machine's chance, as a small value: a counter-based random
// generator, in which each throw is a pure function of (seed, machine, step). So
// a machine can be restarted, replayed or simulated in another order without any
// generator state.
//
// It is SplitMix64 read at a position: G. L. Steele Jr., D. Lea, C. H. Flood,
// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. Every
// machine has its own start and its own odd step width, as their split gives
// each generator its own, so that no two machines walk the same sequence.
type Dice struct {
	start, width uint64
}

// throwsPerStep is how many independent numbers one step may draw.
const throwsPerStep = 4

// NewDice returns the dice of a machine in the run with this seed.
func NewDice(seed uint64, id int) Dice {
	s := splitmix.Mix(seed) + 2*uint64(id)*splitmix.Golden
	return Dice{start: splitmix.Mix(s), width: splitmix.Gamma(s + splitmix.Golden)}
}

// throw returns the i-th number of step k, uniform over 0 … n-1.
func (d Dice) throw(k uint64, i int, n int) int {
	return int(splitmix.Below(splitmix.Mix(d.start+(k*throwsPerStep+uint64(i))*d.width), uint64(n)))
}
