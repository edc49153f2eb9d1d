package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
	"github.com/scalemodel/lamport/pkg/summary/table"
)

func simCommand() *cli.Command {
	return &cli.Command{
		Name:      "sim",
		Usage:     "the same run in virtual time: no waiting, and the same seed gives the same run",
		UsageText: "launcher sim [flags]",
		Description: `Runs the machines in this process, as fast as it can, in a time that jumps from tick to
tick. The same flags and seed give the same logs, byte for byte, on any computer; their
times count from ` + sim.Epoch.Format(time.DateOnly) + `. The run's directory is that of "launcher run", and check, stats,
order and export read it. Ctrl-C stops the run in order.

--logs=false keeps statistics only, for up to millions of machines:

  launcher sim --machines 1000000 --duration 60s --logs=false

--hunt looks for a run that breaks a law, and names the command that does it again.`,
		Flags:  simFlags(),
		Action: simulate,
	}
}

func simFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	var flags []cli.Flag
	for _, f := range runFlags() {
		switch f.Names()[0] {
		case "machines", "die", "duration", "seed", "out", "check", "quiet":
			flags = append(flags, f)
		}
	}
	return append(flags,
		&cli.StringFlag{Name: "rates", Usage: "ticks per second: a `LIST` such as 1,5,4, one for all, random (1 to 6), uniform:1,6 or lognormal:3,0.5", DefaultText: "1,5,4 for three machines, else random", EnvVars: env("RATES")},
		&cli.StringFlag{Name: "latency", Usage: "`TIME` that messages are under way: 1ms, uniform:1ms,5ms, exp:2ms or lognormal:2ms,0.5", Value: sim.DefaultLatency().String(), EnvVars: env("LATENCY")},
		&cli.StringFlag{Name: "phase", Usage: "of the first ticks: `WHEN` the machines start, together or random", Value: "together", EnvVars: env("PHASE")},
		&cli.StringFlag{Name: "faults", Usage: "`PLAN` of what breaks and when (docs/faults.md), or the name of a file that holds one", EnvVars: env("FAULTS")},
		&cli.BoolFlag{Name: "logs", Usage: "write event logs; without, only statistics are kept (and no files, unless --out is given)", Value: true, EnvVars: env("LOGS")},
		&cli.Uint64Flag{Name: "hunt", Usage: "run so many small `RUNS` with random faults, drawn from the seed, and look for one that breaks a law"},
		&cli.StringFlag{Name: "bug", Usage: "let the machines of a hunt make a known `MISTAKE`: " + oneOf(hunt.Mistakes())},
		&cli.IntFlag{Name: "workers", Usage: "`NUMBER` of cores to use; the run is the same with any", DefaultText: "all", EnvVars: env("WORKERS")},
	)
}

func simulate(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usage("unexpected argument %q: everything is said by flags; \"launcher sim --help\" lists them", c.Args().First())
	}
	if c.IsSet("hunt") || c.IsSet("bug") {
		return huntRuns(c)
	}
	cfg, err := simConfig(c)
	if err != nil {
		return err
	}
	_, err = runVirtual(c, cfg, c.Bool("logs"))
	return err
}

// runVirtual does a run, in the directory that the flags name, and returns which
// that is, "" for none.
func runVirtual(c *cli.Context, cfg sim.Config, logs bool) (dir string, err error) {
	talk := c.App.ErrWriter
	quiet := c.Bool("quiet")
	if quiet {
		talk = io.Discard
	}
	ctx, stop := command.OnInterrupt(c.Context, nil)
	defer stop()
	dir, remove, err := simDir(c, &cfg, logs)
	if err != nil {
		return dir, err
	}
	lasts := cfg.Duration.String()
	if cfg.Duration == 0 {
		lasts = "until interrupted"
	}
	where := "no logs"
	if cfg.LogDir != "" {
		where = "logs in " + cfg.LogDir
	}
	_, _ = fmt.Fprintf(talk, "run %s in virtual time: %s, die %d, seed %d, latency %v, %s; %s\n",
		cfg.Run, describe(cfg.Rates), cfg.Die, cfg.Seed, cfg.Latency, lasts, where)

	began := time.Now()
	var display *progress.Virtual // only for what takes long enough to be looked at
	if !quiet && isTerminal(c.App.ErrWriter) {
		cfg.WatchEvery = 200 * time.Millisecond
		cfg.Watch = func(p sim.Progress) {
			if display == nil && time.Since(began) > time.Second {
				display = progress.NewVirtual(c.App.ErrWriter, began, cfg.Duration)
			}
			if display != nil {
				display.Update(p.At, p.Events)
			}
		}
	}
	result, err := sim.Run(ctx, cfg)
	if display != nil {
		display.Close()
		_, _ = fmt.Fprintln(talk) // the result stands apart
	}
	stopped := errors.Is(err, sim.ErrStopped)
	if err != nil && !stopped {
		if result == nil && dir != "" {
			remove()
		}
		return dir, exit.With(exit.Misused, err)
	}
	took := time.Since(began)
	_, _ = fmt.Fprintf(talk, "%v of virtual time in %v: %d events, %.1f million per second\n",
		result.At(), took.Round(time.Millisecond), result.Events(), float64(result.Events())/took.Seconds()/1e6)
	if dir != "" {
		if !c.IsSet("out") {
			linkLatest(talk, dir)
		}
		if err := writeMachines(filepath.Join(dir, "summary.json"), result); err != nil {
			return dir, exit.With(exit.Died, fmt.Errorf("the summary cannot be written: %w", err))
		}
	}
	if err := table.Write(c.App.Writer, result.Machines(), table.Options{Machines: len(cfg.Rates)}); err != nil {
		return dir, exit.With(exit.Died, fmt.Errorf("the result cannot be printed: %w", err))
	}
	if cfg.LogDir != "" && c.Bool("check") && len(cfg.Rates) <= mostChecked {
		if err := prove(c.App.Writer, dir); err != nil {
			return dir, err
		}
	}
	if stopped {
		return dir, exit.With(exit.Interrupted, nil)
	}
	return dir, nil
}

