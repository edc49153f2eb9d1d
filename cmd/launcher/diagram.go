package main

import (
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

func diagramCommand() *cli.Command {
	return &cli.Command{
		Name:      "diagram",
		Usage:     "draw a run, or a part of it, as a space-time diagram",
		UsageText: "launcher diagram [flags] DIR",
		Description: `Writes an SVG picture: a line per machine, time to the right, a mark per event with its
clock, an arrow per message, and the queue below the line. For example

  launcher diagram --from 10s --to 20s -o run.svg runs/latest`,
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "from", Usage: "begin so `LONG` after the run's start"},
			&cli.DurationFlag{Name: "to", Usage: "end so `LONG` after the run's start", DefaultText: "12s after the beginning"},
			&cli.StringFlag{Name: "o", Usage: "write to `FILE`, which is replaced when the picture is complete", DefaultText: "standard output"},
		},
		Action: command.Piped(diagram),
	}
}

func diagram(c *cli.Context) error {
	dir, err := runDir(c)
	if err != nil {
		return err
	}
	o := report.DiagramOptions{From: c.Duration("from"), To: c.Duration("to")}
	if !c.IsSet("to") {
		o.To = o.From + 12*time.Second
	}
	if o.From < 0 || o.To <= o.From {
		return command.Usage("--from %v --to %v: want a beginning and a later end", o.From, o.To)
	}
	run, err := trace.Open(dir)
	if err != nil {
		return err
	}
	return writeOutput(c, func(w io.Writer) error { return report.Diagram(w, run, o) })
}
