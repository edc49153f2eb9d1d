package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/trace"
)

// sweeper does the runs of a sweep.
type sweeper struct {
	grid  sweep.Grid
	runs  []sweep.Run
	plans map[string]*fault.Plan // by run, with all seeds
	path  string
	dir   *sweep.Dir
	vm    string

	capacity float64
	load     func(*sweep.Run) float64

	mu       sync.Mutex // guards clusters
	clusters map[*cluster.Cluster]bool
}

func newSweeper(c *cli.Context) (*sweeper, error) {
	s := &sweeper{
		path:     c.String("out"),
		vm:       c.String("vm"),
		plans:    make(map[string]*fault.Plan),
		clusters: make(map[*cluster.Cluster]bool),
	}
	switch {
	case c.IsSet("out") && s.path == "":
		return nil, command.Usage("--out is empty: want the name of a directory")
	case c.IsSet("jobs") && c.Int("jobs") < 1:
		return nil, command.Usage("--jobs %d: want at least 1", c.Int("jobs"))
	case s.path == "":
		s.path = filepath.Join("sweeps", time.Now().Format("20060102-150405")+"-"+newRunName())
	}
	old, err := sweep.ReadGrid(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, command.Usage("%w", err)
	}
	said := false
	for _, name := range gridFlags {
		said = said || c.IsSet(name)
	}
	if old != nil && !said {
		s.grid = *old
	} else if s.grid, err = sweepGrid(c, old); err != nil {
		return nil, err
	}
	if s.runs, err = s.grid.Runs(s.draw); err != nil {
		return nil, command.Usage("%w", err)
	}
	if !s.grid.Virtual && s.vm == "" {
		if s.vm, err = cluster.FindVM(); err != nil {
			return nil, command.Usage("%w", err)
		}
	}
	for i := range s.runs {
		if err := s.check(&s.runs[i]); err != nil {
			return nil, err
		}
	}
	one := func(*sweep.Run) float64 { return 1 }
	s.capacity, s.load = float64(runtime.GOMAXPROCS(0)), one
	switch {
	case c.IsSet("jobs"):
		s.capacity = float64(c.Int("jobs"))
	case s.grid.Ports != "":
		s.capacity = 1
	case !s.grid.Virtual:
		s.load = func(run *sweep.Run) float64 { return sweep.Load(run.Rates) }
	}
	if s.grid.Ports != "" && s.capacity != 1 {
		return nil, command.Usage("--jobs %d with --ports: only one run at a time can have the ports", c.Int("jobs"))
	}
	return s, nil
}

// draw gives the rates of a run.
func (s *sweeper) draw(text string, machines int, seed uint64) ([]clock.Rate, error) {
	if s.grid.Virtual && sim.IsRateDistribution(text) {
		if machines == 0 {
			machines = 3
		}
		rates, err := sim.DrawRates(text, machines, seed)
		if err != nil {
			return nil, command.Usage("--rates: %w", err)
		}
		return rates, nil
	}
	return command.ParseRates(text, machines, seed)
}

// check says what would keep a run from being done, before any is.
func (s *sweeper) check(run *sweep.Run) (err error) {
	p := &run.Point
	if p.Machines > mostChecked {
		return command.Usage("--machines %d: want at most %d; a sweep checks every run, and reads all logs of one at once", p.Machines, mostChecked)
	}
	if s.plans[run.Name], err = faultPlan(p.Faults, p.Machines, run.Seed, s.grid.Duration); err != nil {
		return err
	}
	var cfg interface{ Check() error }
	if s.grid.Virtual {
		cfg, err = s.virtual(run)
	} else {
		cfg, err = s.processes(run)
	}
	if err != nil {
		return err
	}
	if err := cfg.Check(); err != nil {
		return command.Usage("%w", err)
	}
	return nil
}

// processes returns the configuration of a run as processes.
func (s *sweeper) processes(run *sweep.Run) (cfg *cluster.Config, err error) {
	ports := s.grid.Ports
	if ports == "" {
		ports = "auto"
	}
	cfg = &cluster.Config{
		Run: newRunName(), Rates: run.Rates, Die: run.Point.Die, Seed: run.Seed, Duration: s.grid.Duration,
		VM: s.vm, Faults: s.plans[run.Name], Version: command.Version(),
	}
	if cfg.Ports, err = cluster.ParsePorts(ports, len(run.Rates)); err != nil {
		return cfg, command.Usage("--ports: %w", err)
	}
	return cfg, nil
}

