package main

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
)

func simCommand() *cli.Command {
	return &cli.Command{
		Name:      "sim",
		Usage:     "run in virtual time: no waiting, and the same seed gives the same run",
		UsageText: "launcher sim [flags]",
		Description: `Runs the machines in this process, as fast as it can, in a time that jumps from tick to
tick. The same flags and seed give the same logs, byte for byte, on any computer; times
count from ` + experiment.Epoch.Format(time.DateOnly) + `. The run's directory looks like that of "launcher run", and the
same commands read it. Ctrl-C stops the run in an orderly way.

--logs=false keeps statistics only, for millions of machines:

  launcher sim --machines 1000000 --logs=false --out runs/million

"launcher stats" shows these, class by class. --per-machine has each machine's.

--hunt looks for a run that breaks a law, keeps its logs, in runs/hunt-… or in --out, and
prints the commands that show and repeat it.

Exit code 0: the run is correct; 1: it is broken, or incomplete; 2: it could not begin;
130: it was interrupted.`,
		Flags:  simFlags(),
		Action: command.PipedToTheEnd(action(simOptions)),
	}
}

func simFlags() []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	var flags []cli.Flag
	for _, f := range runFlags() {
		switch f.Names()[0] {
		case "machines", "rates", "die", "duration", "seed", "faults", "out", "check", "report", "min-free", "quiet", "wide", "color":
			flags = append(flags, f)
		}
	}
	return append(flags,
		&cli.StringFlag{Name: "latency", Usage: "`TIME` that messages spend in transit: 1ms, uniform:1ms,5ms, exp:2ms or lognormal:2ms,0.5", Value: experiment.DefaultLatency().String(), EnvVars: env("LATENCY")},
		&cli.StringFlag{Name: "phase", Usage: "`PHASE` of the first ticks: together, or random within a period", Value: "together", EnvVars: env("PHASE")},
		&cli.BoolFlag{Name: "logs", Usage: "write event logs (--logs=false keeps statistics only, and no files unless --out is given)", Value: true, EnvVars: env("LOGS")},
		&cli.StringFlag{Name: "per-machine", Usage: "write what each machine did to `FILE`, as CSV", EnvVars: env("PER_MACHINE")},
		&cli.Uint64Flag{Name: "hunt", Usage: "try this many small `RUNS` with random faults drawn from the seed, looking for one that breaks a law"},
		&cli.StringFlag{Name: "bug", Usage: "have the machines of a hunt make a known `MISTAKE`: " + oneOf(hunt.Mistakes())},
		&cli.IntFlag{Name: "workers", Usage: "`NUMBER` of cores to use; the run is the same with any number", DefaultText: "all", EnvVars: env("WORKERS")},
	)
}

func simOptions(c *cli.Context) (job, error) {
	if c.Args().Present() {
		return nil, unexpected(c)
	}
	if c.IsSet("hunt") || c.IsSet("bug") {
		return huntOptions(c)
	}
	o := lab.Virtual{Logs: c.Bool("logs"), Machines: c.String("per-machine"), Workers: c.Int("workers"), AtEnd: atEnd(c)}
	machines := c.Int("machines")
	switch {
	case c.IsSet("machines") && (machines < 1 || machines > experiment.MaxMachines):
		return nil, command.Usage("--machines %d: want 1 to %d", machines, experiment.MaxMachines)
	case c.IsSet("workers") && o.Workers < 1:
		return nil, command.Usage("--workers %d: want at least 1", o.Workers)
	}
	var err error
	if o.Dir, err = outDir(c); err != nil {
		return nil, err
	}
	if o.MinFree, err = minFree(c); err != nil {
		return nil, err
	}
	virtual := new(experiment.Virtual)
	if virtual.Phase, err = experiment.ParsePhase(c.String("phase")); err != nil {
		return nil, err
	}
	if virtual.Latency, err = experiment.ParseLatency(c.String("latency")); err != nil {
		return nil, err
	}
	if o.Spec, err = spec(c, experiment.VirtualName); err != nil {
		return nil, err
	}
	o.Virtual = virtual
	return o, o.Check()
}

// huntFlags are those that a hunt takes; it draws the others itself.
var huntFlags = []string{"hunt", "bug", "seed", "out", "quiet"}

func huntOptions(c *cli.Context) (job, error) {
	if !c.IsSet("hunt") {
		return nil, command.Usage("--bug is for a hunt: want --hunt NUMBER as well")
	}
	for _, name := range c.LocalFlagNames() {
		if !slices.Contains(huntFlags, name) && !slices.Contains(looks, name) {
			return nil, command.Usage("--%s with --hunt: a hunt draws its runs itself, from --seed", name)
		}
	}
	o := lab.Hunt{Runs: c.Uint64("hunt"), Bug: c.String("bug")}
	if o.Runs == 0 {
		return nil, command.Usage("--hunt 0: want at least 1 run")
	}
	if err := hunt.CheckMistake(o.Bug); err != nil {
		return nil, command.Usage("--bug: %w", err)
	}
	var err error
	if o.Dir, err = outDir(c); err != nil {
		return nil, err
	}
	o.Seed, err = experiment.ParseSeed(c.String("seed"))
	return o, err
}
