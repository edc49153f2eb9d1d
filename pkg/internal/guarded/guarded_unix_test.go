//go:build unix

package guarded

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inTime fails if f takes so long that it must be waiting for somebody.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it waits")
	}
}

// Nobody writes into the pipe, and the device has no end.
func TestWhatIsNoFileIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666))
	require.NoError(t, os.Symlink("pipe", filepath.Join(dir, "link")))
	both(t, dir, func(t *testing.T, read func(string, int64) ([]byte, error)) {
		for _, name := range []string{"pipe", "link"} {
			inTime(t, func() {
				_, err := read(name, 9)
				assert.ErrorIs(t, err, ErrNotRegular, name)
			})
		}
	})
	for _, name := range []string{"/dev/zero", "/dev/null", "/dev/tty", dir} {
		inTime(t, func() {
			_, err := ReadFile(name, 1<<40)
			if name != "/dev/tty" { // which need not be there
				assert.ErrorIs(t, err, ErrNotRegular, name)
			}
		})
	}
}

// What was a file when it was looked at may be a pipe when it is opened.
func TestTheNameIsGivenToAnotherMeanwhile(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	inTime(t, func() {
		_, err := open(file, os.O_RDONLY, func(name string) (os.FileInfo, error) {
			info, err := os.Stat(name)
			return info, errors.Join(err, os.Rename(pipe, file))
		}, os.OpenFile)
		assert.ErrorIs(t, err, ErrNotRegular)
	})
}
