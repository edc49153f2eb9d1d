package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/trace"
)

func sweepCommand() *cli.Command {
	return &cli.Command{
		Name:      "sweep",
		Usage:     "many runs over a grid of parameters and seeds: tables, CSV, findings",
		UsageText: "launcher sweep [flags]",
		Description: `Does a run for every combination of the values given, several times with different
seeds, as processes or (--virtual) in virtual time, and puts their figures together:
means over the trials with 95 % confidence intervals, predicted beside observed. Every
run is held against the laws. For example

  launcher sweep --rates '1,5,3;2,4,3;3,3,3' --trials 5 --virtual

The directory receives sweep.md (tables), sweep.csv (a row per machine of each run),
findings.md (what the figures show), sweep.json (the grid), and a directory for each
run as "launcher run" or "launcher sim" leaves it. Ctrl-C stops in order and keeps
what is done; the same --out again goes on where it stopped.

Exit code 1: a run is not correct.`,
		Flags:  sweepFlags(),
		Action: command.PipedToTheEnd(sweepRuns),
	}
}

// gridFlags are the flags that say what a sweep is.
var gridFlags = []string{"virtual", "rates", "machines", "die", "latency", "phase", "faults", "ports", "duration", "trials", "seed"}

func sweepFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return []cli.Flag{
		&cli.StringFlag{Name: "rates", Usage: "`LISTS` of ticks per second with ; between them: '1,5,4;3,3,3;random'", DefaultText: "1,5,4, or random where there are --machines", EnvVars: env("RATES")},
		&cli.StringFlag{Name: "machines", Usage: "`NUMBERS` of machines: 3,10,100", DefaultText: "as many as there are rates, or 3", EnvVars: env("MACHINES")},
		&cli.StringFlag{Name: "die", Usage: "`FACES` of the die: 10,5,3", Value: strconv.Itoa(machine.DefaultDie), EnvVars: env("DIE")},
		&cli.StringFlag{Name: "latency", Usage: "`TIMES` that messages are under way, with ; between them, with --virtual: '1ms;exp:50ms'", DefaultText: sim.DefaultLatency().String(), EnvVars: env("LATENCY")},
		&cli.GenericFlag{Name: "faults", Usage: "`PLAN` of what breaks in each run (docs/faults.md), or a file that holds one, or none; give several to compare them", Value: &plans{}, EnvVars: env("FAULTS")},
		&cli.DurationFlag{Name: "duration", Usage: "how `LONG` each run takes", Value: time.Minute, EnvVars: env("DURATION")},
		&cli.IntFlag{Name: "trials", Usage: "`NUMBER` of runs of each point, each with a seed of its own", Value: 5, EnvVars: env("TRIALS")},
		&cli.StringFlag{Name: "seed", Usage: "`NUMBER` that decides the seeds of all trials", DefaultText: "drawn", EnvVars: env("SEED")},
		&cli.BoolFlag{Name: "virtual", Usage: "in virtual time: no waiting, and the same again with the same seed", EnvVars: env("VIRTUAL")},
		&cli.StringFlag{Name: "phase", Usage: "of the first ticks with --virtual: `WHEN` the machines start, together or random", DefaultText: "together", EnvVars: env("PHASE")},
		&cli.StringFlag{Name: "ports", Usage: "a `LIST` of ports, or auto for free ones; with a list, one run at a time", DefaultText: "auto", EnvVars: env("PORTS")},
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the sweep, or of one to go on with", DefaultText: "sweeps/<time>-<name>", EnvVars: env("OUT")},
		&cli.IntFlag{Name: "jobs", Usage: "`NUMBER` of runs side by side", DefaultText: "as many as the cores bear without being late", EnvVars: env("JOBS")},
		&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "beside this one", EnvVars: env("VM")},
		&cli.BoolFlag{Name: "quiet", Usage: "no talk, no progress: only the result and errors", EnvVars: env("QUIET")},
	}
}

// plans are the values of a flag that can be given several times. The library's
// own lists split at commas, which plans have.
type plans struct{ texts []string }

// Set takes one more.
func (p *plans) Set(s string) error {
	p.texts = append(p.texts, s)
	return nil
}

func (p *plans) String() string { return strings.Join(p.texts, "; ") }

