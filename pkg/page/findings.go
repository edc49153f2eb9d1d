package page

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// maxFindings is how many findings stand at the head of a page.
const maxFindings = 3

// How telling findings are. What is wrong comes before what is remarkable, and that before
// what is as it should be.
const (
	isBroken = 10 * iota
	fallsBehind
	growsAllTheSame
	divided
	wentDown
	clockSet
	ticksMissed
	atEdge
	isBehind
	areConcurrent
	allKeepUp
)

// weighted is a finding and its rank, the most telling first.
type weighted struct {
	Finding
	rank int
}

// findings returns what the figures say that matters, the most telling first.
func findings(stats *trace.Stats, c *charts, spans []Span) []Finding {
	f := finder{stats: stats, charts: c, spans: spans}
	f.broken()
	f.queues()
	f.division()
	f.crashes()
	f.clockSteps()
	f.offsets()
	f.missed()
	f.drift()
	f.concurrency()
	slices.SortStableFunc(f.found, func(a, b weighted) int { return cmp.Compare(a.rank, b.rank) })
	list := []Finding{}
	for _, found := range f.found[:min(len(f.found), maxFindings)] {
		list = append(list, found.Finding)
	}
	return list
}

// finder looks for findings.
type finder struct {
	stats  *trace.Stats
	charts *charts
	spans  []Span
	found  []weighted
}

func (f *finder) add(rank int, about Finding, format string, args ...any) {
	about.Text = fmt.Sprintf(format, args...)
	f.found = append(f.found, weighted{about, rank})
}

// machine returns a finding about a machine, which has its text to come.
func (f *finder) machine(id int) Finding {
	if place, ok := f.charts.placeOf(id); ok {
		return Finding{Machine: &place}
	}
	return Finding{}
}

func during(about Finding, from, to int64) Finding {
	about.From, about.To = &from, &to
	return about
}

func (f *finder) broken() {
	if f.stats.Verdict.State == trace.Broken {
		f.add(isBroken, Finding{}, "a law is broken, so the figures may mean nothing")
	}
}

// queues says which machines do not keep up, and whether that was to be expected.
func (f *finder) queues() {
	var behind, edge, grows []*trace.MachineStats
	var busiest *trace.MachineStats
	known := 0
	for i := range f.stats.Machines {
		m := &f.stats.Machines[i]
		if m.Predicted == nil || m.QueueGrowth == nil {
			continue
		}
		known++
		switch {
		case m.Predicted.OnEdge():
			edge = append(edge, m)
		case m.Predicted.Saturated():
			behind = append(behind, m)
		case f.growing(m):
			grows = append(grows, m)
		case busiest == nil || idle(m) < idle(busiest):
			busiest = m
		}
	}
	growth := func(a, b *trace.MachineStats) int { return cmp.Compare(*a.QueueGrowth, *b.QueueGrowth) }
	if len(behind) > 0 {
		m := slices.MaxFunc(behind, growth)
		f.add(fallsBehind, f.machine(m.ID), "machine %d falls behind%s: its queue grew by %s messages/s, predicted %s",
			m.ID, asDo(len(behind)-1), figure.PerSecond(*m.QueueGrowth), figure.PerSecond(m.Predicted.Growth))
	}
	if len(grows) > 0 {
		m := slices.MaxFunc(grows, growth)
		f.add(growsAllTheSame, f.machine(m.ID), "the queue of machine %d grew by %s messages/s%s, though its rate is enough for what arrives",
			m.ID, figure.PerSecond(*m.QueueGrowth), asDo(len(grows)-1))
	}
	if len(edge) > 0 {
		m := slices.MaxFunc(edge, growth)
		f.add(atEdge, f.machine(m.ID), "machine %d is at the edge%s: as many messages arrive as it takes, %s/s, and its queue was up to %s long",
			m.ID, asDo(len(edge)-1), figure.PerSecond(m.Predicted.Arrivals), figure.Count(max(m.Summary.MaxQueue, m.Summary.Queue)))
	}
	if known == len(f.stats.Machines) && len(behind)+len(grows)+len(edge) == 0 && busiest != nil && len(f.stats.Machines) > 1 {
		f.add(allKeepUp, f.machine(busiest.ID), "all machines keep up: even machine %d is idle in %s of its steps",
			busiest.ID, figure.Percent(busiest.Predicted.Idle, busiest.Predicted.Takes))
	}
}

func idle(m *trace.MachineStats) float64 { return m.Predicted.Idle / m.Predicted.Takes }

// growing reports whether a queue grew by as much as cannot be chance: by a twentieth of what
// the machine takes, and by twenty messages in all.
func (f *finder) growing(m *trace.MachineStats) bool {
	return *m.QueueGrowth > m.Predicted.Takes/20 && *m.QueueGrowth*f.stats.Elapsed.Seconds() > 20
}

