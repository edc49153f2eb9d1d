package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Replay executes a recorded run again.
type Replay struct {
	Dir string // of the record

	// Processes replays with vm processes over TCP, once it is certain that they
	// can. The rest is about these.
	Processes bool
	AtPace    bool   // at the pace of the record, not as fast as they can
	Ports     string // as [cluster.ParsePorts] reads them
	Out       string // the directory of their run, "": the default one
	VM        string // the vm program, "": it is looked for
	Report    bool   // write a page with both runs side by side
}

// ProcessesError says why processes cannot replay a run that can be replayed in this
// process.
type ProcessesError struct{ Err error }

func (e *ProcessesError) Error() string { return e.Err.Error() }

// Unwrap returns e.Err.
func (e *ProcessesError) Unwrap() error { return e.Err }

// Run replays the run, and says that it came out the same, or where it did not.
func (r Replay) Run(ctx context.Context, env *Env) error {
	if isStream(r.Dir) {
		return r.stream(ctx, env)
	}
	logs, err := rundir.Logs(r.Dir)
	if err != nil {
		return err
	}
	// A directory without a record may hold logs all the same.
	switch record, err := rundir.ReadRecord(r.Dir); {
	case err == nil:
		env.otherVersion(r.Dir, record)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	var paths []string
	for _, l := range logs {
		if err := named(l); err != nil {
			return err
		}
		paths = append(paths, l.Path)
	}
	interruptible, stop := exit.OnInterrupt(ctx, nil)
	result, err := replay.Run(interruptible, paths)
	stop()
	if err != nil {
		return env.replayError(err)
	}
	if r.Processes {
		return r.processes(ctx, env, paths, result)
	}
	return env.prose("%s: the same again: %s%s", r.Dir, replayed(result), reservations(result))
}

// stream replays the run in a stream.
func (r *Replay) stream(ctx context.Context, env *Env) error {
	if r.Processes {
		return &ProcessesError{fmt.Errorf("%s is a stream: processes replay logs that each have a file", r.Dir)}
	}
	run, err := env.open(r.Dir)
	if err != nil {
		return err
	}
	defer run.close()
	env.remarkPassed(run)
	interruptible, stop := exit.OnInterrupt(ctx, nil)
	result, err := replay.RunLogs(interruptible, run.records())
	stop()
	if err != nil {
		return env.replayError(err)
	}
	return env.prose("%s: the same again: %s%s", r.Dir, replayed(result), reservations(result))
}

// named refuses a log under the name of another machine's. The replay would go by what
// is in it, but whoever named it has mixed something up.
func named(l rundir.Log) error {
	t, err := replay.Open(l.Path)
	if err != nil {
		return err
	}
	defer t.Close()
	if t.ID() != l.ID {
		return fmt.Errorf("%s: its start line is that of machine %d, not %d: want each log under its own name", l.Path, t.ID(), l.ID)
	}
	return nil
}

// otherVersion says if a run was recorded by another version.
func (e *Env) otherVersion(dir string, r *rundir.Record) {
	if r.Version != e.Version {
		e.remark("%s was recorded by version %s; this is version %s", dir, r.Version, e.Version)
	}
}

// replayError gives a difference its place on standard output.
func (e *Env) replayError(err error) error {
	var differs *replay.Difference
	switch {
	case errors.As(err, &differs):
		_, err := io.WriteString(e.text(), differs.Text())
		return exit.With(exit.Broken, err)
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, errors.New("interrupted before the replay was over"))
	}
	return err
}

func replayed(r *replay.Result) string {
	s := fmt.Sprintf("%s, %s", figure.Plural(r.Machines, "machine"), figure.Plural(r.Events, "event"))
	if r.Crashes > 0 {
		s += ", " + figure.Plural(r.Crashes, "crash")
	}
	return s
}

