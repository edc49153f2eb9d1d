package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
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
		return orLater(err)
	}
	err = c.conduct(ctx)
	if closing := c.dir.Close(); closing != nil {
		err = exit.Join(exit.With(exit.Died, closing), err)
	}
	return err
}

// conductor has the runs of a sweep done.
type conductor struct {
	Sweep
	env  *Env
	runs []sweep.Run
	dir  *sweep.Dir

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
	runs, err := c.Grid.Runs()
	if err != nil {
		return err
	}
	c.runs = c.Grid.Own(runs)
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
	c.capacity, c.load = float64(runtime.GOMAXPROCS(0)), func(run *sweep.Run) float64 {
		if run.IsLarge() { // it takes all cores by itself, and hundreds of megabytes
			return math.Inf(1)
		}
		return 1
	}
	switch {
	case c.Grid.Ports != "": // only one run at a time can have them
		c.capacity = 1
	case c.Jobs > 0:
		c.capacity = float64(c.Jobs)
		c.load = func(*sweep.Run) float64 { return 1 }
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
	c.announce(len(todo))
	ctx, stop := exit.OnInterrupt(ctx, c.kill)
	defer stop()
	// Nobody looks at the logs of all its runs every second; what they do to the
	// disk, the disk says.
	c.guard.logged = func(string) uint64 { return 0 }
	ctx, unwatch := c.guard.watch(ctx)
	// What a run has not come to by now is not kept, so nobody waits for its end.
	defer context.AfterFunc(ctx, c.kill)()

	watch, closeDisplay := c.watch(todo, len(results))
	failure := sweep.Do(ctx, todo, c.capacity, c.load, c.one, func(step sweep.Step) {
		if step.Result != nil {
			results = append(results, step.Result)
		}
		watch(step)
	})
	unwatch()
	closeDisplay()
	c.env = c.env.unattended(ctx)
	if !c.Grid.Shard.IsWhole() {
		return c.endPart(ctx, results, failure)
	}

	report := sweep.NewReport(&c.Grid, c.runs, results)
	if len(results) > 0 {
		if err := c.write(report); err != nil {
			return exit.With(exit.Died, err)
		}
		// Only now: while runs go on, it would take from them what they keep their pace with.
		c.show(report, ctx.Err() != nil)
	}
	if failure != nil && ctx.Err() == nil {
		return failure
	}
	if bad := report.NotCorrect(); len(bad) > 0 {
		return c.notCorrect(bad)
	}
	if failure != nil {
		c.env.command("stopped; to go on: ", "sweep", "--out", c.Dir)
		return exit.With(exit.Interrupted, early(ctx))
	}
	return nil
}

// notCorrect says which runs are not, each with its verdict.
func (c *conductor) notCorrect(bad []string) error {
	return exit.With(exit.Broken, fmt.Errorf("not correct: %s; \"%s\" shows where",
		figure.List(bad, maxNamed), c.env.commandLine("check", filepath.Join(c.Dir, sweep.RunsName, strings.Fields(bad[0])[0]))))
}

// maxNamed is how many runs that are not correct an error names.
const maxNamed = 10

// open tells the runs that are done from those that are to be.
func (c *conductor) open() (todo []*sweep.Run, results []*sweep.Result, err error) {
	done := make(map[string]bool)
	err = c.dir.Results(c.runs, func(run *sweep.Run, result *sweep.Result) {
		done[run.Name] = true
		results = append(results, result)
	})
	for i := range c.runs {
		if !done[c.runs[i].Name] {
			todo = append(todo, &c.runs[i])
		}
	}
	return todo, results, err
}

// watch returns what shows the runs as they go on: a bar on a terminal, a line for
// each run elsewhere, in the order of the runs.
func (c *conductor) watch(todo []*sweep.Run, done int) (watch func(sweep.Step), closeDisplay func()) {
	if !c.env.draws() || len(todo) == 0 {
		lines := sweep.NewSequence(todo, func(r *sweep.Result) {
			done++
			c.env.remark("%s  %s (%d of %d)%s", r.Name, outcome(r), done, len(c.runs), lateText(r))
		})
		return func(step sweep.Step) {
			if step.Result != nil {
				lines.Add(step.Result)
			}
		}, lines.Flush
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

// outcome says what became of a run.
func outcome(r *sweep.Result) string {
	if r.Stats == nil {
		return fmt.Sprintf("not checked: %s by %s", figure.Plural(r.Population.All.Steps, "event"), figure.Plural(r.Population.All.Machines, "machine"))
	}
	return r.Stats.Verdict.String()
}

func lateText(r *sweep.Result) string {
	n := r.Suffered()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; PACE SUFFERED on %d of %s", n, figure.Plural(len(r.Paces), "machine"))
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
	kept := ""
	if c.Grid.NoLogs {
		kept = ", without logs"
	}
	if shard := c.Grid.Shard; !shard.IsWhole() {
		c.env.remark("part %v of a sweep: %s of %s %s%s%s, seed %d; in %s", shard, figure.Plural(len(c.runs), "run"), figure.Exact(c.Grid.Duration), how, kept, done,
			c.Grid.Seed, c.Dir)
		return
	}
	c.env.remark("sweep of %s of %s %s%s%s: %s × %s, seed %d; in %s", figure.Plural(len(c.runs), "run"), figure.Exact(c.Grid.Duration), how, kept, done,
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
	execute := c.process
	switch {
	case run.IsLarge():
		execute = c.survey
	case c.inMemory(run):
		execute = c.simulateInMemory
	case c.Grid.Virtual:
		execute = c.simulate
	}
	result, err := execute(ctx, run)
	if ctx.Err() != nil {
		// It may have come to its end, but who knows; what is half done is of
		// no use.
		_ = c.dir.Clear(run)
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if c.Grid.NoLogs && result.Usable() { // else somebody will want to see them
		result.Logged = false
	}
	if err = c.dir.Save(result); err == nil && !result.Logged {
		err = c.dir.Clear(run)
	}
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return result, nil
}

// maxInMemory is how many bytes the logs of a run may have to be kept in memory, so that
// some runs side by side fit there; and bytesPerEvent what an event needs.
const (
	maxInMemory   = 128 << 20
	bytesPerEvent = 110
)

// inMemory reports whether the logs of a run never come to the disk.
func (c *conductor) inMemory(run *sweep.Run) bool {
	if !c.Grid.NoLogs || !c.Grid.Virtual {
		return false
	}
	perSecond := 0.0
	for _, r := range run.Rates {
		perSecond += r.PerSecond()
	}
	return perSecond*run.Duration.Seconds()*bytesPerEvent <= maxInMemory
}

// resultOf returns what a run did, from its logs; and, of machines that were timed,
// how they kept their pace.
func resultOf(ctx context.Context, run *sweep.Run, logs *trace.Run, machines []summary.Machine) (*sweep.Result, error) {
	stats, err := untilDone(ctx, logs).Stats()
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return sweep.NewResult(run, stats, machines), nil
}

// process does a run as processes.
func (c *conductor) process(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
	dir, err := c.prepared(run)
	if err != nil {
		return nil, err
	}
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
	logs, err := trace.Open(dir)
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return resultOf(ctx, run, logs, slices.Collect(present(results)))
}

// prepared makes room for the directory of a run, and returns its path.
func (c *conductor) prepared(run *sweep.Run) (dir string, err error) {
	if err := c.dir.Prepare(run); err != nil {
		return "", exit.With(exit.Died, err)
	}
	return c.dir.RunDir(run), nil
}

// simulate does a run in virtual time, with logs. How it kept its pace says nothing
// there.
func (c *conductor) simulate(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
	dir, err := c.prepared(run)
	if err != nil {
		return nil, err
	}
	if _, err := rundir.Claim(dir, &rundir.Record{Version: c.env.Version, Spec: run.Spec}); err != nil {
		return nil, exit.With(exit.Died, err)
	}
	result, err := sim.Run(ctx, sim.Config{Spec: run.Spec, LogDir: dir, Workers: 1})
	if err == nil {
		err = rundir.WriteSummary(dir, result.Machines())
	}
	var logs *trace.Run
	if err == nil {
		logs, err = trace.Open(dir)
	}
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return resultOf(ctx, run, logs, nil)
}

// simulateInMemory does a run in virtual time, and keeps its logs only where they are not
// correct. Those in memory are the bytes that would stand on the disk, and the same
// visitors walk through them: so the figures are the same.
func (c *conductor) simulateInMemory(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
	done, err := sim.Run(ctx, sim.Config{Spec: run.Spec, InMemory: true, Workers: 1})
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	logs := make([]trace.Log, len(run.Rates))
	for id, rate := range run.Rates {
		name := logging.FileName(id, rate)
		logs[id] = trace.TextLog(id, name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(done.Log(id))), nil })
		logs[id].File = name
	}
	walked, err := trace.New(logs...)
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	walked.Record = &rundir.Record{Version: c.env.Version, Spec: run.Spec}
	result, err := resultOf(ctx, run, walked, nil)
	if err == nil && !result.Usable() {
		return c.simulate(ctx, run)
	}
	return result, err
}

// survey does a run of more machines than can have logs.
func (c *conductor) survey(ctx context.Context, run *sweep.Run) (*sweep.Result, error) {
	run, err := c.Grid.Drawn(run)
	if err != nil {
		return nil, err
	}
	workers := 0
	if c.Jobs > 1 {
		workers = 1
	}
	done, err := sim.Run(ctx, sim.Config{Spec: run.Spec, Workers: workers})
	if err != nil {
		return nil, exit.With(exit.Died, err)
	}
	return sweep.NewLargeResult(run, summary.Survey(done.Machines())), nil
}

// write writes what the sweep shows, to its directory and to standard output.
func (c *conductor) write(r *sweep.Report) error {
	text := func(page func() []byte) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := w.Write(page())
			return err
		}
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{sweep.CSVName, r.CSV},
		{sweep.ClassesName, r.ClassesCSV},
		{sweep.TableName, text(r.Markdown)},
		{sweep.FigureName, r.Figure},
		{sweep.FindingsName, text(r.Findings)},
	} {
		if err := c.dir.Write(f.name, f.write); err != nil {
			return fmt.Errorf("what the sweep shows cannot be written: %w", err)
		}
	}
	if _, err := c.env.Out.Write(r.Text(c.env.screen())); err != nil {
		return fmt.Errorf("the result cannot be printed (it is in %s): %w", c.Dir, err)
	}
	c.env.remark("what this shows: %s", filepath.Join(c.Dir, sweep.FindingsName))
	return nil
}

// show makes the page of the sweep, and those of its runs, unless it was stopped and somebody
// waits for it to end. A page that cannot be made is said, and no more.
func (c *conductor) show(r *sweep.Report, stopped bool) {
	if !c.Report {
		return
	}
	if !stopped {
		if err := c.env.showRuns(c.Dir, r); err != nil {
			c.env.say("%v", err)
		}
	}
	file, err := keepPage(c.Dir, c.env.pageOfSweep(c.Dir, r))
	if err != nil {
		c.env.say("%v", err)
		return
	}
	c.env.remark("report: %s", file)
}
