package sweep

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// As printed in every table of Student's distribution, two-sided 95 %.
func TestStudentAsPrinted(t *testing.T) {
	for freedom, want := range map[int]float64{
		1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228,
		15: 2.131, 19: 2.093, 24: 2.064, 29: 2.045, 30: 2.042, 60: 2.000, 120: 1.980, 1000: 1.962, 1001: 1.962, 10_000: 1.960,
	} {
		assert.InDelta(t, want, student95(freedom), 0.0006, "%d degrees of freedom", freedom)
	}
}

// The dumb twin adds up the density in small steps.
func TestStudentAgainstItsDensity(t *testing.T) {
	for _, freedom := range []int{1, 2, 3, 4, 5, 8, 13, 40, 41} {
		v := float64(freedom)
		a, _ := math.Lgamma((v + 1) / 2)
		b, _ := math.Lgamma(v / 2)
		density := func(x float64) float64 {
			return math.Exp(a-b) / math.Sqrt(v*math.Pi) * math.Pow(1+x*x/v, -(v+1)/2)
		}
		const step = 1e-3
		sum := 0.0
		for x, limit := step/2, student95(freedom); x < limit; x += step {
			sum += 2 * density(x) * step
		}
		assert.InDelta(t, 0.95, sum, 1e-3, "%d degrees of freedom", freedom)
	}
}

// Of many intervals from few normal values, 95 % hold the true mean.
func TestIntervalsHoldTheMeanAsOftenAsTheySay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const samples = 2_000
	for _, n := range []int{2, 3, 5, 10} {
		held := 0
		for range samples {
			values := make([]float64, n)
			for i := range values {
				values[i] = 7 + 3*r.NormFloat64()
			}
			if Mean95(values).Has(7) {
				held++
			}
		}
		assert.InDelta(t, 0.95, float64(held)/samples, 0.018, "%d trials", n)
	}
}

// The twin computes from the textbook's definition.
func TestMean95AgainstItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 2, 30).Draw(t, "values")
		n := float64(len(values))
		sum := 0.0
		for _, x := range values {
			sum += x
		}
		mean, variance := sum/n, 0.0
		for _, x := range values {
			variance += (x - mean) * (x - mean) / (n - 1)
		}
		got := Mean95(values)
		require.Equal(t, len(values), got.N)
		require.InDelta(t, mean, got.Mean, 1e-6)
		if len(values) == 2 && values[0] == values[1] { // which say no more than one: Interval.Half
			require.True(t, math.IsNaN(got.Half))
			return
		}
		require.InDelta(t, student95(len(values)-1)*math.Sqrt(variance/n), got.Half, 1e-6*(1+got.Half))
	})
}

func TestIntervalOfFew(t *testing.T) {
	none, one, same := Mean95(nil), Mean95([]float64{3}), Mean95([]float64{3, 3, 3})
	assert.Equal(t, []string{"-", "3.00", "3"}, []string{none.String(), one.String(), same.String()})
	assert.Equal(t, []int{0, 0, 1}, []int{none.Sign(), one.Sign(), same.Sign()}, "one value shows nothing")
	assert.False(t, none.Has(0))
	assert.False(t, one.Has(3))
	assert.True(t, same.Has(3))
	assert.False(t, same.Has(3.1))

	two := Mean95([]float64{3, 3})
	assert.Equal(t, "3.00", two.String())
	assert.Zero(t, two.Sign(), "two of a kind show no more than one")
}

// What cannot be below 0, or above 100 %, has no interval that says so.
func TestIntervalsOfWhatCanBe(t *testing.T) {
	i := Mean95([]float64{0, 0, 3})
	assert.Equal(t, "1.0 ± 4.3", i.String())
	assert.Negative(t, i.Low())
	i.Within = counted
	assert.Equal(t, "1.0 (0 to 5.3)", i.String())
	assert.Zero(t, i.Low())
	assert.InDelta(t, 5.3, i.High(), 0.01)
	i.Mean, i.Half = 3, 2
	assert.Equal(t, "3.0 ± 2.0", i.String())
	assert.Equal(t, []float64{1, 5}, []float64{i.Low(), i.High()})
	for _, c := range []struct {
		mean, half float64
		within     *Range
		want       string
	}{
		{99, 4.5, percent, "99.0 (94.5 to 100)"},
		{50, 70, percent, "50 (0 to 100)"},
		{math.NaN(), math.NaN(), counted, "-"},
		{0, math.NaN(), percent, "0.00"},
		{0, 0, percent, "0"},
	} {
		assert.Equal(t, c.want, Interval{N: 5, Mean: c.mean, Half: c.half, Within: c.within}.String())
	}
	made := Interval{N: 5, Mean: -0.5, Half: 0.2, Within: counted} // of a log that no machine of ours wrote
	assert.LessOrEqual(t, made.Low(), made.Mean)
}

func TestSign(t *testing.T) {
	for _, c := range []struct {
		mean, half float64
		want       int
	}{{3, 2, 1}, {3, 3, 0}, {3, 4, 0}, {0, 0, 0}, {0, 1, 0}, {-3, 2, -1}, {-3, 3, 0}} {
		i := Interval{N: 5, Mean: c.mean, Half: c.half}
		assert.Equal(t, c.want, i.Sign(), i)
		assert.Equal(t, c.want == 0, i.Has(0), i)
	}
}

func TestIntervalInWords(t *testing.T) {
	for _, c := range []struct {
		mean, half float64
		want       string
	}{
		{3.8012, 0.2964, "3.80 ± 0.30"},
		{3.8012, 0.0296, "3.801 ± 0.030"},
		{3.8012, 0.00296, "3.801 ± 0.003"},
		{3.8012, 0.0002, "3.801 ± <0.001"},
		{42.7, 17.3, "43 ± 17"},
		{1427.3, 350, "1,427 ± 350"},
		{-0.0001, 0.004, "0.000 ± 0.004"},
		{-0.31, 0.12, "-0.31 ± 0.12"},
		{1.5, 0, "1.5"},
		{10, 0, "10"},
		{0, 0, "0"},
	} {
		assert.Equal(t, c.want, Interval{N: 5, Mean: c.mean, Half: c.half}.String())
	}
}
