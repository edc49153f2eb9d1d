package sim

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
)

// Adding up periods gives the ticks of clock.Rate.Due, to the nanosecond.
func TestRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := clock.Rate(rapid.Uint64Range(1e6, uint64(clock.MaxRate)).Draw(t, "rate"))
		r := rota{period: periodOf(rate), end: 1}
		r.seek(0, 0)
		for k := range uint64(1000) {
			sought := r
			sought.seek(0, k)
			require.Equal(t, rate.Due(k), r.due)
			require.Equal(t, sought, r)
			r.round()
		}
	})
}

// The turns of a rota are the ticks of its machines, by (due, id), as sorting them gives.
func TestTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		cfg.Phase = experiment.Random
		e, err := newEngine(cfg)
		require.NoError(t, err)
		type tick struct {
			due int64
			id  int32
		}
		const rounds = 5
		for _, s := range e.shards {
			for i := range s.rotas {
				r := &s.rotas[i]
				var want, got []tick
				for _, nd := range s.nodes[r.first:r.end] {
					for k := range uint64(rounds) {
						want = append(want, tick{e.origin(int(nd.id)) + r.rate.Due(k+1), nd.id})
					}
				}
				slices.SortFunc(want, func(a, b tick) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.id, b.id)) })
				for range want {
					got = append(got, tick{r.due, s.nodes[r.next].id})
					r.advance(s.offsets)
				}
				require.Equal(t, want, got)
			}
		}
	})
}
