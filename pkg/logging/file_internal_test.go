package logging

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
)

// faultyDisk is a file that is full after room bytes, and can fail at anything else.
type faultyDisk struct {
	*os.File
	room                   int
	silent                 bool // short writes without an error
	noCut, noSync, noClose error
	writes, syncs, cuts    int
}

func (d *faultyDisk) Write(p []byte) (int, error) {
	d.writes++
	n, err := d.File.Write(p[:min(len(p), d.room)])
	d.room -= n
	if err == nil && n < len(p) && !d.silent {
		err = &fs.PathError{Op: "write", Path: "vm_0_1.log", Err: syscall.ENOSPC}
	}
	return n, err
}

func (d *faultyDisk) Truncate(size int64) error {
	d.cuts++
	if d.noCut != nil {
		return d.noCut
	}
	return d.File.Truncate(size)
}

func (d *faultyDisk) Sync() error {
	d.syncs++
	return d.noSync
}

func (d *faultyDisk) Close() error { return errors.Join(d.File.Close(), d.noClose) }

func create(t *testing.T) (*File, *faultyDisk) {
	f, err := Create(t.TempDir(), 0, clock.Hertz)
	require.NoError(t, err)
	d := &faultyDisk{File: f.f.(dataFile).File, room: 1 << 30}
	f.f = d
	t.Cleanup(func() { _ = f.Discard() })
	return f, d
}

func content(t *testing.T, f *File) string {
	b, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	return string(b)
}

// However much of a write fits, only whole lines stay.
func TestShortWriteLeavesWholeLines(t *testing.T) {
	const before, lines = "line 0\n", "line 1\nline two\n\nline 3\n"
	for _, silent := range []bool{false, true} {
		for room := range len(lines) {
			f, d := create(t)
			_, err := f.Write([]byte(before))
			require.NoError(t, err)

			d.room, d.silent = room, silent
			n, err := f.Write([]byte(lines))
			want := strings.LastIndexByte(lines[:room], '\n') + 1
			require.Equal(t, want, n)
			require.Equal(t, before+lines[:want], content(t, f))
			if silent {
				require.ErrorIs(t, err, io.ErrShortWrite)
			} else {
				require.EqualError(t, err, "event log: write vm_0_1.log: no space left on device")
				require.ErrorIs(t, err, syscall.ENOSPC)
			}
			if want == room {
				require.Zero(t, d.cuts, "nothing to cut")
			}

			d.room = 1 << 30 // room was made; the caller may go on behind the whole lines
			_, err = f.Write([]byte("line 4\n"))
			require.NoError(t, err)
			require.Equal(t, before+lines[:want]+"line 4\n", content(t, f))

			d.room = 3 // and once more
			_, err = f.Write([]byte("line 5\n"))
			require.Error(t, err)
			require.Equal(t, before+lines[:want]+"line 4\n", content(t, f))
			require.NoError(t, f.Close())
		}
	}
}

// Nothing may be written behind a torn line: it would hide it.
func TestTornLineThatStays(t *testing.T) {
	f, d := create(t)
	d.room, d.noCut = 10, syscall.EIO
	n, err := f.Write([]byte("line 1\nline 2\n"))
	require.Equal(t, 10, n)
	require.EqualError(t, err, "event log: write vm_0_1.log: no space left on device; the last line stays torn: input/output error")
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorIs(t, err, syscall.EIO)

	d.room = 1 << 30
	n, again := f.Write([]byte("line 3\n"))
	require.Zero(t, n)
	require.Equal(t, err, again)
	require.Equal(t, 1, d.writes)
	require.NoError(t, f.Discard())
	require.Equal(t, "line 1\nlin", content(t, f), "it is not ours to remove")
}

// A Writer above a full disk: what it handed on can be read to the end.
func TestWriterOnFullDisk(t *testing.T) {
	f, d := create(t)
	d.room = 200
	w := NewWriter(f, 0)
	for step := range uint64(10) {
		w.Resume(time.Unix(0, 0), Resume{Step: step})
	}
	require.ErrorIs(t, w.Flush(), syscall.ENOSPC)
	require.ErrorIs(t, w.Flush(), syscall.ENOSPC)
	require.Equal(t, 1, d.writes)

	r := NewReader(strings.NewReader(content(t, f)), f.Name())
	var rec Record
	for step := range uint64(3) {
		require.NoError(t, r.Next(&rec))
		require.Equal(t, step, rec.Resume.Step)
	}
	require.Equal(t, io.EOF, r.Next(&rec))
}

func TestCreateNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(dir, 3, clock.Hertz/2)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "vm_3_0.5.log"), f.Name())
	_, err = f.Write([]byte("line\n"))
	require.NoError(t, err)
	require.NoError(t, f.Close())

	_, err = Create(dir, 3, clock.Hertz/2)
	require.ErrorIs(t, err, fs.ErrExist)
	require.EqualError(t, err, `cannot create event log "`+f.Name()+
		`": file exists (a log is never overwritten: move it away or choose another directory)`)
	require.Equal(t, "line\n", content(t, f))

	other, err := Create(dir, 3, clock.Hertz)
	require.NoError(t, err, "another rate is another file")
	require.NoError(t, other.Close())
}

func TestCreateSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	missing, file := filepath.Join(dir, "missing"), filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	_, err := Create(missing, 0, clock.Hertz)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, `cannot create an event log in "`+missing+
		`": no such file or directory (create the directory first or choose another)`)

	_, err = Create(file, 0, clock.Hertz)
	require.ErrorIs(t, err, syscall.ENOTDIR)
	require.EqualError(t, err, `cannot create an event log in "`+file+`": not a directory (choose a directory)`)

	for cause, want := range map[error]string{
		syscall.EACCES: `cannot create an event log in "runs": permission denied (make the directory writable or choose another)`,
		syscall.EROFS:  `cannot create an event log in "runs": read-only file system (make the directory writable or choose another)`,
		syscall.EMFILE: `cannot create event log "runs/vm_0_1.log": too many open files`,
	} {
		err := explain(&fs.PathError{Op: "open", Path: "runs/vm_0_1.log", Err: cause}, filepath.FromSlash("runs/vm_0_1.log"))
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, cause)
	}
	require.NotContains(t, err.Error(), "\n")
}

func TestDiscard(t *testing.T) {
	t.Run("empty", func(t *testing.T) {
		f, _ := create(t)
		require.NoError(t, f.Discard())
		require.NoFileExists(t, f.Name())
	})
	t.Run("empty and closed", func(t *testing.T) {
		f, _ := create(t)
		require.NoError(t, f.Close())
		require.NoError(t, f.Discard())
		require.NoFileExists(t, f.Name())
	})
	t.Run("nothing but a line that did not fit", func(t *testing.T) {
		f, d := create(t)
		d.room = 3
		_, err := f.Write([]byte("line\n"))
		require.Error(t, err)
		require.NoError(t, f.Discard())
		require.NoFileExists(t, f.Name())
	})
	t.Run("with a line", func(t *testing.T) {
		f, _ := create(t)
		_, err := f.Write([]byte("line\n"))
		require.NoError(t, err)
		require.NoError(t, f.Discard())
		require.Equal(t, "line\n", content(t, f))
		require.ErrorIs(t, f.Close(), os.ErrClosed, "it was closed")
		require.NoError(t, f.Discard())
	})
	t.Run("twice", func(t *testing.T) {
		f, _ := create(t)
		require.NoError(t, f.Discard())
		next, err := Create(filepath.Dir(f.Name()), 0, clock.Hertz)
		require.NoError(t, err)
		require.NoError(t, f.Discard())
		require.FileExists(t, f.Name(), "this is the next one's")
		require.NoError(t, next.Discard())
	})
	t.Run("removed by somebody", func(t *testing.T) {
		f, d := create(t)
		d.noClose = syscall.EIO
		require.NoError(t, os.Remove(f.Name()))
		err := f.Discard()
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, err, syscall.EIO)
	})
}

func TestSync(t *testing.T) {
	f, d := create(t)
	require.NoError(t, f.Sync())
	require.True(t, f.synced, "the directory")
	require.NoError(t, f.Sync())
	require.Equal(t, 2, d.syncs)
	d.noSync = syscall.EIO
	require.ErrorIs(t, f.Sync(), syscall.EIO)

	f, _ = create(t)
	require.NoError(t, os.RemoveAll(filepath.Dir(f.Name())))
	require.ErrorIs(t, f.Sync(), fs.ErrNotExist)
	require.NoError(t, f.Close())
	f.size = 1 // nothing to remove
}

// The file is opened for appending: lines of two handles do not overwrite each other.
func TestFileAppends(t *testing.T) {
	f, _ := create(t)
	_, err := f.Write([]byte("line 1\n"))
	require.NoError(t, err)
	other, err := os.OpenFile(f.Name(), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = other.WriteString("line 2\n")
	require.NoError(t, err)
	require.NoError(t, other.Close())
	_, err = f.Write([]byte("line 3\n"))
	require.NoError(t, err)
	require.Equal(t, "line 1\nline 2\nline 3\n", content(t, f))
}

// A burst must not hold its memory for ever; an ordinary buffer is used again.
func TestWriterGivesBackALargeBuffer(t *testing.T) {
	w := NewWriter(io.Discard, 0)
	for _, lines := range []int{100, 100_000} {
		for range lines {
			w.Resume(time.Unix(0, 0), Resume{})
		}
		large := w.Buffered() > keep
		require.NoError(t, w.Flush())
		require.Equal(t, large, cap(w.buf) == 0)
	}
}
