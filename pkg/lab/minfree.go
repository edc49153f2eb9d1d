package lab

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MinFree is how much of a file system stays free, whatever a run writes: a number of
// bytes, or a share of the whole. Where both are given, the smaller counts. The zero
// MinFree keeps nothing free.
type MinFree struct {
	Bytes   uint64
	Percent float64 // 0 to 100
}

// DefaultMinFree leaves room for everything else on a large disk, and does not keep
// a run from a small one.
func DefaultMinFree() MinFree { return MinFree{Bytes: 1 << 30, Percent: 2} }

// sizes are the units that sizes are given in.
var sizes = map[string]float64{
	"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// ParseMinFree reads 0, a number of bytes with its unit such as 500MB or 2GiB, or a
// share such as 5%. Without a unit there is only 0.
func ParseMinFree(s string) (MinFree, error) {
	refuse := func() (MinFree, error) {
		return MinFree{}, fmt.Errorf("%q: want a size such as 500MB, 2GiB or 5%%, or 0 to keep nothing free", s)
	}
	text := strings.TrimSpace(s)
	digits := strings.TrimRight(text, "%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return refuse()
	}
	switch size, known := sizes[unit]; {
	case unit == "" && n == 0:
		return MinFree{}, nil
	case unit == "%" && n <= 100:
		return MinFree{Percent: n}, nil
	case known && n*size < math.MaxInt64:
		return MinFree{Bytes: uint64(n * size)}, nil
	}
	return refuse()
}

// ParseSize reads a number of bytes with its unit, such as 500MB or 2GiB.
func ParseSize(s string) (int64, error) {
	m, err := ParseMinFree(s)
	if err != nil || m.Percent != 0 || m.Bytes == 0 {
		return 0, fmt.Errorf("%q: want a size such as 500MB or 2GiB", s)
	}
	return int64(m.Bytes), nil
}

// of returns how many bytes of so many stay free.
func (m MinFree) of(total uint64) uint64 {
	share := uint64(float64(total) * min(m.Percent, 100) / 100)
	switch {
	case m.Percent == 0:
		return m.Bytes
	case m.Bytes == 0:
		return share
	}
	return min(m.Bytes, share)
}
