package histogram_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/histogram"
)

type weighted struct{ n, weight uint64 }

// percentile is the definition of the nearest rank.
func percentile(list []weighted, percent uint64) uint64 {
	slices.SortFunc(list, func(a, b weighted) int {
		return new(big.Int).SetUint64(a.n).Cmp(new(big.Int).SetUint64(b.n))
	})
	total := new(big.Int)
	for _, w := range list {
		total.Add(total, new(big.Int).SetUint64(w.weight))
	}
	below := new(big.Int)
	for _, w := range list {
		below.Add(below, new(big.Int).SetUint64(w.weight))
		share := new(big.Int).Mul(below, big.NewInt(100))
		if w.weight > 0 && share.Cmp(new(big.Int).Mul(total, new(big.Int).SetUint64(percent))) >= 0 {
			return w.n
		}
	}
	return 0
}

func TestPercentiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exact := rapid.UintRange(1, 20).Draw(t, "exact")
		largest := rapid.SampledFrom([]uint64{3, 100, 1<<exact - 1, 1 << exact, 1 << 30, math.MaxUint64}).Draw(t, "largest")
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) weighted {
			return weighted{rapid.Uint64Range(0, largest).Draw(t, "n"), rapid.Uint64Range(0, 1<<40).Draw(t, "weight")}
		}), 0, 200).Draw(t, "numbers")
		h := histogram.New(exact)
		for _, w := range list {
			h.Add(w.n, w.weight)
		}
		for _, percent := range []uint64{0, 1, 50, 99, 100} {
			want, got := percentile(list, percent), h.Percentile(percent)
			if want < 1<<exact {
				require.Equal(t, want, got, "%d %%", percent)
				continue
			}
			require.GreaterOrEqual(t, got, want)
			require.Less(t, float64(got-want), float64(want)/float64(uint64(1)<<(exact-1)))
		}
	})
}

// 90 jumps, of which two are large: 99 % of 90 is 89.1, so the 90th counts.
func TestNearestRank(t *testing.T) {
	h := histogram.New(16)
	h.Add(1, 88)
	h.Add(7, 1)
	h.Add(14, 1)
	require.EqualValues(t, 14, h.Percentile(99))
	require.EqualValues(t, 7, h.Percentile(98)) // 88.2
	require.EqualValues(t, 1, h.Percentile(97)) // 87.3
	require.EqualValues(t, 90, h.Total())
}

func TestNothing(t *testing.T) {
	require.Zero(t, histogram.New(16).Percentile(50))
}

// The largest weights do not overflow.
func TestLongTimes(t *testing.T) {
	h := histogram.New(16)
	h.Add(1, math.MaxUint64/2)
	h.Add(2, math.MaxUint64/2)
	require.EqualValues(t, 1, h.Percentile(50))
	require.EqualValues(t, 2, h.Percentile(51))
}

func BenchmarkAdd(b *testing.B) {
	h := histogram.New(16)
	for i := 0; b.Loop(); i++ {
		h.Add(uint64(i)&0xfffff, 3)
	}
}

// Together, two are as one that was told all numbers.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exact := rapid.UintRange(1, 20).Draw(t, "exact")
		all, parts := histogram.New(exact), []*histogram.Histogram{histogram.New(exact), histogram.New(exact)}
		for range rapid.IntRange(0, 100).Draw(t, "numbers") {
			n, weight := rapid.Uint64().Draw(t, "n")>>rapid.IntRange(0, 63).Draw(t, "shift"), rapid.Uint64Range(0, 1<<40).Draw(t, "weight")
			all.Add(n, weight)
			parts[rapid.IntRange(0, 1).Draw(t, "part")].Add(n, weight)
		}
		parts[0].Merge(parts[1])
		require.Equal(t, all.Total(), parts[0].Total())
		for percent := range uint64(101) {
			require.Equal(t, all.Percentile(percent), parts[0].Percentile(percent))
		}
	})
}
