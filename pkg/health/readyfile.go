package health

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// ReadyFile is a file that is there while the machine is in its run.
type ReadyFile struct{ path string }

// NewReadyFile takes away what an earlier process that was killed has left under this
// name. An error says that the file could not be made later.
func NewReadyFile(path string) (*ReadyFile, error) {
	f := &ReadyFile{path}
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file that could be replaced", path)
	case err == nil, errors.Is(err, fs.ErrNotExist):
	default:
		return nil, err
	}
	if err := f.Remove(); err != nil {
		return nil, err
	}
	// Whether it can be made shows now, and not when somebody waits for it.
	try, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil { // which names the file that was tried, and not this one
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = &fs.PathError{Op: "create", Path: path, Err: e.Err}
		}
		return nil, err
	}
	return f, errors.Join(try.Close(), os.Remove(try.Name()))
}

// Write makes the file, as a whole: with the id of the process in it.
func (f *ReadyFile) Write(pid int) error {
	return guarded.Replace(f.path, func(w *os.File) error {
		_, err := fmt.Fprintf(w, "%d\n", pid)
		return err
	})
}

// Remove takes the file away.
func (f *ReadyFile) Remove() error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
