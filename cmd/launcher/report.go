package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write a page that shows a run, several runs or a sweep",
		UsageText: "launcher report [flags] DIR...",
		Description: `Writes one HTML file that needs nothing else: a space-time diagram in which one can walk,
charts, tables, and what the figures show. It opens in any browser, without a network.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "write to `FILE`, replaced only once the page is complete", DefaultText: "report.html in DIR"},
			&cli.BoolFlag{Name: "quiet", Usage: "print only errors"},
		},
		Action: command.PipedToTheEnd(action(reportOptions)),
	}
}

func reportOptions(c *cli.Context) (o lab.Report, err error) {
	o.File = c.String("out")
	o.Dirs, err = runDirs(c)
	return o, err
}
