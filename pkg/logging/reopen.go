package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/filelock"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// ErrLocked says that another process has the log open: the machine lives.
var ErrLocked = errors.New("another process is writing this log")

// Reopen opens the log of a machine that comes back after a crash, so that it can
// be written on. It shows visit every record first. A last line that is torn is
// cut off by the first Write, or by Close: that line had not been handed over whole, so
// nothing that it says has been seen outside. A log that is discarded instead, since its
// machine may not go on, stays as it is.
//
// A log that is damaged elsewhere is refused with an [Error] that names the
// line, one that does not exist with an error that wraps [fs.ErrNotExist], one
// whose machine still runs with [ErrLocked]. An error of visit is returned with
// the line's position.
func Reopen(dir string, id int, rate clock.Rate, visit func(*Record) error) (*File, error) {
	name := filepath.Join(dir, FileName(id, rate))
	f, err := guarded.OpenFile(name, os.O_APPEND|os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("cannot reopen event log: %w", err)
	}
	size, torn, err := readBack(f, name, visit)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &File{f: dataFile{f}, name: name, size: size, cut: torn}, nil
}

// readBack reads the whole of a log and returns where it ends, and whether a torn line
// follows.
func readBack(f *os.File, name string, visit func(*Record) error) (size int64, torn bool, err error) {
	if !filelock.Try(f) {
		return 0, false, fmt.Errorf("event log %q: %w", name, ErrLocked)
	}
	r := NewReader(f, name)
	var rec Record
	for {
		err := r.Next(&rec)
		switch {
		case errors.Is(err, io.EOF):
			return r.Offset(), false, nil
		case errors.Is(err, ErrTorn):
			return r.Offset(), true, nil
		case err != nil:
			return 0, false, err
		}
		if err := visit(&rec); err != nil {
			return 0, false, &Error{File: name, Line: rec.Line, Msg: err.Error(), Err: err}
		}
	}
}
