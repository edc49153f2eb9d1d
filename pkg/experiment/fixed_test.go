package experiment

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

const one = 1 << 32

// The roots are exact: √(2·2⁶³·2⁶³), then √ of each before, rounded down.
func TestRoots(t *testing.T) {
	x := new(big.Int).Lsh(big.NewInt(1), 64)
	for k := 1; k < len(roots); k++ {
		x.Sqrt(x.Lsh(x, 63))
		require.Equal(t, x.Uint64(), roots[k], "2^(2^-%d)", k)
	}
}

func TestExp2(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Int64Range(-40*one, 30*one).Draw(t, "f")
		require.InDelta(t, math.Exp2(float64(f)/one), float64(exp2(f))/one, math.Exp2(float64(f)/one)*1e-9+1.0/one)
	})
	require.Equal(t, uint64(one), exp2(0))
	require.Equal(t, uint64(2*one), exp2(one))
	require.Equal(t, uint64(math.MaxUint64), exp2(32*one))
	require.EqualValues(t, 0, exp2(-33*one))
}

func TestMinusLn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Uint64().Draw(t, "x")
		want := -math.Log((float64(x) + 1) / (1 << 64))
		require.InDelta(t, want, float64(minusLn(x))/one, 4.0/one)
	})
	require.EqualValues(t, 0, minusLn(math.MaxUint64))
	require.InDelta(t, 64*math.Ln2, float64(minusLn(0))/one, 1e-8)
}

// The draws have the distributions that their names promise: mean, spread, and
// the largest distance of the distribution functions (Kolmogorov).
func TestDistributions(t *testing.T) {
	const n = 100_000
	const ms = 1e6
	for _, c := range []struct {
		text   string
		below  func(x float64) float64 // x in ns
		at     []float64
		within float64
	}{
		{"uniform:1ms,5ms", func(x float64) float64 { return (x - ms) / (4 * ms) }, []float64{1.1 * ms, 2 * ms, 3 * ms, 4.9 * ms}, 0.006},
		{"exp:2ms", func(x float64) float64 { return 1 - math.Exp(-x/(2*ms)) }, []float64{0.01 * ms, 0.5 * ms, 2 * ms, 6 * ms, 12 * ms}, 0.006},
		// The sum of twelve is up to 0.003 off a normal number.
		{"lognormal:2ms,0.5", func(x float64) float64 { return 0.5 * math.Erfc(-math.Log(x/(2*ms))/0.5/math.Sqrt2) },
			[]float64{0.5 * ms, 1 * ms, 2 * ms, 4 * ms, 8 * ms}, 0.009},
	} {
		t.Run(c.text, func(t *testing.T) {
			l, err := ParseLatency(c.text)
			require.NoError(t, err)
			counts := make([]int, len(c.at))
			for i := range uint64(n) {
				x := l.Draw(i * splitmix.Golden)
				require.GreaterOrEqual(t, x, int64(l.Min()))
				for j, at := range c.at {
					if float64(x) <= at {
						counts[j]++
					}
				}
			}
			for j, at := range c.at {
				require.InDelta(t, c.below(at), float64(counts[j])/n, c.within, "at %v ns", at)
			}
		})
	}
}
