package splitmix_test

import (
	"math"
	"math/big"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// The first numbers of SplitMix64 as its authors publish them
// (https://prng.di.unimi.it/splitmix64.c), so that Mix is that function and no
// relative of it.
func TestMixIsSplitMix64(t *testing.T) {
	for seed, want := range map[uint64][]uint64{
		0:       {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f},
		1234567: {6457827717110365317, 3203168211198807973, 9817491932198370423},
	} {
		for i, n := range want {
			assert.Equal(t, n, splitmix.Mix(seed+uint64(i+1)*splitmix.Golden), "seed %d, number %d", seed, i)
		}
		assert.Equal(t, want[0], splitmix.First(seed))
	}
}

func TestGamma(t *testing.T) { // Steele, Lea, Flood 2014, section 5
	rapid.Check(t, func(t *rapid.T) {
		gamma := splitmix.Gamma(rapid.Uint64().Draw(t, "z"))
		require.EqualValues(t, 1, gamma&1, "odd, or some states coincide")
		require.GreaterOrEqual(t, bits.OnesCount64(gamma^gamma>>1), 24, "too regular")
	})
}

func TestBelow(t *testing.T) {
	assert.Zero(t, splitmix.Below(math.MaxUint64, 0))
	rapid.Check(t, func(t *rapid.T) {
		random, n := rapid.Uint64().Draw(t, "random"), rapid.Uint64Min(1).Draw(t, "n")
		product := new(big.Int).Mul(new(big.Int).SetUint64(random), new(big.Int).SetUint64(n))
		require.Equal(t, product.Rsh(product, 64).Uint64(), splitmix.Below(random, n))
		require.Less(t, splitmix.Below(random, n), n)
	})
}
