package summary

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/histogram"
)

// Collector gathers what one machine does, event by event. The zero value is
// ready, and stands for a machine that has executed nothing. It is not safe
// for concurrent use.
type Collector struct {
	// By kind; kind 0 does not occur. An index has no branch that the
	// processor could guess wrong, and the die makes it guess wrong often.
	events   [4]uint64
	messages uint64 // of sends and receives

	clock    clock.Time
	maxJump  uint64
	gaps     uint64
	queueSum uint64
	maxQueue int

	missed   uint64
	lateness *lateness // nil until the first tick that is timed
}

// Observe takes in the machine's next event.
func (c *Collector) Observe(ev *event.Event) {
	jump := uint64(ev.Clock - c.clock)
	c.clock = ev.Clock
	c.maxJump = max(c.maxJump, jump)
	if jump > 1 {
		c.gaps++
	}
	c.queueSum += uint64(ev.Queue)
	c.maxQueue = max(c.maxQueue, ev.Queue)
	c.events[ev.Kind&3]++
	c.messages += uint64(len(ev.Messages()))
}

// Tick takes in that the next tick ran, late after it was due by the schedule
// that starts at the agreed instant; late below 0 counts as 0. Ticks that were
// missed before it must have been told to [Collector.Missed] already.
//
// A shell in virtual time, or of an unpaced machine, does not call Tick, and
// is spared the histogram that the first call makes, of some 30 KB.
func (c *Collector) Tick(late time.Duration) {
	if c.lateness == nil {
		c.lateness = newLateness()
	}
	c.lateness.record(max(late, 0))
}

// Missed takes in that n ticks will never run, since the schedule moves on.
func (c *Collector) Missed(n uint64) {
	c.missed += n
	if n > 0 && c.lateness != nil {
		c.lateness.last = 0 // until a tick runs, the schedule ends with these
	}
}

// Machine returns what was gathered about a machine with this number and
// nominal rate, in whose queue so many messages wait now.
//
// Elapsed is set for a paced machine: it follows from the schedule and the
// lateness of the last tick. For an unpaced one the caller sets it.
func (c *Collector) Machine(id int, rate clock.Rate, queue int) Machine {
	m := Machine{
		ID:       id,
		Rate:     rate,
		Missed:   c.missed,
		Steps:    c.steps(),
		Internal: c.events[event.Internal],
		Sends:    c.events[event.Send],
		Receives: c.events[event.Receive],
		// A receive is about one message, an internal event about none.
		Sent:     c.messages - c.events[event.Receive],
		Clock:    c.clock,
		MaxJump:  c.maxJump,
		Gaps:     c.gaps,
		MaxQueue: c.maxQueue,
		Queue:    queue,
	}
	if m.Steps > 0 {
		// The jumps from 0 to the clock add up to the clock.
		m.MeanJump = float64(c.clock) / float64(m.Steps)
		m.MeanQueue = float64(c.queueSum) / float64(m.Steps)
	}
	// The rate's Due is 0 for an unpaced machine.
	m.Elapsed = time.Duration(rate.Due(m.Steps + m.Missed))
	if l := c.lateness; l != nil {
		m.Lateness = l.summary()
		m.Elapsed += l.last
	}
	return m
}

// Messages returns how many messages were sent and how many received so far.
func (c *Collector) Messages() (sent, received uint64) {
	received = c.events[event.Receive]
	return c.messages - received, received
}

// Events returns how many events of each kind there were so far, and how many ticks were
// missed.
func (c *Collector) Events() (internal, sends, receives, missed uint64) {
	return c.events[event.Internal], c.events[event.Send], c.events[event.Receive], c.missed
}

func (c *Collector) steps() uint64 {
	return c.events[event.Internal] + c.events[event.Send] + c.events[event.Receive]
}

// lateness is the distribution of the lateness of ticks, in bounded memory.
type lateness struct {
	hist *histogram.Histogram // µs, rounded up
	late uint64
	last time.Duration
	max  time.Duration
}

func newLateness() *lateness { return &lateness{hist: histogram.New(16)} }

func (l *lateness) record(late time.Duration) {
	l.last = late
	l.max = max(l.max, late)
	if late > LateAfter {
		l.late++
	}
	µs := uint64(late / time.Microsecond)
	if late%time.Microsecond > 0 {
		µs++
	}
	l.hist.Add(µs, 1)
}

// Together returns the lateness of the ticks of several machines as if they were one's.
// Percentiles of each machine do not tell that: half of the machines may be late always, and
// the other half never.
func Together(machines []*Collector) Lateness {
	all := newLateness()
	for _, c := range machines {
		if l := c.lateness; l != nil {
			all.hist.Merge(l.hist)
			all.late += l.late
			all.max = max(all.max, l.max)
		}
	}
	return all.summary()
}

func (l *lateness) summary() Lateness {
	percentile := func(percent uint64) time.Duration {
		// Rounded up, it can lie above everything that was recorded.
		if µs := l.hist.Percentile(percent); µs <= uint64(l.max/time.Microsecond) {
			return time.Duration(µs) * time.Microsecond
		}
		return l.max
	}
	return Lateness{
		Ticks: l.hist.Total(),
		Late:  l.late,
		P50:   percentile(50),
		P99:   percentile(99),
		Max:   l.max,
	}
}
