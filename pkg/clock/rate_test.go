package clock_test

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

func TestParseRate(t *testing.T) {
	for _, c := range []struct {
		in   string
		want clock.Rate
		out  string // as String writes it
	}{
		{"1", clock.Hertz, "1"},
		{"5", 5 * clock.Hertz, "5"},
		{"0.25", clock.Hertz / 4, "0.25"},
		{"2.50", 5 * clock.Hertz / 2, "2.5"},
		{"5.", 5 * clock.Hertz, "5"},
		{"007", 7 * clock.Hertz, "7"},
		{"0.000000001", 1, "0.000000001"},
		{"0.333333333", 333_333_333, "0.333333333"},
		{"1000000", clock.MaxRate, "1000000"},
		{"1000000.000000000", clock.MaxRate, "1000000"},
		{"999999.999999999", clock.MaxRate - 1, "999999.999999999"},
		{"max", clock.Unpaced, "max"},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := clock.ParseRate(c.in)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.out, got.String())
		})
	}
}

func TestParseRateSaysWhatIsWrong(t *testing.T) {
	const (
		form   = `want a number of ticks per second such as 5 or 0.25, or "max"`
		small  = `must be above 0`
		large  = `faster than a clock can tick; the limit is 1000000 ticks per second ("max" does without pauses)`
		places = `at most nine decimal places`
	)
	for _, c := range []struct{ in, why string }{
		{``, form},
		{`.`, form},
		{`.5`, form},
		{`fast`, form},
		{`MAX`, form},
		{`+5`, form},
		{` 5`, form},
		{`5 `, form},
		{`5Hz`, form},
		{`1_000`, form},
		{`1,5`, form},
		{`1,5,4`, form},
		{`1.2.3`, form},
		{`1.-2`, form},
		{`1e3`, form},
		{`0x10`, form},
		{`NaN`, form},
		{`٥`, form}, // a digit, but not one of ours
		{`0`, small},
		{`0.0`, small},
		{`0.000000000`, small},
		{`-1`, small},
		{`-0.5`, small},
		{`1000000.000000001`, large},
		{`1000001`, large},
		{`18446744073`, large},          // times 10⁹ just fits into 64 bits
		{`18446744074`, large},          // and this wraps there
		{`18446744073709551616`, large}, // 2⁶⁴
		{`99999999999999999999999999999999`, large},
		{`0.0000000001`, places},
		{`0.1000000000`, places},
		{`3.14159265358979`, places},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := clock.ParseRate(c.in)
			assert.EqualError(t, err, `rate "`+c.in+`": `+c.why)
			assert.Zero(t, got)
		})
	}
}

var rateForm = regexp.MustCompile(`^[0-9]+(\.[0-9]{0,9})?$`)

// bySchoolbook is the dumb twin of [clock.ParseRate]: a pattern for what a rate
// looks like, and fractions of any size for what it means.
func bySchoolbook(s string) (r clock.Rate, ok bool) {
	if s == "max" {
		return clock.Unpaced, true
	}
	if !rateForm.MatchString(s) {
		return 0, false
	}
	value, ok := new(big.Rat).SetString(s)
	if !ok || value.Sign() <= 0 || value.Cmp(big.NewRat(1_000_000, 1)) > 0 {
		return 0, false
	}
	value.Mul(value, big.NewRat(1e9, 1))
	return clock.Rate(value.Num().Uint64()), value.IsInt()
}

func checkParseRate(t require.TestingT, s string) {
	got, err := clock.ParseRate(s)
	want, ok := bySchoolbook(s)
	require.Equal(t, ok, err == nil, "%q: %v", s, err)
	require.Equal(t, want, got, "%q", s)
	if err != nil {
		require.ErrorContains(t, err, "rate ")
		require.NotContains(t, err.Error(), "\n", "an error is one line")
		return
	}
	again, err := clock.ParseRate(got.String())
	require.NoError(t, err)
	require.Equal(t, got, again, "%q", s)
	require.LessOrEqual(t, len(got.String()), len(s), "String is the shortest way to write it")
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"", "max", "5", "0.25", "5.", ".5", "-1", "1.-2", "0.000000001", "0.0000000001",
		"1000000", "1000000.000000001", "18446744074", "18446744073709551616", "1.2.3", "1e3", "0x1p4", "\x00", "٥"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkParseRate(t, s) })
}

func TestParseRateEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkParseRate(t, rapid.OneOf(
			rapid.StringMatching(`[0-9]{1,8}(\.[0-9]{0,10})?`),
			rapid.StringMatching(`-?[0-9]{0,22}\.?[0-9_e+-]{0,10}`),
			rapid.String(),
		).Draw(t, "s"))
	})
}

// usual draws the rates that ParseRate can give.
var usual = rapid.Map(rapid.OneOf(
	rapid.Uint64Range(1, 20),
	rapid.Uint64Range(1, uint64(clock.MaxRate)),
	rapid.Map(rapid.Uint64Range(1, 1_000_000), func(hz uint64) uint64 { return hz * uint64(clock.Hertz) }),
	rapid.Just(uint64(clock.MaxRate)),
), func(r uint64) clock.Rate { return clock.Rate(r) })

func TestRateIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(usual, rapid.Just(clock.Unpaced)).Draw(t, "rate")
		got, err := clock.ParseRate(want.String())
		require.NoError(t, err)
		require.Equal(t, want, got)

		text, err := json.Marshal(map[string]clock.Rate{"rate": want})
		require.NoError(t, err)
		require.Equal(t, `{"rate":"`+want.String()+`"}`, string(text))
		var back map[string]clock.Rate
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, want, back["rate"])
	})
}

func TestBadTextLeavesARateAsItWas(t *testing.T) {
	r := 5 * clock.Hertz
	assert.EqualError(t, r.UnmarshalText([]byte("0")), `rate "0": must be above 0`)
	assert.Equal(t, 5*clock.Hertz, r)
}

func TestPerSecond(t *testing.T) {
	assert.Equal(t, 0.25, (clock.Hertz / 4).PerSecond())
	assert.Equal(t, 1e6, clock.MaxRate.PerSecond())
	assert.Equal(t, math.Inf(1), clock.Unpaced.PerSecond())
	assert.Zero(t, clock.Rate(0).PerSecond())
}

const (
	second = int64(1e9) // ns
	never  = int64(math.MaxInt64)
)

func TestDue(t *testing.T) {
	for _, c := range []struct {
		name string
		rate clock.Rate
		k    uint64
		want int64
	}{
		{"the start", 5 * clock.Hertz, 0, 0},
		{"the first tick is one period after the start", 5 * clock.Hertz, 1, second / 5},
		{"a period that is no whole number of ns", 3 * clock.Hertz, 1, 333_333_333},
		{"… rounds down", 3 * clock.Hertz, 2, 666_666_666},
		{"… and does not add up", 3 * clock.Hertz, 3_000_000_000, 1_000_000_000 * second},
		{"slower than one a second", clock.Hertz / 4, 1, 4 * second},
		{"the fastest", clock.MaxRate, 1, 1000},
		{"the slowest", 1, 1, 1_000_000_000 * second},
		{"the slowest, the last tick that fits", 1, 9, 9_000_000_000 * second},
		{"the slowest, the first that does not", 1, 10, never},
		{"the last nanosecond that fits", clock.Hertz, 9_223_372_036, 9_223_372_036 * second},
		{"292 years", clock.Hertz, 9_223_372_037, never},
		{"the last tick of all", clock.MaxRate, math.MaxUint64, never},
		{"no pauses", clock.Unpaced, math.MaxUint64, 0},
		{"no rate: never", 0, 1, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, c.rate.Due(c.k))
		})
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		name string
		rate clock.Rate
		ns   int64
		want uint64
	}{
		{"none at the start", 5 * clock.Hertz, 0, 0},
		{"none before the first is due", 5 * clock.Hertz, second/5 - 1, 0},
		{"the first, when it is due", 5 * clock.Hertz, second / 5, 1},
		{"a minute", 5 * clock.Hertz, 60 * second, 300},
		{"a minute, a nanosecond short", 5 * clock.Hertz, 60*second - 1, 299},
		{"a due time that was rounded down", 3 * clock.Hertz, 333_333_333, 1},
		{"292 years at the fastest rate", clock.MaxRate, never, 9_223_372_036_854_775},
		{"before the start", 5 * clock.Hertz, -1, 0},
		{"no pauses: not counted by a clock", clock.Unpaced, 60 * second, 0},
		{"no rate", 0, 60 * second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, c.rate.Ticks(c.ns))
		})
	}
}

