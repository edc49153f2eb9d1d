package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
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
		Action: command.Piped(order),
	}
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
	pick, err := newFilter(c, run.Machines)
	if err != nil {
		return err
	}
	ctx, stop := exit.OnInterrupt(c.Context, nil)
	defer stop()
	out := listing{w: &untilDone{ctx, c.App.Writer}, name: len("vm-" + strconv.Itoa(run.Machines-1))}
	open, err := run.Order(func(o *trace.Ordered) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case pick.past(o):
			return errEnough
		case pick.takes(o):
			return out.add(o)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if flushErr := out.flush(); flushErr != nil {
		return flushErr
	}
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

// errEnough ends an order before its end.
var errEnough = errors.New("nothing more is wanted")

// tell says on standard error what is to be known of an output.
func tell(c *cli.Context, dir string, what []string) {
	const shown = 3
	if len(what) == 0 {
		return
	}
	if more := len(what) - shown; more > 0 {
		what = append(what[:shown:shown], fmt.Sprintf("and %d more", more))
	}
	_, _ = fmt.Fprintf(c.App.ErrWriter, "%s: %s: %s\n", c.App.Name, dir, strings.Join(what, "; "))
}

// untilDone writes as long as its context lasts.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u *untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.w.Write(p)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		err = fmt.Errorf("standard output cannot be written: %w", err)
	}
	return n, err
}

// listing writes the lines of an order, many at once.
type listing struct {
	w    io.Writer
	name int // width of a machine's name
	b    []byte
}

func (l *listing) flush() error {
	if len(l.b) == 0 {
		return nil
	}
	_, err := l.w.Write(l.b)
	l.b = l.b[:0]
	return err
}

func (l *listing) add(o *trace.Ordered) error {
	const clockWidth, kindWidth = 7, len("internal")
	b, e := l.b, o.Event
	b = strconv.AppendUint(b, uint64(e.Clock), 10)
	for from := len(l.b); len(b)-from < clockWidth; {
		b = slices.Insert(b, from, ' ')
	}
	if o.Tied {
		b = append(b, "= "...)
	} else {
		b = append(b, "  "...)
	}
	b = pad(b, "vm-"+strconv.Itoa(o.Machine), l.name)
	b = append(b, "  "...)
	b = time.UnixMicro(o.Micro).UTC().AppendFormat(b, logging.TimeFormat)
	b = append(b, "  "...)
	b = pad(b, e.Kind.String(), kindWidth)
	b = appendField(b, "  step=", e.Step)
	b = appendField(b, " queue=", uint64(e.Queue))
	switch m := e.Messages(); e.Kind {
	case event.Send:
		for i := range m {
			if i == 0 {
				b = appendField(b, " to=", uint64(m[i].To))
			} else {
				b = appendField(b, ",", uint64(m[i].To))
			}
			b = appendField(b, ":", m[i].Seq)
		}
	case event.Receive:
		b = appendField(b, " from=", uint64(m[0].From))
		b = appendField(b, " seq=", m[0].Seq)
		b = appendField(b, " sent=", uint64(m[0].Sent))
	}
	b = append(b, '\n')
	if l.b = b; len(b) < 32<<10 {
		return nil
	}
	return l.flush()
}

func appendField(b []byte, before string, n uint64) []byte {
	return strconv.AppendUint(append(b, before...), n, 10)
}

// pad appends s and spaces up to a width.
func pad(b []byte, s string, width int) []byte {
	b = append(b, s...)
	for range width - len(s) {
		b = append(b, ' ')
	}
	return b
}

// filter says which events of an order are wanted.
type filter struct {
	since, until *point
	machines     []bool // empty: all
	kinds        [event.Receive + 1]bool
}

func newFilter(c *cli.Context, machines int) (f filter, err error) {
	if f.since, err = parsePoint(c, "since"); err != nil {
		return f, err
	}
	if f.until, err = parsePoint(c, "until"); err != nil {
		return f, err
	}
	if f.since != nil && f.until != nil && f.since.after(f.until) {
		return f, command.Usage("--since %s is after --until %s: nothing lies between them", c.String("since"), c.String("until"))
	}
	for _, s := range c.StringSlice("machine") {
		id, err := strconv.Atoi(strings.TrimPrefix(s, "vm-"))
		if err != nil || id < 0 || id >= machines {
			return f, command.Usage("--machine %q: want ids from 0 to %d", s, machines-1)
		}
		if f.machines == nil {
			f.machines = make([]bool, machines)
		}
		f.machines[id] = true
	}
	for _, s := range c.StringSlice("kind") {
		k := slices.IndexFunc(kinds, func(k event.Kind) bool { return k.String() == s })
		if k < 0 {
			return f, command.Usage("--kind %q: want internal, send or receive", s)
		}
		f.kinds[kinds[k]] = true
	}
	if !c.IsSet("kind") {
		for _, k := range kinds {
			f.kinds[k] = true
		}
	}
	return f, nil
}

var kinds = []event.Kind{event.Internal, event.Send, event.Receive}

func (f *filter) takes(o *trace.Ordered) bool {
	return f.kinds[o.Event.Kind] && (f.machines == nil || f.machines[o.Machine]) &&
		(f.since == nil || f.since.compare(o) >= 0) && (f.until == nil || f.until.compare(o) <= 0)
}

// past reports whether neither this event nor any later one in the order is wanted. Only
// clocks rise in it.
func (f *filter) past(o *trace.Ordered) bool {
	return f.until != nil && f.until.by == byClock && f.until.compare(o) > 0
}

// point is a place in a run.
type point struct {
	by    measure
	clock clock.Time // byClock
	micro int64      // else: µs, since 1970 or since the start
}

type measure int

const (
	byClock measure = iota
	byTime
	byElapsed
)

// parsePoint returns nil where the flag is not given.
func parsePoint(c *cli.Context, flag string) (*point, error) {
	s := c.String(flag)
	if !c.IsSet(flag) {
		return nil, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return &point{by: byClock, clock: clock.Time(n)}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return &point{by: byElapsed, micro: d.Microseconds()}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return &point{by: byTime, micro: t.UnixMicro()}, nil
	}
	return nil, command.Usage("--%s %q: want a clock value such as 100, a time after the start such as 2.5s, or a global time such as 2006-01-02T15:04:05Z", flag, s)
}

// compare returns a number below, at or above 0 as the event stands before, at or after p.
func (p *point) compare(o *trace.Ordered) int {
	switch p.by {
	case byClock:
		return cmp.Compare(o.Event.Clock, p.clock)
	case byTime:
		return cmp.Compare(o.Micro, p.micro)
	default:
		return cmp.Compare(o.Elapsed, p.micro)
	}
}

// after reports whether p is known to be after q.
func (p *point) after(q *point) bool {
	return p.by == q.by && (p.clock > q.clock || p.micro > q.micro)
}
