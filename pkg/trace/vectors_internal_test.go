package trace

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is kept comes back as it was, in whatever order messages land, and no vector is given
// away twice; nothing is kept beyond what may be.
func TestVectorsAreKept(t *testing.T) {
	const most = 60
	for _, width := range []int{1, 2, 3, 7, 64, 65, 200} {
		random := rand.New(rand.NewPCG(1, uint64(width)))
		v := newVectors(width, most*vectorBytes(width))
		type message struct {
			number vector
			clock  []uint64
		}
		var flying []message // the dumb twin
		for i := range 10_000 {
			for len(flying) == most || len(flying) > 0 && random.IntN(2) == 0 {
				k := random.IntN(len(flying))
				if random.IntN(4) > 0 {
					k = 0
				}
				require.Equal(t, flying[k].clock, v.of(flying[k].number), "width %d, message %d", width, i)
				v.landed(flying[k].number)
				flying = slices.Delete(flying, k, k+1)
			}
			clock := slices.Repeat([]uint64{uint64(i)}, width)
			n := v.keep(clock, random.IntN(width), random.IntN(width))
			require.NotZero(t, n)
			flying = append(flying, message{n, clock})
		}
		for range most - len(flying) {
			require.NotZero(t, v.keep(make([]uint64, width), 0, 0))
		}
		require.Zero(t, v.keep(make([]uint64, width), 0, 0))
	}
}

// What has landed makes room for what is sent: a long run takes as much memory as its messages
// in flight, whoever sends them.
func TestVectorsAreUsedAgain(t *testing.T) {
	for _, width := range []int{1, 2, 3, 64, 65, 300} {
		v := newVectors(width, DefaultVectorBytes)
		clock := make([]uint64, width)
		var flying []vector
		for i := range 50_000 {
			flying = append(flying, v.keep(clock, i%width, i/3%width))
			if len(flying) == 10 {
				v.landed(flying[0])
				flying = flying[1:]
			}
		}
		links := min(width*width, 10_000)
		blocks := 10 + 2*links // each link may be at the start of one and at the end of another
		require.LessOrEqual(t, int(v.made), blocks<<v.block, "width %d", width)
	}
}