// dueByHand is the dumb twin of [clock.Rate.Due]: k/r seconds in whole
// nanoseconds, with integers that cannot overflow.
func dueByHand(r clock.Rate, k uint64) *big.Int {
	ns := new(big.Int).SetUint64(k)
	ns.Mul(ns, big.NewInt(1e18))
	return ns.Quo(ns, new(big.Int).SetUint64(uint64(r)))
}

// ticksByHand is the dumb twin of [clock.Rate.Ticks]: it looks for the last tick
// that is due by ns.
func ticksByHand(r clock.Rate, ns int64) uint64 {
	var k uint64
	for bit := uint64(1) << 63; bit > 0; bit >>= 1 {
		if dueByHand(r, k|bit).Cmp(big.NewInt(ns)) <= 0 {
			k |= bit
		}
	}
	return k
}

// anyRate draws all rates but the two that have no schedule, also those that no
// text can name.
var anyRate = rapid.OneOf(
	usual,
	rapid.Map(rapid.Uint64Range(1, math.MaxUint64-1), func(r uint64) clock.Rate { return clock.Rate(r) }),
	rapid.Just(clock.Unpaced-1),
)

var anyCount = rapid.OneOf(
	rapid.Uint64Range(0, 100),
	rapid.Uint64Range(0, 1e12),
	rapid.Uint64(),
	rapid.Just(uint64(math.MaxUint64)),
)

func TestDueEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, k := anyRate.Draw(t, "rate"), anyCount.Draw(t, "k")
		want := never
		if due := dueByHand(r, k); due.IsInt64() {
			want = due.Int64()
		}
		require.Equal(t, want, r.Due(k))
	})
}

func TestTicksEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRate.Draw(t, "rate")
		ns := rapid.OneOf(
			rapid.Int64Range(0, 100),
			rapid.Int64Range(0, 60*second),
			rapid.Int64Range(0, never),
			rapid.Just(never),
		).Draw(t, "ns")
		require.Equal(t, ticksByHand(r, ns), r.Ticks(ns))
	})
}

// Ticks is the inverse of Due: it counts tick k from the nanosecond on in which
// it is due.
func TestTicksIsTheInverseOfDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, k := usual.Draw(t, "rate"), anyCount.Draw(t, "k")
		ns := r.Due(k)
		if ns == never {
			t.Skip("not due in this era")
		}
		// At rates up to MaxRate no two ticks share a nanosecond.
		require.Equal(t, k, r.Ticks(ns))
		if k > 0 {
			require.Equal(t, k-1, r.Ticks(ns-1))
		}
	})
}

func TestScheduleGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := usual.Draw(t, "rate")
		k := rapid.Uint64Range(0, math.MaxUint64-1).Draw(t, "k")
		now, next := r.Due(k), r.Due(k+1)
		require.GreaterOrEqual(t, now, int64(0))
		require.GreaterOrEqual(t, next, now)
		if next != never {
			require.Greater(t, next, now)
		}
	})
}

// The error of a nominal rate stays below one nanosecond for ever, which adding up
// a rounded period does not achieve: at 3 ticks/s it loses 1 ns a second.
func TestDueDoesNotDrift(t *testing.T) {
	const year = 365 * 24 * 3600
	for k := uint64(1); k <= 3*year; k = 3*k + 1 {
		exact := new(big.Rat).SetFrac(new(big.Int).SetUint64(k*1e9), big.NewInt(3))
		off, _ := exact.Sub(exact, new(big.Rat).SetInt64((3 * clock.Hertz).Due(k))).Float64()
		assert.InDelta(t, 0.5, off, 0.5, "tick %d", k)
	}
}

func TestErrorsQuoteWhatTheyGot(t *testing.T) {
	_, err := clock.ParseRate("5\nINFO forged line")
	require.Error(t, err)
	assert.False(t, strings.ContainsRune(err.Error(), '\n'))
}
