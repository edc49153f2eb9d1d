package machine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/event"
)

func message(i int) event.Message { return event.Message{Seq: uint64(i)} }

// The ring against a plain slice, at any mixture of bursts in and out.
func TestFifoEqualsASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f fifo
		var plain []event.Message
		next := 0
		size := rapid.SampledFrom([]struct{ largest, bursts int }{{3, 20}, {20, 20}, {2 * shrinkFrom, 3}}).Draw(t, "size")
		largest := size.largest
		for range rapid.IntRange(1, size.bursts).Draw(t, "bursts") {
			var in []event.Message
			for range rapid.IntRange(0, largest).Draw(t, "in") {
				next++
				in = append(in, message(next))
			}
			if plain = append(plain, in...); rapid.Bool().Draw(t, "at once") {
				f.pushAll(in)
			} else {
				for _, m := range in {
					f.push(m)
				}
			}
			for range rapid.IntRange(0, largest).Draw(t, "out") {
				if len(plain) == 0 {
					break
				}
				require.Equal(t, plain[0].Seq, f.at(0).Seq)
				f.pop()
				plain = plain[1:]
			}
			require.Equal(t, len(plain), f.len())
			for i, want := range plain {
				if f.at(i) != want {
					require.Equal(t, want, f.at(i), "place %d", i)
				}
			}
			require.Zero(t, len(f.ring)&(len(f.ring)-1), "a ring of %d: not a power of two", len(f.ring))
			if len(f.ring) >= shrinkFrom {
				require.Greater(t, f.n, len(f.ring)/8, "a ring of %d for %d messages", len(f.ring), f.n)
			}
		}
	})
}

// A queue that was long once gives its memory back on the way down, and not by
// copying at every step.
func TestFifoShrinks(t *testing.T) {
	var f fifo
	const long = 1 << 20
	for i := range long {
		f.push(message(i))
	}
	require.Len(t, f.ring, long)

	resized, size := 0, len(f.ring)
	for i := range long {
		require.EqualValues(t, i, f.at(0).Seq)
		f.pop()
		if len(f.ring) != size {
			resized++
			require.Len(t, f.ring, size/2, "by halves")
			require.Equal(t, len(f.ring)/4, f.n, "far from the next size up and down")
			size = len(f.ring)
		}
	}
	assert.Zero(t, f.len())
	assert.Len(t, f.ring, shrinkFrom/2, "small rings are kept")
	assert.Equal(t, 4, resized, "from 2²⁰ to 2¹⁶")
}

// Around any length, one message in and one out again must not copy the queue
// each time.
func TestFifoDoesNotThrash(t *testing.T) {
	for _, n := range []int{shrinkFrom/8 + 1, shrinkFrom / 8, shrinkFrom / 4, shrinkFrom, 2 * shrinkFrom} {
		var f fifo
		for i := range 4 * shrinkFrom {
			f.push(message(i))
		}
		for f.len() > n {
			f.pop()
		}
		resized, size := 0, len(f.ring)
		for i := range 1000 {
			f.push(message(i))
			f.pop()
			f.pop()
			f.push(message(i))
			if len(f.ring) != size {
				resized, size = resized+1, len(f.ring)
			}
		}
		assert.LessOrEqual(t, resized, 1, "at %d messages", n)
	}
}
