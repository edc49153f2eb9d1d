package trace

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// away is a time in which a machine was away from its run, to come back.
type away struct {
	from, to int64 // µs
	line     int   // with which it came back
	// again is how much of the run's time it had to see again then, before it went on: the
	// machines of a run that stood still wait for each other.
	again time.Duration
}

// stood returns where the run stood still because all its machines were away, as what is to
// be taken from the times of each: from the line with which it came back, the time
// until the first of them did, and in which they waited then. Nothing of that belongs to the run.
func (c *Collector) stood() (gaps []ClockStep) {
	if c.missing > 0 {
		return nil
	}
	type edge struct {
		at      int64
		machine int   // its place
		goes    bool  // else it comes back
		away    *away // from when to when
	}
	var edges []edge
	for i, m := range c.machines {
		if m.absences == nil {
			return nil
		}
		for k := range m.absences {
			a := &m.absences[k]
			edges = append(edges, edge{a.from, i, true, a}, edge{a.to, i, false, a})
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	left := make([]time.Duration, len(c.machines)) // of each machine that is away: to be taken from its return on
	absent := make(map[int]*away)
	since := int64(0)
	for _, e := range edges {
		if e.goes {
			absent[e.machine], since = e.away, e.at
			continue
		}
		if len(absent) == len(c.machines) {
			still := between(since, e.at) + leastAgain(absent)
			for i := range left {
				left[i] += still
			}
		}
		delete(absent, e.machine)
		if left[e.machine] > 0 {
			gaps = append(gaps, ClockStep{Machine: c.machines[e.machine].id, Line: e.away.line, By: left[e.machine]})
			left[e.machine] = 0
		}
	}
	return gaps
}

// leastAgain returns how much of the run's time all had to see again, of those that
// know.
func leastAgain(absent map[int]*away) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, a := range absent {
		if a.again > 0 {
			least = min(least, a.again)
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
