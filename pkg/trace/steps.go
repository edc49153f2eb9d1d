package trace

import (
	"fmt"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
)

// ClockStep is where the system's clock, by which a machine stamps its lines, was set
// while the machine ran. A machine keeps its pace by a clock that is never set, so
// its lines are still as far apart as before, but all later by the same.
type ClockStep struct {
	Machine int           `json:"machine"`
	Line    int           `json:"line"`  // the first that was stamped afterwards
	Step    uint64        `json:"step"`  // that is executed there
	By      time.Duration `json:"by_ns"` // forward; below 0: back
}

// offsets follows how late a paced machine's ticks are, by the times in its log, and
// notes where that changes all at once.
//
// After a machine has stood still, its first tick is late by as much as it happens to
// be, and those after it are due where ticks were always due: the schedule moves on
// by whole periods. After the system's clock was set, the first tick is as punctual
// as any, and all are off by as much as the clock was set, whatever that is.
type offsets struct {
	rate  clock.Rate
	dues  dues          // of rate
	start int64         // µs
	ticks uint64        // executed, and taken for missed
	shift time.Duration // by which the clock is taken to have been set

	recent [8]time.Duration // of the last ticks, how late they were
	known  int              // ticks that were noted in recent
	last   time.Duration    // how late the last tick was
	micro  int64            // when it was executed
	again  bool             // the machine came back, to ticks that are due by what the clock shows then

	open  *rise // what happens after it is still being looked at
	rises []rise
}

// rise is a change, all at once, of how late ticks are; below 0, they are early.
type rise struct {
	machine  int
	line     int
	step     uint64
	from, to int64         // µs, of the lines before and after it
	before   time.Duration // how late the ticks before it were, at least
	first    time.Duration // how late the first one after it was
	least    time.Duration // how late the ones after that were, at least
	later    int           // how many of these there were
	period   time.Duration // 0: no pace
	noise    time.Duration // by how much what is compared may be wrong
	seen     bool          // another machine kept its pace meanwhile
	cause    cause
}

// cause is what a rise comes from.
type cause uint8

const (
	uncertain  cause = iota
	stoodStill       // ticks were late, or missed
	clockSet
)

const (
	// maxRises bounds those that are kept of a machine: a clock is not set as often.
	maxRises = 1000
	// grain is how exactly ticks come on a host that has nothing else to do.
	grain = time.Millisecond
	// unlikely is the chance at which something is not taken for one.
	unlikely = 1.0 / 20
	// longStall is how long a machine stands still at most without anybody
	// wondering. Where nothing else tells a clock that was set from a machine that
	// stood still, a shorter time is taken for the latter.
	longStall = 5 * time.Second
)

func newOffsets(rate clock.Rate, start int64) *offsets {
	return &offsets{rate: rate, dues: dues{rate: rate}, start: start, micro: start}
}

// late returns how late the current tick is at this time, negative where it is early.
func (o *offsets) late(micro int64) time.Duration {
	const bound = 1 << 61 // 73 years, so that no sum overflows
	clamp := func(d time.Duration) time.Duration { return min(max(d, -bound), bound) }
	return clamp(between(o.start, micro)) - clamp(o.shift) - clamp(time.Duration(o.dues.at(o.ticks)))
}

// instant takes in the steps of a machine at one time. Of a rise that begins there it asks whether
// it is seen.
func (o *offsets) instant(machine int, steps []logging.Entry, seen func(*rise) bool) {
	if o.rate == clock.Unpaced {
		o.unpaced(machine, &steps[0]) // nothing rises at those behind it
		return
	}
	for i := range steps {
		if begins := o.tick(machine, &steps[i]); begins != nil {
			begins.seen = seen(begins)
		}
	}
}

// tick takes in a step. It returns a rise if one begins here.
func (o *offsets) tick(machine int, s *logging.Entry) (begins *rise) {
	o.ticks++
	late := o.late(s.UnixMicro)
	if o.again {
		late = o.rejoin(s.UnixMicro)
	}
	if o.open != nil && !o.watch(late) {
		o.close()
		late, o.last = o.late(s.UnixMicro), o.late(s.UnixMicro)-(late-o.last)
	}
	if o.open == nil {
		if late-o.last > patience || late < -patience && late-o.last < -patience/2 {
			begins = o.begin(machine, s, late)
		} else {
			o.recent[o.known%len(o.recent)] = late
			o.known++
		}
	}
	o.last, o.micro = late, s.UnixMicro
	return begins
}

