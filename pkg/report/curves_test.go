package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

func recordedRun(t *testing.T, c tracetest.Config) *trace.Run {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, c))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

// At the end of each cell, clocks and drifts are those that the events say, and the queue
// is the longest of the cell.
func TestCurvesAgainstTheirTwin(t *testing.T) {
	run := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(1, 50, 40), Duration: 90 * time.Second, Seed: 7, Delay: 20 * time.Millisecond})
	c := NewCurves(run)
	type tick struct {
		at    int64
		clock clock.Time
		queue int
	}
	all := make([][]tick, 3)
	begun := int64(0)
	_, err := run.Walk(trace.Options{}, c, trace.VisitorFunc(func(s *trace.Step) error {
		if begun == 0 {
			begun = s.Micro
		}
		if s.Event != nil {
			all[s.Machine] = append(all[s.Machine], tick{s.Micro - begun, s.Event.Clock, s.Event.Queue})
		}
		return nil
	}))
	require.NoError(t, err)
	clocks, drifts, queues := c.series([]int{0, 1, 2})
	require.Greater(t, len(clocks[0]), maxCells/2-1)
	for i := range clocks[0] {
		from, to := int64(i)*c.strips.width, int64(i+1)*c.strips.width
		var largest clock.Time
		now := make([]clock.Time, 3)
		for id, ticks := range all {
			queue, longest := 0, -1
			for _, x := range ticks {
				if x.at < from {
					queue = x.queue
				} else if x.at < to {
					longest = max(longest, x.queue)
				}
				if x.at < to {
					now[id] = x.clock
				}
			}
			if longest >= 0 {
				queue = longest
			}
			require.InDelta(t, queue, queues[id][i], 0, "queue of %d at %d", id, i)
			largest = max(largest, now[id])
		}
		for id := range all {
			require.InDelta(t, float64(now[id]), clocks[id][i], 0)
			require.InDelta(t, float64(largest-now[id]), drifts[id][i], 0)
		}
	}
	// Every event is in the histogram.
	for id, ticks := range all {
		total := uint64(0)
		for _, n := range c.jumps[id] {
			total += n
		}
		assert.EqualValues(t, len(ticks), total)
	}
}

func TestCurvesAreAFigure(t *testing.T) {
	for machines, want := range map[int]string{3: "vm-2, 30/s", 20: "median of 20"} {
		rates := make([]uint64, machines)
		for i := range rates {
			rates[i] = uint64(10 + 10*i)
		}
		run := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(rates...), Duration: 3 * time.Second, Seed: 7, Delay: time.Millisecond})
		var figures [2]bytes.Buffer
		for i := range figures {
			c := NewCurves(run)
			_, err := run.Walk(trace.Options{Unchecked: true}, c)
			require.NoError(t, err)
			require.NoError(t, c.WriteSVG(&figures[i]))
		}
		assert.Equal(t, figures[0].String(), figures[1].String(), "the same run, the same bytes")
		for dec := xml.NewDecoder(bytes.NewReader(figures[0].Bytes())); ; {
			_, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
		for _, text := range []string{"Lamport clocks", "Drift behind the largest clock", "Queues", "Jumps of the clocks", want} {
			assert.Contains(t, figures[0].String(), text)
		}
	}
	assert.ErrorIs(t, NewCurves(&trace.Run{}).WriteSVG(io.Discard), ErrNothingToDraw)
}
