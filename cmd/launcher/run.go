package main

import (
	"math"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/machine"
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
		Action: action(runOptions),
	}
}

func runFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return []cli.Flag{
		&cli.IntFlag{Name: "machines", Usage: "`NUMBER` of machines", DefaultText: "as many as there are rates, or 3", EnvVars: env("MACHINES")},
		&cli.StringFlag{Name: "rates", Usage: "ticks per second: a `LIST` such as 1,5,4, one for all, max, random (1 to 6), 2-9, uniform:1,6 or lognormal:3,0.5", DefaultText: "1,5,4 for three machines, else random", EnvVars: env("RATES")},
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

func runOptions(c *cli.Context) (o lab.Processes, err error) {
	if c.Args().Present() {
		if c.Command.Name == "run" {
			return o, unexpected(c)
		}
		return o, command.Usage("unknown command %q; \"launcher --help\" lists them", c.Args().First())
	}
	o.Check = c.Bool("check")
	o.Restart = c.String("restart") == "on-failure"
	o.Sync = c.Bool("sync")
	o.VM = c.String("vm")
	o.LogLevel = c.String("log-level")
	machines := c.Int("machines")
	switch {
	case c.IsSet("machines") && (machines < 1 || machines > cluster.MaxMachines):
		return o, command.Usage("--machines %d: want 1 to %d; each is a process of this host", machines, cluster.MaxMachines)
	case c.IsSet("window") && c.Int("window") < 1:
		return o, command.Usage("--window %d: want 1 to %d messages", c.Int("window"), math.MaxInt32)
	case !o.Restart && c.String("restart") != "never":
		return o, command.Usage("--restart %q: want never or on-failure", c.String("restart"))
	case hclog.LevelFromString(o.LogLevel) == hclog.NoLevel:
		return o, command.Usage("--log-level %q: want trace, debug, info, warn, error or off", o.LogLevel)
	}
	if o.Dir, err = outDir(c); err != nil {
		return o, err
	}
	if o.Spec, err = spec(c, experiment.NewName()); err != nil {
		return o, err
	}
	o.Window = c.Int("window")
	ports := c.String("ports")
	if ports == "" {
		ports = "auto"
		if len(o.Rates) == 3 {
			ports = defaultPorts
		}
	}
	if o.Ports, err = cluster.ParsePorts(ports, len(o.Rates)); err != nil {
		return o, err
	}
	return o, o.Spec.Check()
}
