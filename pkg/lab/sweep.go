package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Sweep does many runs over a grid, and says what they show.
type Sweep struct {
	Grid   sweep.Grid
	Dir    string // made, or that of the same sweep to go on with
	Jobs   int    // runs side by side; 0: as many as the cores bear without being late
	VM     string // the vm program, "": it is looked for
	Report bool   // write pages that show the sweep and its runs
	// MinFree is how much of the disk stays free: before that, the sweep is stopped.
	MinFree MinFree
}

// Run does the runs that are not done yet, and writes what the sweep shows. An error
// is also that a run is not correct.
func (s Sweep) Run(ctx context.Context, env *Env) error {
	c := &conductor{Sweep: s, env: env, clusters: make(map[*cluster.Cluster]bool)}
	if err := c.prepare(); err != nil {
		return err
	}
	c.guard = newGuard(s.Dir, s.MinFree)
	if err := c.guard.admit(); err != nil {
		return err
	}
	var err error
	if c.dir, err = sweep.Open(s.Dir, &s.Grid); err != nil {
		return err
	}
	defer c.dir.Close()
	return c.conduct(ctx)
}

// conductor has the runs of a sweep done.
type conductor struct {
	Sweep
	env  *Env
	runs []sweep.Run
	dir  *sweep.Dir

	paged    map[string]bool // the runs that are to have a page
	guard    *guard
	capacity float64
	load     func(*sweep.Run) float64

	mu       sync.Mutex // guards clusters
	clusters map[*cluster.Cluster]bool
}

// prepare finds out what would keep a run from being done, before any is.
func (c *conductor) prepare() (err error) {
	if err := c.Grid.Check(); err != nil { // what is written down is read back
		return err
	}
	if c.runs, err = c.Grid.Runs(); err != nil {
		return err
	}
	if !c.Grid.Virtual {
		if c.VM == "" {
			if c.VM, err = cluster.FindVM(); err != nil {
				return err
			}
		}
		for i := range c.runs {
			p, err := c.processes(&c.runs[i])
			if err != nil {
				return err
			}
			if err := p.Check(); err != nil {
				return err
			}
		}
	}
	c.capacity, c.load = float64(runtime.GOMAXPROCS(0)), func(*sweep.Run) float64 { return 1 }
	switch {
	case c.Grid.Ports != "": // only one run at a time can have them
		c.capacity = 1
	case c.Jobs > 0:
		c.capacity = float64(c.Jobs)
	case !c.Grid.Virtual:
		c.load = func(run *sweep.Run) float64 { return sweep.Load(run.Rates) }
	}
	return nil
}

// processes returns a run as processes, but for its directory.
func (c *conductor) processes(run *sweep.Run) (cfg cluster.Config, err error) {
	cfg = cluster.Config{Spec: run.Spec, VM: c.VM, Version: c.env.Version}
	cfg.Run = experiment.NewName()
	ports := c.Grid.Ports
	if ports == "" {
		ports = "auto"
	}
	cfg.Ports, err = cluster.ParsePorts(ports, len(run.Rates))
	return cfg, err
}

// conduct does what is not done yet, and writes what the sweep shows.
func (c *conductor) conduct(ctx context.Context) error {
	todo, results, err := c.open()
	if err != nil {
		return err
	}
	c.paged = make(map[string]bool)
	if c.Report {
		for _, name := range withPages(c.runs) {
			c.paged[name] = true
		}
	}
	c.announce(len(todo))
	ctx, stop := exit.OnInterrupt(ctx, c.kill)
	defer stop()
	// Nobody looks at the logs of all its runs every second; what they do to the
	// disk, the disk says.
	c.guard.logged = func(string) uint64 { return 0 }
	ctx, unwatch := c.guard.watch(ctx)

	watch, closeDisplay := c.watch(len(todo), len(results))
	failure := sweep.Do(ctx, todo, c.capacity, c.load, c.one, func(step sweep.Step) {
		if step.Result != nil {
			results = append(results, step.Result)
		}
		watch(step)
	})
	unwatch()
	closeDisplay()
	c.env = c.env.unattended(ctx)

	report := sweep.NewReport(&c.Grid, c.runs, results)
	if len(results) > 0 {
		if err := c.write(report); err != nil {
			return exit.With(exit.Died, err)
		}
	}
	switch bad := report.NotCorrect(); {
	case failure != nil && ctx.Err() == nil:
		return failure
	case len(bad) > 0:
		return exit.With(exit.Broken, fmt.Errorf("not correct: %s; \"%s\" shows where",
			strings.Join(bad, "; "), c.env.commandLine("check", filepath.Join(c.Dir, sweep.RunsName, strings.Fields(bad[0])[0]))))
	case failure != nil:
		c.env.command("stopped; to go on: ", "sweep", "--out", c.Dir)
		return exit.With(exit.Interrupted, early(ctx))
	}
	return nil
}

// open tells the runs that are done from those that are to be.
func (c *conductor) open() (todo []sweep.Run, results []*sweep.Result, err error) {
	for i := range c.runs {
		result, err := c.dir.Result(&c.runs[i])
		switch {
		case err != nil:
			return nil, nil, err
		case result != nil:
			results = append(results, result)
		default:
			todo = append(todo, c.runs[i])
		}
	}
	return todo, results, nil
}