// unpaced takes in a step of a machine without a schedule: only by others can it be
// told what a rise of its times comes from, unless they go back.
func (o *offsets) unpaced(machine int, s *logging.Entry) {
	if by := between(o.micro, s.UnixMicro); (by > patience || by < -patience) && len(o.rises) < maxRises {
		o.rises = append(o.rises, rise{machine: machine, line: s.Line, step: s.Event.Step, from: o.micro, to: s.UnixMicro, first: by, least: by, noise: grain})
	}
	o.micro = s.UnixMicro
}

// begin notes that a rise begins with this tick.
func (o *offsets) begin(machine int, s *logging.Entry, late time.Duration) *rise {
	low, high := o.bounds()
	o.open = &rise{
		machine: machine, line: s.Line, step: s.Event.Step, from: o.micro, to: s.UnixMicro,
		before: low, first: late, least: late, period: time.Duration(o.rate.Due(1)), noise: grain + (high-low)/2,
	}
	return o.open
}

// bounds returns how late the last ticks were, at least and at most. Where they are
// few, the schedule itself counts as one: its ticks could be punctual.
func (o *offsets) bounds() (low, high time.Duration) {
	n := min(o.known, len(o.recent))
	if n == len(o.recent) {
		low, high = o.recent[0], o.recent[0]
	}
	for _, late := range o.recent[:n] {
		low, high = min(low, late), max(high, late)
	}
	return low, high
}

// watch looks at a tick after a rise. It reports false where that is not a matter of
// this rise any more.
func (o *offsets) watch(late time.Duration) bool {
	r := o.open
	fall := lateness(o.rate) // back to the schedule, after the first one
	if r.later > 0 {
		fall = 0
	}
	if r.later == len(o.recent) || late-o.last > patience || o.last-late > fall+patience {
		return false
	}
	if r.later == 0 {
		r.least = late
	}
	r.least = min(r.least, late)
	r.later++
	return true
}

// close ends the look at a rise, and takes it from what follows.
func (o *offsets) close() {
	r := o.open
	o.open = nil
	if r.cause = r.own(); r.cause == clockSet {
		o.shift += r.by()
	} else {
		o.ticks += uint64(max(0, (r.by()+r.period/2)/r.period))
	}
	if len(o.rises) < maxRises {
		o.rises = append(o.rises, *r)
	}
}

// resumed takes in that the machine came back with this line. Its schedule goes by the system's
// clock again, as it is then, and by the run's time, where the line says that.
func (o *offsets) resumed(rec *logging.Record) {
	if o.open != nil {
		o.close()
	}
	o.again = true
	if rec.Resume.Elapsed > 0 {
		o.start, o.shift, o.micro = beganBefore(rec.UnixMicro, rec.Resume.Elapsed), 0, rec.UnixMicro
	}
}

// rejoin takes the first tick after the machine came back for one that is hardly
// late, and returns how late.
func (o *offsets) rejoin(micro int64) time.Duration {
	o.again = false
	late := o.late(micro)
	if late < 0 {
		o.shift += late
	} else if period := time.Duration(o.rate.Due(1)); period > 0 {
		o.ticks += uint64(late / period)
	}
	o.last = o.late(micro)
	return o.last
}

// by returns by how much ticks are later after the rise than before.
func (r *rise) by() time.Duration { return r.least - r.before }

// offGrid returns how far a change is from a number of whole periods.
func (r *rise) offGrid(d time.Duration) time.Duration {
	if r.period == 0 {
		return 0
	}
	d = (d%r.period + r.period) % r.period
	return min(d, r.period-d)
}

// own returns what the rise comes from, as far as the machine's own times tell.
func (r *rise) own() cause {
	switch {
	case r.by() < -patience: // no machine is early
		return clockSet
	case r.period == 0:
		return uncertain
	case r.by() <= patience:
		return stoodStill
	case r.later > 0 && r.offGrid(r.by()) > r.noise:
		return clockSet
	case r.later > 0 && !r.punctual():
		return stoodStill
	}
	return uncertain
}

