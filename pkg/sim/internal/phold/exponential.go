package phold

import "math/bits"

// logarithms are a table of the natural logarithm, times a mean, from 1 to 2, in units of
// 2⁻⁸. Between its entries a line is never off by more than 2⁻²³ of the mean.
type logarithms [entries + 1]int64

const (
	entryBits = 10
	entries   = 1 << entryBits
	unitBits  = 8
)

var (
	initial    = newLogarithms(Unit)
	increments = newLogarithms(Mean)
)

// longest is no less than what exponential returns.
const longest = 46 * Unit

// newLogarithms fills a table by whole numbers: ln((i+1)/i) = 2 artanh(1/(2i+1)), whose
// series has three terms that count.
func newLogarithms(mean int64) (t logarithms) {
	const one = 1 << 58
	ln := uint64(0) // in units of 1/one
	for i := range uint64(entries) {
		hi, lo := bits.Mul64(ln, uint64(mean)<<unitBits)
		t[i] = int64(hi<<6 | lo>>58)
		x := 2*(entries+i) + 1
		q := one / x
		ln += 2 * (q + q/x/x/3 + q/x/x/x/x/5)
	}
	hi, lo := bits.Mul64(ln, uint64(mean)<<unitBits)
	t[entries] = int64(hi<<6 | lo>>58)
	return t
}

// exponential makes of a random number one of the exponential distribution with the mean
// of a table: its negative logarithm, where it is a fraction of 2⁶⁴.
func exponential(t *logarithms, random uint64) int64 {
	random |= 1
	zeros := bits.LeadingZeros64(random)
	mantissa := random << zeros << 1 // of 1 to 2, without the 1
	i := mantissa >> (64 - entryBits)
	between := int64(mantissa << entryBits >> (64 - 20)) // of 2²⁰
	ln := t[i] + (t[i+1]-t[i])*between>>20
	return (int64(zeros+1)*t[entries] - ln) >> unitBits
}
