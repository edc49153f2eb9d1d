package trace

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Dues are those of the rate, at any rate and however they are asked for.
func TestDuesAreThoseOfTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := clock.Rate(rapid.OneOf(
			rapid.Uint64(),
			rapid.SampledFrom([]uint64{0, 1, 3, uint64(clock.Hertz), 3 * uint64(clock.Hertz), 7777 * uint64(clock.Hertz), 1 << 63, 1<<63 - 1, math.MaxUint64}),
		).Draw(t, "rate"))
		d := dues{rate: rate}
		for range 20 {
			k := rapid.OneOf(rapid.Uint64Range(0, 1_000_000), rapid.Uint64()).Draw(t, "tick")
			for range rapid.SampledFrom([]int{1, 2, 500}).Draw(t, "in a row") {
				require.Equal(t, rate.Due(k), d.at(k), "tick %d", k)
				require.Equal(t, rate.Due(k), d.at(k), "tick %d once more", k)
				k++
			}
		}
	})
}
