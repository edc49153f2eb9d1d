package figure

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567",
		math.MaxUint64: "18,446,744,073,709,551,615",
	} {
		assert.Equal(t, want, Count(n))
	}
	assert.Equal(t, "-1,000", Count(-1000))
	assert.Equal(t, "-9,223,372,036,854,775,808", Count(int64(math.MinInt64)))
	assert.Equal(t, "12,345", Count(clock.Time(12345)))
}

func TestPlural(t *testing.T) {
	assert.Equal(t, "0 ticks", Plural(0, "tick"))
	assert.Equal(t, "1 tick", Plural(1, "tick"))
	assert.Equal(t, "2,000 ticks", Plural(uint64(2000), "tick"))
	assert.Equal(t, "1 crash", Plural(1, "crash"))
	for thing, want := range map[string]string{
		"crash": "2 crashes", "loss": "2 losses", "switch": "2 switches", "index": "2 indexes", "message": "2 messages",
	} {
		assert.Equal(t, want, Plural(2, thing))
	}
}

func TestVerb(t *testing.T) {
	for n, want := range map[int]string{0: "are", 1: "is", 2: "are"} {
		assert.Equal(t, want, Verb(n, "is", "are"))
	}
}

func TestShort(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 999: "999", 999_999: "999,999", 1e6: "1.00 M", 9_994_999: "9.99 M", 9_996_000: "10.0 M",
		99_960_000: "100 M", 999_499_999: "999 M", 999_600_000: "1.00 G", 18_400_000: "18.4 M",
		math.MaxUint64: "18.4 E", 1e22: "10,000 E",
		-0.4: "0", -1234: "-1,234", -999_999.6: "-1.00 M",
		math.Inf(1): "-",
	} {
		assert.Equal(t, want, Short(x), "%v", x)
	}
	assert.Equal(t, "-", Short(math.NaN()))
}

func TestMean(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.00", 3.284: "3.28", 999.99: "999.99", 999.996: "1,000", -0.31: "-0.31", -0.004: "0.00", 149_813.4: "149,813", 1_498_130: "1.50 M",
	} {
		assert.Equal(t, want, Mean(x), "%v", x)
	}
	assert.Equal(t, "-", Mean(math.NaN()))
	assert.Equal(t, "-", Mean(math.Inf(-1)))
}

func TestRate(t *testing.T) {
	for x, want := range map[float64]string{
		0.25: "0.2500", 5: "5.0000", 4.99995: "5.0000", 9.99996: "10.000", 60: "60.000", 999.98: "999.98",
		12_345.6: "12,346", 1_234_567.8: "1,234,568",
		math.Inf(1): "-",
	} {
		assert.Equal(t, want, Rate(x), "%v", x)
	}
	assert.Equal(t, "-", Rate(math.NaN()))
}

func TestPPM(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0 ppm", 0.04: "0 ppm", -0.04: "0 ppm", 1.5: "+1.5 ppm", -9.94: "-9.9 ppm", -9.96: "-10 ppm",
		1234.4: "+1,234 ppm", -9999.4: "-9,999 ppm", 9999.6: "+1.0 %", -1e5: "-10.0 %",
		math.Inf(-1): "-",
	} {
		assert.Equal(t, want, PPM(x), "%v", x)
	}
	assert.Equal(t, "-", PPM(math.NaN()))
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 1: "1 ns", 512: "512 ns", 999: "999 ns", 1000: "1.00 µs", 90_000: "90.0 µs", 180_000: "180 µs",
		999_400: "999 µs", 999_500: "1.00 ms", 9_994_000: "9.99 ms", 9_995_000: "10.0 ms", 99_960_000: "100 ms",
		time.Minute: "60.0 s", 599 * time.Second: "599 s", 10 * time.Minute: "10m0s",
		time.Hour + 400*time.Millisecond:      "1h0m0s",
		-85 * time.Microsecond:                "-85.0 µs",
		10*time.Minute + 600*time.Millisecond: "10m1s",
		math.MinInt64:                         "-2562047h47m16s",
		math.MaxInt64:                         "2562047h47m16s",
	} {
		assert.Equal(t, want, Duration(d), "%d", d)
	}
}

