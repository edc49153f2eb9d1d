package sweep

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
)

// A view is the report that the tables show, as data.
func TestView(t *testing.T) {
	m := invent(t, lists(3, []string{"1,5", "2,2"}, 10, 5), func(r *Run, id int) outcome {
		return outcome{jump: float64(r.Point.Number), growth: stray(r, 1), predicted: 0.5, queueMax: 7}
	})
	m.results[1].Stats.Verdict.State = trace.Broken // of point 2
	m.results = m.results[:len(m.results)-1]        // the last is not done
	m.results[0].Logged = true
	r := m.report()
	v := r.View()
	assert.Equal(t, m.grid.Command(), v.Again)
	assert.Equal(t, []Parameter{{"rates", []string{"1,5", "2,2"}}, {"die", []string{"10", "5"}}}, v.Parameters)
	assert.Nil(t, v.Parameters[0].Numbers())
	assert.Equal(t, []float64{10, 5}, v.Parameters[1].Numbers())
	require.Len(t, v.Points, 4)
	assert.Equal(t, [][]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, [][]int{v.Points[0].At, v.Points[1].At, v.Points[2].At, v.Points[3].At})
	assert.Equal(t, []int{3, 2, 3, 2}, []int{v.Points[0].Runs, v.Points[1].Runs, v.Points[2].Runs, v.Points[3].Runs})
	var names []string
	for _, c := range v.Points[0].Classes {
		names = append(names, c.Name)
		require.Len(t, c.Values, len(v.Measures))
	}
	assert.Equal(t, []string{"rate 1", "rate 5", "all"}, names)
	assert.Len(t, v.Points[2].Classes, 1, "all machines alike are one class")
	by := make(map[string]Interval)
	for k, measure := range v.Measures {
		by[measure.Name] = v.Points[1].Classes[0].Values[k]
	}
	assert.Equal(t, 2.0, by["mean jump"].Mean)
	assert.Equal(t, 0.5, by["predicted growth"].Mean)
	assert.Greater(t, by["growth of the queue, messages/s"].Half, 0.0)
	assert.Equal(t, "predicted growth", v.Measures[growth].Predicted)
	assert.Empty(t, v.Measures[jumpMean].Predicted)

	require.Len(t, v.Runs, 11)
	assert.Equal(t, RunView{"p0002-t0001", 2, 1, m.runs[1].Seed, "broken", 200}, v.Runs[3])
	require.Len(t, r.Logged(), 1)
	assert.Equal(t, m.results[0].Name, r.Logged()[0].Name)
	require.Len(t, v.Tables, 3)
	assert.Len(t, v.Tables[0].Rows[0], len(v.Tables[0].Titles()))
	assert.Contains(t, v.Verdict, "11 of 12 are done; 10 of 11 are correct; NOT: p0002-t0001 is ")
}

// Of a point without a run there is nothing to show, and of one run no interval.
func TestViewOfLittle(t *testing.T) {
	m := invent(t, lists(2, []string{"1,5"}, 10, 5), func(*Run, int) outcome { return outcome{jump: 1} })
	m.results = m.results[:1]
	v := m.report().View()
	require.Len(t, v.Points[0].Classes, 3)
	assert.True(t, math.IsNaN(v.Points[0].Classes[0].Values[0].Half))
	assert.Empty(t, v.Points[1].Classes)
	assert.Zero(t, v.Points[1].Runs)
}
