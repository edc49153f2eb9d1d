package main

import (
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/summary/table"
	"github.com/scalemodel/lamport/pkg/trace"
)

// defaultPorts are the laboratory's, for its three machines.
const defaultPorts = "2050,3050,4050"

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "start a cluster on this host, watch it, stop it, sum it up (the default)",
		UsageText: "launcher run [flags]",
		Description: `Each machine is a process of its own. The run's directory receives their event logs,
run.json (what is needed to do it again), summary.json and their talk. Ctrl-C stops
the run in order; a second Ctrl-C kills it.

The clocks of the machines are real, so the dice of a run can be had again with its
seed, but not the instants at which its messages arrive.`,
		Flags:  runFlags(),
		Action: runCluster,
	}
}

func runFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return []cli.Flag{
		&cli.IntFlag{Name: "machines", Usage: "`NUMBER` of machines", DefaultText: "as many as there are rates, or 3", EnvVars: env("MACHINES")},
		&cli.StringFlag{Name: "rates", Usage: "ticks per second: a `LIST` such as 1,5,4, one for all, random (1 to 6), or max", DefaultText: "1,5,4 for three machines, else random", EnvVars: env("RATES")},
		&cli.IntFlag{Name: "die", Usage: "`FACES` of the die: 1 to 3 send, the others are internal", Value: machine.DefaultDie, EnvVars: env("DIE")},
		&cli.DurationFlag{Name: "duration", Usage: "how `LONG` to run; 0: until interrupted", Value: time.Minute, EnvVars: env("DURATION")},
		&cli.StringFlag{Name: "seed", Usage: "`NUMBER` that decides every throw of the dice", DefaultText: "drawn", EnvVars: env("SEED")},
		&cli.StringFlag{Name: "ports", Usage: "a `LIST` of ports, or auto for free ones", DefaultText: defaultPorts + " for three machines, else auto", EnvVars: env("PORTS")},
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the run", DefaultText: "runs/<time>-<name>", EnvVars: env("OUT")},
		&cli.IntFlag{Name: "window", Usage: "most `MESSAGES` per link that may wait to be consumed", DefaultText: "262144", EnvVars: env("WINDOW")},
		&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "beside this one", EnvVars: env("VM")},
		&cli.StringFlag{Name: "log-level", Usage: "of the machines' talk: trace, debug, info, warn, error, off", Value: "info", EnvVars: env("LOG_LEVEL")},
		&cli.StringFlag{Name: "restart", Usage: "a machine that dies: never, or on-failure: start it again from its log", Value: "never", EnvVars: env("RESTART")},
		&cli.StringFlag{Name: "faults", Usage: "`PLAN` of what breaks and when (docs/faults.md), or the name of a file that holds one", EnvVars: env("FAULTS")},
		&cli.BoolFlag{Name: "sync", Usage: "machines wait for the disk before they send or acknowledge, against loss of power", EnvVars: env("SYNC")},
		&cli.BoolFlag{Name: "check", Usage: "hold the logs against the laws at the end (--check=false: do not)", Value: true, EnvVars: env("CHECK")},
		&cli.BoolFlag{Name: "quiet", Usage: "no talk, no progress: only the result and errors", EnvVars: env("QUIET")},
	}
}

func runCluster(c *cli.Context) error {
	if c.Args().Present() {
		if c.Command.Name == "run" {
			return command.Usage("unexpected argument %q: everything is said by flags; \"launcher run --help\" lists them", c.Args().First())
		}
		return command.Usage("unknown command %q; \"launcher --help\" lists them", c.Args().First())
	}
	cfg, err := runConfig(c)
	if err != nil {
		return err
	}
	return runProcesses(c, cfg)
}

