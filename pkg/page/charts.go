package page

import (
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// charts is a [trace.Visitor] that follows the measures of each machine over time.
type charts struct {
	run      *trace.Run
	present  []int
	start    int64 // of the run, Unix µs
	some     bool  // there was a line
	end      int64 // the latest time, µs after the start
	largest  uint64
	machines []charted
	now      int   // the bucket of time in which the run is
	width    int64 // of buckets, by which now counts
}

// charted is what is followed of a machine.
type charted struct {
	clock    uint64
	schedule trace.Schedule
	last     int64 // the last step, or the start, µs after the start of the run

	clocks, drifts, queues, lateness *buckets
	stills                           []standstill
}

// standstill is a time in which a machine executed nothing though it was to.
type standstill struct {
	from, to int64  // the steps before and after it, µs after the start
	missed   uint64 // ticks; 0 of a machine without a pace
}

const (
	maxBuckets = 4096
	// maxCharted is the largest number of machines that are followed, the first ones.
	maxCharted = 256
	// bucketRoom is how many buckets there are for all machines, where there are many.
	bucketRoom = 16 * maxBuckets
	// maxStills is how many standstills of a machine are kept: the longest.
	maxStills = 64
	// patience is how long a machine without a pace executes nothing before that is
	// worth a word, in µs.
	patience = 100_000
)

// bucketsFor returns how many buckets each of so many machines has for a measure.
func bucketsFor(machines int) int {
	return max(256, min(maxBuckets, bucketRoom/max(1, machines))) &^ 1
}

func newCharts(run *trace.Run) *charts {
	present := run.Present()
	n := min(len(present), maxCharted)
	c := &charts{run: run, present: present, machines: make([]charted, n)}
	limit, width := bucketsFor(n), int64(1000)
	if r := run.Record; r != nil && r.Duration > 0 {
		width = r.Duration.Microseconds()/int64(limit) + 1
	}
	c.width = width
	for i := range c.machines {
		m := &c.machines[i]
		m.clocks, m.drifts = newBuckets(limit, width), newBuckets(limit, width)
		m.queues, m.lateness = newBuckets(limit, width), newBuckets(limit, width)
	}
	return c
}

// Visit takes in a line.
func (c *charts) Visit(s *trace.Step) error {
	if !c.some {
		c.some, c.start = true, s.Micro
	}
	at := s.Micro - c.start
	c.end = max(c.end, at)
	if s.Index >= len(c.machines) {
		if s.Event != nil {
			c.largest = max(c.largest, uint64(s.Event.Clock))
		}
		return nil
	}
	m := &c.machines[s.Index]
	if s.Other != nil {
		if s.Other.Kind == logging.StartRecord && !m.schedule.Paced() {
			m.schedule = trace.NewSchedule(s.Other, c.lasts())
			m.last = at
		}
		if s.Other.Kind == logging.ResumeRecord {
			m.schedule.Resumed(s.Other)
		}
		return nil
	}
	c.pass(at)
	m.drifts.add(at, drift(c.largest, m.clock))
	m.clock = uint64(s.Event.Clock)
	c.largest = max(c.largest, m.clock)
	m.drifts.add(at, drift(c.largest, m.clock))
	m.clocks.add(at, whole(m.clock))
	m.queues.add(at, int64(s.Event.Queue))
	if m.schedule.Paced() {
		late, missed := m.schedule.Tick(s.Micro)
		m.lateness.add(at, late.Microseconds())
		if missed > 0 {
			m.stood(standstill{m.last, at, missed})
		}
	} else if at-m.last > patience {
		m.stood(standstill{m.last, at, 0})
	}
	m.last = at
	return nil
}

// pass goes on to a time. Before a bucket is left, each machine's drift in it is noted: it
// grows while others tick.
func (c *charts) pass(at int64) {
	if at < int64(c.now+1)*c.width {
		return
	}
	boundary := at / c.width * c.width
	for i := range c.machines {
		m := &c.machines[i]
		m.drifts.add(boundary-1, drift(c.largest, m.clock))
	}
	for c.width < c.machines[0].drifts.width {
		c.width *= 2
	}
	c.now = int(at / c.width)
}

// stood keeps a standstill, if it is one of the longest.
func (m *charted) stood(s standstill) {
	if len(m.stills) < maxStills {
		m.stills = append(m.stills, s)
		return
	}
	long := func(s standstill) int64 { return s.to - s.from }
	shortest := 0
	for i := range m.stills {
		if long(m.stills[i]) < long(m.stills[shortest]) {
			shortest = i
		}
	}
	if long(s) > long(m.stills[shortest]) {
		m.stills[shortest] = s
	}
}

func drift(largest, clock uint64) int64 {
	if clock > largest { // it is the largest, which is not counted yet
		return 0
	}
	return whole(largest - clock)
}

// whole returns a number as charts have it. None is beyond what the page can count.
func whole(n uint64) int64 { return int64(min(n, math.MaxInt64/4)) }

// lasts returns how long the run was to last, 0 if that is not known.
func (c *charts) lasts() time.Duration {
	if c.run.Record == nil {
		return 0
	}
	return c.run.Record.Duration
}

// timeOf returns about when a machine executed a step, by its pace, in µs after the start.
func (c *charts) timeOf(place int, step uint64) (at int64, ok bool) {
	if place >= len(c.machines) || !c.machines[place].schedule.Paced() {
		return 0, false
	}
	due := c.machines[place].schedule.Due(step).Microseconds()
	return due, due <= c.end
}

// id returns the id of the machine at a place.
func (c *charts) id(place int) int { return c.present[place] }

// placeOf returns the place of a machine among those that are followed.
func (c *charts) placeOf(id int) (place int, ok bool) {
	place, ok = slices.BinarySearch(c.present, id)
	return place, ok && place < len(c.machines)
}
