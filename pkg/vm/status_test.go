package vm

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/summary"
)

// A machine says that its next step waits for a full link, and for no longer than it
// does; and how late its last tick was.
func TestStallsAndLatenessAreReported(t *testing.T) {
	var heard []summary.Status
	f := newFleet(t, []string{"500", "0.5"}, func(id int, cfg *Config) {
		cfg.Window, cfg.Die = 1, 1 // as in TestStallUntilTheEndOfTheRun
		if id == 0 {
			cfg.WatchEvery = time.Millisecond
			cfg.Watch = func(s summary.Status) { heard = append(heard, s) }
		}
	})
	f.run()
	stalled := slices.IndexFunc(heard, func(s summary.Status) bool { return s.Stalled })
	if assert.GreaterOrEqual(t, stalled, 0, "it is stalled for nearly all of its run") {
		s := heard[stalled]
		assert.Equal(t, summary.Running, s.Phase)
		assert.EqualValues(t, 1, s.Sent)
		assert.Positive(t, s.Late, "its only tick could not come at the very instant")
	}
	last := heard[len(heard)-1]
	assert.Equal(t, summary.Done, last.Phase)
	assert.False(t, last.Stalled)
}