// asDo says how many others there are.
func asDo(others int) string {
	switch others {
	case 0:
		return ""
	case 1:
		return ", and one other does too"
	}
	return fmt.Sprintf(", and %s others do too", figure.Count(others))
}

// division says what became of the machines while the network was divided: which one fell
// behind most, compared with the same time before.
func (f *finder) division() {
	best := int64(0)
	var finding Finding
	for i := range f.spans {
		s := &f.spans[i]
		if s.Kind != fault.Partition.String() && s.Kind != fault.Cut.String() {
			continue
		}
		for place := range f.charts.machines {
			drifts := f.charts.machines[place].drifts
			behind, before := drifts.most(s.From, s.To), drifts.most(2*s.From-s.To, s.From-1)
			if more := behind - before; more > best {
				best = more
				finding = during(Finding{Machine: &place}, s.From, s.To)
				finding.Text = fmt.Sprintf("while the network was divided, the clock of machine %d fell behind by up to %s; before, by %s",
					f.charts.id(place), figure.Count(behind), figure.Count(before))
			}
		}
	}
	if best > 0 {
		f.found = append(f.found, weighted{finding, divided})
	}
}

// crashes says which machines came back.
func (f *finder) crashes() {
	var longest *Span
	n := 0
	for i := range f.spans {
		if s := &f.spans[i]; s.Kind == "crash" {
			n++
			if longest == nil || s.To-s.From > longest.To-longest.From {
				longest = s
			}
		}
	}
	if longest == nil {
		return
	}
	place := longest.Machines[0]
	about := during(Finding{Machine: &place}, longest.From, longest.To)
	if n == 1 {
		f.add(wentDown, about, "machine %d was down for %s and came back from its log", f.charts.id(place), micros(longest.To-longest.From))
		return
	}
	f.add(wentDown, about, "machines were down %s and came back from their logs; machine %d was so the longest, for %s",
		figure.Plural(n, "time"), f.charts.id(place), micros(longest.To-longest.From))
}

func (f *finder) clockSteps() {
	if len(f.stats.ClockSteps) == 0 {
		return
	}
	step := slices.MaxFunc(f.stats.ClockSteps, func(a, b trace.ClockStep) int { return cmp.Compare(a.By.Abs(), b.By.Abs()) })
	f.add(clockSet, f.machine(step.Machine), "%s%s", setText(step), asDo(len(f.stats.ClockSteps)-1))
}

// offsets says how far the system clocks of hosts were apart, where that makes a
// difference.
func (f *finder) offsets() {
	if len(f.stats.ClockSkews) == 0 {
		return
	}
	o := f.stats.ClockOffsets
	if c, at := report.Apart(o); c != nil {
		f.add(clockSet, f.machine(c.Machine), "%s: times of different machines cannot be compared", report.OffsetText(o, c, at))
	}
}

// missed says which machine missed the largest share of its ticks.
func (f *finder) missed() {
	share := func(m *trace.MachineStats) float64 {
		return float64(m.Summary.Missed) / float64(max(1, m.Summary.Missed+m.Summary.Steps))
	}
	var worst *trace.MachineStats
	for i := range f.stats.Machines {
		if m := &f.stats.Machines[i]; m.Summary.Missed > 0 && (worst == nil || share(m) > share(worst)) {
			worst = m
		}
	}
	if worst != nil {
		f.add(ticksMissed, f.machine(worst.ID), "machine %d missed %s (%s)", worst.ID, figure.Plural(worst.Summary.Missed, "tick"), figure.Percent(share(worst), 1))
	}
}

// drift says which clock is furthest behind.
func (f *finder) drift() {
	var last *trace.MachineStats
	for i := range f.stats.Machines {
		if m := &f.stats.Machines[i]; m.Drift != nil && (last == nil || m.Drift.Mean > last.Drift.Mean) {
			last = m
		}
	}
	if last == nil || last.Drift.Mean < 1 {
		return
	}
	f.add(isBehind, f.machine(last.ID), "the clock of machine %d is behind the largest by %s on average, by %s at most, and jumps by up to %s at once",
		last.ID, figure.Mean(last.Drift.Mean), figure.Count(last.Drift.Max), figure.Count(last.Jumps.Max))
}

func (f *finder) concurrency() {
	c := f.stats.Concurrency
	if c == nil || c.Concurrent == 0 {
		return
	}
	f.add(areConcurrent, Finding{}, "of the pairs of events on different machines %s are concurrent; the Lamport clocks order %s of these all the same",
		figure.Percent(float64(c.Concurrent), float64(c.Pairs)), figure.Percent(float64(c.Ordered), float64(c.Concurrent)))
}
