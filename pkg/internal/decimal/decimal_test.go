package decimal_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/decimal"
)

func TestDigitsOfEveryPart(t *testing.T) {
	for v := range uint32(10_000) { // all that the factors are to be exact for
		for _, whole := range []uint32{v, v * 10_000, v*10_000 + 9_999} {
			require.Equal(t, strconv.FormatUint(uint64(whole), 10), string(decimal.Append(nil, uint64(whole))))
		}
	}
}

func TestDigitsAtTheEdges(t *testing.T) {
	power := uint64(1)
	for range 20 {
		for _, v := range []uint64{power - 1, power, power + 1} {
			require.Equal(t, "x"+strconv.FormatUint(v, 10), string(decimal.Append([]byte("x"), v)))
			require.Equal(t, "x"+strconv.FormatInt(int64(v), 10), string(decimal.AppendInt([]byte("x"), int64(v))))
			require.Equal(t, strconv.FormatInt(-int64(v), 10), string(decimal.AppendInt(nil, -int64(v))))
		}
		power *= 10
	}
	require.Equal(t, "18446744073709551615", string(decimal.Append(nil, math.MaxUint64)))
}

func TestDigitsOfAnyNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v") >> rapid.IntRange(0, 63).Draw(t, "shift")
		before := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "before")
		require.Equal(t, strconv.AppendUint(append([]byte{}, before...), v, 10), decimal.Append(append([]byte{}, before...), v))
		require.Equal(t, strconv.AppendInt(append([]byte{}, before...), int64(v), 10), decimal.AppendInt(append([]byte{}, before...), int64(v)))
	})
}