func sweepRuns(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usage("unexpected argument %q: everything is said by flags; \"launcher sweep --help\" lists them", c.Args().First())
	}
	s, err := newSweeper(c)
	if err != nil {
		return err
	}
	dir, err := sweep.Open(s.path, &s.grid)
	if err != nil {
		return command.Usage("%w", err)
	}
	defer dir.Close()
	s.dir = dir
	return s.do(c)
}

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

// sweepGrid reads the grid from the flags. old is that of the directory, nil if
// there is none: its seed is taken where none is given.
func sweepGrid(c *cli.Context, old *sweep.Grid) (g sweep.Grid, err error) {
	g = sweep.Grid{
		Format:   1,
		Version:  command.Version(),
		Virtual:  c.Bool("virtual"),
		Rates:    []string{"1,5,4"},
		Machines: []int{0},
		Duration: c.Duration("duration"),
		Trials:   c.Int("trials"),
	}
	if c.IsSet("machines") {
		g.Rates = []string{"random"}
		if g.Machines, err = numbers(c, "machines", "3,10,100"); err != nil {
			return g, err
		}
	}
	if c.IsSet("rates") {
		if g.Rates, err = parts(c, "rates", "'1,5,4;random'"); err != nil {
			return g, err
		}
	}
	if g.Die, err = numbers(c, "die", "10,5,3"); err != nil {
		return g, err
	}
	if g.Faults, err = faultTexts(c); err != nil {
		return g, err
	}
	switch {
	case g.Duration <= 0:
		return g, command.Usage("--duration %v: each run of a sweep needs an end, so want more than 0", g.Duration)
	case g.Virtual && c.IsSet("ports"):
		return g, command.Usage("--ports with --virtual: in virtual time there are none")
	case !g.Virtual && c.IsSet("latency"):
		return g, command.Usage("--latency is for --virtual: between processes messages take what they take (a fault plan can delay them)")
	case !g.Virtual && c.IsSet("phase"):
		return g, command.Usage("--phase is for --virtual: processes start together")
	case g.Virtual:
		g.Phase = c.String("phase")
		switch g.Phase {
		case "":
			g.Phase = "together"
		case "together", "random":
		default:
			return g, command.Usage("--phase %q: want together or random", g.Phase)
		}
		g.Latency = []string{sim.DefaultLatency().String()}
		if c.IsSet("latency") {
			if g.Latency, err = parts(c, "latency", "'1ms;exp:50ms'"); err != nil {
				return g, err
			}
		}
	case c.String("ports") != "auto":
		g.Ports = c.String("ports")
	}
	if old != nil && !c.IsSet("seed") {
		g.Seed = old.Seed
	} else if g.Seed, err = command.ParseSeed(c.String("seed")); err != nil {
		return g, err
	}
	if g.Trials > 0 && g.Trials <= sweep.MaxRuns { // what else is, is said later
		g.Seeds = sweep.Seeds(g.Seed, g.Trials)
	}
	return g, nil
}

// parts splits the value of a flag at semicolons.
func parts(c *cli.Context, name, example string) (list []string, err error) {
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(c.String(name), ";") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
			return nil, command.Usage("--%s %q: a value is empty; want values with ; between them, such as %s", name, c.String(name), example)
		case seen[part]:
			return nil, command.Usage("--%s %q: %s is there twice", name, c.String(name), part)
		}
		seen[part] = true
		list = append(list, part)
	}
	return list, nil
}

// numbers reads a flag with whole numbers above 0.
func numbers(c *cli.Context, name, example string) (list []int, err error) {
	seen := make(map[int]bool)
	for part := range strings.SplitSeq(c.String(name), ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		switch {
		case err != nil || n < 1:
			return nil, command.Usage("--%s %q: want whole numbers above 0 with commas between them, such as %s", name, c.String(name), example)
		case seen[int(n)]:
			return nil, command.Usage("--%s %q: %d is there twice", name, c.String(name), n)
		}
		seen[int(n)] = true
		list = append(list, int(n))
	}
	return list, nil
}

