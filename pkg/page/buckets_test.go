package page

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numbers decodes a column of signed numbers.
func numbers(t require.TestingT, c column) (list []int64) {
	b := c.bytes
	for len(b) > 0 {
		n, size := binary.Varint(b)
		require.Positive(t, size)
		list, b = append(list, n), b[size:]
	}
	require.Len(t, list, c.count)
	return list
}

// Whatever the times, no peak is lost and nothing is invented: each bucket has the least and
// the greatest of its values, or the last one before it.
func TestBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBuckets(2*rapid.IntRange(1, 8).Draw(t, "half"), rapid.Int64Range(1, 10).Draw(t, "width"))
		type point struct{ at, value int64 }
		var points []point
		at := int64(0)
		for range rapid.IntRange(0, 50).Draw(t, "points") {
			at = max(0, at+rapid.Int64Range(-5, 40).Draw(t, "later"))
			p := point{at, rapid.Int64Range(-100, 100).Draw(t, "value")}
			points = append(points, p)
			b.add(p.at, p.value)
		}
		require.LessOrEqual(t, len(b.list), b.limit)
		n := rapid.IntRange(len(b.list), b.limit).Draw(t, "count")
		least, greatest := b.columns(n, 0)
		lows, highs := numbers(t, least), numbers(t, greatest)
		require.Len(t, lows, n)
		low, high, last := int64(0), int64(0), int64(0)
		for i := range n {
			low, high = low+lows[i], high+highs[i]
			wantLow, wantHigh, some, latest := int64(0), int64(0), false, last
			for _, p := range points {
				if p.at/b.width != int64(i) {
					continue
				}
				if !some {
					wantLow, wantHigh, some = p.value, p.value, true
				}
				wantLow, wantHigh, latest = min(wantLow, p.value), max(wantHigh, p.value), p.value
			}
			if !some {
				wantLow, wantHigh = last, last
			}
			require.Equal(t, wantLow, low)
			require.Equal(t, wantHigh, high)
			// Two that became one have the last value of the later of them, which a clock
			// that goes back can have had earlier.
			if some && i < len(b.list) {
				latest = b.list[i].last
				require.True(t, latest >= wantLow && latest <= wantHigh)
			}
			last = latest
		}
	})
}