// virtual returns the configuration of a run in virtual time.
func (s *sweeper) virtual(run *sweep.Run) (cfg *sim.Config, err error) {
	cfg = &sim.Config{Run: "sim", Rates: run.Rates, Die: run.Point.Die, Seed: run.Seed, Duration: s.grid.Duration, Workers: 1}
	if cfg.Phase, err = sim.ParsePhase(s.grid.Phase); err != nil {
		return cfg, command.Usage("--phase %w", err)
	}
	if cfg.Latency, err = sim.ParseLatency(run.Point.Latency); err != nil {
		return cfg, command.Usage("--latency: %w", err)
	}
	if plan := s.plans[run.Name]; !plan.Empty() {
		cfg.Faults = plan
	}
	return cfg, nil
}

// do does what is not done yet, and writes what the sweep shows.
func (s *sweeper) do(c *cli.Context) error {
	talk := c.App.ErrWriter
	quiet := c.Bool("quiet")
	if quiet {
		talk = io.Discard
	}
	var todo []sweep.Run
	var results []*sweep.Result
	for i := range s.runs {
		result, err := s.dir.Result(&s.runs[i])
		if err != nil {
			return command.Usage("%w", err)
		}
		if result != nil {
			results = append(results, result)
			continue
		}
		todo = append(todo, s.runs[i])
	}
	s.announce(talk, len(todo))
	ctx, stop := command.OnInterrupt(c.Context, s.kill)
	defer stop()
	each := s.grid.Duration
	if s.grid.Virtual {
		each = 0
	}
	done := len(results)
	watch := func(step sweep.Step) {
		if step.Result == nil {
			return
		}
		done++
		_, _ = fmt.Fprintf(talk, "%s  %v (%d of %d)%s\n", step.Run.Name, step.Result.Stats.Verdict, done, len(s.runs), lateText(step.Result))
	}
	closeDisplay := func() {}
	if !quiet && isTerminal(c.App.ErrWriter) && len(todo) > 0 {
		display := progress.NewSweep(c.App.ErrWriter, len(s.runs), done, each)
		watch = func(step sweep.Step) {
			if step.Result == nil {
				display.Begin(step.Run.Name)
			} else {
				display.Done(step.Run.Name)
			}
		}
		closeDisplay = func() {
			display.Close()
			_, _ = fmt.Fprintln(talk) // the result stands apart
		}
	}
	execute := s.process
	if s.grid.Virtual {
		execute = s.simulate
	}
	failure := sweep.Do(ctx, todo, s.capacity, s.load, func(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
		result, err := s.one(ctx, run, execute)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s: %w", run.Name, err)
		}
		return result, err
	}, func(step sweep.Step) {
		if step.Result != nil {
			results = append(results, step.Result)
		}
		watch(step)
	})
	closeDisplay()
	report := sweep.NewReport(&s.grid, s.runs, results)
	if len(results) > 0 {
		if err := s.write(c.App.Writer, talk, report); err != nil {
			return exit.With(exit.Died, err)
		}
	}
	switch bad := report.NotCorrect(); {
	case failure != nil && ctx.Err() == nil:
		return failure
	case len(bad) > 0:
		return exit.With(exit.Broken, fmt.Errorf("not correct: %s; \"launcher check %s\" shows where",
			strings.Join(bad, "; "), filepath.Join(s.path, sweep.RunsName, strings.Fields(bad[0])[0])))
	case failure != nil:
		_, _ = fmt.Fprintf(talk, "stopped; to go on: launcher sweep --out %s\n", s.path)
		return exit.With(exit.Interrupted, nil)
	}
	return nil
}

func lateText(r *sweep.Result) string {
	n := r.Suffered()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; PACE SUFFERED on %d of %d machines", n, len(r.Paces))
}

