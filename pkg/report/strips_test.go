package report

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// The dumb twin looks at all events for each cell, however often cells were put together.
func TestStrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type tick struct {
			at    int64
			queue int
		}
		from := rapid.Int64Range(0, 1e6).Draw(t, "from")
		to := int64(math.MaxInt64)
		span := rapid.SampledFrom([]int64{10, 1e5, 1e7, 1e12}).Draw(t, "span")
		if rapid.Bool().Draw(t, "the end is known") {
			to = from + span
		}
		s := newStrips(from, to)
		lines := map[int]*lifeline{0: {id: 0}, 1: {id: 1}}
		var ticks [2][]tick
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			id := rapid.IntRange(0, 1).Draw(t, "machine")
			ticks[id] = append(ticks[id], tick{from + rapid.Int64Range(0, span).Draw(t, "at"), rapid.IntRange(0, 50).Draw(t, "queue")})
		}
		for id := range ticks { // the events of a machine come in their order
			slices.SortStableFunc(ticks[id], func(a, b tick) int { return int(min(max(a.at-b.at, -1), 1)) })
			for i, x := range ticks[id] {
				s.add(lines, lines[id], x.at, &event.Event{Queue: x.queue, Clock: clock.Time(i + 1)})
			}
		}
		require.Equal(t, len(ticks[0])+len(ticks[1]), s.events)
		for id, all := range ticks {
			require.LessOrEqual(t, len(lines[id].cells), maxCells)
			seen := 0
			for i, c := range lines[id].cells {
				var want cell
				for n, x := range all {
					if (x.at-from)/s.width == int64(i) {
						want.events++
						want.last, want.clock = int32(x.queue), clock.Time(n+1)
						want.queue = max(want.queue, want.last)
					}
				}
				require.Equal(t, want, c)
				seen += int(c.events)
			}
			require.Len(t, all, seen)
		}
	})
}
