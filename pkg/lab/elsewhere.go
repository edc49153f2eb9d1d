package lab

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/fleet"
	"github.com/scalemodel/lamport/pkg/internal/disk"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// muster makes the hosts ready on which the machines are to run, and returns them; nil
// where that is this one.
func (p *Processes) muster(ctx context.Context, env *Env) (_ *fleet.Fleet, err error) {
	if len(p.Hosts.Entries) == 0 {
		return nil, nil
	}
	// What is wrong here is said before anything is done elsewhere.
	if err := rundir.Vacant(p.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = exit.With(exit.Interrupted, cluster.ErrNotBegun)
		}
	}()
	cfg := p.Hosts
	cfg.Run, cfg.VM, cfg.Ask = p.Config.Run, p.VM, !env.Quiet && term.IsTerminal(int(os.Stdin.Fd()))
	f, err := fleet.New(ctx, cfg, len(p.Rates))
	if err != nil {
		return nil, err
	}
	p.Elsewhere, p.Config.Hosts = f, f.Hosts()
	if err := p.Check(); err != nil {
		return nil, err
	}
	env.remark("hosts        %s: by ssh, a connection for each machine and a few for each host before and after the run", f)
	if p.Ports, err = f.Prepare(ctx, p.Ports); err != nil {
		return nil, err
	}
	return f, nil
}

// dismiss removes what stands on the hosts of a run that is not begun.
func (e *Env) dismiss(ctx context.Context, f *fleet.Fleet) {
	if f == nil {
		return
	}
	if err := f.Clear(context.WithoutCancel(ctx)); err != nil {
		e.say("%v", err)
	}
}

// gather brings the logs of a run here, where it was done elsewhere, and removes them
// there. What did not come is an error.
func (p *Processes) gather(ctx context.Context, env *Env, f *fleet.Fleet) error {
	if f == nil {
		return nil
	}
	if ctx.Err() != nil { // the order to stop was about the run
		ctx = context.WithoutCancel(ctx)
	}
	var names []string
	for id, rate := range p.Rates {
		names = append(names, logging.FileName(id, rate))
	}
	g, err := f.Gather(ctx, p.Dir, names, p.room)
	if p.TLS && (err != nil || p.Hosts.Keep) {
		if err := f.Forget(ctx); err != nil {
			env.say("%v", err)
		}
	}
	if err != nil {
		return exit.With(exit.Died, err)
	}
	env.remark("gathered     %s of %s, %s, from %s", figure.Plural(uint64(g.Logs), "log"), figure.Plural(uint64(len(names)), "machine"), progress.Bytes(float64(g.Bytes)), f)
	if p.Hosts.Keep {
		env.remark("kept         %s", strings.Join(f.Places(), " "))
		return nil
	}
	// The run is none the worse for what stays there.
	if err := f.Clear(ctx); err != nil {
		env.say("%v", err)
	}
	return nil
}

// room refuses logs for which there is none on the disk here.
func (p *Processes) room(bytes int64) error {
	space, err := disk.Of(p.Dir)
	if err != nil || space.Total == 0 {
		return nil //nolint:nilerr // what is not known keeps nobody from his logs
	}
	if floor := p.MinFree.of(space.Total); space.Free < floor+uint64(max(bytes, 0)) {
		return fmt.Errorf("%s of logs are to come: %w", progress.Bytes(float64(bytes)), &lowDisk{dir: p.Dir, free: space.Free, floor: floor})
	}
	return nil
}

// whereabouts says where the logs of a run are whose launcher ends before they are
// here.
func (e *Env) whereabouts(f *fleet.Fleet) {
	if places := f.Places(); len(places) > 0 {
		e.say("the logs stay in %s", strings.Join(places, " "))
	}
}

// join returns the errors that there are as one of a run that has not come out as it should, in one
// line.
func join(errs ...error) error {
	all := exit.Join(errs...)
	if all == nil {
		return nil
	}
	return exit.With(exit.Died, all)
}