func TestList(t *testing.T) {
	assert.Empty(t, List(nil, 3))
	assert.Equal(t, "a", List([]string{"a"}, 3))
	assert.Equal(t, "a and b", List([]string{"a", "b"}, 3))
	assert.Equal(t, "a, b and c", List([]string{"a", "b", "c"}, 3))
	assert.Equal(t, "a, b, c and 1 more", List([]string{"a", "b", "c", "d"}, 3))
}

func TestRates(t *testing.T) {
	rates := []clock.Rate{clock.Hertz, clock.Hertz / 4, clock.Unpaced}
	assert.Empty(t, Rates(nil, 3))
	assert.Equal(t, "1,0.25,max", Rates(rates, 3))
	assert.Equal(t, "1,0.25,…", Rates(rates, 2))
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		part, total float64
		want        string
	}{
		{0, 7, "0.0 %"}, {7, 7, "100.0 %"}, {24173, 104400, "23.2 %"}, {1, 3000, "0.0 %"}, {20, 1, "2,000.0 %"},
		{-1, 1e9, "0.0 %"}, {1, 0, "-"}, {0, 0, "-"}, {math.NaN(), 1, "-"},
	} {
		assert.Equal(t, c.want, Percent(c.part, c.total), c)
	}
}

func TestExact(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 10 * time.Hour: "10h", 90 * time.Second: "1m30s",
		time.Hour + 10*time.Minute: "1h10m", time.Hour + time.Second: "1h0m1s", 1500 * time.Microsecond: "1.5ms",
		-time.Minute: "-1m",
	} {
		assert.Equal(t, want, Exact(d))
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64().Draw(t, "duration"))
		back, err := time.ParseDuration(Exact(d))
		require.NoError(t, err)
		require.Equal(t, d, back)
	})
}

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		mean, half float64
		want       string
	}{
		{3.8012, 0.2964, "3.80 ± 0.30"},
		{3.8012, 0.0296, "3.801 ± 0.030"},
		{3.8012, 0.00296, "3.801 ± 0.003"},
		{3.8012, 0.0002, "3.801 ± <0.001"},
		{3.8012, 0.0996, "3.80 ± 0.10"},
		{3.8012, 9.96, "4 ± 10"},
		{42.7, 17.3, "43 ± 17"},
		{1427.3, 350, "1,427 ± 350"},
		{-0.0001, 0.004, "0.000 ± 0.004"},
		{-0.31, 0.12, "-0.31 ± 0.12"},
		{1.5, 0, "1.5"},
		{1200, 0, "1,200"},
		{-0.0004, 0, "0"},
		{3, math.NaN(), "3.00"},
		{math.NaN(), 1, "-"},
	} {
		assert.Equal(t, c.want, Interval(c.mean, c.half))
	}
}

// writers are the ways to write a number that can be read back.
var writers = map[string]func(float64) string{
	"Count":     func(x float64) string { return Count(int64(x)) },
	"Short":     Short,
	"Mean":      Mean,
	"PerSecond": PerSecond,
	"Rate":      Rate,
	"PPM":       PPM,
	"Percent":   func(x float64) string { return Percent(x, 100) },
	"Duration":  func(x float64) string { return Duration(time.Duration(x)) },
}

// read returns the number that a text stands for and the size of its last digit's
// unit; of a percentage among parts per million, in the latter.
func read(t *rapid.T, writer, s string) (x, unit float64) {
	if d, err := time.ParseDuration(s); err == nil && strings.ContainsAny(s, "hm") {
		return float64(d), float64(time.Second)
	}
	number, suffix, _ := strings.Cut(s, " ")
	number = strings.ReplaceAll(number, ",", "")
	x, err := strconv.ParseFloat(number, 64)
	require.NoError(t, err, s)
	scale, known := map[string]float64{
		"": 1, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
		"ppm": 1, "%": 1, "ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9,
	}[suffix]
	require.True(t, known, s)
	if writer == "PPM" && suffix == "%" {
		scale = 1e4
	}
	_, decimals, _ := strings.Cut(number, ".")
	return x * scale, math.Pow10(-len(decimals)) * scale
}

