//go:build unix

package logging

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// Nobody writes into the pipe, and the device has no end.
func TestReopenOfWhatIsNoFile(t *testing.T) {
	for name, place := range map[string]func(string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, place(filepath.Join(dir, FileName(0, clock.Hertz))))
			done := make(chan error)
			go func() {
				_, err := Reopen(dir, 0, clock.Hertz, func(*Record) error { return nil })
				done <- err
			}()
			select {
			case err := <-done:
				require.ErrorIs(t, err, guarded.ErrNotRegular)
				assert.ErrorContains(t, err, "cannot reopen event log: ")
			case <-time.After(30 * time.Second):
				t.Fatal("it waits")
			}
		})
	}
}
