package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fleet"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim"
)

// Rerun does a run once more, from its record.
type Rerun struct {
	Dir   string       // of the record
	Out   string       // "": the default directory
	Ports string       // of processes, as [cluster.ParsePorts] reads them; "": as recorded
	VM    string       // the vm program, "": it is looked for
	AtEnd Logs         // what is done with the logs
	Hosts fleet.Config // where processes run, see [Processes]

	MinFree MinFree // how much of the disk stays free: before that, the run is ended
}

// Run does the run. What ran in virtual time must come out with the same bytes.
func (r Rerun) Run(ctx context.Context, env *Env) error {
	if info, err := os.Stat(r.Dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, and says not how its run was begun: want the directory of a run, with its %s", r.Dir, rundir.RecordName)
	}
	record, err := rundir.ReadRecord(r.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist: want the directory of a run, with its record", filepath.Join(r.Dir, rundir.RecordName))
	case err != nil:
		return err
	case record.ReplayOf != "":
		return fmt.Errorf("%s is a replay of %s: run that again, or replay it", r.Dir, record.ReplayOf)
	}
	env.otherVersion(r.Dir, record)
	if record.Virtual != nil {
		return r.virtual(ctx, env, record)
	}
	return r.processes(ctx, env, record)
}

func (r *Rerun) processes(ctx context.Context, env *Env, record *rundir.Record) (err error) {
	p := Processes{
		Config:  cluster.Config{Spec: record.Spec, Ports: record.Ports, Dir: r.Out, VM: r.VM, Restart: record.Restart, TLS: record.TLS, Sync: record.Sync},
		AtEnd:   r.AtEnd,
		MinFree: r.MinFree,
		Hosts:   r.Hosts,
	}
	p.Config.Run = experiment.NewName()
	if len(record.Hosts) > 0 && len(r.Hosts.Entries) == 0 {
		// Whoever wrote the record does not decide with whom this host speaks.
		env.remark("%s ran on %s; now on this host, for want of --hosts", r.Dir, strings.Join(distinct(record.Hosts), ","))
		if len(distinct(p.Ports)) < len(p.Ports) { // where each host had it once
			p.Ports = make([]int, len(p.Ports))
		}
	}
	if r.Ports != "" {
		if p.Ports, err = cluster.ParsePorts(r.Ports, len(p.Rates)); err != nil {
			return err
		}
	}
	return p.Run(ctx, env)
}

// distinct returns each value of a list once.
func distinct[T comparable](list []T) []T {
	var once []T
	for _, v := range list {
		if !slices.Contains(once, v) {
			once = append(once, v)
		}
	}
	return once
}

func (r *Rerun) virtual(ctx context.Context, env *Env, record *rundir.Record) error {
	if r.Ports != "" || r.VM != "" || len(r.Hosts.Entries) > 0 {
		name := "ports"
		switch {
		case r.Ports != "":
		case r.VM != "":
			name = "vm"
		default:
			name = "hosts"
		}
		return &experiment.Error{Field: name, Err: fmt.Errorf("that is for processes, and %s ran in virtual time", r.Dir)}
	}
	found, _ := rundir.Logs(r.Dir) // that there is none is said of each machine
	v := Virtual{Spec: record.Spec, Logs: !record.NoLogs, Dir: r.Out, AtEnd: r.AtEnd, MinFree: r.MinFree}
	if len(found) == 0 && len(v.Rates) > sim.MaxLogs {
		v.Logs = false // of a release that did not record that
	}
	again, err := v.run(ctx, env)
	if err != nil || record.NoLogs {
		return err
	}
	outcome, problems := compareAgain(record.Rates, found, again)
	if n := len(problems); n > 0 {
		return exit.With(exit.Broken, errors.New(strings.Join(first(problems), "; ")))
	}
	text := "the same bytes as in %s"
	if outcome == replay.Stopped {
		text += ", which was stopped before its end, up to there"
	}
	_, err = fmt.Fprintf(env.text(), "again        "+text+"\n", r.Dir)
	return err
}

// compareAgain holds the logs of a run in virtual time that was done again against those
// found of its record: one for each machine, no more, and each must have come out the
// same. The outcome is Same, or Stopped where the record was and is only the beginning
// of what it is now. Nothing is the same that is not there or cannot be read: the
// problems say what is not.
func compareAgain(rates []clock.Rate, found []rundir.Log, again string) (outcome replay.Outcome, problems []string) {
	byName := make(map[string]rundir.Log)
	for _, log := range found {
		byName[filepath.Base(log.Path)] = log
	}
	outcome = replay.Same
	var last *replay.Comparison // of machines that had other messages left at the end
	for id, rate := range rates {
		name := logging.FileName(id, rate)
		log, ok := byName[name]
		if !ok {
			log, ok = byName[name+logging.Gzipped]
		}
		if !ok {
			problems = append(problems, fmt.Sprintf("%s is not there, so what machine %d did cannot be compared", name, id))
			continue
		}
		delete(byName, filepath.Base(log.Path))
		c, err := replay.Compare(log.Path, filepath.Join(again, name), replay.Exact)
		switch {
		case err != nil:
			problems = append(problems, err.Error())
			continue
		case c.Outcome == replay.Same:
		case c.Outcome == replay.Stopped:
			outcome = replay.Stopped
		case c.Outcome == replay.StopDiffers:
			last = c
		case c.Outcome == replay.BrokenOff:
			problems = append(problems, fmt.Sprintf("%s breaks off after line %d; up to there it is the same", log.Path, c.Lines))
		default:
			problems = append(problems, notTheSame(c, again))
		}
	}
	// Where no machine goes on, the record was not stopped, so nothing excuses these.
	if last != nil && outcome != replay.Stopped {
		problems = append(problems, notTheSame(last, again))
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		problems = append(problems, fmt.Sprintf("%s is the log of no machine of this run, or a second one", byName[name].Path))
	}
	return outcome, problems
}

func notTheSame(c *replay.Comparison, again string) string {
	file := c.Difference.File
	return fmt.Sprintf("%s is not what it was in %s: line %d differs; \"launcher replay\" of both shows which is right",
		filepath.Join(again, strings.TrimSuffix(filepath.Base(file), logging.Gzipped)), filepath.Dir(file), c.Difference.Line)
}
