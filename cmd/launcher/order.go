package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/report"
)

func orderCommand() *cli.Command {
	return &cli.Command{
		Name:      "order",
		Usage:     "list all events of a run in one total order",
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
			&cli.StringFlag{Name: "since", Usage: "leave out everything before `POINT`"},
			&cli.StringFlag{Name: "until", Usage: "leave out everything after `POINT`"},
			&cli.StringSliceFlag{Name: "machine", Usage: "only the machines in this `LIST` of ids"},
			&cli.StringSliceFlag{Name: "kind", Usage: "only the kinds of event in this `LIST`: internal, send, receive"},
		},
		Action: command.Piped(action(orderOptions)),
	}
}

// orderOptions reads which events are wanted.
func orderOptions(c *cli.Context) (o lab.Order, err error) {
	if o.Dir, err = runDir(c); err != nil {
		return o, err
	}
	if o.Since, err = parsePoint(c, "since"); err != nil {
		return o, err
	}
	if o.Until, err = parsePoint(c, "until"); err != nil {
		return o, err
	}
	if o.Since.After(o.Until) {
		return o, command.Usage("--since %s is after --until %s: nothing lies between them", c.String("since"), c.String("until"))
	}
	if o.Machines, err = machineIDs(c); err != nil {
		return o, err
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

// machineIDs reads the flag that chooses machines, nil where it is not given.
func machineIDs(c *cli.Context) (ids []int, err error) {
	for _, s := range c.StringSlice("machine") {
		id, err := strconv.Atoi(strings.TrimPrefix(s, "vm-"))
		if err != nil {
			return nil, command.Usage("--machine %q: want ids such as 0 or 2", s)
		}
		ids = append(ids, id)
	}
	return ids, nil
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
