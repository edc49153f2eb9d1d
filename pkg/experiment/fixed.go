package experiment

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// Logarithms, powers and normal numbers, in whole numbers alone. The compiler may
// fuse a floating-point multiplication and addition into one rounding on one
// architecture and not on another, and math.Exp and math.Log are written in
// assembly on some: the last bit may differ, and with it a whole run.

// ln2 is the natural logarithm of 2, in units of 2⁻⁶⁴.
const ln2 = 0xb17217f7d1cf79ab

// roots are 2^(2^-k) for k = 1, 2, …, 32, in units of 2⁻⁶³, each rounded down.
var roots = func() (r [33]uint64) {
	for k := 1; k < len(r); k++ {
		prev := uint64(0) // 2.0 does not fit
		if k > 1 {
			prev = r[k-1]
		}
		r[k] = root(prev)
	}
	return r
}()

// root returns √x in units of 2⁻⁶³ for x in the same units, rounded down; 0
// stands for x = 2. Bit by bit: it is done 32 times in a process's life.
func root(x uint64) uint64 {
	hi, lo := x>>1, x<<63
	if x == 0 {
		hi, lo = 1<<63, 0
	}
	var r uint64
	for b := uint64(1) << 63; b != 0; b >>= 1 {
		h, l := bits.Mul64(r|b, r|b)
		if h < hi || h == hi && l <= lo {
			r |= b
		}
	}
	return r
}

// exp2 returns 2^f for f in units of 2⁻³², in units of 2⁻³², cut to 2⁶⁴-1.
func exp2(f int64) uint64 {
	y := uint64(1) << 63 // the fraction's power, in units of 2⁻⁶³: 1 to 2
	for k, frac := 1, uint32(f); frac != 0; k, frac = k+1, frac<<1 {
		if frac>>31 != 0 {
			hi, lo := bits.Mul64(y, roots[k])
			y = hi<<1 | lo>>63
		}
	}
	switch shift := 31 - (f >> 32); {
	case shift < 0:
		return 1<<64 - 1
	case shift > 63:
		return 0
	default:
		return y >> shift
	}
}

// minusLn returns -ln u for u uniform over (0, 1], given as (x+1)/2⁶⁴, in units
// of 2⁻³². These are numbers of the exponential distribution of mean 1.
//
// The logarithm to base 2 is found digit by digit: squaring a number from 1 to 2
// doubles its logarithm, and where the square is 2 or more the digit is 1.
func minusLn(x uint64) uint64 {
	if x == 1<<64-1 {
		return 0
	}
	x++
	zeros := bits.LeadingZeros64(x)
	m := x << zeros // the mantissa, in units of 2⁻⁶³
	var digits uint64
	for range 32 {
		hi, _ := bits.Mul64(m, m) // in units of 2⁻⁶²
		digits <<= 1
		if hi >= 1<<63 {
			digits |= 1
			m = hi
		} else {
			m = hi << 1
		}
	}
	log := uint64(zeros+1)<<32 - digits // -log2 u
	hi, lo := bits.Mul64(log, ln2)
	return hi + lo>>63
}

// gauss returns a number of the standard normal distribution, in units of 2⁻³²:
// the sum of twelve uniform ones, less its mean. Its mean and variance are exact,
// it lies within ±6, and its distribution function is never more than 0.003 off.
func gauss(key uint64) int64 {
	sum := int64(-6 << 32)
	for i := range uint64(6) {
		r := splitmix.First(key + i*0xd1342543de82ef95)
		sum += int64(r>>32) + int64(uint32(r))
	}
	return sum
}

// expOf returns e^(sigma·z), all in units of 2⁻³².
func expOf(sigma, z int64) uint64 {
	// |sigma| ≤ 8·2³² and |z| ≤ 6·2³²: the product has at most 70 bits.
	negative := z < 0
	if negative {
		z = -z
	}
	hi, lo := bits.Mul64(uint64(sigma), uint64(z))
	x := hi<<32 | lo>>32      // sigma·z, at most 48·2³²
	const log2e = 0x171547652 // in units of 2⁻³²
	hi, lo = bits.Mul64(x, log2e)
	f := int64(hi<<32 | lo>>32)
	if negative {
		f = -f
	}
	return exp2(f)
}

const maxSigma = 8

// parseSigma reads a decimal number from 0 to 8 with up to nine places, as
// units of 2⁻³².
func parseSigma(s string) (int64, error) {
	errSigma := errors.New("want a sigma from 0 to " + strconv.Itoa(maxSigma) + ", such as 0.5")
	whole, frac, _ := strings.Cut(strings.TrimSpace(s), ".")
	if whole == "" || len(whole) > 1 || len(frac) > 9 {
		return 0, errSigma
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 9-len(frac)), 10, 64)
	if err != nil || n > maxSigma*1e9 {
		return 0, errSigma
	}
	hi, lo := bits.Mul64(n, 1<<32)
	sigma, _ := bits.Div64(hi, lo|5e8, 1e9) // rounded: the low 32 bits are 0
	return int64(sigma), nil
}

// sigmaText is the inverse of parseSigma.
func sigmaText(sigma int64) string {
	hi, lo := bits.Mul64(uint64(sigma), 1e9)
	lo, carry := bits.Add64(lo, 1<<31, 0)
	n := (hi+carry)<<32 | lo>>32
	s := fmt.Sprintf("%d.%09d", n/1e9, n%1e9)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}