// announce says what will be done.
func (s *sweeper) announce(talk io.Writer, todo int) {
	how := "as processes"
	if s.grid.Virtual {
		how = "in virtual time"
	}
	done := ""
	if n := len(s.runs) - todo; n > 0 {
		done = fmt.Sprintf(", %d of them done already", n)
	}
	_, _ = fmt.Fprintf(talk, "sweep of %s of %v %s%s: %s × %s, seed %d; in %s\n", count(len(s.runs), "run"), s.grid.Duration, how, done,
		count(len(s.runs)/s.grid.Trials, "point"), count(s.grid.Trials, "trial"), s.grid.Seed, s.path)
}

// kill ends all processes at once.
func (s *sweeper) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clusters {
		c.Kill()
	}
}

// one does one run from its beginning, and keeps its result.
func (s *sweeper) one(ctx context.Context, run *sweep.Run, execute func(context.Context, *sweep.Run, string) ([]summary.Machine, error)) (*sweep.Result, error) {
	if err := s.dir.Clear(run); err != nil {
		return nil, exit.With(exit.Died, err)
	}
	dir := s.dir.RunDir(run)
	machines, err := execute(ctx, run, dir)
	if ctx.Err() != nil {
		// It may have come to its end, but who knows; what is half done is of
		// no use.
		_ = s.dir.Clear(run)
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	recorded, err := trace.Open(dir)
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	stats, err := recorded.Stats()
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	stats.Dir = ""
	result := &sweep.Result{Format: 1, Name: run.Name, Point: run.Point.Number, Trial: run.Trial, Seed: run.Seed, Stats: stats}
	plan := s.plans[run.Name]
	if !plan.Has(fault.Kill, fault.Pause) { // these stop machines, which is not the host's doing
		result.Paces = sweep.Paces(machines)
	}
	for a := range plan.Actions(s.grid.Duration) {
		if !a.Over {
			if result.Struck == nil {
				result.Struck = make(map[string]int)
			}
			result.Struck[a.Kind.String()]++
		}
	}
	if err := s.dir.Save(run, result); err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return result, nil
}

// process does a run as processes.
func (s *sweeper) process(ctx context.Context, run *sweep.Run, dir string) ([]summary.Machine, error) {
	cfg, err := s.processes(run)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	c, err := cluster.New(*cfg)
	if err != nil {
		return nil, command.Usage("%w", hint(err))
	}
	s.mu.Lock()
	s.clusters[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.clusters, c)
	}()
	results, err := c.Run(ctx, nil)
	if err == nil {
		err = writeSummary(io.Discard, *cfg, results)
	}
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	var machines []summary.Machine
	for _, m := range results {
		if m != nil {
			machines = append(machines, *m)
		}
	}
	return machines, nil
}

// simulate does a run in virtual time.
func (s *sweeper) simulate(ctx context.Context, run *sweep.Run, dir string) ([]summary.Machine, error) {
	cfg, err := s.virtual(run)
	if err != nil {
		return nil, err
	}
	cfg.LogDir = dir
	if _, err := cluster.MakeDir(dir, virtualRecord(cfg)); err != nil {
		return nil, exit.With(exit.Died, err)
	}
	result, err := sim.Run(ctx, *cfg)
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	if err := writeMachines(filepath.Join(dir, "summary.json"), result); err != nil {
		return nil, exit.With(exit.Died, fmt.Errorf("the summary cannot be written: %w", err))
	}
	return nil, nil
}

// write writes what the sweep shows, to its directory and to stdout.
func (s *sweeper) write(stdout, talk io.Writer, r *sweep.Report) error {
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{sweep.CSVName, r.CSV()},
		{sweep.TableName, r.Markdown()},
		{sweep.FindingsName, r.Findings()},
	} {
		if err := s.dir.Write(f.name, f.content); err != nil {
			return fmt.Errorf("what the sweep shows cannot be written: %w", err)
		}
	}
	if _, err := stdout.Write(r.Text()); err != nil {
		return fmt.Errorf("the result cannot be printed (it is in %s): %w", s.path, err)
	}
	_, _ = fmt.Fprintf(talk, "what this shows: %s\n", filepath.Join(s.path, sweep.FindingsName))
	return nil
}
