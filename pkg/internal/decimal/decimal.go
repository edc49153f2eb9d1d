// Package decimal writes whole numbers of ten or so digits, of which logs and exports
// consist, in about half of the time of package strconv.
package decimal

import (
	"math/bits"
	"slices"
)

// MaxLen is the length of the longest number, with its sign.
const MaxLen = len("-9223372036854775808")

// pairs are the numbers from 00 to 99.
const pairs = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849" +
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// Append appends n, as [strconv.AppendUint] does.
func Append(b []byte, n uint64) []byte {
	if n < 10 {
		return append(b, byte('0'+n))
	}
	at := len(b) + length(n)
	b = slices.Grow(b, MaxLen)[:at]
	for n >= 100 {
		rest := n % 100 * 2
		n /= 100
		at -= 2
		b[at+1], b[at] = pairs[rest+1], pairs[rest]
	}
	if n >= 10 {
		b[at-1], b[at-2] = pairs[n*2+1], pairs[n*2]
	} else {
		b[at-1] = byte('0' + n)
	}
	return b
}

// AppendInt appends n, as [strconv.AppendInt] does.
func AppendInt(b []byte, n int64) []byte {
	if n >= 0 {
		return Append(b, uint64(n))
	}
	return Append(append(b, '-'), -uint64(n))
}

// powers are those of ten.
var powers = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// length returns how many digits n has; it is not 0.
func length(n uint64) int {
	digits := bits.Len64(n) * 1233 >> 12 // log₁₀ 2 is 1233/4096, nearly: it may be one too few
	if n >= powers[digits] {
		digits++
	}
	return digits
}
