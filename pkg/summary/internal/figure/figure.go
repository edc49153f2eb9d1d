// Package figure writes numbers for a person who reads a summary: three
// significant digits where more would be noise, exact counts, one unit.
package figure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Absent stands where a figure has no meaning.
const Absent = "-"

// Count writes n exactly, its digits in threes.
func Count(n uint64) string { return grouped(strconv.FormatUint(n, 10)) }

// Plural writes n of a thing whose plural takes an s: "1 tick", "2,000 ticks".
func Plural(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Count(n) + " " + thing + "s"
}

// Short writes a whole number exactly up to 999,999, and from there on with
// three significant digits and a letter, "18.4 M": for columns.
func Short(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Absent
	}
	if x < 999_999.5 {
		return grouped(strconv.FormatFloat(x, 'f', 0, 64))
	}
	const letters = "MGTPE" // 2⁶⁴ is 18.4 E
	i := 0
	for x /= 1e6; x >= 999.5 && i < len(letters)-1; x /= 1e3 {
		i++
	}
	return threeDigits(x) + " " + letters[i:i+1]
}

// Mean writes an average with two decimals, from 1,000 on with none, from a
// million on as [Short] does.
func Mean(x float64) string {
	if math.Abs(x) < 999.995 {
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return Short(x)
}

// Rate writes ticks per second with five significant digits, and all digits
// before the point: enough to see 20 ppm at a glance, the rest is [PPM]'s.
func Rate(perSecond float64) string {
	if math.IsNaN(perSecond) || math.IsInf(perSecond, 0) {
		return Absent
	}
	places := 4
	for limit := 10.0; perSecond >= limit && places > 0; limit *= 10 {
		places--
	}
	return grouped(strconv.FormatFloat(perSecond, 'f', places, 64))
}

// PPM writes a relative error given in parts per million, always with its
// sign; one of a hundredth and more in per cent.
func PPM(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return Absent
	case a < 0.05:
		return "0 ppm"
	case a < 9.95:
		return fmt.Sprintf("%+.1f ppm", x)
	case a < 9999.5:
		return grouped(fmt.Sprintf("%+.0f", x)) + " ppm"
	}
	return fmt.Sprintf("%+.1f %%", x/1e4)
}

// Duration writes d with three significant digits in the unit that fits, "0",
// "512 ns", "90.0 µs", "1.20 ms", "60.0 s", and from ten minutes on in whole
// seconds, "1h0m0s".
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < 0: // the smallest duration has no negation
		return "-" + Duration(-max(d, -math.MaxInt64))
	case d >= 10*time.Minute:
		return d.Truncate(time.Second).String()
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
		return threeDigits(x) + " " + u.name
	}
	panic("unreachable: seconds hold every duration")
}

// threeDigits writes a number from 1 to 999.
func threeDigits(x float64) string {
	places := 0
	switch {
	case x < 9.995:
		places = 2
	case x < 99.95:
		places = 1
	}
	return strconv.FormatFloat(x, 'f', places, 64)
}

// List writes things as "a, b and c", no more than most of them: the rest is
// counted.
func List(things []string, most int) string {
	switch n := len(things); {
	case n > most:
		return strings.Join(things[:most], ", ") + " and " + Count(uint64(n-most)) + " more"
	case n > 1:
		return strings.Join(things[:n-1], ", ") + " and " + things[n-1]
	}
	return strings.Join(things, "")
}

// grouped sets commas into the digits before the point.
func grouped(s string) string {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	whole, frac := s, ""
	if i := strings.IndexByte(s, '.'); i >= 0 {
		whole, frac = s[:i], s[i:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + frac
}
