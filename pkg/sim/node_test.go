package sim

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Adding up periods gives the ticks of clock.Rate.Due, to the nanosecond.
func TestAdvance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := clock.Rate(rapid.Uint64Range(1e6, uint64(clock.MaxRate)).Draw(t, "rate"))
		c := classOf(r)
		var nd node
		for k := range uint64(1000) {
			var sought node
			c.seek(&sought, 0, k)
			require.Equal(t, r.Due(k), nd.due)
			require.Equal(t, sought, nd)
			nd.advance(&c)
		}
	})
}
