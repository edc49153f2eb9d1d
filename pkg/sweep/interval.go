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
	Half float64 // NaN for fewer than two trials: one says nothing of its spread
}

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
		return Interval{1, mean, math.NaN()}
	}
	squares := 0.0
	for _, x := range values {
		squares += (x - mean) * (x - mean)
	}
	deviation := math.Sqrt(squares / float64(n-1))
	return Interval{n, mean, student95(n-1) * deviation / math.Sqrt(float64(n))}
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

// String returns the mean with as many digits as the interval supports, "3.80 ±
// 0.30", at most three places, or the mean alone.
func (i Interval) String() string { return figure.Interval(i.Mean, i.Half) }

// student95 returns the t of which Student's distribution with so many degrees of
// freedom, ≥ 1, has 95 % between -t and t.
func student95(freedom int) float64 {
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
