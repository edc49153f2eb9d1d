package lab

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/table"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim"
)

// Virtual is a run in virtual time.
type Virtual struct {
	experiment.Spec
	Logs    bool   // write event logs, not just statistics
	Dir     string // "": with Logs the default one, at which runs/latest then points; else none
	Workers int    // cores to use, 0: all
	AtEnd   Logs   // what is done with the logs, if there are not too many
	// Machines is a file that receives what each machine did, as CSV; "": none does.
	Machines string
	// MinFree is how much of the disk stays free: before that, a run with logs is
	// ended.
	MinFree MinFree
}

// maxChecked is up to how many machines the logs of a run are looked at unasked: they are
// all open at once.
const maxChecked = 500

// Run does the run, sums it up and checks it.
func (v Virtual) Run(ctx context.Context, env *Env) error {
	_, err := v.run(ctx, env)
	return err
}

// run is Run, and returns the run's directory, "" for none.
func (v *Virtual) run(ctx context.Context, env *Env) (dir string, err error) {
	ctx, stop := exit.OnInterrupt(ctx, nil)
	defer stop()
	cfg := sim.Config{Spec: v.Spec, Workers: v.Workers}
	dir = v.Dir
	if dir == "" && v.Logs {
		dir = rundir.Default(time.Now(), experiment.NewName())
	}
	where := "no logs"
	if v.Logs {
		cfg.LogDir = dir
		where = "logs in " + dir
	}
	if err := cfg.Check(); err != nil {
		return "", err
	}
	if !v.Logs {
		v.MinFree = MinFree{}
	}
	guard := newGuard(dir, v.MinFree)
	if err := guard.admit(); err != nil {
		return "", err
	}
	var claimed *rundir.Dir
	if dir != "" {
		if claimed, err = rundir.Claim(dir, &rundir.Record{Version: env.Version, Spec: v.Spec, NoLogs: !v.Logs}); err != nil {
			return "", orLater(err)
		}
	}
	env.remark("run %s in virtual time: %s, die %d, seed %d, latency %v, %s; %s",
		v.Spec.Run, v.Describe(), v.Die, v.Seed, v.Latency, v.Lasts(), where)

	began := time.Now()
	display := v.display(env, &cfg, began)
	unwatch := func() {}
	if v.Logs {
		guard.tell = display.Disk
		ctx, unwatch = guard.watch(ctx)
	}
	result, err := sim.Run(ctx, cfg)
	unwatch()
	display.Close()
	stopped := errors.Is(err, sim.ErrStopped)
	if err != nil && !stopped {
		if claimed != nil {
			claimed.Discard(true)
		}
		return dir, orLater(exit.With(exit.Misused, err)) // nothing of it is kept
	}
	env = env.unattended(ctx)
	took := time.Since(began)
	env.remark("%s of virtual time in %s: %s, %s per second",
		figure.Exact(result.At()), figure.Duration(took), figure.Plural(result.Events(), "event"), figure.PerSecond(float64(result.Events())/took.Seconds()))
	name := dir
	if dir != "" && v.Dir == "" {
		name, err = latest(dir)
		env.unlinked(err)
	}
	return dir, env.concluding(dir, func(env *Env) error {
		if err := env.sumUp(dir, result.Machines(), table.Options{Machines: len(v.Rates), Clocks: 1, Virtual: true}); err != nil {
			return exit.With(exit.Died, err)
		}
		if v.Machines != "" {
			err := env.toOutput(ctx, dir, v.Machines, func(_ context.Context, w io.Writer) error {
				return report.MachinesCSV(w, result.Machines())
			})
			if err != nil {
				return exit.With(exit.Died, err)
			}
		}
		if v.Logs && len(v.Rates) <= maxChecked {
			if err := env.look(dir, name, v.AtEnd, stopped); err != nil {
				return err
			}
		}
		if dir != "" {
			env.next("stats", name)
		}
		if stopped {
			return exit.With(exit.Interrupted, early(ctx))
		}
		return nil
	})
}

// display has the run tell how far it is, and returns what shows that.
func (v *Virtual) display(env *Env, cfg *sim.Config, began time.Time) *progress.Virtual {
	d := progress.NewVirtual(env.progress(), began, v.Duration)
	cfg.WatchEvery = statusEvery
	cfg.Watch = func(p sim.Progress) { d.Update(p.At, p.Events) }
	return d
}