// reservations says what a replay could not do again.
func reservations(r *replay.Result) string {
	var s string
	for _, id := range r.Missing {
		s += fmt.Sprintf("; machine %d has no log, so its messages are taken as they were received", id)
	}
	if r.Further > 0 {
		s += fmt.Sprintf("; nor have %s more", figure.Plural(r.Further, "machine"))
	}
	for _, id := range r.Unended {
		s += fmt.Sprintf("; the log of machine %d has no end", id)
	}
	return s
}

// processes replays with processes what has been replayed in this one: only then is
// it certain that no machine waits in vain.
func (r *Replay) processes(ctx context.Context, env *Env, paths []string, result *replay.Result) error {
	switch {
	case len(result.Missing) > 0:
		return &ProcessesError{fmt.Errorf("%s: machine %d has no log, so no process can do what it did", r.Dir, result.Missing[0])}
	case len(result.Unended) > 0:
		return &ProcessesError{fmt.Errorf("%s: the log of machine %d has no end, and processes can only replay a run that came to its end", r.Dir, result.Unended[0])}
	case len(result.Left) > 0:
		return &ProcessesError{fmt.Errorf("%s: machine %d left before the others, and processes can only replay a run whose machines ended together", r.Dir, result.Left[0])}
	}
	p, err := r.asRecorded(paths)
	if err != nil {
		return err
	}
	// It becomes the name of a directory, and goes over the wire.
	if err := experiment.CheckName(p.Config.Run); err != nil {
		return &ProcessesError{fmt.Errorf("%s cannot be replayed with processes, whose run has the same name: %w", r.Dir, err)}
	}
	// With a smaller window than the run needed, a sender would wait for room, and
	// its recipient for what cannot be sent.
	if result.Widest > transport.DefaultWindow {
		p.Window = result.Widest
	}
	if p.Dir == "" {
		p.Dir = rundir.Default(time.Now(), p.Config.Run+"-replay")
	}
	if err := p.complete(env); err != nil {
		return err
	}
	var show func(int, summary.Status)
	done := func() {}
	if r.AtPace {
		display := p.display(env, result.Lasted)
		show, done = display.Update, display.Close
	}
	run, err := cluster.New(p.Config)
	if err != nil {
		return err
	}
	ctx, stop := exit.OnInterrupt(ctx, run.Kill)
	defer stop()
	env.remark("replay of %s: %s; logs in %s", r.Dir, replayed(result), p.Dir)

	results, err := run.Run(ctx, show)
	done()
	switch {
	case errors.Is(err, cluster.ErrNotBegun):
		return exit.With(exit.Interrupted, err)
	case results == nil:
		return notBegun(err)
	case err != nil:
		return exit.With(exit.Died, err)
	case ctx.Err() != nil:
		return exit.With(exit.Interrupted, errors.New("interrupted before the replay was over"))
	}
	if r.Report {
		env.sideBySide(p.Dir, r.Dir)
	}
	for id, path := range p.Replay { // which may have another name than the log of the replay
		compared, err := replay.Compare(path, filepath.Join(p.Dir, logging.FileName(id, p.Rates[id])), replay.ButTimes)
		if err == nil {
			err = compared.Err()
		}
		if err != nil {
			return env.replayError(err)
		}
	}
	return env.prose("%s: the same again, with processes: %s; logs in %s", r.Dir, replayed(result), p.Dir)
}

// asRecorded returns the run of processes that the records say.
func (r *Replay) asRecorded(paths []string) (*Processes, error) {
	p := &Processes{Config: cluster.Config{Dir: r.Out, VM: r.VM, AtPace: r.AtPace, Restart: true}}
	p.Rates = make([]clock.Rate, len(paths))
	p.Replay = make([]string, len(paths))
	for _, path := range paths {
		t, err := replay.Open(path)
		if err != nil {
			return nil, err
		}
		s := t.Start()
		p.Adopt(s)
		p.Rates[t.ID()], p.Replay[t.ID()] = s.Rate, path
		t.Close()
	}
	var err error
	p.Ports, err = cluster.ParsePorts(r.Ports, len(paths))
	return p, err
}
