package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/filelock"
)

// File is an event log on disk, made to lie under a [Writer]. Every Write must
// be of whole lines. It is not safe for concurrent use.
type File struct {
	f         disk
	name      string
	size      int64 // of the whole lines
	cut       bool  // what follows them has to be cut off first
	torn      error // sticky: a torn line stays at the end
	synced    bool  // the directory, by the first Sync
	closed    bool
	discarded bool
}

// disk is what a File needs of an *os.File.
type disk interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
}

// Close gives the lock back and closes the file.
func (f dataFile) Close() error {
	filelock.Release(f.File)
	return f.File.Close()
}

// Create makes the log of machine id in an existing directory, under the name
// that [FileName] gives. It never touches a file that is there already, which is an
// [ExistsError]. Its errors say on one line what is in the way and what to do, and wrap the
// system's: [fs.ErrExist], [fs.ErrNotExist], [fs.ErrPermission].
func Create(dir string, id int, rate clock.Rate) (*File, error) {
	name := filepath.Join(dir, FileName(id, rate))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, explain(err, name)
	}
	if !filelock.Try(f) {
		return nil, errors.Join(fmt.Errorf("event log %q: %w", name, ErrLocked), f.Close())
	}
	return &File{f: dataFile{f}, name: name}, nil
}

// ExistsError says that there is a log already where one was to be created.
type ExistsError struct {
	Name string // of the file
	err  error
}

func (e *ExistsError) Error() string { return e.err.Error() }
func (e *ExistsError) Unwrap() error { return e.err }

// explain turns the error of creating a log into advice.
func explain(err error, name string) error {
	cause := err
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		cause = p.Err
	}
	dir := filepath.Dir(name)
	var what, mend string
	switch {
	case errors.Is(cause, fs.ErrExist):
		what = fmt.Sprintf("cannot create event log %q", name)
		mend = "a log is never overwritten: move it away or choose another directory"
	case errors.Is(cause, fs.ErrNotExist):
		what = fmt.Sprintf("cannot create an event log in %q", dir)
		mend = "create the directory first or choose another"
	case errors.Is(cause, syscall.ENOTDIR):
		what = fmt.Sprintf("cannot create an event log in %q", dir)
		mend = "choose a directory"
	case errors.Is(cause, fs.ErrPermission), errors.Is(cause, syscall.EROFS):
		what = fmt.Sprintf("cannot create an event log in %q", dir)
		mend = "make the directory writable or choose another"
	default:
		return fmt.Errorf("cannot create event log %q: %w", name, cause)
	}
	err = fmt.Errorf("%s: %w (%s)", what, cause, mend)
	if errors.Is(cause, fs.ErrExist) {
		return &ExistsError{name, err}
	}
	return err
}

// Name returns the path of the file, as [Create] put it together.
func (f *File) Name() string { return f.name }

// Write appends whole lines. Where only a part fits, as on a full disk, it
// cuts the file back to the last whole line, and returns the bytes that stay
// and the error.
func (f *File) Write(p []byte) (int, error) {
	if f.torn != nil {
		return 0, f.torn
	}
	if err := f.trim(); err != nil {
		return 0, err
	}
	n, err := f.f.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err == nil {
		f.size += int64(n)
		return n, nil
	}
	n = max(n, 0)
	whole := bytes.LastIndexByte(p[:n], '\n') + 1
	if whole < n {
		if cutErr := f.f.Truncate(f.size + int64(whole)); cutErr != nil {
			f.size += int64(n)
			f.torn = fmt.Errorf("event log: %w; the last line stays torn: %w", err, cutErr)
			return n, f.torn
		}
	}
	f.size += int64(whole)
	return whole, fmt.Errorf("event log: %w", err)
}

// trim cuts off what follows the whole lines of a log that was opened again.
func (f *File) trim() error {
	if !f.cut {
		return nil
	}
	if err := f.f.Truncate(f.size); err != nil {
		return fmt.Errorf("event log: the torn last line cannot be cut off: %w", err)
	}
	f.cut = false
	return nil
}

// Sync waits until everything written would survive a loss of power; the
// first one also until the file's name would.
func (f *File) Sync() error {
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	if f.synced || runtime.GOOS == "windows" { // which syncs no directory
		return nil
	}
	if err := syncDir(filepath.Dir(f.name)); err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	f.synced = true
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close closes the file. It does not sync it.
func (f *File) Close() error {
	return errors.Join(f.trim(), f.release())
}

func (f *File) release() error {
	f.closed = true
	if err := f.f.Close(); err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	return nil
}

// Discard closes the file if it is open, and removes it if it is empty, so
// that a start that failed leaves nothing behind. A log with anything in it
// stays. A second call does nothing, so Discard may be deferred beside a Close.
func (f *File) Discard() error {
	var err error
	if !f.closed {
		err = f.release()
	}
	if f.size > 0 || f.discarded {
		return err
	}
	// Only once: by the next time another log may stand under this name.
	f.discarded = true
	if rmErr := os.Remove(f.name); rmErr != nil {
		err = errors.Join(err, fmt.Errorf("event log: %w", rmErr))
	}
	return err
}
