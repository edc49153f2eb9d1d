package vm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/summary"
)

// What a probe sees at the end is what the result says; and it can be looked at all the time.
func TestProbe(t *testing.T) {
	var probes [2]Probe
	assert.Equal(t, Report{Status: summary.Status{Phase: summary.Connecting}}, probes[0].Report())
	f := newFleet(t, []string{"200", "100"}, func(id int, cfg *Config) { cfg.Probe = &probes[id] })
	done := make(chan struct{})
	looked := make(chan uint64)
	go func() {
		var last Report
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			r := probes[0].Report()
			assert.GreaterOrEqual(t, r.Steps, last.Steps)
			assert.GreaterOrEqual(t, r.Wire.Bytes, last.Wire.Bytes)
			last = r
		}
		looked <- last.Steps
	}()
	f.run()
	close(done)
	assert.Positive(t, <-looked)
	for id, want := range f.results {
		r := probes[id].Report()
		assert.Equal(t, summary.Done, r.Phase)
		assert.Equal(t, id, r.ID)
		assert.Equal(t, 2, r.Machines)
		assert.Equal(t, f.cfgs[id].Rate, r.Rate)
		assert.False(t, r.Waits)
		assert.Equal(t, []uint64{want.Steps, want.Internal, want.Sends, want.Receives, want.Stalls},
			[]uint64{r.Steps, r.Internal, r.Sends, r.Receives, r.Stalls})
		assert.Equal(t, want.Clock, r.Clock)
		assert.Equal(t, want.Wire, r.Wire)
		assert.Equal(t, want.Wire.Bytes, probes[1-id].Report().Received)
		assert.Equal(t, f.logName(id), r.Log)
		assert.True(t, r.Mesh())
		var ticks uint64
		for _, n := range r.Lateness.Ticks {
			ticks += n
		}
		assert.Equal(t, want.Lateness.Ticks, ticks)
		assert.Positive(t, r.Lateness.Sum)
	}
}

func TestLatenessHistogram(t *testing.T) {
	w := newWatcher(nil, true)
	for _, late := range []time.Duration{-time.Second, 0, 10 * time.Microsecond, 10*time.Microsecond + 1, time.Second, time.Second + 1, time.Hour} {
		w.ticked(late)
	}
	var got []uint64
	for i := range w.lateness.ticks {
		got = append(got, w.lateness.ticks[i].Load())
	}
	assert.Equal(t, []uint64{3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, got)
	newWatcher(nil, false).ticked(time.Second) // nobody looks
}
