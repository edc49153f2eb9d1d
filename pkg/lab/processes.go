package lab

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/fleet"
	"github.com/scalemodel/lamport/pkg/internal/table"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

const (
	// statusEvery is how often machines report that are watched.
	statusEvery = 200 * time.Millisecond
	// lineStatusEvery is how often where there is only a line now and then.
	lineStatusEvery = time.Second
)

// Processes is a run whose machines are processes, of this host or of others.
type Processes struct {
	// Config is the run. Where its Dir is "", it is done in the default one, and
	// runs/latest points at it; where its VM is "", the vm program is looked for.
	cluster.Config
	AtEnd Logs // what is done with the logs
	// Hosts is where the machines run, with all that a caller decides of it; without
	// Entries: on this host.
	Hosts fleet.Config
	// MinFree is how much of the disk stays free: before that, the run is ended.
	MinFree MinFree
}

// Run does the run, sums it up and checks it.
func (p Processes) Run(ctx context.Context, env *Env) error {
	placed := p.Dir != ""
	if err := p.complete(env); err != nil {
		return err
	}
	guard := newGuard(p.Dir, p.MinFree)
	if err := guard.admit(); err != nil {
		return err
	}
	display := p.display(env, p.Duration)
	var killed killable
	ctx, stop := exit.OnInterrupt(ctx, killed.kill)
	defer stop()
	hosts, err := p.muster(ctx, env)
	if err != nil {
		return err
	}
	run, err := cluster.New(p.Config)
	if err != nil {
		env.dismiss(ctx, hosts)
		return orLater(err)
	}
	killed.set(func() {
		run.Kill()
		env.whereabouts(hosts)
	})
	guard.tell = display.Disk
	ctx, unwatch := guard.watch(ctx)
	env.remark("run %s: %s, die %d, seed %d, %s; logs in %s", p.Config.Run, p.Describe(), p.Die, p.Seed, p.Lasts(), p.Dir)

	linked, name := placed, p.Dir
	var unlinked error
	results, err := run.Run(ctx, func(id int, s summary.Status) {
		if s.Phase == summary.Running && !linked {
			linked = true
			name, unlinked = latest(p.Dir)
		}
		display.Update(id, s)
	})
	unwatch()
	display.Close()
	env.unlinked(unlinked) // now that nothing is drawn over it
	env = env.unattended(ctx)
	if results == nil {
		env.dismiss(ctx, hosts)
	}
	switch {
	case errors.Is(err, cluster.ErrNotBegun):
		return exit.With(exit.Interrupted, err)
	case results == nil:
		return notBegun(err)
	}
	ungathered := p.gather(ctx, env, hosts)
	return env.concluding(p.Dir, func(env *Env) error {
		summaryErr := env.sumUp(p.Dir, present(results), table.Options{Machines: len(p.Rates), Clocks: hosts.Size()})
		if err := join(err, summaryErr, ungathered); err != nil {
			return err
		}
		if err := env.look(p.Dir, name, p.AtEnd, ctx.Err() != nil); err != nil {
			return err
		}
		env.next("stats", name)
		if ctx.Err() != nil {
			return exit.With(exit.Interrupted, early(ctx))
		}
		return nil
	})
}

// killable is what a second Ctrl-C kills, once there is something.
type killable struct{ what atomic.Value }

func (k *killable) set(kill func()) { k.what.Store(kill) }

func (k *killable) kill() {
	if kill, ok := k.what.Load().(func()); ok {
		kill()
	}
}

// notBegun gives an error of a run that could not begin its exit code.
func notBegun(err error) error {
	if d, ok := errors.AsType[*cluster.Death](err); ok && d.Hindered {
		return exit.With(exit.Retry, err)
	}
	return exit.With(exit.Misused, err)
}

// complete fills in what nobody has said.
func (p *Processes) complete(env *Env) (err error) {
	p.Version = env.Version
	if p.VM == "" && (len(p.Hosts.Entries) == 0 || p.Hosts.RemoteVM == "") {
		if p.VM, err = cluster.FindVM(); err != nil {
			return err
		}
	}
	if p.Dir == "" {
		p.Dir = rundir.Default(time.Now(), p.Config.Run)
	}
	return nil
}

// display lets the machines report often enough to be watched, and returns what shows
// their reports.
func (p *Processes) display(env *Env, lasts time.Duration) *progress.Display {
	switch out := env.progress(); {
	case out.Writer == nil:
	case !out.Lines:
		p.StatusEvery = statusEvery
	default: // in a short run, too: it may have to wait for somebody at its end
		p.StatusEvery = lineStatusEvery
	}
	return progress.New(env.progress(), p.Rates, lasts)
}

// present leaves out the machines that have died, of which there is no result.
func present(results []*summary.Machine) iter.Seq[summary.Machine] {
	return func(yield func(summary.Machine) bool) {
		for _, m := range results {
			if m != nil && !yield(*m) {
				return
			}
		}
	}
}

// sumUp keeps what the machines did in the run's directory, "" for none, and
// prints it. Nothing is printed of a run without a result. With more than one clock,
// what they say cannot be compared.
func (e *Env) sumUp(dir string, machines iter.Seq[summary.Machine], o table.Options) error {
	if dir != "" {
		var err error
		if o.Machines > rundir.MaxListed {
			err = rundir.WritePopulation(dir, summary.Survey(machines))
		} else {
			err = rundir.WriteSummary(dir, machines)
		}
		if err != nil {
			return err
		}
	}
	for range machines {
		o.Screen, o.ForAll = e.screen(), allColumns
		return table.Write(e.Out, machines, o)
	}
	return nil
}

// latest points runs/latest at a run, and returns the name under which it is found
// from now on.
func latest(dir string) (name string, err error) {
	if err := rundir.MakeLatest(dir); err != nil {
		return dir, err
	}
	return filepath.Join(filepath.Dir(dir), rundir.LatestName), nil
}

// unlinked says why runs/latest does not point at a run, also to those who want it
// quiet: they may rely on it. The run is none the worse for it.
func (e *Env) unlinked(err error) {
	if err != nil {
		e.say("%v", err)
	}
}