// runProcesses does a run.
func runProcesses(c *cli.Context, cfg cluster.Config) error {
	talk := c.App.ErrWriter
	if c.Bool("quiet") {
		talk = io.Discard
	}
	show, done := func(int, summary.Status) {}, func() {}
	if !c.Bool("quiet") && isTerminal(c.App.ErrWriter) {
		show, done = display(c, &cfg, cfg.Duration)
	}
	run, err := cluster.New(cfg)
	if err != nil {
		return command.Usage("%w", err)
	}
	ctx, stop := command.OnInterrupt(c.Context, run.Kill)
	defer stop()
	lasts := cfg.Duration.String()
	if cfg.Duration == 0 {
		lasts = "until interrupted"
	}
	_, _ = fmt.Fprintf(talk, "run %s: %s, die %d, seed %d, %s; logs in %s\n",
		cfg.Run, describe(cfg.Rates), cfg.Die, cfg.Seed, lasts, cfg.Dir)

	linked := c.IsSet("out")
	results, err := run.Run(ctx, func(id int, s summary.Status) {
		if s.Phase == summary.Running && !linked {
			linked = true
			linkLatest(talk, cfg.Dir)
		}
		show(id, s)
	})
	done()
	switch {
	case errors.Is(err, cluster.ErrNotBegun):
		return exit.With(exit.Interrupted, err)
	case results == nil:
		return exit.With(exit.Misused, err)
	}
	if summaryErr := writeSummary(c.App.Writer, cfg, results); summaryErr != nil || err != nil {
		return exit.With(exit.Died, errors.Join(err, summaryErr))
	}
	if c.Bool("check") {
		if err := prove(c.App.Writer, cfg.Dir); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return exit.With(exit.Interrupted, nil)
	}
	return nil
}

// display lets machines report often enough to be watched, and returns what shows
// their reports on the terminal and what ends that. Nothing is drawn before the
// first one.
func display(c *cli.Context, cfg *cluster.Config, lasts time.Duration) (show func(int, summary.Status), done func()) {
	cfg.StatusEvery = 200 * time.Millisecond
	var d *progress.Display
	show = func(id int, s summary.Status) {
		if d == nil {
			d = progress.New(c.App.ErrWriter, cfg.Rates, lasts)
		}
		d.Update(id, s)
	}
	return show, func() {
		if d != nil {
			d.Close()
			_, _ = fmt.Fprintln(c.App.ErrWriter) // the result stands apart
		}
	}
}

// prove holds the run against the laws and prints the verdict. What it finds
// broken is a defect of this program.
func prove(stdout io.Writer, dir string) error {
	run, err := trace.Open(dir)
	if err != nil {
		return exit.With(exit.Died, err)
	}
	v, err := run.Walk(trace.Options{})
	if err != nil {
		return exit.With(exit.Died, err)
	}
	if _, err := fmt.Fprintf(stdout, "check        %v\n", v); err != nil {
		return exit.With(exit.Died, err)
	}
	if v.State == trace.Broken {
		return exit.With(exit.Broken, fmt.Errorf("the run breaks a law; \"launcher check %s\" shows where", dir))
	}
	return nil
}

func runConfig(c *cli.Context) (cluster.Config, error) {
	cfg := cluster.Config{
		Run:      newRunName(),
		Die:      c.Int("die"),
		Duration: c.Duration("duration"),
		Dir:      c.String("out"),
		VM:       c.String("vm"),
		Window:   c.Int("window"),
		LogLevel: c.String("log-level"),
		Restart:  c.String("restart") == "on-failure",
		Sync:     c.Bool("sync"),
		Version:  command.Version(),
	}
	machines := c.Int("machines")
	var err error
	switch {
	case c.IsSet("machines") && (machines < 1 || machines > cluster.MaxMachines):
		return cfg, command.Usage("--machines %d: want 1 to %d; each is a process of this host", machines, cluster.MaxMachines)
	case c.IsSet("window") && (cfg.Window < 1 || cfg.Window > math.MaxInt32):
		return cfg, command.Usage("--window %d: want 1 to %d messages", cfg.Window, math.MaxInt32)
	case !cfg.Restart && c.String("restart") != "never":
		return cfg, command.Usage("--restart %q: want never or on-failure", c.String("restart"))
	case hclog.LevelFromString(cfg.LogLevel) == hclog.NoLevel:
		return cfg, command.Usage("--log-level %q: want trace, debug, info, warn, error or off", cfg.LogLevel)
	case c.IsSet("out") && cfg.Dir == "":
		return cfg, command.Usage("--out is empty: want the name of a directory")
	}
	if cfg.Seed, err = command.ParseSeed(c.String("seed")); err != nil {
		return cfg, err
	}
	if cfg.Rates, err = command.ParseRates(c.String("rates"), machines, cfg.Seed); err != nil {
		return cfg, err
	}
	if cfg.Faults, err = faultPlan(c.String("faults"), len(cfg.Rates), cfg.Seed, cfg.Duration); err != nil {
		return cfg, err
	}
	ports := c.String("ports")
	if ports == "" {
		ports = "auto"
		if len(cfg.Rates) == 3 {
			ports = defaultPorts
		}
	}
	if cfg.Ports, err = cluster.ParsePorts(ports, len(cfg.Rates)); err != nil {
		return cfg, command.Usage("--ports: %w", err)
	}
	return cfg, placeAndProgram(&cfg)
}

