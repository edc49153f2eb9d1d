package sweep

import (
	"math"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Interval is the 95 % confidence interval of a mean over independent trials:
// Mean ± Half. It supposes, as Student's t does, that means over trials are
// nearly normal.
type Interval struct {
	N    int     // trials
	Mean float64 // NaN without a trial
	// Half is NaN for fewer than two trials, since one says nothing of its spread, and for
	// two with one value, which say no more.
	Half float64
	// Within is where the mean must lie, whatever the trials are: the interval ends there.
	// nil: anywhere.
	Within *Range
}

// Range is where a figure can lie.
type Range struct{ Least, Most float64 }

var (
	counted = &Range{0, math.Inf(1)} // nothing is counted below 0
	percent = &Range{0, 100}
)

// Mean95 returns the mean of values and its 95 % confidence interval,
// mean ± t·s/√n with Student's t for n-1 degrees of freedom ("Student", "The
// Probable Error of a Mean", Biometrika 6, 1908).
func Mean95(values []float64) Interval {
	n := len(values)
	if n == 0 {
		return Interval{Mean: math.NaN(), Half: math.NaN()}
	}
	mean := 0.0
	for i, x := range values {
		mean += (x - mean) / float64(i+1)
	}
	if n == 1 {
		return Interval{N: 1, Mean: mean, Half: math.NaN()}
	}
	squares := 0.0
	for _, x := range values {
		squares += (x - mean) * (x - mean)
	}
	if n == 2 && values[0] == values[1] {
		return Interval{N: n, Mean: mean, Half: math.NaN()}
	}
	deviation := math.Sqrt(squares / float64(n-1))
	return Interval{N: n, Mean: mean, Half: student95(n-1) * deviation / math.Sqrt(float64(n))}
}

// Has reports whether x lies inside the interval. It is false where there is none.
func (i Interval) Has(x float64) bool { return math.Abs(x-i.Mean) <= i.Half }

// Sign returns 1 where the whole interval lies above 0, -1 where it lies below,
// and 0 where it holds 0 or there is none: then the trials do not show a sign.
func (i Interval) Sign() int {
	switch {
	case i.Mean-i.Half > 0:
		return 1
	case i.Mean+i.Half < 0:
		return -1
	}
	return 0
}

// Low returns where the interval begins.
func (i Interval) Low() float64 {
	low := i.Mean - i.Half
	if i.Within != nil && low < i.Within.Least {
		return min(i.Within.Least, i.Mean)
	}
	return low
}

// High returns where the interval ends.
func (i Interval) High() float64 {
	high := i.Mean + i.Half
	if i.Within != nil && high > i.Within.Most {
		return max(i.Within.Most, i.Mean)
	}
	return high
}

// String returns the mean with as many digits as the interval supports, "3.80 ±
// 0.30", at most three places. Where the interval would go beyond what can be, it names
// its ends, "0.80 (0 to 2.10)". Where all trials have one value it is that alone: that
// the others would have it too is not shown.
func (i Interval) String() string {
	if i.Low() > i.Mean-i.Half || i.High() < i.Mean+i.Half {
		return figure.Ends(i.Mean, i.Half, i.Low(), i.High())
	}
	return figure.Interval(i.Mean, i.Half)
}

// student95 returns the t of which Student's distribution with so many degrees of
// freedom, ≥ 1, has 95 % between -t and t.
func student95(freedom int) float64 {
	if freedom > manyDegrees {
		// Abramowitz, Stegun, 26.7.5: the next term is below 1e-9.
		const z = 1.959963984540054
		n := float64(freedom)
		return z + (z*z*z+z)/(4*n) + (5*z*z*z*z*z+16*z*z*z+3*z)/(96*n*n)
	}
	low, high := 0.0, 13.0 // 12.706 for one degree, the largest
	for range 60 {
		if t := (low + high) / 2; within(t, freedom) < 0.95 {
			low = t
		} else {
			high = t
		}
	}
	return high
}

// manyDegrees is from where on the finite sums are long, and an expansion is as good.
const manyDegrees = 1000

// within returns the chance that a value of Student's distribution lies between
// -t and t: M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions",
// 1964, 26.7.3 and 26.7.4, which are finite sums for whole degrees of freedom.
func within(t float64, freedom int) float64 {
	theta := math.Atan(t / math.Sqrt(float64(freedom)))
	sin, cos := math.Sincos(theta)
	sum, term, k := 0.0, 1.0, 2
	if freedom%2 == 1 {
		term, k = cos, 3
	}
	for ; k <= freedom; k += 2 {
		sum += term
		term *= cos * cos * float64(k-1) / float64(k)
	}
	if freedom%2 == 1 {
		return 2 / math.Pi * (theta + sin*sum)
	}
	return sin * sum
}
