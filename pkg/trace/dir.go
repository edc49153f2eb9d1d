package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/rundir"
)

// Open finds the event logs in a run's directory, and its record. Of the logs it reads
// no more than the first lines.
func Open(dir string) (*Run, error) {
	found, err := rundir.Logs(dir)
	if err != nil {
		return nil, err
	}
	logs := make([]Log, len(found))
	for i, f := range found {
		if logs[i], err = fileLog(f); err != nil {
			return nil, err
		}
	}
	run, err := New(logs...)
	if err != nil {
		return nil, err
	}
	run.Dir = dir
	if run.Record, err = rundir.ReadRecord(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		run.unreadable = err // the logs speak for themselves
	}
	return run, nil
}

// fileLog returns the log in a file.
func fileLog(f rundir.Log) (Log, error) {
	// Opening something else than a file may wait for ever.
	if info, err := os.Stat(f.Path); err != nil {
		return Log{}, err
	} else if !info.Mode().IsRegular() {
		return Log{}, fmt.Errorf("%s: expected an event log, found no regular file", f.Path)
	}
	l := TextLog(f.ID, f.Path, func() (io.ReadCloser, error) { return os.Open(f.Path) })
	l.File = filepath.Base(f.Path)
	return l, nil
}