// placeAndProgram fills in where a run's directory and the vm program are, if
// nobody has said so.
func placeAndProgram(cfg *cluster.Config) (err error) {
	if cfg.VM == "" {
		if cfg.VM, err = cluster.FindVM(); err != nil {
			return command.Usage("%w", err)
		}
	}
	if cfg.Dir == "" {
		// With the run's name behind it: two may begin in one second.
		cfg.Dir = filepath.Join("runs", time.Now().Format("20060102-150405")+"-"+cfg.Run)
	}
	return nil
}

// faultPlan reads a plan from its text, or from a file of that name. What it draws
// is decided by the run's seed, and is over when the run is, unless duration is 0.
func faultPlan(text string, machines int, seed uint64, duration time.Duration) (*fault.Plan, error) {
	where := "--faults"
	if b, err := os.ReadFile(text); err == nil {
		where, text = text, string(b)
	}
	var plan *fault.Plan
	var err error
	if duration > 0 {
		plan, err = fault.ParseWithin(text, machines, duration)
	} else {
		plan, err = fault.Parse(text, machines)
	}
	if err != nil {
		return nil, command.Usage("%s: %w", where, err)
	}
	return plan.Seeded(seed), nil
}

// newRunName draws a name that no other run on the network will have.
func newRunName() string {
	return strings.ToLower(crand.Text()[:6])
}

// linkLatest points runs/latest at the run. Where links cannot be made, the run
// is none the worse for it.
func linkLatest(talk io.Writer, dir string) {
	latest := filepath.Join(filepath.Dir(dir), "latest")
	fresh := filepath.Join(filepath.Dir(dir), ".latest-"+filepath.Base(dir))
	err := os.Symlink(filepath.Base(dir), fresh)
	if err == nil {
		err = os.Rename(fresh, latest)
	}
	if err != nil {
		_ = os.Remove(fresh)
		_, _ = fmt.Fprintf(talk, "%s does not point at this run: %v\n", latest, err)
	}
}

// writeSummary writes what the machines did to the run's directory, and for
// people to stdout. There is no result of a machine that has died.
func writeSummary(stdout io.Writer, cfg cluster.Config, results []*summary.Machine) error {
	results = slices.DeleteFunc(results, func(m *summary.Machine) bool { return m == nil })
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "summary.json"), append(b, '\n'), 0o666); err != nil {
		return fmt.Errorf("the summary cannot be written: %w", err)
	}
	if len(results) == 0 {
		return nil
	}
	machines := func(yield func(summary.Machine) bool) {
		for _, m := range results {
			if !yield(*m) {
				return
			}
		}
	}
	if err := table.Write(stdout, machines, table.Options{Machines: len(cfg.Rates)}); err != nil {
		return fmt.Errorf("the result cannot be printed (it is in %s): %w", filepath.Join(cfg.Dir, "summary.json"), err)
	}
	return nil
}

// isTerminal reports whether w can show a picture that is drawn over.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// describe says how many machines there are, and how fast.
func describe(rates []clock.Rate) string {
	const most = 8
	var parts []string
	for i, r := range rates {
		if i == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, r.String())
	}
	if len(rates) == 1 {
		return "1 machine, rate " + parts[0]
	}
	return fmt.Sprintf("%d machines, rates %s", len(rates), strings.Join(parts, ","))
}
