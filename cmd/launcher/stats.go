package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "rates, jumps, drift and queues of runs; predicted beside observed",
		UsageText: "launcher stats [flags] DIR...",
		Description: `Everything is taken from the event logs. A jump is the difference of consecutive clock
values of one machine, a gap a jump of more than 1; the drift of a machine at an
instant is the largest clock of any machine minus its own; the predicted queue is the
fixed point of the machines' rates.`,
		Flags:  []cli.Flag{formatFlag(report.StatsFormats...)},
		Action: stats,
	}
}

func stats(c *cli.Context) error {
	dirs, err := runDirs(c)
	if err != nil {
		return err
	}
	format, err := format(c, report.StatsFormats...)
	if err != nil {
		return err
	}
	broken := false
	for i, dir := range dirs {
		run, err := trace.Open(dir)
		if err != nil {
			return err
		}
		s, err := run.Stats()
		if err != nil {
			return err
		}
		if i > 0 && (format == "table" || format == "markdown") {
			_, _ = fmt.Fprintln(c.App.Writer)
		}
		if err := report.Stats(c.App.Writer, s, format); err != nil {
			return err
		}
		broken = broken || s.Verdict.State == trace.Broken
	}
	if broken {
		return exit.With(exit.Broken, errors.New("a law is broken, so the figures may mean nothing: see \"launcher check\""))
	}
	return nil
}
