package trace

import (
	"errors"
	"fmt"
	"math"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/tournament"
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
	turns := tournament.New(len(present))
	started := int64(math.MaxInt64)
	for i, q := range present {
		if err := q.advance(); err != nil {
			return nil, err
		}
		started = min(started, q.started)
		turns.Set(i, q.turn())
	}
	var last clock.Time
	var o Ordered
	for {
		i, turn := turns.Winner()
		if turn == tournament.Never {
			break
		}
		q := present[i]
		now := q.head.Event.Clock
		o = Ordered{
			Machine: q.id, Line: q.head.Line, Micro: q.head.UnixMicro, Elapsed: q.head.UnixMicro - started, Event: &q.head.Event,
			Tied: now == last || turns.Tied(), // no event has timestamp 0
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
		turns.Set(i, q.turn())
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

// turn returns the key by which queues take turns: the timestamp of the head. None is 0, and so
// none is the key of a queue that has ended.
func (q *queue) turn() uint64 {
	if q.head == nil {
		return tournament.Never
	}
	return uint64(q.head.Event.Clock) - 1
}

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
