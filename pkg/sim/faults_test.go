package sim

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/fault"
)

// drawPlan draws faults of all kinds that are over within a duration.
func drawPlan(t *rapid.T, machines int, duration time.Duration) *fault.Plan {
	var lines []string
	free := time.Duration(0) // from when on nothing is killed or paused
	instant := func(from time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(int64(from), int64(duration)).Draw(t, "instant"))
	}
	id := rapid.IntRange(0, machines-1)
	for range rapid.IntRange(0, 6).Draw(t, "faults") {
		switch kind := rapid.SampledFrom([]string{"kill", "pause", "partition", "cut", "delay", "reset", "stop-reading"}).Draw(t, "kind"); kind {
		case "kill", "pause":
			if duration-free < 10 {
				continue
			}
			from := instant(free)
			to := instant(from)
			if to > from {
				lines = append(lines, fmt.Sprintf("from %v %s %d to %v", from, kind, id.Draw(t, "machine"), to))
				free = to
			}
		default:
			from := instant(0)
			to := instant(from)
			if to == from || machines < 2 {
				continue
			}
			a := id.Draw(t, "a")
			b := (a + rapid.IntRange(1, machines-1).Draw(t, "b")) % machines
			switch kind {
			case "partition":
				lines = append(lines, fmt.Sprintf("from %v partition %d to %v", from, a, to))
			case "cut":
				lines = append(lines, fmt.Sprintf("from %v cut %d->%d to %v", from, a, b, to))
			case "delay":
				lines = append(lines, fmt.Sprintf("from %v delay %d-%d 200ms 50ms to %v", from, a, b, to))
			case "reset":
				lines = append(lines, fmt.Sprintf("at %v reset %d-%d", from, a, b))
			case "stop-reading":
				lines = append(lines, fmt.Sprintf("from %v stop-reading %d to %v", from, a, to))
			}
		}
	}
	p, err := fault.Parse(strings.Join(lines, "\n"), machines)
	require.NoError(t, err, "%s", strings.Join(lines, "\n"))
	return p
}

// Under any faults all laws hold, nothing is lost, and the run comes out the same
// when it is done again.
func TestFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		cfg.Faults = drawPlan(t, len(cfg.Rates), cfg.Duration)
		a, b := tempDir(t), tempDir(t)
		r := run(t, a, cfg)
		requireCorrect(t, a)
		cfg.shards = 2
		run(t, b, cfg)
		require.Equal(t, contents(t, a), contents(t, b))
		var events uint64
		for m := range r.Machines() {
			events += m.Steps
		}
		require.Equal(t, events, r.Events())
	})
}

func TestRandomKills(t *testing.T) {
	cfg := lab(3)
	cfg.Duration = 10 * time.Minute
	var err error
	cfg.Faults, err = fault.Parse("random kill every 3s for 1s; random reset every 1s; random partition every 7s for 2s; random pause every 5s for 1s; random stop-reading every 11s for 3s", 3)
	require.NoError(t, err)
	dir := t.TempDir()
	r := run(t, dir, cfg)
	v := requireCorrect(t, dir)
	require.Equal(t, r.Events(), v.Events)
	// Each tick of the schedule is a step or missed.
	var missed uint64
	for m := range r.Machines() {
		missed += m.Missed
		require.Equal(t, m.Rate.Ticks(int64(cfg.Duration)), m.Steps+m.Missed)
	}
	require.Positive(t, missed)
	require.Contains(t, contents(t, dir), "vm-1: resume: step=")

	// The same without files.
	again, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	for id := range 3 {
		require.Equal(t, r.e.summary(id), again.e.summary(id))
	}
}
