package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

var logName = regexp.MustCompile(`^vm_(0|[1-9][0-9]*)_[0-9a-z.]+\.log$`)

// Open finds the event logs in a run's directory. It reads no more than their
// first lines.
func Open(dir string) (*Run, error) {
	entries, err := os.ReadDir(dir)
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, fmt.Errorf("%s cannot be read: %w; want the directory of a run", dir, path.Err)
	}
	if err != nil {
		return nil, err
	}
	var logs []Log
	for _, e := range entries {
		m := logName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		l, err := fileLog(filepath.Join(dir, e.Name()), m[1])
		if err != nil {
			return nil, err
		}
		logs = append(logs, l)
	}
	if len(logs) == 0 {
		return nil, fmt.Errorf("%s holds no event log (vm_<id>_<rate>.log): want the directory of a run", dir)
	}
	run, err := New(logs...)
	if err != nil {
		return nil, err
	}
	run.Dir = dir
	return run, nil
}

// fileLog returns the log in a file whose name says that it is of machine id.
func fileLog(path, id string) (Log, error) {
	n, err := strconv.Atoi(id)
	if err != nil || n >= maxMachines {
		return Log{}, fmt.Errorf("%s: expected a machine from 0 to %d, found %s", path, maxMachines-1, id)
	}
	// Opening something else than a file may wait for ever.
	if info, err := os.Stat(path); err != nil {
		return Log{}, err
	} else if !info.Mode().IsRegular() {
		return Log{}, fmt.Errorf("%s: expected an event log, found no regular file", path)
	}
	l := TextLog(n, path, func() (io.ReadCloser, error) { return os.Open(path) })
	l.File = filepath.Base(path)
	return l, nil
}
