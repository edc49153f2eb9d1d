package replay_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/replay"
)

// crowd is a run of many machines that do little.
func crowd(machines int) experiment.Spec {
	s := small(7)
	s.Duration = 2 * time.Second
	s.Rates = make([]clock.Rate, machines)
	for i := range s.Rates {
		s.Rates[i] = 3 * clock.Hertz
	}
	return s
}

// Twice the machines are twice the events and links: the pairs of machines, which
// are four times as many, cost nothing.
func TestCostGrowsWithWhatIsThere(t *testing.T) {
	allocations := func(machines int) float64 {
		paths, _ := record(t, crowd(machines))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		result, err := replay.Run(t.Context(), paths)
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		require.Equal(t, machines, result.Machines)
		return float64(after.Mallocs - before.Mallocs)
	}
	assert.Less(t, allocations(400), 2.6*allocations(200))
}

// Of the machines without a log, the first are named.
func TestManyAreMissing(t *testing.T) {
	paths, _ := record(t, crowd(40))
	for _, path := range paths[1:] {
		require.NoError(t, os.Remove(path))
	}
	result, err := replay.Run(t.Context(), paths[:1])
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, result.Missing)
	assert.Equal(t, 29, result.Further)
}

// A first line that claims a million machines costs no more than the one that it is of.
func TestClaimedMachinesCostNothing(t *testing.T) {
	path := write(t, t.TempDir(), "vm_0_1.log",
		fmt.Sprintf(`0 start: version=1 run=r machines=%d rate=1 seed=1 die=6 peers=""`, 1<<20),
		`0 stop: step=0 clock=0 queue=0 pending=""`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result, err := replay.Run(t.Context(), []string{path})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Equal(t, 1<<20, result.Machines)
	assert.Len(t, result.Missing, 10)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(500_000))
}
