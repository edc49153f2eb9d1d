// Package figure writes numbers for people. Whatever prints a figure in a table
// or in a sentence writes it with this package, so that one quantity looks the
// same everywhere: the same digits, the same unit, the same separators.
//
// A float that is not a number or infinite is written as [Absent]. Zero has no
// sign, and neither has what rounds to it. What is for machines, as in CSV, is
// not written here: it keeps all its digits.
package figure

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Absent stands where a figure has no meaning.
const Absent = "-"

type whole interface{ ~int | ~int64 | ~uint64 }

// Count writes n exactly, its digits in threes.
func Count[N whole](n N) string {
	if n < 0 {
		return grouped(strconv.FormatInt(int64(n), 10))
	}
	return grouped(strconv.FormatUint(uint64(n), 10))
}

// Plural writes n of a thing: "1 tick", "2,000 ticks", "2 crashes". It knows the
// plurals that take an s or, after a hiss, an es.
func Plural[N whole](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	for _, hiss := range []string{"s", "x", "ch", "sh"} {
		if strings.HasSuffix(thing, hiss) {
			return Count(n) + " " + thing + "es"
		}
	}
	return Count(n) + " " + thing + "s"
}

// Verb returns the form of a verb that stands behind n things: one for 1, and many else.
func Verb[N whole](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// List writes things as "a, b and c", no more than limit of them: the rest is
// counted, "a, b and 3 more".
func List(things []string, limit int) string {
	n := len(things)
	if n > limit {
		return strings.Join(things[:limit], ", ") + " and " + Count(n-limit) + " more"
	}
	if n > 1 {
		return strings.Join(things[:n-1], ", ") + " and " + things[n-1]
	}
	return strings.Join(things, "")
}

// Rates writes rates as a flag takes them, "1,5,4", no more than limit of them,
// "1,5,…".
func Rates(rates []clock.Rate, limit int) string {
	var words []string
	for i, r := range rates {
		if i == limit {
			words = append(words, "…")
			break
		}
		words = append(words, r.String())
	}
	return strings.Join(words, ",")
}

// Short writes a whole number exactly up to 999,999, and from there on with
// three significant digits and a letter, "18.4 M": for columns.
func Short(x float64) string {
	const letters = "MGTPE" // 2⁶⁴ is 18.4 E
	if math.Abs(x) < 999_999.5 || !finite(x) {
		return fixed(x, 0)
	}
	i := 0
	for x /= 1e6; math.Abs(x) >= 999.5 && i < len(letters)-1; x /= 1e3 {
		i++
	}
	return significant(x, 3) + " " + letters[i:i+1]
}

// Mean writes an average with two decimals, from 1,000 on with none, from a
// million on as [Short] does.
func Mean(x float64) string {
	if math.Abs(x) < 999.995 {
		return fixed(x, 2)
	}
	return Short(x)
}

// PerSecond writes how much happens per second, without the unit: "4.50", as
// [Mean] does. The rate that a machine keeps is [Rate]'s.
func PerSecond(x float64) string { return Mean(x) }

// Rate writes ticks per second with five significant digits, and all digits
// before the point: enough to see 20 ppm at a glance, the rest is [PPM]'s.
func Rate(perSecond float64) string { return significant(perSecond, 5) }

// PPM writes a relative error given in parts per million, always with its sign;
// an error of 1 % and more in per cent.
func PPM(x float64) string {
	sign := ""
	if x > 0 {
		sign = "+"
	}
	switch a := math.Abs(x); {
	case !finite(x):
		return Absent
	case a < 0.05:
		return "0 ppm"
	case a < 9.95:
		return sign + fixed(x, 1) + " ppm"
	case a < 9999.5:
		return sign + fixed(x, 0) + " ppm"
	}
	return sign + fixed(x/1e4, 1) + " %"
}

// Percent writes part as a share of total with one decimal, "23.2 %".
func Percent(part, total float64) string {
	if total == 0 || !finite(part/total) {
		return Absent
	}
	return fixed(100*part/total, 1) + " %"
}

// Duration writes a duration that was measured, with three significant digits in
// the unit that fits, "0", "512 ns", "90.0 µs", "1.20 ms", "60.0 s", and from ten
// minutes on in whole seconds, "1h0m0s". One that was chosen is [Exact]'s.
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < 0: // the smallest duration has no negation
		return "-" + Duration(-max(d, -math.MaxInt64))
	case d >= 10*time.Minute:
		const largest = math.MaxInt64 / time.Second * time.Second // rounded up, there would be none
		return min(d, largest).Round(time.Second).String()
	}
	units := []struct {
		name string
		size time.Duration
	}{{"ns", 1}, {"µs", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}}
	for i, u := range units {
		x := float64(d) / float64(u.size)
		// 999.6 µs must become 1.00 ms, not 1000 µs.
		if x >= 999.5 && i < len(units)-1 {
			continue
		}
		if u.size == 1 { // whole nanoseconds
			return strconv.FormatInt(int64(d), 10) + " " + u.name
		}
		return significant(x, 3) + " " + u.name
	}
	panic("unreachable: seconds hold every duration")
}

