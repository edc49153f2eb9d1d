package page

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// A page of a run on several hosts draws how much their system clocks gained on each other:
// the truth lies between the lines that bound it.
func TestSystemClocks(t *testing.T) {
	ahead, ppm := []time.Duration{0, time.Hour, -5 * time.Second}, []float64{0, 50, -90}
	cfg := tracetest.Config{
		Rates: tracetest.Hertz(4, 5, 4), Duration: 2 * time.Minute, Seed: 5, Delay: 3 * time.Millisecond,
		Compare: []time.Duration{0, 50 * time.Second, 118 * time.Second}, Within: time.Millisecond,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			return elapsed + ahead[machine] + time.Duration(ppm[machine]*1e-6*float64(elapsed))
		},
	}
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, cfg))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	c := NewCollector(run, Options{})
	stats, err := run.CorrectedStats(c.Visitors()...)
	require.NoError(t, err)
	head, b := c.Run(stats)
	d := &decoded{run: head, bytes: b}
	lines := make(map[string]map[int][]float64)
	var width int64
	for _, s := range head.Series {
		values, _ := d.values(t, s)
		if lines[s.Name] == nil {
			lines[s.Name] = make(map[int][]float64)
		}
		if lines[s.Name][s.Machine] = values; s.Name == "offset" {
			width = s.DT
		}
	}
	require.Len(t, lines["offset"], 2)
	for machine, gained := range lines["offset"] {
		least, most := lines["offset-least"][machine], lines["offset-most"][machine]
		require.Len(t, least, len(gained))
		require.Len(t, most, len(gained))
		require.LessOrEqual(t, len(gained), maxOffsets)
		first := stats.ClockOffsets.Clocks[machine-1].At[0].Ahead
		for k := range gained {
			at := time.Duration(int64(k)*width+width/2) * time.Microsecond
			truth := float64(cfg.Time(machine, at)-cfg.Time(0, at)-first) / 1e3
			assert.LessOrEqual(t, least[k], gained[k])
			assert.LessOrEqual(t, gained[k], most[k])
			assert.LessOrEqual(t, least[k], truth+2)
			assert.GreaterOrEqual(t, most[k], truth-2)
		}
	}
	assert.Contains(t, head.Text["offset"], "that of machine 1 was 1h0m0s ahead of it at first, within ")
	assert.Contains(t, head.Facts, [2]string{"times", "by the clock of machine 0"})
	for _, m := range head.Machines {
		for _, r := range m.Records {
			assert.NotEqual(t, "offset", r.Kind)
		}
	}
	titles := make(map[string]bool)
	for _, table := range head.Tables {
		titles[table.Title] = true
	}
	assert.Contains(t, titles, "System clocks, ahead of that of machine 0 (below 0: behind)")

	c = NewCollector(run, Options{})
	stats, err = run.Stats(c.Visitors()...)
	require.NoError(t, err)
	head, _ = c.Run(stats)
	require.NotEmpty(t, head.Findings)
	assert.Contains(t, head.Findings[0].Text, "the system clock of machine 1 was 1h0m0s ahead of that of machine 0, within ")
}
