package logging_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// writeLog makes a log with so many internal events and returns its path.
func writeLog(t *testing.T, dir string, events int) string {
	t.Helper()
	f, err := logging.Create(dir, 0, clock.Hertz)
	require.NoError(t, err)
	w := logging.NewWriter(f, 0)
	for i := range events {
		w.Event(time.Unix(int64(i), 0), &event.Event{Step: uint64(i + 1), Clock: clock.Time(i + 1), Kind: event.Internal})
	}
	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
	return f.Name()
}

func count(n *int) func(*logging.Record) error {
	return func(*logging.Record) error { *n++; return nil }
}

// A process can be killed while the system takes in any byte of its last write.
func TestReopenCutsATornLineAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	path := writeLog(t, dir, 3)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for size := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(path, whole[:size], 0o644))
		lines := 0
		for _, c := range whole[:size] {
			if c == '\n' {
				lines++
			}
		}
		var seen int
		f, err := logging.Reopen(dir, 0, clock.Hertz, count(&seen))
		require.NoError(t, err, "cut after byte %d", size)
		assert.Equal(t, lines, seen, "cut after byte %d", size)
		w := logging.NewWriter(f, 0)
		w.Resume(time.Unix(9, 0), logging.Resume{Step: uint64(lines), Clock: clock.Time(lines)})
		require.NoError(t, w.Flush())
		require.NoError(t, f.Close())

		seen = 0
		f, err = logging.Reopen(dir, 0, clock.Hertz, count(&seen))
		require.NoError(t, err)
		assert.Equal(t, lines+1, seen, "what was written on is whole")
		require.NoError(t, f.Close())
	}
}

// A file that lost its power before all of it was on the disk ends in zeros. So many as they
// may be, they are a torn line; text behind them says that lines are missing.
func TestReopenCutsZeros(t *testing.T) {
	dir := t.TempDir()
	path := writeLog(t, dir, 3)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, text := range []string{"", "2026-11-26T12:00:00.0"} {
		for _, zeros := range []int{1, 4096, logging.MaxLine - 1 - len(text), logging.MaxLine - len(text), logging.MaxLine + 1, 3<<20 + 7} {
			dirty := slices.Concat(whole, []byte(text), make([]byte, zeros))
			require.NoError(t, os.WriteFile(path, dirty, 0o644))
			var seen int
			f, err := logging.Reopen(dir, 0, clock.Hertz, count(&seen))
			require.NoError(t, err, "%q and %d zeros", text, zeros)
			assert.Equal(t, 3, seen)
			require.NoError(t, f.Close())
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(whole), string(after), "%q and %d zeros", text, zeros)

			for _, behind := range []string{"x", "\n", string(whole)} {
				damaged := append(slices.Clone(dirty), behind...)
				if behind == "x" && len(text)+zeros+1 < logging.MaxLine {
					continue // which is a torn line like any other
				}
				require.NoError(t, os.WriteFile(path, damaged, 0o644))
				_, err = logging.Reopen(dir, 0, clock.Hertz, count(&seen))
				var at *logging.Error
				require.ErrorAs(t, err, &at, "%q, %d zeros and %q", text, zeros, behind)
				require.NotErrorIs(t, err, logging.ErrTorn)
				assert.Equal(t, 4, at.Line)
				after, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(damaged, after), "a refused log is not touched")
			}
		}
	}
}

// A machine that may not go on after all leaves its log as it was, torn line and all.
func TestReopenThatIsDiscarded(t *testing.T) {
	dir := t.TempDir()
	path := writeLog(t, dir, 3)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	torn := append(whole, "2026-11-26T12"...)
	require.NoError(t, os.WriteFile(path, torn, 0o644))
	var seen int
	f, err := logging.Reopen(dir, 0, clock.Hertz, count(&seen))
	require.NoError(t, err)
	require.NoError(t, f.Discard())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(torn), string(after))
}

func TestReopenRefuses(t *testing.T) {
	t.Run("no log", func(t *testing.T) {
		_, err := logging.Reopen(t.TempDir(), 0, clock.Hertz, nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("damage in the middle", func(t *testing.T) {
		dir := t.TempDir()
		path := writeLog(t, dir, 3)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		b[len(b)/2] = 'X'
		require.NoError(t, os.WriteFile(path, b, 0o644))
		var seen int
		_, err = logging.Reopen(dir, 0, clock.Hertz, count(&seen))
		var at *logging.Error
		require.ErrorAs(t, err, &at)
		assert.Equal(t, 2, at.Line)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, b, after, "a refused log is not touched")
	})
	t.Run("what the caller does not believe", func(t *testing.T) {
		dir := t.TempDir()
		path := writeLog(t, dir, 3)
		wrong := errors.New("not mine")
		_, err := logging.Reopen(dir, 0, clock.Hertz, func(r *logging.Record) error {
			if r.Line == 2 {
				return wrong
			}
			return nil
		})
		require.ErrorIs(t, err, wrong)
		assert.EqualError(t, err, path+":2: not mine")
	})
	t.Run("a machine that lives", func(t *testing.T) {
		dir := t.TempDir()
		f, err := logging.Create(dir, 0, clock.Hertz)
		require.NoError(t, err)
		_, err = logging.Reopen(dir, 0, clock.Hertz, nil)
		require.ErrorIs(t, err, logging.ErrLocked)
		require.NoError(t, f.Close())
		f, err = logging.Reopen(dir, 0, clock.Hertz, nil)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		assert.FileExists(t, filepath.Join(dir, "vm_0_1.log"))
	})
}
