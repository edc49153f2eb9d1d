package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/sweep"
)

func sweepCommand() *cli.Command {
	return &cli.Command{
		Name:      "sweep",
		Usage:     "do many runs over a grid of parameters and seeds: tables, CSV, findings",
		UsageText: "launcher sweep [flags], or launcher sweep --merge [flags] DIR...",
		Description: `Does a run for every combination of the given values, several times with different
seeds, as processes or (--virtual) in virtual time, and summarises them: means over the
trials with 95 % confidence intervals, predicted next to observed. Every run is checked
against the laws. For example

  launcher sweep --rates '1,5,3;2,4,3;3,3,3' --trials 5 --virtual

The directory receives sweep.md (tables), sweep.svg (curves), sweep.csv (a row per machine
of each run), classes.csv (a row per class), findings.md (what the figures show), sweep.json
(the grid), results.jsonl (a line for each run that is done), and a directory for each run,
as "launcher run" or "launcher sim" leaves it; --logs=false leaves out the last, and in virtual time allows a million
machines. Ctrl-C stops, and keeps what is done; the same --out continues where it
stopped, and with more --trials it goes on from a sweep that is done.

A scheduler divides a sweep among many processes: one does --shard 3/16, the others the
other parts, and --merge puts them together, to the same bytes as one process would have.

Exit code 1: a run is not correct. 3: runs are missing after --merge.`,
		Flags:  sweepFlags(),
		Action: command.PipedToTheEnd(action(sweepOptions)),
	}
}

// gridFlags are the flags that say what a sweep is.
var gridFlags = []string{"virtual", "rates", "machines", "die", "latency", "phase", "faults", "ports", "duration", "trials", "seed", "logs"}

func sweepFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return append([]cli.Flag{
		&cli.StringFlag{Name: "rates", Usage: "`LISTS` of ticks per second, separated by semicolons: '1,5,4;3,3,3;random'", DefaultText: "1,5,4, or random with --machines", EnvVars: env("RATES")},
		&cli.StringFlag{Name: "machines", Usage: "`NUMBERS` of machines: 3,10,100", DefaultText: "as many as a list of rates has, else 3", EnvVars: env("MACHINES")},
		&cli.StringFlag{Name: "die", Usage: "`FACES` of the die: 10,5,3", Value: strconv.Itoa(machine.DefaultDie), EnvVars: env("DIE")},
		&cli.StringFlag{Name: "latency", Usage: "with --virtual: `TIMES` that messages spend in transit, separated by semicolons: '1ms;exp:50ms'", DefaultText: experiment.DefaultLatency().String(), EnvVars: env("LATENCY")},
		&cli.GenericFlag{Name: "faults", Usage: "fault `PLAN` of each run (docs/faults.md), a file that holds one, or none; repeat the flag to compare plans", Value: &plans{}, EnvVars: env("FAULTS")},
		&cli.DurationFlag{Name: "duration", Usage: "`TIME` that each run lasts", Value: time.Minute, EnvVars: env("DURATION")},
		&cli.IntFlag{Name: "trials", Usage: "`NUMBER` of runs of each point, each with its own seed", Value: 5, EnvVars: env("TRIALS")},
		&cli.StringFlag{Name: "seed", Usage: "`NUMBER` that decides the seeds of all trials", DefaultText: "drawn", EnvVars: env("SEED")},
		&cli.BoolFlag{Name: "logs", Usage: "keep the logs of each run (--logs=false keeps only figures)", Value: true, EnvVars: env("LOGS")},
		&cli.BoolFlag{Name: "virtual", Usage: "run in virtual time: no waiting, and reproducible from the seed", EnvVars: env("VIRTUAL")},
		&cli.StringFlag{Name: "phase", Usage: "with --virtual: `PHASE` of the first ticks: together, or random within a period", DefaultText: "together", EnvVars: env("PHASE")},
		&cli.StringFlag{Name: "ports", Usage: "a `LIST` of ports, or auto for free ones; a list allows only one run at a time", DefaultText: "auto", EnvVars: env("PORTS")},
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the sweep, or that of a sweep to continue", DefaultText: "sweeps/<time>-<name>", EnvVars: env("OUT")},
		&cli.StringFlag{Name: "shard", Usage: "do only this `PART` of the sweep: 3/16; auto/16 or auto in a job array of Slurm, or an Indexed Job", EnvVars: env("SHARD")},
		&cli.BoolFlag{Name: "merge", Usage: "put the parts in the directories together"},
		&cli.IntFlag{Name: "jobs", Usage: "`NUMBER` of runs side by side", DefaultText: "as many as the cores can pace", EnvVars: env("JOBS")},
		&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "next to this one", EnvVars: env("VM")},
		reportFlag(),
		minFreeFlag(),
		&cli.BoolFlag{Name: "quiet", Usage: "print only the result and errors: no remarks, no progress", EnvVars: env("QUIET")},
	}, lookFlags()...)
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

func sweepOptions(c *cli.Context) (job, error) {
	if c.Bool("merge") {
		return mergeOptions(c)
	}
	return gridOptions(c)
}

