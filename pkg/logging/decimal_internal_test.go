package logging

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The digits are those of package strconv.

func TestDigitsOfEveryPart(t *testing.T) {
	for v := range uint32(10_000) { // all that the factors are to be exact for
		for _, whole := range []uint32{v, v * 10_000, v*10_000 + 9_999} {
			require.Equal(t, strconv.FormatUint(uint64(whole), 10), string(appendUint(nil, uint64(whole))))
		}
	}
}

func TestDigitsAtTheEdges(t *testing.T) {
	power := uint64(1)
	for range 20 {
		for _, v := range []uint64{power - 1, power, power + 1} {
			require.Equal(t, "x"+strconv.FormatUint(v, 10), string(appendUint([]byte("x"), v)))
		}
		power *= 10
	}
	require.Equal(t, "18446744073709551615", string(appendUint(nil, math.MaxUint64)))
}

func TestDigitsOfAnyNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v") >> rapid.IntRange(0, 63).Draw(t, "shift")
		before := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "before")
		require.Equal(t, strconv.AppendUint(append([]byte{}, before...), v, 10), appendUint(append([]byte{}, before...), v))
	})
}
