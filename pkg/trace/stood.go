package trace

import (
	"cmp"
	"slices"
	"time"
)

// away is a time in which a machine was away from its run, to come back.
type away struct {
	from, to int64 // µs
	line     int   // with which it came back
}

// stood returns where the run stood still because all its machines were away, as what is to
// be taken from the times of each: from the line with which it came back, the time
// until the first of them did. Of such a time nothing belongs to the run.
func (c *Collector) stood() (gaps []ClockStep) {
	if c.missing > 0 {
		return nil
	}
	type edge struct {
		at      int64
		machine int // its place
		line    int // 0: it goes
	}
	var edges []edge
	for i, m := range c.machines {
		if m.absences == nil {
			return nil
		}
		for _, a := range m.absences {
			edges = append(edges, edge{a.from, i, 0}, edge{max(a.from, a.to), i, a.line})
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	left := make([]time.Duration, len(c.machines)) // of each machine that is away: to be taken from its return on
	gone, since := 0, int64(0)
	for _, e := range edges {
		if e.line == 0 {
			if gone++; gone == len(c.machines) {
				since = e.at
			}
			continue
		}
		if gone == len(c.machines) {
			for i := range left {
				left[i] += between(since, e.at)
			}
		}
		gone--
		if left[e.machine] > 0 {
			gaps = append(gaps, ClockStep{Machine: c.machines[e.machine].id, Line: e.line, By: left[e.machine]})
			left[e.machine] = 0
		}
	}
	return gaps
}
