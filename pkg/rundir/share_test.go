package rundir_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// byHand returns the record of a run by hand.
func byHand(t *testing.T, seed uint64) *rundir.Record {
	t.Helper()
	plan, err := fault.Parse("at 1s partition 0 | 1 for 1s", 2)
	require.NoError(t, err)
	return &rundir.Record{
		Version: "test",
		Spec: experiment.Spec{
			Common: experiment.Common{Run: "by-hand", Die: 10, Seed: seed, Duration: time.Minute, Faults: plan.Seeded(0)},
			Rates:  []clock.Rate{clock.Hertz, clock.Unpaced},
		},
		Ports: []int{0, 0},
	}
}

func share(t *testing.T, dir string) *rundir.Shared {
	t.Helper()
	s, err := rundir.Share(dir, false)
	require.NoError(t, err)
	return s
}

func TestShare(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 20 {
		s := share(t, dir)
		all.Go(func() { assert.NoError(t, s.Write(byHand(t, 7))) })
	}
	all.Wait()
	r, err := rundir.ReadRecord(dir)
	require.NoError(t, err)
	want := byHand(t, 7)
	assert.Equal(t, want.Rates, r.Rates)
	assert.EqualValues(t, 7, r.Seed)
	assert.Equal(t, want.Faults.String(), r.Faults.String(), "read again, it draws the same")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "one file, and nothing beside it")

	// Who comes later finds the same, and leaves it, or says that it is another.
	before, err := os.Stat(filepath.Join(dir, rundir.RecordName))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_0_1.log"), []byte("begun\n"), 0o600))
	late, err := rundir.Share(dir, true)
	require.NoError(t, err)
	require.NoError(t, late.Write(byHand(t, 7)))
	require.ErrorIs(t, late.Write(byHand(t, 8)), rundir.ErrOther)
	after, err := os.Stat(filepath.Join(dir, rundir.RecordName))
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, after))
}

func TestShareOfAnEarlierRun(t *testing.T) {
	for _, log := range []string{"vm_1_max.log", "vm_0_1.log.gz"} {
		dir := t.TempDir()
		require.NoError(t, share(t, dir).Write(byHand(t, 7)))
		// An empty log is of a machine that waits, as this one.
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_0_5.log"), nil, 0o600))
		again := share(t, dir)
		require.NoError(t, os.WriteFile(filepath.Join(dir, log), []byte("begun\n"), 0o600))
		_, err := rundir.Share(dir, false)
		require.ErrorIs(t, err, rundir.ErrUsed)
		assert.EqualError(t, err, filepath.Join(dir, "run.json")+" is of an earlier run, which is not overwritten")

		require.NoError(t, again.Write(byHand(t, 8)), "no log belonged to it")
		r, err := rundir.ReadRecord(dir)
		require.NoError(t, err)
		assert.EqualValues(t, 8, r.Seed)
		require.NoError(t, again.Write(byHand(t, 8)), "it is this run's now")
		require.ErrorIs(t, again.Write(byHand(t, 9)), rundir.ErrOther)
	}
}

func TestShareWhatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	s := share(t, dir)
	bad := byHand(t, 7)
	bad.Duration = time.Second // the fault is not over by then
	require.Error(t, s.Write(bad), "nobody could read it")
	assert.NoFileExists(t, filepath.Join(dir, rundir.RecordName))

	require.NoError(t, os.Mkdir(filepath.Join(dir, rundir.RecordName), 0o700))
	require.Error(t, s.Write(byHand(t, 7)))
	require.Error(t, share(t, dir).Write(byHand(t, 7)))
	require.Error(t, share(t, filepath.Join(dir, "missing")).Write(byHand(t, 7)))
}
