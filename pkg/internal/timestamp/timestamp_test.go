package timestamp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/timestamp"
)

const format = "2006-01-02T15:04:05.000000Z07:00"

// The text is what package time writes, in whatever order times come.
func TestTextIsThatOfPackageTime(t *testing.T) {
	const lastSecond = 253402300799
	rapid.Check(t, func(t *rapid.T) {
		var w, byMicro timestamp.Writer
		text, other := timestamp.Text([]byte(timestamp.Epoch)), timestamp.Text([]byte(timestamp.Epoch))
		var second int64
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			second = rapid.OneOf(
				rapid.Just(second),
				rapid.Int64Range(max(0, second-100_000), min(second+100_000, lastSecond)),
				rapid.Int64Range(0, lastSecond),
				rapid.SampledFrom([]int64{0, 86399, 86400, lastSecond}),
			).Draw(t, "second")
			nanosecond := rapid.IntRange(0, 999_999_999).Draw(t, "nanosecond")
			require.True(t, w.Write(&text, time.Unix(second, int64(nanosecond))))
			require.Equal(t, time.Unix(second, int64(nanosecond)).UTC().Format(format), string(text[:]))

			require.True(t, byMicro.WriteMicro(&other, time.Unix(second, int64(nanosecond)).UnixMicro()))
			require.Equal(t, string(text[:]), string(other[:]))
		}
	})
}

func TestTimesWithoutText(t *testing.T) {
	var w timestamp.Writer
	text := timestamp.Text([]byte(timestamp.Epoch))
	require.Equal(t, time.Unix(0, 0).UTC().Format(format), string(text[:]))
	require.True(t, w.Write(&text, time.Unix(1e9, 5000)))
	before := string(text[:])
	for _, second := range []int64{-1, -1 << 63, 253402300800, 1<<63 - 1} {
		require.False(t, w.Write(&text, time.Unix(second, 1)))
		require.Equal(t, before, string(text[:]))
	}
	for _, micro := range []int64{-1, -1e6, -1 << 63, 253402300800e6, 1<<63 - 1} {
		require.False(t, w.WriteMicro(&text, micro))
		require.Equal(t, before, string(text[:]))
	}
}

func TestSetAllocatesNothing(t *testing.T) {
	var w timestamp.Writer
	text := timestamp.Text([]byte(timestamp.Epoch))
	second := int64(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		second += 50_000
		w.Write(&text, time.Unix(second, 1))
	}))
}