// Exact writes d without loss, as a flag takes it and as people type it: "1m",
// not "1m0s".
func Exact(d time.Duration) string {
	s := d.String()
	if t, ok := strings.CutSuffix(s, "m0s"); ok {
		s = t + "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}

// Interval writes mean ± half, with two digits of half and as many places of the
// mean, "3.80 ± 0.30", three places at most. Where half is not a number there is
// no interval, and where it is 0 the values do not say how much others would differ: the
// mean stands alone.
func Interval(mean, half float64) string {
	switch {
	case !finite(mean):
		return Absent
	case !finite(half):
		return Mean(mean)
	case half == 0: // all values were the same
		return trimmed(mean)
	case half < 0.0005:
		return fixed(mean, 3) + " ± <0.001"
	}
	n := places(half, 2, 3)
	return fixed(mean, n) + " ± " + fixed(half, n)
}

// Ends writes an interval that would go beyond what can be: the mean, and in brackets
// where it begins and ends, "0.80 (0 to 2.10)", with the places of [Interval].
func Ends(mean, half, low, high float64) string {
	if !finite(mean) || !finite(half) {
		return Interval(mean, half)
	}
	n := places(half, 2, 3)
	end := func(x float64) string {
		if x == math.Trunc(x) {
			return trimmed(x)
		}
		return fixed(x, n)
	}
	return fixed(mean, n) + " (" + end(low) + " to " + end(high) + ")"
}

// trimmed writes a number with at most three places, without zeros at the end.
func trimmed(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fixed(x, 3), "0"), ".")
}

// significant writes x with so many significant digits, but all digits before
// the point, and no more places than a number from 1 to 10 has.
func significant(x float64, digits int) string {
	return fixed(x, places(x, digits, digits-1))
}

// places returns how many digits after the point give x so many significant
// digits, at most limit. What rounding carries into a new digit counts: of 9.996,
// three digits are 10.0.
func places(x float64, digits, limit int) int {
	next := math.Pow10(digits-limit) - math.Pow10(-limit)/2 // from here on, one place less
	n := limit
	for ; n > 0 && math.Abs(x) >= next; n-- {
		next *= 10
	}
	return n
}

// fixed writes a number with so many places.
func fixed(x float64, places int) string {
	if !finite(x) {
		return Absent
	}
	s := strconv.FormatFloat(x, 'f', places, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return grouped(s)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// grouped sets commas into the digits before the point.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = s[:1], s[1:]
	}
	digits, rest := s, ""
	if i := strings.IndexByte(s, '.'); i >= 0 {
		digits, rest = s[:i], s[i:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits + rest
}
