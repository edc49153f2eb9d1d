package clock

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Rate is how often a machine ticks, in billionths of a tick per second, so
// that every decimal rate with up to nine places is exact. The zero Rate is
// none at all; [Unpaced] knows no pauses.
type Rate uint64

const (
	// Hertz is one tick per second.
	Hertz Rate = 1e9
	// MaxRate is the fastest rate that can be kept, one tick a microsecond.
	MaxRate = 1_000_000 * Hertz
	// Unpaced is a machine that ticks as fast as it can; it is written "max".
	Unpaced Rate = math.MaxUint64
)

// ParseRate reads a rate in ticks per second: a decimal number above 0 and up
// to 1000000, such as "5" or "0.25", with up to nine places, or "max".
func ParseRate(s string) (Rate, error) {
	if s == "max" {
		return Unpaced, nil
	}
	bad := func(why string) (Rate, error) {
		return 0, fmt.Errorf("rate %q: %s", s, why)
	}
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) > 9 {
		return bad("at most nine decimal places")
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 9-len(frac)), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && Rate(n) > MaxRate:
		return bad(`faster than a clock can tick; the limit is 1000000 ticks per second ("max" does without pauses)`)
	case strings.HasPrefix(s, "-"):
		return bad("must be above 0")
	case err != nil || whole == "":
		return bad(`want a number of ticks per second such as 5 or 0.25, or "max"`)
	case n == 0:
		return bad("must be above 0")
	}
	return Rate(n), nil
}

// Check says what is wrong with a rate that [ParseRate] did not read.
func (r Rate) Check() error {
	if r == 0 || r > MaxRate && r != Unpaced {
		return fmt.Errorf("rate %v: want above 0 and at most %v ticks per second, or max", r, MaxRate)
	}
	return nil
}

// String returns the shortest text that [ParseRate] reads back as r.
func (r Rate) String() string {
	if r == Unpaced {
		return "max"
	}
	whole, frac := strconv.FormatUint(uint64(r/Hertz), 10), uint64(r%Hertz)
	if frac == 0 {
		return whole
	}
	return whole + "." + strings.TrimRight(fmt.Sprintf("%09d", frac), "0")
}

// PerSecond returns the rate in ticks per second, +Inf for [Unpaced].
func (r Rate) PerSecond() float64 {
	if r == Unpaced {
		return math.Inf(1)
	}
	return float64(r) / float64(Hertz)
}

// Due returns when tick k (1, 2, 3, …) is due, in nanoseconds after the start:
// k/r, rounded down. It is computed from the start and never from another
// tick, so no error adds up. Ticks that are due after 292 years saturate at
// the largest int64, and so do those of the zero Rate, which never come; ticks
// of an [Unpaced] machine are always due.
func (r Rate) Due(k uint64) int64 {
	if r == Unpaced {
		return 0
	}
	// k ticks at r billionths of a tick per second take k·10⁹·10⁹/r ns.
	hi, lo := bits.Mul64(k, 1e18)
	if hi >= uint64(r) {
		return math.MaxInt64
	}
	ns, _ := bits.Div64(hi, lo, uint64(r))
	return int64(min(ns, math.MaxInt64))
}

// Ticks returns how many ticks are due within the first ns nanoseconds: the
// largest k with Due(k) ≤ ns, 0 for ns < 0. It is 0 for an [Unpaced] machine,
// whose ticks no clock counts.
func (r Rate) Ticks(ns int64) uint64 {
	if r == Unpaced || ns < 0 {
		return 0
	}
	// Due(k) ≤ ns exactly where k·10¹⁸ < (ns+1)·r.
	hi, lo := bits.Mul64(uint64(ns)+1, uint64(r))
	if hi == 0 && lo == 0 {
		return 0
	}
	lo, borrow := bits.Sub64(lo, 1, 0)
	hi -= borrow
	if hi >= 1e18 { // only at rates far above MaxRate
		return math.MaxUint64
	}
	k, _ := bits.Div64(hi, lo, 1e18)
	return k
}

// MarshalText writes the rate as [Rate.String] does.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the rate as [ParseRate] does.
func (r *Rate) UnmarshalText(b []byte) error {
	v, err := ParseRate(string(b))
	if err == nil {
		*r = v
	}
	return err
}
