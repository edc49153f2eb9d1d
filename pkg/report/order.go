package report

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// OrderOptions says which events of a total order are listed. The zero OrderOptions
// lists all.
type OrderOptions struct {
	Since, Until Point        // both ends belong to it
	Machines     []int        // empty: all
	Kinds        []event.Kind // empty: all
}

// Point is a place in a run, by a clock value, a global time, or a time after the
// start. The zero Point is none.
type Point struct {
	by    measure
	clock clock.Time // byClock
	micro int64      // else: µs, since 1970 or since the start
}

// measure is what a point is measured by.
type measure uint8

const (
	nowhere measure = iota
	byClock
	byTime
	byElapsed
)

// AtClock is where Lamport clocks show c.
func AtClock(c clock.Time) Point { return Point{by: byClock, clock: c} }

// AtTime is where global time is t, of which whole microseconds count.
func AtTime(t time.Time) Point { return Point{by: byTime, micro: t.UnixMicro()} }

// AtElapsed is so long after the first line of the run, in whole microseconds.
func AtElapsed(d time.Duration) Point { return Point{by: byElapsed, micro: d.Microseconds()} }

// After reports whether p is known to be after q, whatever the run: both are measured
// by the same.
func (p Point) After(q Point) bool {
	return p.by == q.by && (p.clock > q.clock || p.micro > q.micro)
}

// compare returns a number below, at or above 0 as an event stands before, at or after p,
// which is somewhere.
func (p Point) compare(o *trace.Ordered) int {
	switch p.by {
	case byClock:
		return cmp.Compare(o.Event.Clock, p.clock)
	case byTime:
		return cmp.Compare(o.Micro, p.micro)
	default:
		return cmp.Compare(o.Elapsed, p.micro)
	}
}

// takes reports whether an event is listed.
func (o *OrderOptions) takes(e *trace.Ordered) bool {
	return (len(o.Kinds) == 0 || slices.Contains(o.Kinds, e.Event.Kind)) &&
		(len(o.Machines) == 0 || slices.Contains(o.Machines, e.Machine)) &&
		(o.Since.by == nowhere || o.Since.compare(e) >= 0) && (o.Until.by == nowhere || o.Until.compare(e) <= 0)
}

// past reports whether neither this event nor any later one in the order is listed. Only
// clocks rise in it.
func (o *OrderOptions) past(e *trace.Ordered) bool {
	return o.Until.by == byClock && o.Until.compare(e) > 0
}

// Order lists events in the total order (clock, machine), as [trace.Run.Order] shows
// them, one in a line:
//
//	clock  machine  global time                  kind      details
//	    3  vm-1     2026-11-22T17:13:41.566786Z  send      step=3 queue=0 to=0:1
//	    4= vm-0     2026-11-22T17:13:42.066670Z  receive   step=2 queue=0 from=1 seq=1 sent=3
//	    4= vm-1     2026-11-22T17:13:42.066787Z  internal  step=4 queue=0
//
// where = marks a tie. Logs are read no further than the last event that o can take. It
// ends early with an error of w, of ctx, or of the logs, such as a [trace.Disorder]; what
// came before that is written. open lists what is missing, of an order that was read
// to its end.
func Order(ctx context.Context, w io.Writer, run *trace.Run, o OrderOptions) (open []string, err error) {
	l := orderList{w: w, name: len(appendHost(nil, run.Machines-1))}
	open, err = run.Order(func(e *trace.Ordered) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case o.past(e):
			return trace.ErrEnough
		case o.takes(e):
			return l.add(e)
		}
		return nil
	})
	if err := l.flush(); err != nil {
		return nil, err
	}
	return open, err
}

// orderList writes the lines of an order, many at once.
type orderList struct {
	w    io.Writer
	name int // width of a machine's name
	time stamp
	b    []byte
}

func (l *orderList) flush() error {
	if len(l.b) == 0 {
		return nil
	}
	_, err := l.w.Write(l.b)
	l.b = l.b[:0]
	return err
}

func (l *orderList) add(o *trace.Ordered) error {
	const clockWidth, kindWidth, full = 7, len("internal"), 32 << 10
	b, e := l.b, o.Event
	var digits [20]byte
	clock := strconv.AppendUint(digits[:0], uint64(e.Clock), 10)
	b = append(pad(b, clockWidth-len(clock)), clock...)
	if o.Tied {
		b = append(b, "= "...)
	} else {
		b = append(b, "  "...)
	}
	name := len(b)
	b = appendHost(b, o.Machine)
	b = pad(b, l.name-(len(b)-name)+len("  "))
	b = l.time.append(b, o.Micro)
	kind := e.Kind.String()
	b = append(append(b, "  "...), kind...)
	b = pad(b, kindWidth-len(kind))
	b = appendUint(b, "  step=", e.Step)
	b = appendUint(b, " queue=", uint64(e.Queue))
	switch m := e.Messages(); e.Kind {
	case event.Send:
		for i := range m {
			if i == 0 {
				b = appendUint(b, " to=", uint64(m[i].To))
			} else {
				b = appendUint(b, ",", uint64(m[i].To))
			}
			b = appendUint(b, ":", m[i].Seq)
		}
	case event.Receive:
		b = appendUint(b, " from=", uint64(m[0].From))
		b = appendUint(b, " seq=", m[0].Seq)
		b = appendUint(b, " sent=", uint64(m[0].Sent))
	}
	if l.b = append(b, '\n'); len(l.b) < full {
		return nil
	}
	return l.flush()
}

// pad appends n spaces, none if n is not above 0.
func pad(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}
