// Package manyfiles reads more files at once than a process may have open.
package manyfiles

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// A process may have 256 files open on some systems, and needs a few for other things.
const (
	maxHeld   = 64 // that stay open until they are closed
	maxPassed = 32 // of the others, that are open at one time, for one read
)

// Descriptors are the process's, and so are these.
var (
	held   = make(chan struct{}, maxHeld)
	passed = make(chan struct{}, maxPassed)
)

// File is a file that is being read from its beginning. The first ones that a process
// has stay open. Of the others, each read opens the file again where the last one
// ended: that is slower, but never too many. It is used by one goroutine at a time.
type File struct {
	path string
	file *os.File // nil: it is opened for each read

	info   os.FileInfo // of what was opened first
	offset int64
}

// Open opens a regular file, see [guarded.Open].
func Open(path string) (*File, error) {
	select {
	case held <- struct{}{}:
		file, err := guarded.Open(path)
		if err != nil {
			<-held
			return nil, err
		}
		return &File{path: path, file: file}, nil
	default:
	}
	f := &File{path: path}
	err := f.pass(func(_ *os.File, info os.FileInfo) error {
		f.info = info
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// pass opens the file for as long as use needs.
func (f *File) pass(use func(*os.File, os.FileInfo) error) error {
	passed <- struct{}{}
	defer func() { <-passed }()
	file, err := guarded.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return use(file, info)
}

// Read reads on. Of a file that is another one by now, it does not.
func (f *File) Read(b []byte) (n int, err error) {
	if f.file != nil {
		return f.file.Read(b)
	}
	err = f.pass(func(file *os.File, info os.FileInfo) (err error) {
		if !os.SameFile(f.info, info) {
			return fmt.Errorf("%s was replaced while it was read", f.path)
		}
		n, err = file.ReadAt(b, f.offset)
		return err
	})
	f.offset += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // for now: it may grow
	}
	return n, err
}

// Close closes the file. It is called once.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	defer func() { <-held }()
	return f.file.Close()
}
