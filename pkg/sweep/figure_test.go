package sweep

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
)

// A figure has the values and the intervals of the tables.
func TestFigureShowsTheTables(t *testing.T) {
	m := invent(t, lists(5, []string{"1,5"}, 10, 5, 3), func(r *Run, id int) outcome {
		return outcome{jump: float64(r.Point.Die) + stray(r, 0.1), growth: 0.5, predicted: 0.4}
	})
	r := m.report()
	p := r.panel(panel{jumpMean, -1})
	assert.Equal(t, []string{"Mean jump", "die"}, []string{p.Title, p.X})
	assert.Equal(t, []string{"10", "5", "3"}, p.Names)
	require.Len(t, p.Curves, 2, "a curve for each class")
	for i, o := range r.points {
		for k, c := range o.classes {
			point := p.Curves[k].Points[i]
			want := c.measure(jumpMean)
			assert.Equal(t, c.name, p.Curves[k].Name)
			assert.Equal(t, []float64{want.Mean, want.Low(), want.High()}, []float64{point.Y, point.Low, point.High})
			assert.InDelta(t, i, point.X, 0.2)
		}
	}
	assert.Len(t, r.panel(panel{growth, growthPredicted}).Curves, 4, "predicted beside observed")
	assert.Empty(t, r.panel(panel{concurrent, -1}).Curves, "what is not known has none")

	svg := string(written(t, r.Figure))
	assert.Equal(t, svg, string(written(t, m.report().Figure)))
	for _, text := range []string{"Mean jump", "Gaps", "Mean drift", "Growth of the queue", "Longest queue", "rate 5", "predicted"} {
		assert.Contains(t, svg, text)
	}
	assert.NotContains(t, svg, "Concurrent pairs")
}

// One point has its classes side by side; systems have their machines.
func TestFigureOfOnePoint(t *testing.T) {
	r := invent(t, lists(5, []string{"1,5,4"}, 10), func(*Run, int) outcome { return outcome{jump: 2} }).report()
	assert.Equal(t, []string{"rate 1", "rate 4", "rate 5"}, r.panel(panel{jumpMean, -1}).Names)

	r = five(t, 2).report()
	p := r.panel(panel{driftMean, -1})
	require.Len(t, p.Names, 5)
	assert.True(t, strings.HasPrefix(p.Names[4], "t5: "), p.Names)
	require.Len(t, p.Curves, 3)
	assert.InDelta(t, 5, p.Curves[1].Points[4].Y, 0)
	assert.Equal(t, "predicted", r.panel(panel{growth, growthPredicted}).Curves[3].Name)
}

// Where nothing is correct, the figure says so.
func TestFigureOfNothing(t *testing.T) {
	m := five(t, 0)
	for _, result := range m.results {
		result.Stats.Verdict.State = trace.Broken
	}
	assert.Contains(t, string(written(t, m.report().Figure)), "No run is correct")
}
