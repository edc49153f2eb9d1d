package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/summary"
)

// What is told of a process follows from the events alone.
func TestProcesses(t *testing.T) {
	const s = time.Second
	killed, back := plan(fault.Kill, false, 1), plan(fault.Kill, true, 1)
	paused, goesOn := plan(fault.Pause, false, 1), plan(fault.Pause, true, 1)
	since := func(state summary.ProcessState, d time.Duration) summary.Process {
		return summary.Process{State: state, Since: at(d)}
	}
	up := summary.Process{}
	type seen struct {
		at   time.Duration
		e    event
		want summary.Process // of machine 1
	}
	for _, tt := range []struct {
		name     string
		restarts bool
		steps    []seen
	}{
		{"the plan pauses it", false, []seen{
			{2 * s, paused, since(summary.Paused, 2*s)},
			{3 * s, reached{0, begun, at(s)}, since(summary.Paused, 2*s)},
			{4 * s, goesOn, up},
		}},
		{"the plan pauses it, and the run stops", false, []seen{
			{2 * s, paused, since(summary.Paused, 2*s)},
			{3 * s, interrupted{}, up},
		}},
		{"the plan kills it", false, []seen{
			{2 * s, killed, up}, // as far as is known
			{3 * s, dies(1, control.Killed), since(summary.Down, 3*s)},
			{5 * s, back, since(summary.Restarting, 3*s)},
			{6 * s, due{1}, since(summary.Restarting, 3*s)},
			{7 * s, started{1, nil}, up},
			{8 * s, completes(1), up},
		}},
		{"it dies and is started again", true, []seen{
			{2 * s, dies(1, control.Failed), since(summary.Restarting, 2*s)},
			{3 * s, due{1}, since(summary.Restarting, 2*s)},
			{3 * s, started{1, nil}, up},
			{4 * s, dies(1, control.Differed), since(summary.Lost, 4*s)},
		}},
		{"another dies", false, []seen{
			{2 * s, dies(0, control.Failed), up},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newSupervisor(configOf(2, time.Minute, tt.restarts), testLimits)
			for _, b := range begins() {
				v.on(at(b.at), b.e)
			}
			for i, step := range tt.steps {
				v.on(at(step.at), step.e)
				assert.Equal(t, step.want, v.machines[1].process(), "step %d: %T", i, step.e)
			}
		})
	}
}

// Who watches hears of a death at once, and not again of what the machine said
// before it.
func TestWatcherHearsOfDeaths(t *testing.T) {
	c := newFakes(t, "1 crashes once")
	c.cfg.Duration, c.cfg.Restart = 0, true
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	back := whenBack(c, cancel)
	var heard []summary.Status
	_, err := c.Run(ctx, func(id int, s summary.Status) {
		if id == 1 {
			heard = append(heard, s)
		}
		back(id, s)
	})
	require.NoError(t, err)
	var states []summary.ProcessState
	for i, s := range heard {
		if i == 0 || s.Process != heard[i-1].Process {
			states = append(states, s.Process.State)
		}
		if s.Process.State != summary.Up {
			assert.Equal(t, summary.Connecting, s.Phase)
			assert.False(t, s.Process.Since.IsZero())
		}
	}
	assert.Equal(t, []summary.ProcessState{summary.Up, summary.Restarting, summary.Up}, states)
}
