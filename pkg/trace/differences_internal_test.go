package trace

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// allPaths is the dumb twin: the shortest paths between all clocks (Floyd 1962), and
// whether the bounds contradict each other.
func allPaths(d *differences) (dist [][]int64, contradiction bool) {
	for i := range d.clocks {
		row := make([]int64, d.clocks)
		for j := range row {
			if row[j] = unbounded; i == j {
				row[j] = 0
			}
		}
		dist = append(dist, row)
	}
	for _, b := range d.bounds {
		dist[b.than][b.of] = min(dist[b.than][b.of], b.by)
	}
	for k := range d.clocks {
		for i := range d.clocks {
			for j := range d.clocks {
				if dist[i][k] < unbounded && dist[k][j] < unbounded {
					dist[i][j] = min(dist[i][j], dist[i][k]+dist[k][j])
				}
			}
		}
	}
	for i := range d.clocks {
		contradiction = contradiction || dist[i][i] < 0
	}
	return dist, contradiction
}

func TestDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := differences{clocks: rapid.IntRange(1, 7).Draw(t, "clocks")}
		clock := rapid.IntRange(0, d.clocks-1)
		for i := range rapid.IntRange(0, 20).Draw(t, "bounds") {
			of, than := clock.Draw(t, "of"), clock.Draw(t, "than")
			if of != than {
				d.bounds = append(d.bounds, atMost{of, than, rapid.Int64Range(-30, 100).Draw(t, "by"), i})
			}
		}
		dist, contradiction := allPaths(&d)
		cycle := d.contradiction()
		require.Equal(t, contradiction, cycle != nil)
		if contradiction {
			sum := int64(0)
			for i, b := range cycle {
				sum += b.by
				require.Equal(t, b.of, cycle[(i+1)%len(cycle)].than, "each goes on where the one before ends")
			}
			require.Negative(t, sum)
			return
		}
		from := clock.Draw(t, "from")
		solution := d.solve(from)
		for i, w := range solution {
			assert.Equal(t, dist[from][i], w.most)
			assert.Equal(t, dist[i][from], -w.least)
		}
		for _, b := range d.bounds { // the middles are a solution
			if of, than := solution[b.of], solution[b.than]; of.whole() && than.whole() {
				assert.LessOrEqual(t, of.middle()-than.middle(), b.by+1)
			}
		}
	})
}
