package tournament_test

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/tournament"
)

// The dumb twin looks at all keys each time.
func TestWinnerIsTheFirstOfTheLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "entrants")
		contest := tournament.New(n)
		keys := slices.Repeat([]uint64{tournament.Never}, n)
		for range rapid.IntRange(0, 100).Draw(t, "sets") {
			winner, key := contest.Winner()
			if n == 0 || slices.Min(keys) == tournament.Never {
				require.Equal(t, uint64(tournament.Never), key)
			} else {
				require.Equal(t, slices.Min(keys), key)
				require.Equal(t, slices.Index(keys, key), winner)
				rest := slices.Delete(slices.Clone(keys), winner, winner+1)
				require.Equal(t, slices.Contains(rest, key), contest.Tied())
			}
			if n == 0 {
				continue
			}
			of := rapid.IntRange(0, n-1).Draw(t, "entrant")
			keys[of] = rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(math.MaxUint64-2, math.MaxUint64), rapid.Uint64()).Draw(t, "key")
			contest.Set(of, keys[of])
		}
	})
}

func TestKeysAreInTheOrderOfNumbers(t *testing.T) {
	numbers := []int64{math.MinInt64, -1 << 40, -1, 0, 1, 1 << 40, math.MaxInt64 - 1}
	for i, n := range numbers[1:] {
		require.Less(t, tournament.Key(numbers[i]), tournament.Key(n))
	}
	require.Less(t, tournament.Key(numbers[len(numbers)-1]), uint64(tournament.Never))
}

// BenchmarkMerge is the next one of n sequences, whose keys rise at random, or all at the same
// pace. The rival is a heap as it stands in books.
func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		for _, pace := range []string{"random", "same"} {
			rises := slices.Repeat([]uint64{1}, 1<<12)
			if pace == "random" {
				for i := range rises {
					rises[i] = rand.Uint64N(uint64(n))
				}
			}
			b.Run(fmt.Sprintf("%s/n=%d/tournament", pace, n), func(b *testing.B) {
				t := tournament.New(n)
				for i := range n {
					t.Set(i, rises[i])
				}
				for i := 0; b.Loop(); i++ {
					entrant, key := t.Winner()
					t.Set(entrant, key+rises[i%len(rises)])
				}
			})
			b.Run(fmt.Sprintf("%s/n=%d/heap", pace, n), func(b *testing.B) {
				var h sequences
				for i := range n {
					h = append(h, sequence{rises[i], i})
				}
				heap.Init(&h)
				for i := 0; b.Loop(); i++ {
					h[0].key += rises[i%len(rises)]
					heap.Fix(&h, 0)
				}
			})
		}
	}
}

type sequence struct {
	key uint64
	of  int
}

type sequences []sequence

func (h sequences) Len() int { return len(h) }
func (h sequences) Less(i, j int) bool {
	return h[i].key < h[j].key || h[i].key == h[j].key && h[i].of < h[j].of
}
func (h sequences) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *sequences) Push(any)     {}
func (h *sequences) Pop() any     { return nil }
