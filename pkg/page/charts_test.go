package page

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// values decodes a series.
func (d *decoded) values(t require.TestingT, s Series) (least, greatest []float64) {
	for k, section := range s.Sections {
		c := d.column(t, section, s.Machine)
		sum := int64(0)
		for c.n > 0 {
			sum += c.signed()
			value := float64(sum) * s.Scale
			if k == 0 {
				least = append(least, value)
			} else {
				greatest = append(greatest, value)
			}
		}
	}
	return least, greatest
}

// The charts and the tables tell of one run: what is largest in a line is what the figures say
// is largest, so no peak is lost.
func TestCharts(t *testing.T) {
	for _, length := range []time.Duration{0, 3 * time.Second, 2000 * time.Second} { // of the last, many events share a bucket
		dir := t.TempDir()
		require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 5, 4), Duration: length, Seed: 5, Delay: 300 * time.Millisecond}))
		run, err := trace.Open(dir)
		require.NoError(t, err)
		c := NewCollector(run, Options{Events: -1})
		stats, err := run.Stats(c.Visitors()...)
		require.NoError(t, err)
		head, b := c.Run(stats)
		d := &decoded{run: head, bytes: b}
		found := make(map[string]int)
		for _, s := range head.Series {
			found[s.Name]++
			least, greatest := d.values(t, s)
			require.Len(t, greatest, len(least))
			require.LessOrEqual(t, len(least), maxBuckets)
			for i := range least {
				require.LessOrEqual(t, least[i], greatest[i])
			}
			m := &stats.Machines[s.Machine]
			largest := slices.Max(greatest)
			switch s.Name {
			case "clock":
				assert.EqualValues(t, m.Summary.Clock, largest)
				assert.EqualValues(t, m.Summary.Clock, greatest[len(greatest)-1], "the line goes on to the end")
			case "drift":
				assert.EqualValues(t, m.Drift.Max, largest)
				last := len(greatest) - 1
				assert.LessOrEqual(t, least[last], float64(*m.FinalDrift))
				assert.GreaterOrEqual(t, greatest[last], float64(*m.FinalDrift))
			case "queue":
				assert.EqualValues(t, m.Summary.MaxQueue, largest)
			case "lateness":
				assert.EqualValues(t, m.Summary.Lateness.Max.Microseconds(), largest)
			case "predicted":
				assert.InDelta(t, m.Predicted.Growth*float64(head.Duration)/1e6, largest, 0.01)
			case "ideal":
				assert.Equal(t, 1, s.Machine)
				assert.InDelta(t, 5*float64(head.Duration)/1e6, largest, 0.01)
			default:
				assert.Fail(t, s.Name)
			}
			if s.Name != "predicted" && s.Name != "ideal" {
				assert.Greater(t, s.T0+int64(len(least))*s.DT, head.Duration, "up to the end")
			}
		}
		want := map[string]int{"predicted": 3, "ideal": 1}
		if length > 0 {
			want = map[string]int{"clock": 3, "drift": 3, "queue": 3, "lateness": 3, "predicted": 3, "ideal": 1}
		}
		assert.Equal(t, want, found)
		assert.Zero(t, head.Machines[0].Events)
	}
}
