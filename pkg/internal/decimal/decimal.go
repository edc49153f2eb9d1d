// Package decimal writes whole numbers: logs and exports are full of them.
package decimal

import (
	"encoding/binary"
	"math/bits"
)

// Append appends v, as [strconv.AppendUint] does, in less time. Many numbers are of one
// digit, and most below 10⁸; these take no loop and no table.
func Append(b []byte, v uint64) []byte {
	if v < 10 {
		return append(b, '0'+byte(v))
	}
	return appendDigits(b, v)
}

// AppendInt appends v, as [strconv.AppendInt] does.
func AppendInt(b []byte, v int64) []byte {
	if uint64(v) < 10 {
		return append(b, '0'+byte(v))
	}
	return appendSigned(b, v)
}

func appendSigned(b []byte, v int64) []byte {
	if v < 0 {
		return Append(append(b, '-'), -uint64(v))
	}
	return appendDigits(b, uint64(v))
}

func appendDigits(b []byte, v uint64) []byte {
	if v >= 1e8 {
		return appendLarge(b, v)
	}
	text := eightDigits(uint32(v))
	zeros := bits.TrailingZeros64(text|1<<56) / 8 // the last digit stays, whatever it is
	n := len(b) + 8 - zeros
	return binary.LittleEndian.AppendUint64(b, (text|zeroDigits)>>(8*zeros))[:n]
}

func appendLarge(b []byte, v uint64) []byte {
	b = Append(b, v/1e8)
	return binary.LittleEndian.AppendUint64(b, eightDigits(uint32(v%1e8))|zeroDigits)
}

// zeroDigits is the text "00000000".
const zeroDigits = 0x3030303030303030

// eightDigits returns the digits of v, below 10⁸, as eight numbers of one byte each, the
// first in the lowest byte. The number is halved three times, and all its parts are
// divided at once; the factors are exact for parts of that size.
func eightDigits(v uint32) uint64 {
	x := uint64(v/10000) | uint64(v%10000)<<32
	hundreds := x * 10486 >> 20 & 0x0000007f_0000007f // of each half: 10486/2²⁰ ≈ 1/100
	x = hundreds | (x-100*hundreds)<<16
	tens := x * 103 >> 10 & 0x000f_000f_000f_000f // of each quarter: 103/2¹⁰ ≈ 1/10
	return tens | (x-10*tens)<<8
}
