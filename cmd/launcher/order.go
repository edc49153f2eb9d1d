package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

func orderCommand() *cli.Command {
	return &cli.Command{
		Name:      "order",
		Usage:     "all events of a run in one total order",
		UsageText: "launcher order [flags] DIR",
		Description: `Lists the events by (clock, machine). A cause always comes before its effect; of two
events that come one after the other, the first need not be a cause. One line each:

  clock  machine  global time                  kind      details
      3  vm-1     2026-11-22T17:13:41.566786Z  send      step=3 queue=0 to=0:1
      4= vm-0     2026-11-22T17:13:42.066670Z  receive   step=2 queue=0 from=1 seq=1 sent=3
      4= vm-1     2026-11-22T17:13:42.066787Z  internal  step=4 queue=0

= marks a tie: another event, shown or not, has the same clock. Such events are
concurrent, and which comes first has no meaning.

POINT is a clock value (100), a global time (2026-11-22T17:13:41Z) or a time after
the run's start (2.5s). Exit code 1: the logs have no such order; "launcher check"
says more, and checks all that this command does not.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "leave out what comes before `POINT`"},
			&cli.StringFlag{Name: "until", Usage: "leave out what comes after `POINT`"},
			&cli.StringSliceFlag{Name: "machine", Usage: "only machines of this `LIST` of ids"},
			&cli.StringSliceFlag{Name: "kind", Usage: "only events of this `LIST`: internal, send, receive"},
		},
		Action: command.Piped(order),
	}
}

// piped lets a command whose exit code is its result outlive the reader of its
// output.
func piped(c *cli.Command) *cli.Command {
	c.Action = command.PipedToTheEnd(c.Action)
	return c
}

func order(c *cli.Context) error {
	dir, err := runDir(c)
	if err != nil {
		return err
	}
	run, err := trace.Open(dir)
	if err != nil {
		return err
	}
	o, err := orderOptions(c, run.Machines)
	if err != nil {
		return err
	}
	ctx, stop := command.OnInterrupt(c.Context, nil)
	defer stop()
	open, err := report.Order(ctx, &output{ctx: ctx, w: c.App.Writer}, run, o)
	var disorder *trace.Disorder
	switch {
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, nil)
	case errors.As(err, &disorder):
		return exit.With(exit.Broken, fmt.Errorf("%w; the order ends here, \"launcher check\" says more", err))
	case err != nil:
		return err
	}
	tell(c, dir, open)
	return nil
}

// tell says on standard error what is to be known of an output.
func tell(c *cli.Context, dir string, what []string) {
	const most = 3
	if len(what) == 0 {
		return
	}
	if more := len(what) - most; more > 0 {
		what = append(what[:most:most], fmt.Sprintf("and %d more", more))
	}
	_, _ = fmt.Fprintf(c.App.ErrWriter, "%s: %s: %s\n", c.App.Name, dir, strings.Join(what, "; "))
}

// runDir returns the one directory that a command is to read.
func runDir(c *cli.Context) (string, error) {
	dirs, err := runDirs(c)
	if err == nil && len(dirs) > 1 {
		err = command.Usage("%s: %d directories: want one run", c.Command.Name, len(dirs))
	}
	if err != nil {
		return "", err
	}
	return dirs[0], nil
}

// orderOptions reads from the flags which events are wanted of a run with so many
// machines.
func orderOptions(c *cli.Context, machines int) (o report.OrderOptions, err error) {
	if o.Since, err = parsePoint(c, "since"); err != nil {
		return o, err
	}
	if o.Until, err = parsePoint(c, "until"); err != nil {
		return o, err
	}
	if o.Since.After(o.Until) {
		return o, command.Usage("--since %s is after --until %s: nothing lies between them", c.String("since"), c.String("until"))
	}
	for _, s := range c.StringSlice("machine") {
		id, err := strconv.Atoi(strings.TrimPrefix(s, "vm-"))
		if err != nil || id < 0 || id >= machines {
			return o, command.Usage("--machine %q: want ids from 0 to %d", s, machines-1)
		}
		o.Machines = append(o.Machines, id)
	}
	for _, s := range c.StringSlice("kind") {
		k := slices.IndexFunc(kinds, func(k event.Kind) bool { return k.String() == s })
		if k < 0 {
			return o, command.Usage("--kind %q: want internal, send or receive", s)
		}
		o.Kinds = append(o.Kinds, kinds[k])
	}
	return o, nil
}

var kinds = []event.Kind{event.Internal, event.Send, event.Receive}

// parsePoint returns the zero Point where the flag is not given.
func parsePoint(c *cli.Context, flag string) (report.Point, error) {
	s := c.String(flag)
	if !c.IsSet(flag) {
		return report.Point{}, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return report.AtClock(clock.Time(n)), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return report.AtElapsed(d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return report.AtTime(t), nil
	}
	return report.Point{}, command.Usage("--%s %q: want a clock value such as 100, a time after the start such as 2.5s, or a global time such as 2006-01-02T15:04:05Z", flag, s)
}
