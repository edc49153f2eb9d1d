package sweep

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// large is a run of more machines than can have logs, and its result.
func large(t *testing.T) (*Run, *Result) {
	g := grid()
	g.Rates, g.Machines, g.Die, g.NoLogs, g.Duration = []string{"1-6"}, []int{600}, []int{10}, true, 10*time.Second
	runs, err := g.Runs()
	require.NoError(t, err)
	run, err := g.Drawn(&runs[0])
	require.NoError(t, err)
	done, err := sim.Run(t.Context(), sim.Config{Spec: run.Spec, Workers: 1})
	require.NoError(t, err)
	return &runs[0], NewLargeResult(run, summary.Survey(done.Machines()))
}

// The prediction of a class is the mean over its machines.
func TestPredictionsOfClasses(t *testing.T) {
	_, r := large(t)
	require.Len(t, r.Predicted, 6)
	for i, c := range r.Population.Classes {
		assert.InDelta(t, c.Slowest.PerSecond(), r.Predicted[i].Takes, 0, "that of equal rates, to the last digit")
		assert.Positive(t, r.Predicted[i].Arrivals)
	}
}

// A result of a large run is read back, and each of its figures is held against another,
// or against the grid.
func TestForgedLargeResults(t *testing.T) {
	run, good := large(t)
	line, err := json.Marshal(good)
	require.NoError(t, err)
	back, err := readResult(line, run)
	require.NoError(t, err)
	require.Equal(t, good, back)
	for want, forge := range map[string]func(*Result){
		"600 machines: want 601":                        nil,
		"the result of another run":                     func(r *Result) { r.Population = nil },
		"it cannot have logs":                           func(r *Result) { r.Logged = true },
		"5 predictions: want one for each of 6 classes": func(r *Result) { r.Predicted = r.Predicted[1:] },
		"a figure out of its range":                     func(r *Result) { r.Predicted[2].Growth = -1 },
		"class 1: the events do not add up":             func(r *Result) { r.Population.Classes[0].Steps++ },
		"other faults than the plan's":                  func(r *Result) { r.Struck = map[string]int{"kill": 1} },
		"13 classes: want at most 12":                   func(r *Result) { r.Population.Classes = make([]summary.Class, 13) },
		"1 machine: want at most 0":                     func(r *Result) { r.Stats = &trace.Stats{Machines: make([]trace.MachineStats, 1)} },
	} {
		var forged Result
		require.NoError(t, json.Unmarshal(line, &forged))
		of := *run
		if forge == nil {
			of.Point.Machines++
		} else {
			forge(&forged)
		}
		b, err := json.Marshal(&forged)
		require.NoError(t, err)
		_, err = readResult(b, &of)
		assert.EqualError(t, err, want)
	}
}
