package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Log is the event log of one machine, found by its name. It may have been compressed
// with gzip since it was written (vm_0_1.log.gz).
type Log struct {
	ID   int    // from the name
	Path string // to open it by
}

// MaxMachines bounds the machines that names of logs can claim. A start line has no
// room for the peers of so many.
const MaxMachines = 1 << 20

var logName = regexp.MustCompile(`^vm_(0|[1-9][0-9]*)_[0-9a-z.]+\.log(\.gz)?$`)

// ErrNoLogs says that a directory has none.
var ErrNoLogs = errors.New("holds no event log")

// Logs lists the event logs in a run's directory, by machine; two of one machine
// stand side by side. They are found by their names alone: what is in them is not
// looked at, nor whether they are files.
func Logs(dir string) ([]Log, error) {
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
		l := Log{Path: filepath.Join(dir, e.Name())}
		if l.ID, err = strconv.Atoi(m[1]); err != nil || l.ID >= MaxMachines {
			return nil, fmt.Errorf("%s: expected a machine from 0 to %d, found %s", l.Path, MaxMachines-1, m[1])
		}
		logs = append(logs, l)
	}
	if len(logs) == 0 {
		return nil, fmt.Errorf("%s %w (vm_<id>_<rate>.log): want the directory of a run", dir, ErrNoLogs)
	}
	slices.SortStableFunc(logs, func(a, b Log) int { return a.ID - b.ID })
	return logs, nil
}

// Holding is what a directory holds.
type Holding int

// What a directory can hold.
const (
	NoRun          Holding = iota
	RunWithoutLogs         // its record says that it keeps none
	Run                    // event logs, or a record that says that there are some
)

// Holds tells from the names in a directory whether it is that of a run.
func Holds(dir string, entries []fs.DirEntry) Holding {
	recorded := false
	for _, e := range entries {
		if logName.MatchString(e.Name()) {
			return Run
		}
		recorded = recorded || e.Name() == RecordName
	}
	if !recorded {
		return NoRun
	}
	if r, err := ReadRecord(dir); err == nil && r.NoLogs {
		return RunWithoutLogs
	}
	return Run
}