// punctual reports whether the first tick after the rise was as punctual as any.
func (r *rise) punctual() bool {
	if r.later == 0 { // then by the old schedule, as far as it still holds
		return r.offGrid(r.by()) <= r.noise
	}
	return r.first-r.least <= r.noise
}

// chance returns how likely it is that the first tick is as punctual as it is though
// the machine stood still.
func (r *rise) chance() float64 {
	if r.period == 0 || !r.punctual() {
		return 1
	}
	return min(1, 2*float64(r.noise)/float64(r.period))
}

// sameStep reports whether both may come from one step of one clock.
func (r *rise) sameStep(q *rise) bool {
	if r.machine == q.machine || (r.by()-q.by()).Abs() > r.noise+q.noise {
		return false
	}
	// It was after the lines before, and before those after, by the clock as it was.
	by := q.by().Microseconds()
	slack := (r.noise + q.noise).Microseconds()
	return max(r.from, q.from) <= min(r.to, q.to)-by+slack
}

// sameStall reports whether both may come from one time in which all stood still.
func (r *rise) sameStall(q *rise) bool {
	return r.machine != q.machine && r.from < q.to && q.from < r.to && (r.by()-q.by()).Abs() <= r.period+q.period
}

// settle decides what rises come from, of all machines of a run: each by itself, and
// then by what others make certain. With oneHost they all have one clock.
func settle(rises []*rise, oneHost bool) {
	for _, r := range rises {
		if r.cause = r.own(); r.cause == clockSet && r.by() > 0 && r.seen && oneHost {
			r.cause = stoodStill
		}
	}
	certain := make([]cause, len(rises))
	for i, r := range rises {
		certain[i] = r.cause
	}
	for i, r := range rises {
		if certain[i] != uncertain {
			continue
		}
		chance := r.chance()
		for j, q := range rises {
			switch {
			case certain[j] == clockSet && r.sameStep(q):
				r.cause = clockSet
			case certain[j] == stoodStill && r.sameStall(q) && r.cause == uncertain:
				r.cause = stoodStill
			case certain[j] == uncertain && r.sameStep(q):
				chance *= q.chance()
			}
		}
		switch {
		case r.cause != uncertain:
		case r.period == 0:
			r.cause = stoodStill
		case r.seen && oneHost:
			r.cause = stoodStill
		case chance < unlikely:
			r.cause = clockSet
		case r.seen || r.by() < longStall:
			r.cause = stoodStill
		}
	}
}

// doubt says why nothing can be said that rests on the machine's times.
func (r *rise) doubt() string {
	return fmt.Sprintf("its times go forward by %s at step %s, and whether it stood still or its system clock was set cannot be told",
		figure.Duration(r.by()), figure.Count(r.step))
}

// without returns the run as it would be had the machines' clocks not been set. Its
// lines are the same but for their times.
func (r *Run) without(steps []ClockStep) *Run {
	corrected := *r
	corrected.Logs = make([]Log, len(r.Logs))
	for i, l := range r.Logs {
		var its []ClockStep
		for _, s := range steps {
			if s.Machine == l.ID {
				its = append(its, s)
			}
		}
		if its != nil {
			open := l.Open
			l.Open = func() (Source, error) {
				s, err := open()
				if err != nil {
					return nil, err
				}
				return &correctedSource{Source: s, steps: its}, nil
			}
		}
		corrected.Logs[i] = l
	}
	return &corrected
}

// correctedSource is a source with the steps of its clock taken out.
type correctedSource struct {
	Source
	steps []ClockStep // by line
}

func (c *correctedSource) Next(rec *logging.Record) error {
	if err := c.Source.Next(rec); err != nil {
		return err
	}
	rec.UnixMicro -= c.off(rec.Line)
	return nil
}

func (c *correctedSource) NextBatch(entries []logging.Entry) (n int, err error) {
	n, err = NextBatch(c.Source, entries)
	for i := range entries[:n] {
		e := &entries[i]
		off := c.off(e.Line)
		if e.UnixMicro -= off; e.Other != nil {
			e.Other.UnixMicro -= off
		}
	}
	return n, err
}

// off returns by how much the clock is ahead in a line, in µs.
func (c *correctedSource) off(line int) (micro int64) {
	for _, s := range c.steps {
		if s.Line <= line {
			micro += s.By.Microseconds()
		}
	}
	return micro
}
