package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/report"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "check the logs of runs against the laws",
		UsageText: "launcher check [flags] DIR...",
		Description: `Checks a run against its own logs: every step and clock follows the rules, every
receive has its send, the Clock Condition holds, each link delivers in order, and
nothing is lost. A violation is shown with the lines that break the law. Of several
runs, each has a line, and a table says how many are correct.

  launcher check -r runs

In the place of a directory, this command and the others that read a run take a file
in which the logs of several machines stand mixed, or - for standard input: what
"docker compose logs", "kubectl logs", "journalctl" or "srun -l" print, whatever stands
in front of the lines. Other lines are passed over.

Exit code 0: every run is correct; 1: one is broken or incomplete; 2: a log cannot
be read.`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "show every violation, not just the first of each law, of several runs too"},
			&cli.BoolFlag{Name: "allow-incomplete", Usage: "exit with 0 if no law is broken but something is missing"},
			recursiveFlag(), formatFlag(lab.CheckFormats...),
		}, colorFlag()),
		Action: command.PipedToTheEnd(action(checkOptions)),
	}
}

func checkOptions(c *cli.Context) (o lab.Check, err error) {
	o.All, o.AllowIncomplete = c.Bool("all"), c.Bool("allow-incomplete")
	if o.Runs, err = runs(c); err != nil {
		return o, err
	}
	o.Format, err = format(c, lab.CheckFormats...)
	return o, err
}

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "show rates, jumps, drift and queues of runs, predicted next to observed",
		UsageText: "launcher stats [flags] DIR...",
		Description: `All figures are taken from the event logs. A jump is the difference between consecutive
clock values of one machine; a gap is a jump of more than 1. The drift of a machine at
some instant is the largest clock of any machine minus its own. Queues are predicted
from the machines' rates. Of several runs, each has a line, and a table says between what
they lie; csv has the figures of all machines of all runs.

  launcher stats -r --format csv runs`,
		Flags: append([]cli.Flag{
			recursiveFlag(),
			formatFlag(report.StatsFormats...),
			&cli.StringFlag{Name: "plot", Usage: "draw clocks, drift, queues and jumps of one run to `FILE`, as SVG"},
			correctedFlag(),
		}, lookFlags()...),
		Action: command.PipedToTheEnd(action(statsOptions)),
	}
}

func statsOptions(c *cli.Context) (o lab.Stats, err error) {
	if o.Runs, err = runs(c); err != nil {
		return o, err
	}
	if o.Plot = c.String("plot"); o.Plot != "" && (o.Descend || len(o.Dirs) > 1) {
		return o, command.Usage("--plot with several runs: a figure is of one")
	}
	o.Corrected = c.Bool("corrected")
	o.Format, err = format(c, report.StatsFormats...)
	return o, err
}
