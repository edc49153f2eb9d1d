package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/mixed"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/trace"
)

// standardInput is the name by which a command reads a stream from standard input.
const standardInput = "-"

// isStream reports whether what a command is to read is no directory of logs, but a
// stream in which they have come together: standard input, a file, or the pipe that a shell
// passes as one.
func isStream(name string) bool {
	if name == standardInput {
		return true
	}
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	// On any other pipe, one that lies where a file is expected would be waited for.
	return info.Mode().IsRegular() || info.Mode()&fs.ModeNamedPipe != 0 && strings.HasPrefix(name, "/dev/")
}

// source is a run that a command looks at, and what it lies in.
type source struct {
	*trace.Run
	logs *mixed.Logs // nil: a directory
}

// open opens the run in a directory or in a stream. The caller closes it.
func (e *Env) open(name string) (*source, error) {
	if !isStream(name) {
		run, err := trace.Open(name)
		if err != nil {
			return nil, err
		}
		return &source{Run: run}, nil
	}
	logs, err := e.split(name)
	if err != nil {
		return nil, err
	}
	run, err := trace.FromStream(logs)
	if err != nil {
		_ = logs.Close()
		return nil, err
	}
	run.Dir = name
	return &source{run, logs}, nil
}

// split takes a stream apart.
func (e *Env) split(name string) (*mixed.Logs, error) {
	if name == standardInput {
		in := e.input()
		if in == nil {
			return nil, errors.New("-: there is no standard input, or it has been read: a command reads it once")
		}
		return mixed.Split(in, "stdin")
	}
	open := logging.Open
	if strings.HasPrefix(name, "/dev/") {
		open = func(path string) (io.ReadCloser, error) { return os.Open(path) }
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return mixed.Split(f, name)
}

// inputs guards the standard input of every Env: commands open several runs at a time.
var inputs sync.Mutex

// input returns the standard input once, and nil from then on.
func (e *Env) input() (in io.Reader) {
	inputs.Lock()
	defer inputs.Unlock()
	in, e.In = e.In, nil
	return in
}

// close gives back what the run lies in.
func (s *source) close() {
	if s.logs != nil {
		_ = s.logs.Close()
	}
}

// passed says that not all of a stream is of the run, "" if all is.
func (s *source) passed() string {
	if s.logs == nil || s.logs.Passed == 0 {
		return ""
	}
	return fmt.Sprintf("passed over: %s of %s, which are of no event log", figure.Count(s.logs.Passed), figure.Plural(s.logs.Lines, "line"))
}

// remarkPassed says the same to people.
func (e *Env) remarkPassed(s *source) { e.remarkOf(s.Dir, s.passed()) }

// remarkOf remarks something of a run, if there is anything to be remarked.
func (e *Env) remarkOf(name, what string) {
	if what != "" {
		e.remark("%s: %s", name, what)
	}
}

// records returns the logs of a stream for a replay.
func (s *source) records() []replay.Log {
	logs := make([]replay.Log, len(s.logs.Machines))
	for i, m := range s.logs.Machines {
		logs[i] = replay.Log{Name: s.logs.Name, Open: func() (replay.Source, error) { return m.Open(), nil }}
	}
	return logs
}
