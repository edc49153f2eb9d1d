package main

import (
	"math"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "export a run for other programs: ShiViz, Perfetto, tables",
		UsageText: "launcher export --format FORMAT [flags] DIR",
		Description: `Writes all events to standard output, or to a file:

  shiviz     a log with vector clocks, for ShiViz
  perfetto   Chrome trace JSON, for ui.perfetto.dev: machines, messages, clocks, queues
  csv        one row per event
  jsonl      one JSON object per event and line

A run that is not correct is exported as far as it goes; standard error says what is
wrong with it.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the export: " + oneOf(exportFormats()), DefaultText: "required"},
			&cli.StringFlag{Name: "o", Usage: "write to `FILE`, replaced only once the export is complete", DefaultText: "standard output"},
			correctedFlag(),
			&cli.BoolFlag{Name: "vectors", Usage: "csv and jsonl: add the events' vector clocks"},
			&cli.Int64Flag{Name: "vector-memory", Usage: "`MB` that vector clocks of messages in flight may take", Value: trace.DefaultVectorBytes >> 20},
		},
		Action: command.Piped(action(exportOptions)),
	}
}

func exportFormats() []string {
	names := make([]string, len(report.Formats))
	for i, f := range report.Formats {
		names[i] = string(f)
	}
	return names
}

func exportOptions(c *cli.Context) (o lab.Export, err error) {
	o.File, o.Vectors = c.String("o"), c.Bool("vectors")
	o.Corrected = c.Bool("corrected")
	mb := c.Int64("vector-memory")
	if mb < 1 || mb > math.MaxInt64>>20 {
		return o, command.Usage("--vector-memory %d: want 1 or more", mb)
	}
	o.VectorBytes = mb << 20
	if o.Dir, err = runDir(c); err != nil {
		return o, err
	}
	if !c.IsSet("format") {
		return o, command.Usage("--format is missing: want %s", oneOf(exportFormats()))
	}
	name, err := format(c, exportFormats()...)
	if err != nil {
		return o, err
	}
	o.Format = report.Format(name)
	if o.Vectors && o.Format != report.CSV && o.Format != report.JSONL {
		return o, command.Usage("--vectors is for csv and jsonl; %s", map[report.Format]string{
			report.ShiViz: "shiviz always has them", report.Perfetto: "perfetto has no place for them",
		}[o.Format])
	}
	return o, nil
}

func diagramCommand() *cli.Command {
	return &cli.Command{
		Name:      "diagram",
		Usage:     "draw a run, or a part of it, as a space-time diagram",
		UsageText: "launcher diagram [flags] DIR",
		Description: `Draws a line per machine, time to the right, a mark per event with its clock, an arrow
per message, and the queue below the line. Where there are too many events for that, a
line shows the length of the queue. For example

  launcher diagram --from 10s --to 20s -o run.svg runs/latest
  launcher diagram --machine 0,2 --width 800 --format tikz -o run.tex runs/latest`,
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "from", Usage: "start this `TIME` into the run"},
			&cli.DurationFlag{Name: "to", Usage: "stop at this `TIME` into the run, or at its end", DefaultText: "12s after --from"},
			&cli.StringSliceFlag{Name: "machine", Usage: "only the machines in this `LIST` of ids, in this order"},
			correctedFlag(),
			&cli.IntFlag{Name: "width", Usage: "width of the picture in `PIXELS`", Value: report.DefaultWidth},
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the picture: svg for a browser, tikz for LaTeX", Value: report.DiagramFormats[0]},
			&cli.StringFlag{Name: "o", Usage: "write to `FILE`, replaced only once the picture is complete", DefaultText: "standard output"},
		},
		Action: command.Piped(action(diagramOptions)),
	}
}

func diagramOptions(c *cli.Context) (o lab.Diagram, err error) {
	o.File, o.From, o.To, o.Width = c.String("o"), c.Duration("from"), c.Duration("to"), c.Int("width")
	o.Corrected = c.Bool("corrected")
	if o.Dir, err = runDir(c); err != nil {
		return o, err
	}
	if !c.IsSet("to") {
		o.To = o.From + 12*time.Second
	}
	if o.From < 0 || o.To <= o.From {
		return o, command.Usage("--from %v --to %v: want a beginning and a later end", o.From, o.To)
	}
	if o.Width < report.MinWidth || o.Width > report.MaxWidth {
		return o, command.Usage("--width %d: want %d to %d pixels", o.Width, report.MinWidth, report.MaxWidth)
	}
	if o.Machines, err = machineIDs(c); err != nil {
		return o, err
	}
	o.Format, err = format(c, report.DiagramFormats...)
	return o, err
}
