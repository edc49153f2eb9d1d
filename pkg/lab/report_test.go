package lab

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sweep"
)

// Of many runs, the first trial of each point has a page; of very many points, none has.
func TestWithPages(t *testing.T) {
	of := func(points, trials int) (runs []sweep.Run) {
		for p := range points {
			for trial := range trials {
				runs = append(runs, sweep.Run{Trial: trial + 1, Name: fmt.Sprintf("p%d-t%d", p+1, trial+1)})
			}
		}
		return runs
	}
	assert.Len(t, withPages(of(40, 5)), 200)
	first := withPages(of(41, 5))
	assert.Len(t, first, 41)
	assert.Equal(t, []string{"p1-t1", "p2-t1"}, first[:2])
	assert.Empty(t, withPages(of(201, 1)))
	assert.Empty(t, withPages(nil))
}

// Which runs should be the same, and in what.
func TestSameAgain(t *testing.T) {
	record := func(change func(*rundir.Record)) *rundir.Record {
		r := &rundir.Record{Spec: experiment.Spec{Common: experiment.Common{Die: 10, Seed: 7}, Rates: []clock.Rate{clock.Hertz, 5 * clock.Hertz}}}
		change(r)
		return r
	}
	processes := record(func(*rundir.Record) {})
	virtual := record(func(r *rundir.Record) { r.Virtual = &experiment.Virtual{} })
	plan, err := fault.Parse("at 1s kill 1 for 1s", 2)
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		a, b *rundir.Record
		mode replay.Mode
		ok   bool
	}{
		{"processes", processes, processes, replay.ButNames, true},
		{"a replay", processes, record(func(r *rundir.Record) { r.ReplayOf = "x" }), replay.ButTimes, true},
		{"a replay of another run", processes, record(func(r *rundir.Record) { r.ReplayOf, r.Run = "x", "other" }), replay.ButTimes, false},
		{"other faults", processes, record(func(r *rundir.Record) { r.Faults = plan }), 0, false},
		{"a replay, which has none", record(func(r *rundir.Record) { r.Faults = plan }), record(func(r *rundir.Record) { r.ReplayOf = "x" }), replay.ButTimes, true},
		{"virtual", virtual, virtual, replay.Exact, true},
		{"another phase", virtual, record(func(r *rundir.Record) { r.Virtual = &experiment.Virtual{Phase: experiment.Random} }), replay.Exact, false},
		{"one of each", processes, virtual, 0, false},
		{"no record", processes, nil, 0, false},
		{"another seed", processes, record(func(r *rundir.Record) { r.Seed = 8 }), 0, false},
		{"another die", processes, record(func(r *rundir.Record) { r.Die = 5 }), 0, false},
		{"another rate", processes, record(func(r *rundir.Record) { r.Rates[1] = clock.Hertz }), 0, false},
		{"another machine", processes, record(func(r *rundir.Record) { r.Rates = r.Rates[:1] }), 0, false},
	} {
		mode, ok := sameAgain(tt.a, tt.b)
		assert.Equal(t, tt.ok, ok, tt.name)
		assert.Equal(t, tt.mode, mode, tt.name)
	}
}
