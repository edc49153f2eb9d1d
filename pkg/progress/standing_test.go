package progress

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
)

var epoch = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestStandings(t *testing.T) {
	const ms = time.Millisecond
	process := func(state summary.ProcessState, ago time.Duration) summary.Process {
		return summary.Process{State: state, Since: epoch.Add(-ago)}
	}
	runs := func(s summary.Status) summary.Status {
		s.Phase = summary.Running
		return s
	}
	tests := []struct {
		name   string
		rate   clock.Rate
		status summary.Status
		heard  time.Duration // ago
		want   string
	}{
		{"nothing is known", clock.Hertz, summary.Status{}, 0, "connecting"},
		{"it looks for its peers", clock.Hertz, summary.Status{Phase: summary.Connecting}, time.Minute, "connecting"},
		{"it ticks", clock.Hertz, runs(summary.Status{}), 0, "running"},
		{"it waits for the last messages", clock.Hertz, summary.Status{Phase: summary.Ending, Stalled: true}, time.Minute, "ending"},
		{"it has ended", clock.Hertz, summary.Status{Phase: summary.Done}, time.Minute, "done"},
		{"its link is full", clock.Hertz, runs(summary.Status{Stalled: true}), 0, "stalled"},
		{"full counts before late", clock.Hertz, runs(summary.Status{Stalled: true, Late: time.Minute}), 0, "stalled"},
		{"late by half a period", clock.Hertz, runs(summary.Status{Late: 500 * ms}), 0, "running"},
		{"late by more", clock.Hertz, runs(summary.Status{Late: 501 * ms}), 0, "late 501 ms"},
		{"late at a high rate, within what any host does", 1000 * clock.Hertz, runs(summary.Status{Late: 5 * ms}), 0, "running"},
		{"late at a high rate", 1000 * clock.Hertz, runs(summary.Status{Late: 6 * ms}), 0, "late 6.00 ms"},
		{"without a pace nothing is late", clock.Unpaced, runs(summary.Status{Late: time.Minute}), 0, "running"},
		{"nothing was heard for a while", clock.Hertz, runs(summary.Status{}), 3 * time.Second, "running"},
		{"nothing was heard for long", clock.Hertz, runs(summary.Status{Stalled: true}), 4 * time.Second, "silent 4s"},
		{"paused by the plan", clock.Hertz, runs(summary.Status{Process: process(summary.Paused, 1900*ms)}), time.Minute, "paused 1s"},
		{"killed by the plan", clock.Hertz, summary.Status{Phase: summary.Connecting, Process: process(summary.Down, 75*time.Second)}, time.Minute, "down 1m15s"},
		{"being started again", clock.Hertz, summary.Status{Phase: summary.Connecting, Process: process(summary.Restarting, 0)}, time.Minute, "restarting"},
		{"given up", clock.Hertz, runs(summary.Status{Process: process(summary.Lost, time.Second)}), time.Minute, "lost 1s"},
		{"the clock was set back", clock.Hertz, runs(summary.Status{Process: process(summary.Down, -time.Hour)}), 0, "down 0s"},
	}
	for _, tt := range tests {
		m := sighting{rate: tt.rate, status: tt.status, heard: epoch.Add(-tt.heard)}
		assert.Equal(t, tt.want, m.text(epoch), tt.name)
	}
}
