package page

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/trace"
)

// maxSpans is how many times are shown in which something was the matter, the longest.
const maxSpans = 2000

// spans returns when something was the matter, by the logs and by the fault plan.
func (c *Collector) spans(stats *trace.Stats) []Span {
	list := append(c.planned(), c.crashes()...)
	list = append(list, c.stood()...)
	list = append(list, c.set(stats)...)
	if len(list) > maxSpans {
		slices.SortStableFunc(list, func(a, b Span) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
		list = list[:maxSpans]
	}
	slices.SortStableFunc(list, func(a, b Span) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return append([]Span{}, list...)
}

// planned returns the faults of the plan.
func (c *Collector) planned() (list []Span) {
	r := c.run.Record
	if r == nil || r.ReplayOf != "" || r.Faults.Empty() {
		return nil
	}
	end := time.Duration(c.charts.end) * time.Microsecond
	const enough = 4 * maxSpans
	for a := range r.Faults.Actions(end) {
		if a.Over || len(list) == enough {
			continue
		}
		to := end
		if a.For < end-a.At {
			to = a.At + a.For
		}
		list = append(list, Span{
			Kind: a.Kind.String(), Machines: c.struck(a), From: a.At.Microseconds(), To: to.Microseconds(),
			Text: "fault plan: " + a.String(),
		})
	}
	return list
}

// struck returns the places of the machines that a fault is about, as far as they have a
// log.
func (c *Collector) struck(a fault.Action) []int {
	places := []int{}
	for i, id := range c.run.Present() {
		touched := slices.Contains(a.Machines, id)
		switch a.Kind {
		case fault.Partition:
			touched = len(a.Groups) > 0 && !slices.Contains(a.Groups[largest(a.Groups)], id)
		case fault.Cut, fault.Delay, fault.Reset:
			touched = a.Link.From == id || a.Link.To == id || a.Link.From == fault.Any || a.Link.To == fault.Any
		}
		if touched {
			places = append(places, i)
		}
	}
	return places
}

// largest returns the largest of some groups; the others are those that are cut off.
func largest(groups [][]int) (n int) {
	for i := range groups {
		if len(groups[i]) > len(groups[n]) {
			n = i
		}
	}
	return n
}

// crashes returns when machines were down, by their logs.
func (c *Collector) crashes() (list []Span) {
	for i := range c.records.machines {
		for _, down := range c.records.machines[i].crashes {
			list = append(list, Span{
				Kind: "crash", Machines: []int{i}, From: down.from, To: down.to,
				Text: fmt.Sprintf("machine %d came back from its log, %s after its last event before that", c.run.Present()[i], micros(down.to-down.from)),
			})
		}
	}
	return list
}

// stood returns when machines stood still so long that they missed ticks.
func (c *Collector) stood() (list []Span) {
	for i := range c.charts.machines {
		for _, t := range c.charts.machines[i].late {
			list = append(list, Span{
				Kind: "late", Machines: []int{i}, From: t.from, To: t.to,
				Text: fmt.Sprintf("machine %d missed %s: it executed none for %s", c.run.Present()[i], figure.Plural(t.missed, "tick"), micros(t.to-t.from)),
			})
		}
	}
	return list
}

// set returns when system clocks were set.
func (c *Collector) set(stats *trace.Stats) (list []Span) {
	for _, step := range stats.ClockSteps {
		place, ok := c.charts.placeOf(step.Machine)
		at, known := c.charts.timeOf(place, step.Step)
		if !ok || !known {
			continue
		}
		way := "forward"
		if step.By < 0 {
			way = "back"
		}
		list = append(list, Span{
			Kind: "clock", Machines: []int{place}, From: at, To: at,
			Text: fmt.Sprintf("the system clock of machine %d was set %s by %s", step.Machine, way, figure.Duration(step.By.Abs())),
		})
	}
	return list
}

// micros writes a time in µs.
func micros(n int64) string { return figure.Duration(time.Duration(n) * time.Microsecond) }
