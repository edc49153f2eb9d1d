package vm

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// smallDisk mounts a file system of 64 KiB. That takes root.
func smallDisk(t *testing.T) string {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system that is small enough to fill")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here, although this is root: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

func TestDiskIsFull(t *testing.T) {
	for _, rate := range []string{"max", "2000"} {
		t.Run("rate "+rate, func(t *testing.T) {
			small := smallDisk(t)
			watch, there := after(1500)
			f := newFleet(t, []string{rate, "2000"}, func(id int, cfg *Config) {
				cfg.Window, cfg.Duration = 5000, 0
				if id == 0 {
					cfg.LogDir = small
				} else {
					cfg.Watch, cfg.WatchEvery = watch, time.Millisecond
				}
			})
			f.start(0)
			f.start(1)
			soon(t, "a full disk", f.ended[0])
			soon(t, "messages of the other, which it waits with", there)
			f.stops[1](StopWithin{50 * time.Millisecond}) // nobody is there at the end
			f.wait()

			require.ErrorIs(t, f.errs[0], unix.ENOSPC)
			assert.Regexp(t, `^the event log cannot be written, so the machine stops at step \d+ \(nothing that is not logged was sent or acknowledged\): event log: write .*/vm_0_.*\.log: no space left on device$`,
				f.errs[0].Error())
			requireBrokenOff(t, f.logName(0))
			info, err := os.Stat(f.logName(0))
			require.NoError(t, err)
			assert.Greater(t, info.Size(), int64(56<<10), "the disk was used up")

			// The other goes on, and has received nothing that the log of
			// the first does not hold.
			require.NoError(t, f.errs[1])
			sends := map[uint64]clock.Time{}
			for _, rec := range read(t, f.logName(0)) {
				if rec.Event.Kind == event.Send {
					m := rec.Event.Messages()[0]
					sends[m.Seq] = m.Sent
				}
			}
			received := uint64(0)
			for _, rec := range read(t, f.logName(1)) {
				if rec.Event.Kind == event.Receive {
					m := rec.Event.Messages()[0]
					received++
					require.Equal(t, received, m.Seq)
					require.Contains(t, sends, m.Seq)
					require.Equal(t, sends[m.Seq], m.Sent)
				}
			}
			assert.NotZero(t, received)
			assert.NotEmpty(t, f.results[1].Undelivered)
		})
	}
}
