package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/report"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say whether one event can have influenced another, and by which messages",
		UsageText: "launcher explain [flags] DIR A [B]",
		Description: `Of two events it says whether one happened before the other, with the shortest chain of
messages that leads there, as lines of the logs; or that they are concurrent, and what
their clock values, the total order and the wall clocks say all the same. Of one event it
counts what happened before it, what it happened before, and what is concurrent with it,
machine by machine, and says by which messages its clock value came to it.

An event is named MACHINE:STEP (2:17), MACHINE@CLOCK (2@40) or FILE:LINE
(vm_2_4.log:19).

  launcher explain runs/latest 2:17 0:20`,
		Flags:  append([]cli.Flag{formatFlag(lab.ExplainFormats...)}, lookFlags()...),
		Action: command.PipedToTheEnd(action(explainOptions)),
	}
}

func explainOptions(c *cli.Context) (o lab.Explain, err error) {
	args := c.Args().Slice()
	switch {
	case len(args) == 0:
		return o, command.Usage("explain: which run, and which event of it? For example: runs/latest 2:17")
	case len(args) == 1:
		return o, command.Usage("explain: which event of the run? Name it MACHINE:STEP (2:17), MACHINE@CLOCK (2@40) or FILE:LINE (vm_2_4.log:19)")
	case len(args) > 3:
		return o, command.Usage("explain takes a run and one or two events of it, and here are %d", len(args)-1)
	}
	o.Dir = args[0]
	for _, text := range args[1:] {
		name, err := report.ParseEventName(text)
		if err != nil {
			return o, command.Usage("explain: %w", err)
		}
		o.Events = append(o.Events, name)
	}
	o.Format, err = format(c, lab.ExplainFormats...)
	return o, err
}
