package figure

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567",
		math.MaxUint64: "18,446,744,073,709,551,615",
	} {
		assert.Equal(t, want, Count(n))
	}
	assert.Equal(t, "0 ticks", Plural(0, "tick"))
	assert.Equal(t, "1 tick", Plural(1, "tick"))
	assert.Equal(t, "2,000 ticks", Plural(2000, "tick"))
}

func TestShort(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 999: "999", 999_999: "999,999", 1e6: "1.00 M", 9_994_999: "9.99 M", 9_996_000: "10.0 M",
		99_960_000: "100 M", 999_499_999: "999 M", 999_600_000: "1.00 G", 18_400_000: "18.4 M",
		math.MaxUint64: "18.4 E", 1e22: "10000 E",
		math.Inf(1): "-",
	} {
		assert.Equal(t, want, Short(x), "%v", x)
	}
	assert.Equal(t, "-", Short(math.NaN()))
}

func TestMean(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.00", 3.284: "3.28", 999.99: "999.99", 999.996: "1,000", 149_813.4: "149,813", 1_498_130: "1.50 M",
	} {
		assert.Equal(t, want, Mean(x), "%v", x)
	}
	assert.Equal(t, "-", Mean(math.NaN()))
}

func TestRate(t *testing.T) {
	for x, want := range map[float64]string{
		0.25: "0.2500", 5: "5.0000", 4.99995: "5.0000", 60: "60.000", 999.98: "999.98",
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
		time.Hour + 400*time.Millisecond: "1h0m0s",
		-85 * time.Microsecond:           "-85.0 µs",
		math.MinInt64:                    "-2562047h47m16s",
		math.MaxInt64:                    "2562047h47m16s",
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
