package main

import (
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/transport"
)

// defaultPorts are the laboratory's, for its three machines.
const defaultPorts = "2050,3050,4050"

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a cluster on this host or others, watch it, sum it up (the default)",
		UsageText: "launcher run [flags]",
		Description: `Each machine is a process, of this host or by ssh of others (--hosts). The run's directory receives the event logs, run.json (what
it takes to repeat the run), summary.json and the processes' diagnostics. Ctrl-C stops
the run in an orderly way; a second Ctrl-C kills it.

The machines run in real time: a seed repeats their dice, but not the instants at which
messages arrive.

Exit code 0: the run is correct; 1: it is broken, or incomplete; 2: it could not begin;
3: a machine died; 130: it was interrupted.`,
		Flags:  runFlags(),
		Action: command.PipedToTheEnd(action(runOptions)),
	}
}

func runFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return append([]cli.Flag{
		&cli.IntFlag{Name: "machines", Usage: "`NUMBER` of machines", DefaultText: "as many as a list of rates has, else 3", EnvVars: env("MACHINES")},
		&cli.StringFlag{Name: "rates", Usage: "ticks per second: a `LIST` such as 1,5,4, one for all, max, random (1 to 6), 2-9, uniform:1,6 or lognormal:3,0.5", DefaultText: "1,5,4 for three machines, else random", EnvVars: env("RATES")},
		&cli.IntFlag{Name: "die", Usage: "`FACES` of the die: 1 to 3 send, the others are internal", Value: machine.DefaultDie, EnvVars: env("DIE")},
		&cli.DurationFlag{Name: "duration", Usage: "`TIME` to run for; 0: until interrupted", Value: time.Minute, EnvVars: env("DURATION")},
		&cli.StringFlag{Name: "seed", Usage: "`NUMBER` that decides every throw of the dice", DefaultText: "drawn", EnvVars: env("SEED")},
		&cli.StringFlag{Name: "ports", Usage: "a `LIST` of ports, or auto for free ones", DefaultText: defaultPorts + " for three machines, else auto", EnvVars: env("PORTS")},
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the run", DefaultText: "runs/<time>-<name>", EnvVars: env("OUT")},
		&cli.IntFlag{Name: "window", Usage: "maximum number of unconsumed `MESSAGES` per link", DefaultText: strconv.Itoa(transport.DefaultWindow), EnvVars: env("WINDOW")},
		&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "next to this one", EnvVars: env("VM")},
		&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the machines' diagnostics: trace, debug, info, warn, error, off", Value: "info", EnvVars: env("LOG_LEVEL")},
		&cli.StringFlag{Name: "restart", Usage: "`WHEN` to restart a machine that dies: never, or on-failure (from its log)", Value: "never", EnvVars: env("RESTART")},
		&cli.StringFlag{Name: "faults", Usage: "fault `PLAN`: what breaks, and when (docs/faults.md); or a file that holds one", EnvVars: env("FAULTS")},
		&cli.BoolFlag{Name: "sync", Usage: "wait for the disk before sending or acknowledging, to survive power loss", EnvVars: env("SYNC")},
		tlsFlag(),
		&cli.BoolFlag{Name: "check", Usage: "check the logs against the laws at the end (--check=false skips it)", Value: true, EnvVars: env("CHECK")},
		reportFlag(),
		minFreeFlag(),
		&cli.BoolFlag{Name: "quiet", Usage: "print only the result and errors: no remarks, no progress", EnvVars: env("QUIET")},
	}, append(hostsFlags(), lookFlags()...)...)
}

func runOptions(c *cli.Context) (o lab.Processes, err error) {
	if c.Args().Present() {
		if c.Command.Name == "run" {
			return o, unexpected(c)
		}
		return o, command.UnknownCommand(c.App, c.Args().First())
	}
	o.AtEnd = atEnd(c)
	o.Restart = c.String("restart") == "on-failure"
	o.Sync = c.Bool("sync")
	o.TLS = c.Bool("tls")
	o.VM = c.String("vm")
	o.LogLevel = c.String("log-level")
	machines := c.Int("machines")
	switch {
	case c.IsSet("machines") && (machines < 1 || machines > cluster.MaxMachines):
		return o, command.Usage("--machines %d: want 1 to %d; each is a process of this host", machines, cluster.MaxMachines)
	case c.IsSet("window") && c.Int("window") < 1:
		return o, command.Usage("--window %d: want 1 to %d messages", c.Int("window"), transport.MaxWindow)
	case !o.Restart && c.String("restart") != "never":
		return o, command.Usage("--restart %q: want never or on-failure", c.String("restart"))
	case hclog.LevelFromString(o.LogLevel) == hclog.NoLevel:
		return o, command.Usage("--log-level %q: want trace, debug, info, warn, error or off", o.LogLevel)
	}
	if o.Dir, err = outDir(c); err != nil {
		return o, err
	}
	if o.MinFree, err = minFree(c); err != nil {
		return o, err
	}
	if o.Hosts, err = hosts(c); err != nil {
		return o, err
	}
	if err := machineEach(c, len(o.Hosts.Entries)); err != nil {
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
