package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// Rerun does a run once more, from its record.
type Rerun struct {
	Dir   string // of the record
	Out   string // "": the default directory
	Ports string // of processes, as [cluster.ParsePorts] reads them; "": as recorded
	VM    string // the vm program, "": it is looked for
	Check bool

	MinFree MinFree // how much of the disk stays free: before that, the run is ended
}

// Run does the run. What ran in virtual time must come out with the same bytes.
func (r Rerun) Run(ctx context.Context, env *Env) error {
	record, err := rundir.ReadRecord(r.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist: want the directory of a run that launcher has started", filepath.Join(r.Dir, rundir.RecordName))
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
		Config:  cluster.Config{Spec: record.Spec, Ports: record.Ports, Dir: r.Out, VM: r.VM, Restart: record.Restart, Sync: record.Sync},
		Check:   r.Check,
		MinFree: r.MinFree,
	}
	p.Config.Run = experiment.NewName()
	if r.Ports != "" {
		if p.Ports, err = cluster.ParsePorts(r.Ports, len(p.Rates)); err != nil {
			return err
		}
	}
	return p.Run(ctx, env)
}

func (r *Rerun) virtual(ctx context.Context, env *Env, record *rundir.Record) error {
	if r.Ports != "" || r.VM != "" {
		name := "ports"
		if r.Ports == "" {
			name = "vm"
		}
		return fmt.Errorf("--%s is for processes, and %s ran in virtual time", name, r.Dir)
	}
	logs, err := rundir.Logs(r.Dir)
	v := Virtual{Spec: record.Spec, Logs: err == nil, Dir: r.Out, Check: r.Check, MinFree: r.MinFree}
	again, err := v.run(ctx, env)
	if err != nil {
		return err
	}
	return compareAgain(env.Out, r.Dir, again, logs)
}

// compareAgain says whether the logs of a run in virtual time have come out the same.
// One that was interrupted is only the beginning of what it is now.
func compareAgain(stdout io.Writer, dir, again string, logs []rundir.Log) error {
	differs, stopped := "", false
	for _, log := range logs {
		now := filepath.Join(again, filepath.Base(log.Path))
		same, begins, goesOn, err := compareLogs(log.Path, now)
		if err != nil {
			return exit.With(exit.Died, err)
		}
		if same {
			continue
		}
		stopped = stopped || goesOn
		if differs == "" || !begins {
			differs = now
		}
		if !begins {
			stopped = false
			break
		}
	}
	switch {
	case stopped:
		_, err := fmt.Fprintf(stdout, "again        the same bytes as in %s, which was stopped before its end, up to there\n", dir)
		return err
	case differs != "":
		return exit.With(exit.Broken, fmt.Errorf("%s is not what it was in %s: \"launcher replay\" of both shows which is right", differs, dir))
	case len(logs) > 0:
		_, err := fmt.Fprintf(stdout, "again        the same bytes as in %s\n", dir)
		return err
	}
	return nil
}

// compareLogs compares two logs line by line. Where they are not the same, begins
// says that all lines of the first but its last, which may be that of a stop, begin the
// other, and goesOn that the other has an event where that last line is.
func compareLogs(log, other string) (same, begins, goesOn bool, err error) {
	f, err := os.Open(log)
	if err != nil {
		return false, false, false, err
	}
	defer f.Close()
	g, err := os.Open(other)
	if err != nil {
		return false, false, false, err
	}
	defer g.Close()
	const longest = 1 << 20 // a line of a log
	was, is := bufio.NewReaderSize(f, longest), bufio.NewReaderSize(g, longest)
	for {
		a, err := was.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, false, false, err
		}
		b, err := is.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, false, false, err
		}
		if bytes.Equal(a, b) {
			if len(a) > 0 {
				continue
			}
			return true, false, false, nil
		}
		stop := []byte(": stop: ")
		begins = len(a) == 0 || bytes.Contains(a, stop)
		goesOn = len(b) > 0 && !bytes.Contains(b, stop)
		_, err = was.ReadByte()
		return false, begins && errors.Is(err, io.EOF), goesOn, nil
	}
}
