package decimal_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/decimal"
)

// Every length has its shortest and its longest number.
func TestAppend(t *testing.T) {
	numbers := []uint64{0, math.MaxUint64, math.MaxInt64, 1 << 63}
	for power := uint64(1); ; power *= 10 {
		numbers = append(numbers, power-1, power, power+1)
		if power > math.MaxUint64/10 {
			break
		}
	}
	for shift := range 64 {
		numbers = append(numbers, 1<<shift-1, 1<<shift)
	}
	for n := range uint64(100_000) {
		numbers = append(numbers, n)
	}
	for _, n := range numbers {
		require.Equal(t, strconv.FormatUint(n, 10), string(decimal.Append(nil, n)))
		require.Equal(t, "x"+strconv.FormatInt(int64(n), 10), string(decimal.AppendInt([]byte("x"), int64(n))))
		require.Equal(t, strconv.FormatInt(-int64(n), 10), string(decimal.AppendInt(nil, -int64(n))))
	}
}

// What stands before the number, and what room there is behind it, changes nothing.
func TestAppendIsThatOfStrconv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "before")
		room := rapid.IntRange(0, 30).Draw(t, "room")
		n := rapid.Uint64().Draw(t, "n") >> rapid.IntRange(0, 63).Draw(t, "shift")
		b := append(make([]byte, 0, len(before)+room), before...)
		require.Equal(t, string(strconv.AppendUint(before, n, 10)), string(decimal.Append(b, n)))
		require.Equal(t, string(strconv.AppendInt(before, int64(n), 10)), string(decimal.AppendInt(b, int64(n))))
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, decimal.MaxLen)
	require.Zero(t, testing.AllocsPerRun(100, func() { b = decimal.Append(b[:0], math.MaxUint64) }))
}
