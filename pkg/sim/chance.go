package sim

import (
	"math"
	"math/bits"
)

// salts keep what is drawn for different purposes apart.
const (
	saltLatency = 0x6c6174656e6379 // "latency"
	saltPhase   = 0x7068617365     // "phase"
	saltResend  = 0x726573656e64   // "resend"
)

// mix is SplitMix64's output function: G. L. Steele Jr., D. Lea, C. H. Flood,
// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. It makes a
// good random number of any counter.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func below(key, n uint64) uint64 {
	hi, _ := bits.Mul64(mix(key), n)
	return hi
}

// never is an instant that does not come.
const never int64 = math.MaxInt64
