package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write a page that shows a run, several runs side by side, or a sweep",
		UsageText: "launcher report [flags] DIR...",
		Description: `Writes one HTML file that needs nothing else and opens in any browser, without a network:
the verdict, what matters in the figures, a space-time diagram to walk in, charts and
tables. docs/report.md says how it is read. For example

  launcher report runs/latest
  launcher report --from 10s --to 20s --out part.html runs/latest

Several runs stand side by side; where they should be the same, the first difference is
marked. The page of a sweep leads to those of its runs, and makes them where they are
missing. "launcher run", "sim", "rerun" and "sweep" write a page at their end unasked.`,
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "from", Usage: "show the events from this `TIME` into the run on; charts and tables stay those of all"},
			&cli.DurationFlag{Name: "to", Usage: "show the events up to this `TIME` into the run", DefaultText: "the end"},
			&cli.StringFlag{Name: "out", Usage: "write to `FILE`, replaced only once the page is complete; - is standard output", DefaultText: "report.html in DIR"},
			correctedFlag(),
			&cli.BoolFlag{Name: "quiet", Usage: "print only errors"},
		},
		Action: command.Piped(action(reportOptions)),
	}
}

func reportOptions(c *cli.Context) (o lab.Report, err error) {
	o.File, o.From, o.To = c.String("out"), c.Duration("from"), c.Duration("to")
	o.Corrected = c.Bool("corrected")
	if o.Dirs, err = runDirs(c); err != nil {
		return o, err
	}
	switch {
	case c.IsSet("out") && o.File == "":
		return o, command.Usage("--out is empty: want the name of a file")
	case o.From < 0:
		return o, command.Usage("--from %v: want a time after the start", o.From)
	case c.IsSet("to") && o.To <= o.From:
		return o, command.Usage("--from %v --to %v: want a beginning and a later end", o.From, o.To)
	}
	return o, nil
}
