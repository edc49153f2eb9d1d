package vm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/summary"
)

// A machine says that its next step waits for a full link, and for no longer than it
// does; and how late its last tick was.
func TestStallsAndLatenessAreReported(t *testing.T) {
	var stalled, last summary.Status
	there := make(chan struct{})
	f := newFleet(t, []string{"500", "0.01"}, func(id int, cfg *Config) {
		cfg.Window, cfg.Die, cfg.Duration = 1, 1, 0 // as in TestStallUntilTheEndOfTheRun
		if id == 0 {
			cfg.WatchEvery = time.Millisecond
			cfg.Watch = func(s summary.Status) {
				if last = s; s.Stalled && !stalled.Stalled {
					stalled = s
					close(there)
				}
			}
		}
	})
	f.start(0)
	f.start(1)
	soon(t, "a stall", there)
	f.stopAll()
	f.wait()
	assert.Equal(t, summary.Running, stalled.Phase)
	assert.EqualValues(t, 1, stalled.Sent)
	assert.Positive(t, stalled.Late, "its only tick could not come at the very instant")
	assert.Equal(t, summary.Done, last.Phase)
	assert.False(t, last.Stalled)
}
