// Package trace reads a recorded run and proves it, or shows where it is wrong.
//
// [Open] finds the event logs of a run; [Run.Walk] goes through all of them at
// once, in an order that respects happened-before, and holds every line
// against the laws. What it keeps in memory grows with the messages in
// flight, not with the events.
//
// The package shares no rule with package machine, which it checks: everything
// here follows from the logs and from Lamport's paper.
package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/scalemodel/lamport/pkg/logging"
)

// Log is the event log of one machine.
type Log struct {
	ID   int    // from the file's name
	Path string // to open it by
}

// Run is a recorded run: the logs that its directory holds.
type Run struct {
	Dir  string
	Logs []Log // by ID; two of one machine stand side by side
	// Machines is the largest number of machines that any log's first line
	// names, or that the files' names need. 1 at least.
	Machines int
}

var logName = regexp.MustCompile(`^vm_(0|[1-9][0-9]*)_[0-9a-z.]+\.log$`)

// maxMachines bounds what a forged name or first line can make this package
// allocate. A start line has no room for the peers of so many.
const maxMachines = 1 << 20

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
	run := &Run{Dir: dir, Machines: 1}
	for _, e := range entries {
		m := logName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		l := Log{Path: filepath.Join(dir, e.Name())}
		if l.ID, err = strconv.Atoi(m[1]); err != nil || l.ID >= maxMachines {
			return nil, fmt.Errorf("%s: expected a machine from 0 to %d, found %s", l.Path, maxMachines-1, m[1])
		}
		n, err := l.machines()
		if err != nil {
			return nil, err
		}
		run.Logs = append(run.Logs, l)
		run.Machines = max(run.Machines, l.ID+1, n)
	}
	if len(run.Logs) == 0 {
		return nil, fmt.Errorf("%s holds no event log (vm_<id>_<rate>.log): want the directory of a run", dir)
	}
	slices.SortStableFunc(run.Logs, func(a, b Log) int { return a.ID - b.ID })
	return run, nil
}

// machines returns how many machines the log's first line says the run has, or
// 0 where it does not say so.
func (l Log) machines() (int, error) {
	// Opening something else than a file may wait for ever.
	if info, err := os.Stat(l.Path); err != nil {
		return 0, err
	} else if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s: expected an event log, found no regular file", l.Path)
	}
	f, err := os.Open(l.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var rec logging.Record
	if logging.NewReader(f, l.Path).Next(&rec) != nil || rec.Kind != logging.StartRecord {
		return 0, nil // what is wrong with the line is the walk's to say
	}
	if n := rec.Start.Machines; n > maxMachines {
		msg := fmt.Sprintf("expected at most %d machines, found %d", maxMachines, n)
		return 0, &logging.Error{File: l.Path, Line: 1, Msg: msg}
	}
	return rec.Start.Machines, nil
}

// lines calls f for each line of the log up to its end, or to a line that cannot
// be read.
func (l Log) lines(f func(*logging.Record)) error {
	file, err := os.Open(l.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := logging.NewReader(file, l.Path)
	var rec logging.Record
	for r.Next(&rec) == nil {
		f(&rec)
	}
	return nil
}
