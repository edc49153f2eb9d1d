package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// Whoever asks for it sees a run of several hosts with the times of one clock; nobody else
// does.
func TestCorrected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(4, 5), Duration: 30 * time.Second, Seed: 5, Compare: []time.Duration{0, 29 * time.Second}, Within: time.Millisecond,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			return elapsed + time.Duration(machine)*time.Hour
		},
	}))
	see := func(args ...string) string {
		code, out, talk := inProcess(append(args, dir)...)
		require.Zero(t, code, "%v: %s", args, talk)
		return out
	}
	assert.Contains(t, see("check"), "correct: ")
	recorded, corrected := see("stats"), see("stats", "--corrected")
	assert.Contains(t, recorded, "Nobody's drift is known: the system clocks were apart.")
	assert.Contains(t, corrected, "All times are by the clock of machine 0")
	assert.NotContains(t, corrected, "Nobody's drift is known")
	assert.NotContains(t, see("diagram"), "times by the clock")
	assert.Contains(t, see("diagram", "--corrected"), "times by the clock of machine 0")
	assert.Contains(t, see("export", "--format", "csv"), "\n2026-11-22T18:13:40.")
	assert.NotContains(t, see("export", "--format", "csv", "--corrected"), "T18:13:40.")
	assert.Contains(t, see("report", "--corrected", "--out", "-"), "by the clock of machine 0")

	plot := filepath.Join(t.TempDir(), "run.svg")
	see("stats", "--corrected", "--plot", plot)
	assert.FileExists(t, plot)
}

func TestNothingToCorrect(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	code, _, talk := inProcess("sim", "--duration", "10s", "--seed", "1", "--out", dir, "--quiet")
	require.Zero(t, code, talk)
	code, got, talk := inProcess("stats", "--corrected", dir)
	require.Zero(t, code, talk)
	assert.Contains(t, got, "The run is correct")
	code, out, talk := inProcess("diagram", "--corrected", dir)
	require.Zero(t, code, talk)
	assert.Contains(t, out, "times of one clock")

	silent := t.TempDir()
	require.NoError(t, tracetest.Record(silent, tracetest.Config{Rates: tracetest.Hertz(4, 5)}))
	for _, command := range []string{"stats", "diagram", "report"} {
		code, _, talk = inProcess(command, "--corrected", silent)
		assert.NotZero(t, code)
		assert.Equal(t, "launcher: nothing says how far the machines' system clocks were apart: no log compares them, and messages went one way at most: leave out --corrected\n", talk)
	}
}