// aNumber draws from a ten-thousandth to the largest duration, evenly over the
// magnitudes, and where digits are carried most often.
func aNumber(t *rapid.T, label string) float64 {
	x := math.Pow(10, rapid.Float64Range(-4, 18.9).Draw(t, label+", magnitude"))
	switch rapid.IntRange(0, 2).Draw(t, label+", kind") {
	case 0: // 9.9949…, 9.995, 9.99500…1
		x = (1 - math.Pow10(-rapid.IntRange(1, 6).Draw(t, label+", nines"))/2) * math.Pow10(rapid.IntRange(-3, 18).Draw(t, label+", tens"))
		x *= 1 + rapid.Float64Range(-1e-9, 1e-9).Draw(t, label+", off")
	case 1:
		x = math.Round(x)
	}
	if rapid.Bool().Draw(t, label+", negative") {
		x = -x
	}
	return x
}

// What is read back is what was written, to half a unit of the last digit.
func TestFiguresRoundToTheNearest(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				x := aNumber(t, "x")
				if name == "Count" || name == "Duration" {
					x = math.Trunc(x)
				}
				s := write(x)
				back, unit := read(t, name, s)
				if name == "PPM" && math.Abs(x) < 0.05 {
					unit = 0.1 // "0 ppm" is written without the zeros
				}
				require.LessOrEqual(t, math.Abs(back-x), unit/2+1e-9*math.Abs(x), "%v is %s", x, s)
			})
		})
	}
}

// Both numbers of an interval are the nearest with the places that they have, which
// are as many.
func TestIntervalsRoundToTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mean := rapid.Float64Range(-1e6, 1e6).Draw(t, "mean")
		half := math.Pow(10, rapid.Float64Range(-3, 6).Draw(t, "half, magnitude"))
		s := Interval(mean, half)
		left, right, ok := strings.Cut(s, " ± ")
		require.True(t, ok, s)
		m, unit := read(t, "Interval", left)
		h, same := read(t, "Interval", right)
		require.Equal(t, unit, same, s)
		require.LessOrEqual(t, math.Abs(m-mean), unit/2+1e-9, "%v is %s", mean, s)
		require.LessOrEqual(t, math.Abs(h-half), unit/2+1e-9, "%v is %s", half, s)
		digits := strings.TrimLeft(strings.NewReplacer(".", "", ",", "").Replace(right), "0")
		require.True(t, len(digits) == 2 || unit == 1 && len(digits) > 2 || unit == 0.001 && len(digits) < 2, s)
	})
}

// The larger number never looks smaller.
func TestFiguresKeepTheOrder(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				x := aNumber(t, "x")
				y := aNumber(t, "y")
				if rapid.Bool().Draw(t, "near") {
					y = x * (1 + rapid.Float64Range(-1e-3, 1e-3).Draw(t, "by"))
				}
				if x > y {
					x, y = y, x
				}
				low, _ := read(t, name, write(x))
				high, _ := read(t, name, write(y))
				require.LessOrEqual(t, low, high+1e-12*math.Abs(high), "%v is %s, %v is %s", x, write(x), y, write(y))
			})
		})
	}
}

// A unit is left when the next one would do, and zero has no sign.
func TestFiguresAreTidy(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				x := aNumber(t, "x")
				s := write(x)
				number, suffix, _ := strings.Cut(s, " ")
				if strings.Trim(number, "+-0.") == "" {
					require.False(t, strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+"), "%v is %s", x, s)
				}
				if strings.ContainsAny(suffix, "nµmMGTP") && suffix != "ppm" {
					require.LessOrEqual(t, len(strings.Trim(number, "-")), len("99.9"), "%v is %s", x, s)
					require.NotContains(t, number, "1000", "%v is %s", x, s)
				}
			})
		})
	}
}
