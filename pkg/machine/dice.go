package machine

import "math/bits"

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

// golden is 2⁶⁴ divided by the golden ratio, made odd.
const golden = 0x9e3779b97f4a7c15

// NewDice returns the dice of a machine in the run with this seed.
func NewDice(seed uint64, id int) Dice {
	s := mix(seed) + 2*uint64(id)*golden
	return Dice{start: mix(s), width: gamma(s + golden)}
}

// throw returns the i-th number of step k, uniform over 0 … n-1. Its bias,
// below n/2⁶⁴, is far under what any run could show.
func (d Dice) throw(k uint64, i int, n int) int {
	hi, _ := bits.Mul64(mix(d.start+(k*throwsPerStep+uint64(i))*d.width), uint64(n))
	return int(hi)
}

// mix is SplitMix64's output function (variant 13 of D. Stafford's search).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// gamma turns z into a step width: odd, so that all 2⁶⁴ positions differ, and
// with enough changes between neighbouring bits (section 5 of the paper).
func gamma(z uint64) uint64 {
	z = (z ^ z>>33) * 0xff51afd7ed558ccd
	z = (z ^ z>>33) * 0xc4ceb9fe1a85ec53
	z = (z ^ z>>33) | 1
	if bits.OnesCount64(z^z>>1) < 24 {
		z ^= 0xaaaaaaaaaaaaaaaa
	}
	return z
}