// faultTexts reads the fault plans to compare: their texts, "" for none.
func faultTexts(c *cli.Context) (list []string, err error) {
	seen := make(map[string]bool)
	for _, text := range c.Generic("faults").(*plans).texts {
		if b, err := os.ReadFile(text); err == nil {
			text = string(b)
		}
		// A plan is one line here: it stands in tables.
		var lines []string
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.Trim(line, " \t\r\n;"); line != "" {
				lines = append(lines, line)
			}
		}
		text = strings.Join(lines, "; ")
		if text == "none" {
			text = ""
		}
		if seen[text] {
			if text == "" {
				text = "none"
			}
			return nil, command.Usage("--faults: %q is there twice", text)
		}
		seen[text] = true
		list = append(list, text)
	}
	return list, nil
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
	if s.grid.Virtual {
		plan, err := fault.Parse(p.Faults, p.Machines)
		if err != nil {
			return command.Usage("--faults: %w", err)
		}
		s.plans[run.Name] = plan.Seeded(run.Seed)
		cfg, err := s.virtual(run)
		if err != nil {
			return err
		}
		if err := cfg.Check(); err != nil {
			return command.Usage("%w", err)
		}
		return nil
	}
	if s.plans[run.Name], err = faultPlan(p.Faults, p.Machines, run.Seed, s.grid.Duration); err != nil {
		return err
	}
	cfg, err := s.processes(run)
	if err != nil {
		return err
	}
	if err := cfg.Check(); err != nil {
		return command.Usage("%w", err)
	}
	return nil
}

// processes returns the configuration of a run as processes.
func (s *sweeper) processes(run *sweep.Run) (cfg cluster.Config, err error) {
	ports := s.grid.Ports
	if ports == "" {
		ports = "auto"
	}
	cfg = cluster.Config{
		Run: newRunName(), Rates: run.Rates, Die: run.Point.Die, Seed: run.Seed, Duration: s.grid.Duration,
		VM: s.vm, Faults: s.plans[run.Name], Version: command.Version(),
	}
	if cfg.Ports, err = cluster.ParsePorts(ports, len(run.Rates)); err != nil {
		return cfg, command.Usage("--ports: %w", err)
	}
	return cfg, nil
}

// virtual returns the configuration of a run in virtual time.
func (s *sweeper) virtual(run *sweep.Run) (cfg sim.Config, err error) {
	cfg = sim.Config{Run: "sim", Rates: run.Rates, Die: run.Point.Die, Seed: run.Seed, Duration: s.grid.Duration, Workers: 1}
	if s.grid.Phase == "random" {
		cfg.Phase = sim.Scattered
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
			return command.Exit(command.Died, err)
		}
	}
	switch bad := report.NotCorrect(); {
	case failure != nil && ctx.Err() == nil:
		return failure
	case len(bad) > 0:
		return command.Exit(command.Broken, fmt.Errorf("not correct: %s; \"launcher check %s\" shows where",
			strings.Join(bad, "; "), filepath.Join(s.path, sweep.RunsName, strings.Fields(bad[0])[0])))
	case failure != nil:
		_, _ = fmt.Fprintf(talk, "stopped; to go on: launcher sweep --out %s\n", s.path)
		return command.Exit(command.Interrupted, nil)
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
	count := func(n int, noun string) string {
		if n != 1 {
			noun += "s"
		}
		return fmt.Sprintf("%d %s", n, noun)
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
		return nil, command.Exit(command.Died, err)
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
		return nil, command.Exit(command.Died, err)
	}
	stats, err := recorded.Stats()
	if err != nil {
		return nil, command.Exit(command.Died, err)
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
		return nil, command.Exit(command.Died, err)
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
	c, err := cluster.New(cfg)
	if err != nil {
		return nil, command.Usage("%w", err)
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
		err = writeSummary(io.Discard, cfg, results)
	}
	if err != nil {
		return nil, command.Exit(command.Died, err)
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
	if _, err := cluster.MakeDir(dir, virtualRecord(&cfg)); err != nil {
		return nil, command.Exit(command.Died, err)
	}
	result, err := sim.Run(ctx, cfg)
	if err != nil {
		return nil, command.Exit(command.Died, err)
	}
	if err := writeMachines(filepath.Join(dir, "summary.json"), result); err != nil {
		return nil, command.Exit(command.Died, fmt.Errorf("the summary cannot be written: %w", err))
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