// mostChecked is up to how many machines a run is checked unasked: the checker has
// all logs open at once.
const mostChecked = 500

func simConfig(c *cli.Context) (sim.Config, error) {
	cfg := sim.Config{Run: "sim", Die: c.Int("die"), Duration: c.Duration("duration"), Workers: c.Int("workers")}
	machines := c.Int("machines")
	var err error
	switch {
	case c.IsSet("machines") && (machines < 1 || machines > sim.MaxMachines):
		return cfg, command.Usage("--machines %d: want 1 to %d", machines, sim.MaxMachines)
	case c.IsSet("machines") && c.Bool("logs") && machines > sim.MaxLogs:
		return cfg, command.Usage("--machines %d: at most %d can have logs, and more with --logs=false", machines, sim.MaxLogs)
	case cfg.Die < 1:
		return cfg, command.Usage("--die %d: a die has at least 1 face", cfg.Die)
	case cfg.Duration < 0:
		return cfg, command.Usage("--duration %v: a duration cannot be negative", cfg.Duration)
	case c.IsSet("out") && c.String("out") == "":
		return cfg, command.Usage("--out is empty: want the name of a directory")
	case c.IsSet("workers") && cfg.Workers < 1:
		return cfg, command.Usage("--workers %d: want at least 1", cfg.Workers)
	}
	if cfg.Phase, err = sim.ParsePhase(c.String("phase")); err != nil {
		return cfg, command.Usage("--phase %w", err)
	}
	if cfg.Latency, err = sim.ParseLatency(c.String("latency")); err != nil {
		return cfg, command.Usage("--latency: %w", err)
	}
	if cfg.Seed, err = command.ParseSeed(c.String("seed")); err != nil {
		return cfg, err
	}
	if rates := c.String("rates"); sim.IsRateDistribution(rates) {
		if machines == 0 {
			machines = 3
		}
		if cfg.Rates, err = sim.DrawRates(rates, machines, cfg.Seed); err != nil {
			return cfg, command.Usage("--rates: %w", err)
		}
	} else if cfg.Rates, err = command.ParseRates(rates, machines, cfg.Seed); err != nil {
		return cfg, err
	}
	if cfg.Faults, err = faultPlan(c.String("faults"), len(cfg.Rates), cfg.Seed, cfg.Duration); err != nil {
		return cfg, err
	}
	if err := cfg.Check(); err != nil {
		return cfg, command.Usage("%w", err)
	}
	return cfg, nil
}

// simDir makes the run's directory, unless there is to be none.
func simDir(c *cli.Context, cfg *sim.Config, logs bool) (dir string, remove func(), err error) {
	dir = c.String("out")
	if dir == "" && !logs {
		return "", nil, nil
	}
	if dir == "" {
		dir = filepath.Join("runs", time.Now().Format("20060102-150405")+"-"+newRunName())
	}
	if logs {
		cfg.LogDir = dir
	}
	remove, err = cluster.MakeDir(dir, virtualRecord(cfg))
	if err != nil {
		return "", nil, command.Usage("%w", err)
	}
	return dir, remove, nil
}

// virtualRecord returns everything that is needed to do a run in virtual time again.
func virtualRecord(cfg *sim.Config) *cluster.Record {
	return &cluster.Record{
		Version:  command.Version(),
		Run:      cfg.Run,
		Machines: len(cfg.Rates),
		Rates:    cfg.Rates,
		Die:      cfg.Die,
		Seed:     cfg.Seed,
		Duration: cfg.Duration.String(),
		Faults:   cfg.Faults.String(),
		Virtual:  &cluster.Virtual{Epoch: sim.Epoch, Latency: cfg.Latency.String(), Phase: cfg.Phase.String()},
	}
}

// writeMachines writes what "launcher run" writes, one machine after the other:
// there may be millions.
func writeMachines(name string, r *sim.Result) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	before := "[\n  "
	for m := range r.Machines() {
		b, err := json.MarshalIndent(m, "  ", "  ")
		if err != nil {
			return err
		}
		_, _ = w.WriteString(before) // Flush returns the first error
		_, _ = w.Write(b)
		before = ",\n  "
	}
	_, _ = w.WriteString("\n]\n")
	return w.Flush()
}
