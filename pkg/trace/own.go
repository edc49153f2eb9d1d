package trace

import (
	"math/bits"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/histogram"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
)

// own is what a machine's log says without those of the others. It needs the lines in the
// order of the log and no other order, so it can be gathered where the log is read, beside
// the walk, as well as by the walk.
//
// The walk is done by one goroutine, and each log is read by another one: what is not in
// the walk costs the less time the more processors there are.
type own struct {
	start    *logging.Record
	stop     *logging.Record
	figures  summary.Collector
	lasts    time.Duration // as the [Collector] knows it
	schedule Schedule
	steps    uint64
	clock    clock.Time
	queue    int
	jumps    *histogram.Histogram
	buckets  [65]uint64
	lastTick int64 // µs
	from, to int64 // µs, of its first and last line
	resumes  int
	paused   away   // as it was with the last line, if that is a pause line
	absences []away // while the run may have stood still
	haste    *haste
	slope    slope // of the queue over the µs since from
}

// newOwn returns what is known of a machine without a line, in a run of so many machines that
// was to last so long; 0: that is not known.
func newOwn(machines int, lasts time.Duration) *own {
	return &own{lasts: lasts, jumps: histogram.New(exactBits(machines))}
}

// batch takes in the next lines of the log.
func (o *own) batch(entries []logging.Entry) {
	for i := range entries {
		e := &entries[i]
		o.line(e.Line, e.UnixMicro, &e.Event, e.Other)
	}
}

// line takes in the next line of the log, which is an event where other is nil.
func (o *own) line(number int, micro int64, ev *event.Event, other *logging.Record) {
	if o.from == 0 {
		o.from = micro
	}
	o.to = micro
	if other != nil {
		o.other(other)
		return
	}
	o.observe(ev, micro)
	if o.haste != nil {
		o.haste.step(number, micro)
	}
}

// other takes in a line that is no event.
func (o *own) other(rec *logging.Record) {
	switch rec.Kind {
	case logging.StartRecord:
		if o.start == nil {
			o.start = rec
			o.schedule = NewSchedule(rec, o.lasts)
			o.haste = newHaste(rec.Start.Rate, rec.UnixMicro)
		}
	case logging.PauseRecord:
		o.paused = away{from: rec.UnixMicro, again: rec.Pause.Elapsed}
	case logging.ResumeRecord:
		o.resumed(rec)
	case logging.StopRecord:
		o.stop = rec
	}
}

// resumed takes in that the machine came back.
func (o *own) resumed(rec *logging.Record) {
	o.resumes++
	o.schedule.Resumed(rec)
	if rec.Resume.Elapsed > 0 {
		a := away{from: max(o.from, o.lastTick)} // it was killed
		if o.paused.from > 0 {
			a = o.paused
			a.again = max(0, a.again-rec.Resume.Elapsed)
		}
		a.to, a.line = max(a.from, rec.UnixMicro), rec.Line
		o.absences = append(o.absences, a)
	}
	o.paused = away{}
}

// observe takes in an event.
func (o *own) observe(ev *event.Event, micro int64) {
	jump := uint64(ev.Clock - o.clock)
	o.jumps.Add(jump, 1)
	o.buckets[bits.Len64(max(jump, 1)-1)]++
	o.clock, o.queue = ev.Clock, ev.Queue
	o.slope.add(micro-o.from, int64(ev.Queue))
	o.steps++
	o.lastTick = micro
	o.figures.Observe(ev)
	if !o.schedule.Paced() {
		return
	}
	late, missed := o.schedule.Tick(micro)
	if missed > 0 {
		o.figures.Missed(missed)
	}
	o.figures.Tick(late)
}

// hasty reports whether the machine was faster than its rate.
func (o *own) hasty() bool { return o.haste != nil && o.haste.proven != nil }

// isEmpty reports whether nothing is known of a machine that has a log.
func (o *own) isEmpty() bool { return o.start == nil && o.steps == 0 }