// watch returns what shows the runs as they go on: a bar on a terminal, a line for
// each run elsewhere.
func (c *conductor) watch(todo, done int) (watch func(sweep.Step), closeDisplay func()) {
	if !c.env.draws() || todo == 0 {
		return func(step sweep.Step) {
			if step.Result != nil {
				done++
				c.env.remark("%s  %v (%d of %d)%s", step.Run.Name, step.Result.Stats.Verdict, done, len(c.runs), lateText(step.Result))
			}
		}, func() {}
	}
	each := c.Grid.Duration
	if c.Grid.Virtual {
		each = 0
	}
	display := progress.NewSweep(c.env.progress(), len(c.runs), done, each)
	return func(step sweep.Step) {
		if step.Result == nil {
			display.Begin(step.Run.Name)
		} else {
			display.Done(step.Run.Name)
		}
	}, display.Close
}

func lateText(r *sweep.Result) string {
	n := r.Suffered()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; PACE SUFFERED on %d of %d machines", n, len(r.Paces))
}

// announce says what will be done.
func (c *conductor) announce(todo int) {
	how := "as processes"
	if c.Grid.Virtual {
		how = "in virtual time"
	}
	done := ""
	if n := len(c.runs) - todo; n > 0 {
		done = fmt.Sprintf(", %s of them done already", figure.Count(n))
	}
	c.env.remark("sweep of %s of %s %s%s: %s × %s, seed %d; in %s", figure.Plural(len(c.runs), "run"), figure.Exact(c.Grid.Duration), how, done,
		figure.Plural(len(c.runs)/c.Grid.Trials, "point"), figure.Plural(c.Grid.Trials, "trial"), c.Grid.Seed, c.Dir)
}

// kill ends all processes at once.
func (c *conductor) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cluster := range c.clusters {
		cluster.Kill()
	}
}

// one does one run from its beginning, and keeps its result.
func (c *conductor) one(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
	result, err := c.do(ctx, run)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %w", run.Name, err)
	}
	return result, err
}

func (c *conductor) do(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
	if err := c.dir.Clear(run); err != nil {
		return nil, exit.With(exit.Died, err)
	}
	execute := c.process
	if c.Grid.Virtual {
		execute = c.simulate
	}
	dir := c.dir.RunDir(run)
	machines, err := execute(ctx, run, dir)
	if ctx.Err() != nil {
		// It may have come to its end, but who knows; what is half done is of
		// no use.
		_ = c.dir.Clear(run)
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	result, err := c.resultOf(run, dir, machines)
	if err == nil {
		err = c.dir.Save(run, result)
	}
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return result, nil
}

// resultOf returns what a run did, from its logs; and, of machines that were timed,
// how they kept their pace. If it is to have a page, it has one then.
func (c *conductor) resultOf(run *sweep.Run, dir string, machines []summary.Machine) (*sweep.Result, error) {
	recorded, err := trace.Open(dir)
	if err != nil {
		return nil, err
	}
	if !c.paged[run.Name] {
		stats, err := recorded.Stats()
		if err != nil {
			return nil, err
		}
		return sweep.NewResult(run, stats, machines), nil
	}
	s, err := showRun(recorded, page.Options{Events: automatic})
	if err != nil {
		return nil, err
	}
	if _, err := keepPage(dir, c.env.pageOf([]*shownRun{s})); err != nil {
		return nil, err
	}
	return sweep.NewResult(run, s.stats, machines), nil
}

// process does a run as processes.
func (c *conductor) process(ctx context.Context, run *sweep.Run, dir string) ([]summary.Machine, error) {
	cfg, err := c.processes(run)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	running, err := cluster.New(cfg)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.clusters[running] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.clusters, running)
	}()
	results, err := running.Run(ctx, nil)
	if err == nil {
		err = rundir.WriteSummary(dir, present(results))
	}
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	var machines []summary.Machine
	for m := range present(results) {
		machines = append(machines, m)
	}
	return machines, nil
}

// simulate does a run in virtual time. How it kept its pace says nothing there.
func (c *conductor) simulate(ctx context.Context, run *sweep.Run, dir string) ([]summary.Machine, error) {
	if _, err := rundir.Claim(dir, &rundir.Record{Version: c.env.Version, Spec: run.Spec}); err != nil {
		return nil, exit.With(exit.Died, err)
	}
	result, err := sim.Run(ctx, sim.Config{Spec: run.Spec, LogDir: dir, Workers: 1})
	if err == nil {
		err = rundir.WriteSummary(dir, result.Machines())
	}
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return nil, nil
}

// write writes what the sweep shows, to its directory and to standard output.
func (c *conductor) write(r *sweep.Report) error {
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{sweep.CSVName, r.CSV()},
		{sweep.TableName, r.Markdown()},
		{sweep.FindingsName, r.Findings()},
	} {
		if err := c.dir.Write(f.name, f.content); err != nil {
			return fmt.Errorf("what the sweep shows cannot be written: %w", err)
		}
	}
	if _, err := c.env.Out.Write(r.Text(c.env.screen())); err != nil {
		return fmt.Errorf("the result cannot be printed (it is in %s): %w", c.Dir, err)
	}
	c.env.remark("what this shows: %s", filepath.Join(c.Dir, sweep.FindingsName))
	if !c.Report {
		return nil
	}
	file, err := keepPage(c.Dir, c.env.pageOfSweep(c.Dir, r))
	if err == nil {
		c.env.remark("report: %s", file)
	}
	return err
}
