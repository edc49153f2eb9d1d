package main

import (
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/summary/table"
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
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the run", DefaultText: "runs/<time>", EnvVars: env("OUT")},
		&cli.IntFlag{Name: "window", Usage: "most `MESSAGES` per link that may wait to be consumed", DefaultText: "262144", EnvVars: env("WINDOW")},
		&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "beside this one", EnvVars: env("VM")},
		&cli.StringFlag{Name: "log-level", Usage: "of the machines' talk: trace, debug, info, warn, error, off", Value: "info", EnvVars: env("LOG_LEVEL")},
		&cli.BoolFlag{Name: "quiet", Usage: "no talk, no progress: only the result and errors", EnvVars: env("QUIET")},
	}
}

func runCluster(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usage("unknown command %q; \"launcher --help\" lists them", c.Args().First())
	}
	cfg, err := runConfig(c)
	if err != nil {
		return err
	}
	talk := c.App.ErrWriter
	quiet := c.Bool("quiet")
	if quiet {
		talk = io.Discard
	}
	isTerminal := !quiet && isTerminal(c.App.ErrWriter)
	if isTerminal {
		cfg.StatusEvery = 200 * time.Millisecond
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
	_, _ = fmt.Fprintf(talk, "run %s: %d machines, rates %s, die %d, seed %d, %s; logs in %s\n",
		cfg.Run, len(cfg.Rates), join(cfg.Rates), cfg.Die, cfg.Seed, lasts, cfg.Dir)

	watch := func(int, summary.Status) {}
	done := func() {}
	if isTerminal {
		display := progress.New(c.App.ErrWriter, cfg.Rates, cfg.Duration)
		watch, done = display.Update, display.Close
	}
	results, err := run.Run(ctx, watch)
	done()
	if results == nil {
		return command.Exit(command.Misused, err)
	}
	if !c.IsSet("out") {
		linkLatest(talk, cfg.Dir)
	}
	var machines []summary.Machine
	for _, m := range results {
		if m != nil {
			machines = append(machines, *m)
		}
	}
	return errors.Join(report(c.App.Writer, cfg, machines), outcome(err, ctx.Err() != nil))
}

// outcome turns the end of a run into the command's.
func outcome(err error, interrupted bool) error {
	var death *cluster.Death
	switch {
	case errors.As(err, &death) && death.Unstarted:
		return command.Exit(command.Misused, err)
	case err != nil:
		return command.Exit(command.Died, err)
	case interrupted:
		return command.Exit(command.Interrupted, nil)
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
		Version:  command.Version(),
	}
	machines := c.Int("machines")
	var err error
	switch {
	case c.IsSet("machines") && machines < 1:
		return cfg, command.Usage("--machines %d: a run has at least 1 machine", machines)
	case c.IsSet("window") && cfg.Window < 1:
		return cfg, command.Usage("--window %d: want at least 1 message", cfg.Window)
	case c.IsSet("out") && cfg.Dir == "":
		return cfg, command.Usage("--out is empty: want the name of a directory")
	}
	if cfg.Seed, err = command.ParseSeed(c.String("seed")); err != nil {
		return cfg, err
	}
	if cfg.Rates, err = command.ParseRates(c.String("rates"), machines, cfg.Seed); err != nil {
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
	if cfg.VM == "" {
		if cfg.VM, err = cluster.FindVM(); err != nil {
			return cfg, command.Usage("%w", err)
		}
	}
	if cfg.Dir == "" {
		cfg.Dir = newDir(time.Now())
	}
	return cfg, nil
}

// newRunName draws a name that no other run on the network will have.
func newRunName() string {
	return strings.ToLower(crand.Text()[:6])
}

// newDir returns runs/<time>, with a number behind it where that exists.
func newDir(now time.Time) string {
	base := filepath.Join("runs", now.Format("20060102-150405"))
	dir := base
	for i := 2; ; i++ {
		if _, err := os.Lstat(dir); err != nil {
			return dir
		}
		dir = fmt.Sprintf("%s-%d", base, i)
	}
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

// report writes what the machines did to the run's directory, and for people to
// stdout.
func report(stdout io.Writer, cfg cluster.Config, machines []summary.Machine) error {
	b, err := json.MarshalIndent(machines, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "summary.json"), append(b, '\n'), 0o666); err != nil {
		return fmt.Errorf("the summary cannot be written: %w", err)
	}
	if len(machines) == 0 {
		return nil
	}
	return table.Write(stdout, slices.Values(machines), table.Options{Machines: len(cfg.Rates)})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func join[T fmt.Stringer](list []T) string {
	const most = 12
	var parts []string
	for i, v := range list {
		if i == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, v.String())
	}
	return strings.Join(parts, ",")
}