func gridOptions(c *cli.Context) (o lab.Sweep, err error) {
	if c.Args().Present() {
		return o, unexpected(c)
	}
	o.VM, o.Jobs, o.Report = c.String("vm"), c.Int("jobs"), c.Bool("report")
	if c.IsSet("jobs") && o.Jobs < 1 {
		return o, command.Usage("--jobs %d: want at least 1", o.Jobs)
	}
	if o.Dir, err = outDir(c); err != nil {
		return o, err
	}
	if o.MinFree, err = minFree(c); err != nil {
		return o, err
	}
	shard, err := shardOf(c)
	if err != nil {
		return o, err
	}
	if o.Dir == "" {
		o.Dir = sweep.Default(time.Now(), experiment.NewName())
	}
	o.Dir = sweep.ShardDir(o.Dir, shard)
	old, err := sweep.ReadGrid(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, err
	}
	if old != nil && !slices.ContainsFunc(gridFlags, func(name string) bool { return name != "trials" && c.IsSet(name) }) {
		if o.Grid = *old; c.IsSet("trials") {
			if trials := c.Int("trials"); trials > 0 && trials <= sweep.MaxRuns { // what else is, is said later
				o.Grid = *old.Extended(trials)
			} else {
				o.Grid.Trials = trials
			}
		}
	} else if o.Grid, err = sweepGrid(c, old); err != nil {
		return o, err
	}
	if o.Grid.Shard = shard; !shard.IsWhole() && old == nil && !c.IsSet("seed") {
		return o, command.Usage("--seed is missing: with --shard, all parts need the same one")
	}
	if o.Grid.Ports != "" && o.Jobs > 1 {
		return o, command.Usage("--jobs %d with --ports: only one run at a time can have the ports", o.Jobs)
	}
	return o, nil
}

// shardOf reads --shard.
func shardOf(c *cli.Context) (s sweep.Shard, err error) {
	if !c.IsSet("shard") {
		return s, nil
	}
	if s, err = sweep.ParseShard(c.String("shard"), os.Getenv); err == nil && !c.IsSet("out") {
		err = command.Usage("--out is missing: with --shard, all parts are written below one directory")
	}
	return s, err
}

// mergeOptions reads what parts are to be put together.
func mergeOptions(c *cli.Context) (o lab.MergeSweep, err error) {
	for _, name := range append([]string{"shard", "jobs"}, gridFlags...) {
		if c.IsSet(name) {
			return o, command.Usage("--%s with --merge: that is in the parts", name)
		}
	}
	if !c.Args().Present() {
		return o, command.Usage("--merge: which parts? Name their directories, or the one that holds them")
	}
	o.Dirs, o.Report = c.Args().Slice(), c.Bool("report")
	if o.Dir, err = outDir(c); err != nil || o.Dir != "" {
		return o, err
	}
	if len(o.Dirs) > 1 {
		return o, command.Usage("--out is missing: where are the parts of %d directories to be put together?", len(o.Dirs))
	}
	o.Dir = o.Dirs[0]
	return o, nil
}

// sweepGrid reads the grid from the flags. old is that of the directory, nil if
// there is none: its seed is taken where none is given.
func sweepGrid(c *cli.Context, old *sweep.Grid) (g sweep.Grid, err error) {
	g = sweep.Grid{
		Format:   sweep.GridFormat,
		Version:  command.Version(),
		Virtual:  c.Bool("virtual"),
		Rates:    []string{"1,5,4"},
		Machines: []int{0},
		Duration: c.Duration("duration"),
		Trials:   c.Int("trials"),
		NoLogs:   !c.Bool("logs"),
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
	surroundings := realTime
	if g.Virtual {
		surroundings = virtualTime
	}
	if err := surroundings(c, &g); err != nil {
		return g, err
	}
	if old != nil && !c.IsSet("seed") {
		g.Seed = old.Seed
	} else if g.Seed, err = experiment.ParseSeed(c.String("seed")); err != nil {
		return g, err
	}
	if g.Trials > 0 && g.Trials <= sweep.MaxRuns { // what else is, is said later
		g.Seeds = sweep.Seeds(g.Seed, g.Trials)
	}
	return g, nil
}

// virtualTime reads what only the runs of a sweep in virtual time have.
func virtualTime(c *cli.Context, g *sweep.Grid) (err error) {
	if c.IsSet("ports") {
		return command.Usage("--ports with --virtual: in virtual time there are none")
	}
	if g.Phase = c.String("phase"); g.Phase == "" {
		g.Phase = experiment.Together.String()
	}
	g.Latency = []string{experiment.DefaultLatency().String()}
	if c.IsSet("latency") {
		g.Latency, err = parts(c, "latency", "'1ms;exp:50ms'")
	}
	return err
}

// realTime reads what only the runs of a sweep as processes have.
func realTime(c *cli.Context, g *sweep.Grid) error {
	switch {
	case c.IsSet("latency"):
		return command.Usage("--latency is for --virtual: between processes messages take what they take (a fault plan can delay them)")
	case c.IsSet("phase"):
		return command.Usage("--phase is for --virtual: processes start together")
	}
	if ports := strings.TrimSpace(c.String("ports")); ports != "auto" {
		g.Ports = ports
	}
	return nil
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
			return nil, command.Usage("--%s %q: %s is given twice", name, c.String(name), part)
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
			return nil, command.Usage("--%s %q: %d is given twice", name, c.String(name), n)
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
		if text, _, err = lab.ReadPlan(text); err != nil {
			return nil, err
		}
		text = sweep.OnePlan(text) // it stands in tables
		if seen[text] {
			if text == "" {
				text = "none"
			}
			return nil, command.Usage("--faults: %q is given twice", text)
		}
		seen[text] = true
		list = append(list, text)
	}
	return list, nil
}
