// Package splitmix is SplitMix64, a random generator whose n-th number can be
// computed from n: all chance of the project is a function of a seed and of what is
// drawn, never of what was drawn before.
//
// Source: G. L. Steele Jr., D. Lea, C. H. Flood, "Fast Splittable Pseudorandom
// Number Generators", OOPSLA 2014.
package splitmix

import "math/bits"

// Golden is 2⁶⁴ divided by the golden ratio, made odd: the step from a generator's
// state to its next. Number n, counted from 0, of a seed is Mix(seed + (n+1)·Golden).
const Golden = 0x9e3779b97f4a7c15

// Mix is the generator's output function, which makes a random number of a state: a
// one-to-one map of 64 bits (variant 13 of D. Stafford's search).
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// First returns the first number of a seed, a random number for any counter or key.
func First(seed uint64) uint64 { return Mix(seed + Golden) }

// Gamma makes of z a step for a generator of its own: odd, so that all 2⁶⁴ states
// differ, and with enough changes between neighbouring bits (section 5 of the
// paper).
func Gamma(z uint64) uint64 {
	z = (z ^ z>>33) * 0xff51afd7ed558ccd
	z = (z ^ z>>33) * 0xc4ceb9fe1a85ec53
	z = (z ^ z>>33) | 1
	if bits.OnesCount64(z^z>>1) < 24 {
		z ^= 0xaaaaaaaaaaaaaaaa
	}
	return z
}

// Below makes of a random number one from 0 to n-1, by multiplication. Its bias,
// below n/2⁶⁴, is far under what any run could show.
func Below(random, n uint64) uint64 {
	hi, _ := bits.Mul64(random, n)
	return hi
}
