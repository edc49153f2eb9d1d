package machine

import "math/bits"

// Dice is all of a machine's chance, as a small value: a counter-based random
// generator, in which each throw is a pure function of (seed, machine, step). So
// a machine can be restarted, replayed or simulated in another order without any
// generator state. A shell of too many machines to hold a [Machine] for each asks
// it directly.
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

// Recipients returns whom the machine with this id sends to in a step that finds
// its queue empty: nobody, a, or a and b, as n says. The machine is one of so many,
// its die has so many faces.
func (d Dice) Recipients(id, machines, faces int, step uint64) (a, b, n int) {
	face := 1 + d.throw(step, 0, faces)
	if face > 3 || machines == 1 {
		return 0, 0, 0
	}
	a, b = d.peers(id, machines, step)
	switch {
	case face == 1:
		return a, b, 1
	case face == 2:
		return b, a, 1
	case a == b: // only one peer: both is that one, once
		return a, b, 1
	default:
		return a, b, 2
	}
}

// peers returns the machines that faces 1 and 2 of a step stand for: two different
// ones wherever there are two.
func (d Dice) peers(id, machines int, step uint64) (a, b int) {
	others := machines - 1
	var first, second int // 0 … others-1, counted from the machine after this one
	switch others {
	case 1:
	case 2:
		second = 1
	default:
		first = d.throw(step, 1, others)
		second = d.throw(step, 2, others-1)
		if second >= first {
			second++
		}
	}
	return after(id, first, machines), after(id, second, machines)
}

// after returns the machine 1+i places after id, in a ring.
func after(id, i, machines int) int {
	next := id + 1 + i
	if next >= machines {
		next -= machines
	}
	return next
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
