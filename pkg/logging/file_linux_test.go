package logging_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// mount returns a directory that is a file system of its own.
func mount(t *testing.T, flags uintptr, options string) string {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// The real thing: a disk that runs full in the middle of a line.
func TestFullDisk(t *testing.T) {
	f, err := logging.Create(mount(t, 0, "size=64k"), 0, clock.Hertz)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	w := logging.NewWriter(f, 0)
	events, now := benchEvents(), benchStart
	written := 0
	for err == nil {
		for range 7 {
			w.Event(now, &events[written%len(events)])
			written++
		}
		err = w.Flush()
	}
	require.ErrorIs(t, err, syscall.ENOSPC)

	log, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.Greater(t, len(log), 60<<10)
	records, err := readAll(logging.NewReader(bytes.NewReader(log), f.Name()))
	require.Equal(t, io.EOF, err)
	for i := range records {
		require.Equal(t, events[i%len(events)], records[i].Event)
	}
	require.Greater(t, len(records), written-8)
}

func TestCreateOnReadOnlyFileSystem(t *testing.T) {
	_, err := logging.Create(mount(t, syscall.MS_RDONLY, ""), 0, clock.Hertz)
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorContains(t, err, "make the directory writable or choose another")
}

func TestCreateWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err := logging.Create(dir, 0, clock.Hertz)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "make the directory writable or choose another")
}
