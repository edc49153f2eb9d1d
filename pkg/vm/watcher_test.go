package vm

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Each phase is told at once, what was reached in between at the next report, and
// nothing after the result.
func TestWatcherTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := machine.New(machine.Config{Machines: 1, Die: 10})
		require.NoError(t, err)
		began := time.Now()
		var told []summary.Status
		var at []time.Duration
		w := newWatcher(func(s summary.Status) {
			told = append(told, s)
			at = append(at, time.Since(began))
		}, false)
		stop := w.keepReporting(time.Second)
		time.Sleep(1500 * time.Millisecond)
		w.run(began)
		m.Deliver(event.Message{})
		m.Deliver(event.Message{Sent: 41})
		var ev event.Event
		require.NoError(t, m.Step(&ev))
		var figures summary.Collector
		figures.Observe(&ev)
		w.reached(m, &figures, 3*time.Millisecond)
		w.stalled.Store(true)
		time.Sleep(time.Second)
		stop()
		stop() // a second time does nothing
		w.done(&summary.Machine{ID: 7})
		time.Sleep(time.Hour)

		start := time.Unix(0, began.UnixNano())
		assert.Equal(t, []summary.Status{
			{Phase: summary.Running, Start: start},
			{Phase: summary.Running, Start: start, Steps: 1, Clock: 1, Queue: 1, Received: 1, Late: 3 * time.Millisecond, Stalled: true},
			{Phase: summary.Done, Start: start, Steps: 1, Clock: 1, Queue: 1, Received: 1, Late: 3 * time.Millisecond, Stalled: true, Machine: &summary.Machine{ID: 7}},
		}, told)
		assert.Equal(t, []time.Duration{1500 * time.Millisecond, 2 * time.Second, 2500 * time.Millisecond}, at)
	})
}

func TestNobodyWatches(t *testing.T) {
	w := newWatcher(nil, false)
	defer w.keepReporting(time.Nanosecond)()
	w.run(time.Now())
	w.done(nil)
}

// What is told while it changes is told one at a time, and never after what is
// newer.
func TestWatcherTellsInOrder(t *testing.T) {
	last := summary.Connecting // no lock: the race detector holds the watcher to its word
	order := map[summary.Phase]int{summary.Connecting: 0, summary.Running: 1, summary.Ending: 2, summary.Done: 3}
	for range 200 {
		last = summary.Connecting
		w := newWatcher(func(s summary.Status) {
			assert.GreaterOrEqual(t, order[s.Phase], order[last])
			last = s.Phase
		}, false)
		stop := w.keepReporting(time.Nanosecond)
		w.run(time.Now())
		w.enter(summary.Ending)
		stop()
		w.done(nil)
		require.Equal(t, summary.Done, last)
	}
}
