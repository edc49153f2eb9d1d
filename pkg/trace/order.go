package trace

import (
	"errors"
	"fmt"
	"math"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Ordered is an event in the total order of a run.
type Ordered struct {
	Machine int
	Line    int   // in the machine's log
	Micro   int64 // global time, Unix microseconds
	Elapsed int64 // the same, counted from the first line of the run
	Event   *event.Event
	// Tied says that another event has the same timestamp. Such events are on
	// different machines, and concurrent: that the smaller machine comes
	// first has no meaning.
	Tied bool
}

// Disorder is the error of [Run.Order] for logs that have no such order.
type Disorder struct{ Violation }

// Error returns "file:line: law: what".
func (d *Disorder) Error() string { return fmt.Sprintf("%v: %s: %s", d.Events[0], d.Law, d.What) }

// Order shows all events of the run in the total order (clock, machine): Lamport's
// "⇒", in which a cause always comes before its effect. What visit is shown is
// valid during the call only. An error of visit ends the walk and is
// returned, but for [ErrEnough], with which it has seen all that it wants.
//
// The logs are merged as they stand, in memory that does not grow with them. That
// takes clocks that rise on each machine and from each send to its
// receive; a line that shows otherwise is a [Disorder]. All other laws are for
// [Run.Walk] to check.
//
// open lists what is missing, if anything: events that may belong into the order
// and are not known. It says nothing of an order that visit ends.
func (r *Run) Order(visit func(*Ordered) error) (open []string, err error) {
	stop := make(chan struct{})
	present := make([]*queue, 0, len(r.Logs))
	defer func() {
		close(stop)
		for _, q := range present {
			q.feed.wait()
		}
	}()
	for i := range r.Logs {
		l, n := &r.Logs[i], len(present)
		if n > 0 && present[n-1].id == l.ID {
			q := present[n-1]
			return nil, disorder(LawRun, fmt.Sprintf("machine %d has two logs in this directory", l.ID),
				Ref{File: l.Name, Line: 1}, Ref{File: q.feed.log.Name, Line: 1})
		}
		present = append(present, &queue{id: l.ID, feed: newFeed(l, len(r.Logs), stop), started: math.MaxInt64})
	}
	var m merge
	started := int64(math.MaxInt64)
	for _, q := range present {
		if err := q.advance(); err != nil {
			return nil, err
		}
		started = min(started, q.started)
		if q.head != nil {
			m = append(m, q)
		}
	}
	m.init()
	var last clock.Time
	var o Ordered
	for len(m) > 0 {
		q := m[0]
		now := q.head.Event.Clock
		o = Ordered{
			Machine: q.id, Line: q.head.Line, Micro: q.head.UnixMicro, Elapsed: q.head.UnixMicro - started, Event: &q.head.Event,
			Tied: now == last || m.nextIs(now), // no event has timestamp 0
		}
		if err := visit(&o); errors.Is(err, ErrEnough) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		last = now
		if err := q.advance(); err != nil {
			return nil, err
		}
		m.fix()
	}
	for _, q := range present {
		if !q.stopped {
			open = append(open, q.feed.log.Name+" breaks off")
		}
	}
	n, missing := roster(r.Present()).missing(r.Machines)
	if n > len(missing) {
		return append(open, fmt.Sprintf("the logs of %d machines are missing, %s, …", n, listed(missing))), nil
	}
	for _, id := range missing {
		open = append(open, fmt.Sprintf("the log of machine %d is missing", id))
	}
	return open, nil
}

func disorder(law Law, what string, refs ...Ref) error {
	return &Disorder{Violation{Law: law, What: what, Events: refs}}
}

// queue is what is still to come of one machine.
type queue struct {
	id      int
	feed    *feed
	head    *logging.Entry // the next event, nil at the end
	started int64          // when the log's first line was written; MaxInt64: not yet known
	stopped bool

	clock clock.Time // of the event before head
	line  int
}

// stamp returns the place of the head in the total order.
func (q *queue) stamp() clock.Stamp { return clock.Stamp{Time: q.head.Event.Clock, ID: q.id} }

// advance makes the log's next event its head.
func (q *queue) advance() error {
	if q.head != nil {
		q.clock, q.line = q.head.Event.Clock, q.head.Line
	}
	for {
		e := q.feed.next()
		q.head = e
		if e == nil {
			err := q.feed.ending()
			if errors.Is(err, logging.ErrTorn) {
				q.stopped, err = false, nil
			}
			return err
		}
		if q.started == math.MaxInt64 {
			q.started = e.UnixMicro
		}
		if e.Other == nil {
			return q.check(e)
		}
		q.stopped = e.Other.Kind == logging.StopRecord
	}
}

// check refuses an event with which the order would be wrong.
func (q *queue) check(e *logging.Entry) error {
	ref := Ref{File: q.feed.log.Name, Line: e.Line}
	now := e.Event.Clock
	switch {
	case e.ID != q.id:
		return disorder(LawRun, fmt.Sprintf("a line of machine %d in the log of machine %d", e.ID, q.id), ref)
	case now <= q.clock:
		law, refs := LawIncrement, []Ref{ref}
		if e.Event.Kind == event.Receive {
			law = LawReceive
		}
		if q.line > 0 {
			refs = append(refs, Ref{File: ref.File, Line: q.line})
		}
		return disorder(law, fmt.Sprintf("clock %d after clock %d", now, q.clock), refs...)
	case e.Event.Kind == event.Receive && e.Event.Messages()[0].Sent >= now:
		return disorder(LawCondition, fmt.Sprintf("the receive has clock %d, its send has clock %d", now, e.Event.Messages()[0].Sent), ref)
	}
	return nil
}

// merge is a heap of the machines with events, the one whose event comes next on top.
type merge []*queue

func (m merge) less(i, j int) bool {
	return m[i].stamp().Compare(m[j].stamp()) < 0
}

func (m merge) init() {
	for i := len(m)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
}

// fix puts the top, which has moved on, where it belongs now.
func (m *merge) fix() {
	if h := *m; h[0].head == nil {
		h[0] = h[len(h)-1]
		*m = h[:len(h)-1]
	}
	m.down(0)
}

func (m merge) down(i int) {
	for {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < len(m) && m.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		m[i], m[least] = m[least], m[i]
		i = least
	}
}

// nextIs reports whether the event after the top has this timestamp too. It cannot be
// of the top's machine, whose clock rises.
func (m merge) nextIs(c clock.Time) bool {
	return len(m) > 1 && m[1].head.Event.Clock == c || len(m) > 2 && m[2].head.Event.Clock == c
}
