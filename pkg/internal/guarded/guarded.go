// Package guarded reads files that somebody else may have written, and replaces
// files as a whole.
//
// What is called run.json in a directory that came by mail can be a named pipe,
// on which opening waits for ever, a device without an end, or a link to either.
// Only regular files are opened, and only as much is read as its format can need.
package guarded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrNotRegular says that a name stands for something else than a file with
// content: a directory, a named pipe, a socket or a device.
var ErrNotRegular = errors.New("not a regular file")

// SizeError says that a file is larger than its format allows.
type SizeError struct {
	Name  string
	Limit int64 // bytes
}

// Error names the file and the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: too large: want at most %d bytes", e.Name, e.Limit)
}

// Open opens a regular file to read it. It never waits for another process. An
// error is an [*fs.PathError], which wraps [ErrNotRegular] or what the system said.
func Open(name string) (*os.File, error) { return OpenFile(name, os.O_RDONLY) }

// OpenFile is [Open] with the flags of [os.OpenFile]; the file must be there.
func OpenFile(name string, flag int) (*os.File, error) {
	return open(name, flag, os.Stat, os.OpenFile)
}

// OpenIn is [Open] inside of a root: a link that leads out of it is an error.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return OpenFileIn(root, name, os.O_RDONLY)
}

// OpenFileIn is [OpenFile] inside of a root, as [OpenIn].
func OpenFileIn(root *os.Root, name string, flag int) (*os.File, error) {
	return open(name, flag, root.Stat, root.OpenFile)
}

func open(name string, flag int, stat func(string) (fs.FileInfo, error), open func(string, int, fs.FileMode) (*os.File, error)) (*os.File, error) {
	// The look before spares a device the opening, which can do something to it;
	// the look after is at what was opened, whatever has become of the name.
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if err := regular(name, info); err != nil {
		return nil, err
	}
	f, err := open(name, flag|noWait, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = regular(name, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func regular(name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
}

// ReadFile reads the whole of a regular file of at most limit bytes. A larger one is
// a [*SizeError], and what is in it is not read.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	return read(f, name, limit)
}

// ReadFileIn is [ReadFile] inside of a root. Errors name the file as it is called
// there.
func ReadFileIn(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	return read(f, name, limit)
}

func read(f *os.File, name string, limit int64) ([]byte, error) {
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Size() > limit:
		return nil, &SizeError{name, limit}
	}
	b := make([]byte, 0, info.Size()+1)
	r := io.LimitReader(f, limit+1) // it may have grown meanwhile
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, &SizeError{name, limit}
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}
