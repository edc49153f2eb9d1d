package trace_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// What a run costs grows with the logs that there are, not with the machines that a
// name claims.
func TestClaimedMachinesCostNothing(t *testing.T) {
	record := func() string {
		dir := t.TempDir()
		require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(10, 20, 30), Duration: time.Second, Seed: 1, Delay: time.Millisecond}))
		return dir
	}
	honest, forged := record(), record()
	require.NoError(t, os.WriteFile(filepath.Join(forged, "vm_1048575_1.log"), nil, 0o600))

	for _, read := range []struct {
		name string
		run  func(*trace.Run) error
	}{
		{"check", func(r *trace.Run) error { _, err := r.Walk(trace.Options{}); return err }},
		{"vectors", func(r *trace.Run) error { _, err := r.Walk(trace.Options{Vectors: true}); return err }},
		{"stats", func(r *trace.Run) error { _, err := r.Stats(); return err }},
		{"order", func(r *trace.Run) error { _, err := r.Order(func(*trace.Ordered) error { return nil }); return err }},
	} {
		t.Run(read.name, func(t *testing.T) {
			cost := func(dir string, machines int) int64 {
				return allocated(func() {
					run, err := trace.Open(dir)
					require.NoError(t, err)
					require.Equal(t, machines, run.Machines)
					require.NoError(t, read.run(run))
				})
			}
			few := cost(honest, 3)
			many := cost(forged, 1<<20)
			// One more log is read; a byte for each claimed machine would be 1 MB.
			assert.Less(t, many, few+500_000, "%d bytes for 3 machines", few)
		})
	}
}

// Figures are of the machines that are there; the others are counted.
func TestStatsOfFewAmongMany(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(10, 20, 30), Duration: time.Second, Seed: 1, Delay: time.Millisecond}))
	whole, err := trace.Open(dir)
	require.NoError(t, err)
	want, err := whole.Stats()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_9_1.log"), nil, 0o600))

	run, err := trace.Open(dir)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 9}, run.Present())
	got, err := run.Stats()
	require.NoError(t, err)
	assert.Equal(t, 6, got.Missing)
	require.Len(t, got.Machines, 10, "so few are named")
	for id, m := range got.Machines {
		assert.Equal(t, id, m.ID)
		assert.Equal(t, id > 2, m.Missing)
	}
	assert.Nil(t, got.Concurrency)
	for i := range want.Machines {
		assert.NotNil(t, want.Machines[i].Predicted)
		assert.Nil(t, got.Machines[i].Predicted, "the rates of the others are not known")
		assert.Contains(t, got.Machines[i].Explain(), "not known")
		want.Machines[i].Predicted, want.Machines[i].Drift, want.Machines[i].FinalDrift = nil, nil, nil
		assert.Equal(t, want.Machines[i], got.Machines[i])
	}
}

// A message to a machine without a log is on its way for ever: it is not kept.
func TestMessagesToMissingMachinesAreNotKept(t *testing.T) {
	cost := func(d time.Duration) int64 {
		dir := t.TempDir()
		require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1000, 1, 1, 1, 1, 1, 1, 1), Duration: d, Seed: 1, Delay: time.Millisecond}))
		for id := 1; id < 8; id++ {
			names, err := filepath.Glob(filepath.Join(dir, "vm_"+string(rune('0'+id))+"_*"))
			require.NoError(t, err)
			require.NoError(t, os.Remove(names[0]))
		}
		run, err := trace.Open(dir)
		require.NoError(t, err)
		return allocated(func() {
			v, err := run.Walk(trace.Options{Vectors: true})
			require.NoError(t, err)
			require.Positive(t, v.Sent)
		})
	}
	assert.Less(t, cost(40*time.Second), cost(10*time.Second)*5/4)
}

// Vector clocks are kept as long as those of messages in flight fit into what they may
// take; the walk itself goes on.
func TestVectorBytes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 50, 40), Duration: 10 * time.Second, Seed: 1, Die: 3}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	with := func(bytes int64) (vectors int) {
		blind := false
		v, err := run.Walk(trace.Options{Vectors: true, VectorBytes: bytes}, trace.VisitorFunc(func(s *trace.Step) error {
			if s.Event == nil {
				return nil
			}
			if s.Vector != nil {
				vectors++
				require.False(t, blind, "once given up, none comes back")
			}
			blind = blind || s.Vector == nil
			return nil
		}))
		require.NoError(t, err)
		require.Equal(t, trace.Correct, v.State)
		return vectors
	}
	assert.Equal(t, 910, with(0))
	assert.Equal(t, 910, with(1<<20))
	few := with(10 * 3 * 8)
	assert.Greater(t, few, 10)
	assert.Less(t, few, 900)
}
