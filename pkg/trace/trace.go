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

var logName = regexp.MustCompile(`^vm_(0|[1-9][0-9]{0,8})_[0-9a-z.]+\.log$`)

// maxMachines bounds what a forged first line can make this package allocate.
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
		id, err := strconv.Atoi(m[1])
		if err != nil || id >= maxMachines {
			continue
		}
		run.Logs = append(run.Logs, Log{ID: id, Path: filepath.Join(dir, e.Name())})
		run.Machines = max(run.Machines, id+1)
	}
	if len(run.Logs) == 0 {
		return nil, fmt.Errorf("%s holds no event log (vm_<id>_<rate>.log): want the directory of a run", dir)
	}
	slices.SortStableFunc(run.Logs, func(a, b Log) int { return a.ID - b.ID })
	for _, l := range run.Logs {
		n, err := l.machines()
		if err != nil {
			return nil, err
		}
		run.Machines = max(run.Machines, n)
	}
	return run, nil
}

// machines returns how many machines the log's first line says the run has, or
// 0 where it does not say so.
func (l Log) machines() (int, error) {
	f, err := os.Open(l.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var rec logging.Record
	// What is wrong with the line is the walk's to say.
	if logging.NewReader(f, l.Path).Next(&rec) != nil || rec.Kind != logging.StartRecord || rec.Start.Machines > maxMachines {
		return 0, nil
	}
	return rec.Start.Machines, nil
}
