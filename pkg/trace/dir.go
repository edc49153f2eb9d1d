package trace

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/scalemodel/lamport/pkg/logging"
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
		logs[i] = fileLog(f)
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
func fileLog(f rundir.Log) Log {
	l := TextLog(f.ID, f.Path, func() (io.ReadCloser, error) { return logging.Open(f.Path) })
	l.File = strings.TrimSuffix(filepath.Base(f.Path), logging.Gzipped)
	return l
}
