package vm

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/summary"
)

// privateDisk mounts a file system that the test can fill without harm. That takes root.
func privateDisk(t *testing.T) string {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system that may be filled")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a file system cannot be mounted here, although this is root: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

// fill leaves no room on the file system of dir.
func fill(t *testing.T, dir string) {
	f, err := os.Create(filepath.Join(dir, "ballast"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	for page := make([]byte, 4<<10); err == nil; {
		_, err = f.Write(page)
	}
	require.ErrorIs(t, err, unix.ENOSPC)
}

func TestDiskIsFull(t *testing.T) {
	for _, rate := range []string{"max", "2000"} {
		t.Run("rate "+rate, func(t *testing.T) {
			disk := privateDisk(t)
			var other atomic.Pointer[summary.Status]
			other.Store(&summary.Status{})
			f := newFleet(t, []string{rate, "2000"}, func(id int, cfg *Config) {
				cfg.Window, cfg.Duration = 1000, 0
				if id == 0 {
					cfg.LogDir = disk
				} else {
					cfg.Watch = func(s summary.Status) { other.Store(&s) }
					cfg.WatchEvery = time.Millisecond
				}
			})
			f.start(0)
			f.start(1)
			// Until the other has taken something, the window keeps the first from
			// filling the disk by itself.
			require.Eventually(t, func() bool { return other.Load().Received > 0 }, deadline, time.Millisecond, "a message")
			fill(t, disk)
			soon(t, "a full disk", f.ended[0])
			then := other.Load().Sent
			require.Eventually(t, func() bool { return other.Load().Sent > then }, deadline, time.Millisecond,
				"messages of the other, which it waits with")
			f.stops[1](StopWithin{50 * time.Millisecond}) // nobody is there at the end
			f.wait()

			require.ErrorIs(t, f.errs[0], unix.ENOSPC)
			assert.Regexp(t, `^the event log cannot be written, so the machine stops at step \d+ \(nothing that is not logged was sent or acknowledged\): event log: write .*/vm_0_.*\.log: no space left on device$`,
				f.errs[0].Error())
			requireBrokenOff(t, f.logName(0))

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
