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

// maxSpans is how many such times are shown, the longest.
const maxSpans = 2000

// spans returns when something was the matter, by the logs and by the fault plan.
func (c *Collector) spans(stats *trace.Stats) []Span {
	planned, crashes := c.planned(), c.crashes()
	list := slices.Concat(planned, crashes, c.stood(slices.Concat(planned, crashes)))
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
	for a := range r.Faults.Actions(end) {
		if a.Over {
			continue
		}
		if len(list) == maxSpans { // a plan can go on for ever
			break
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
	for i, id := range c.charts.present {
		_, touched := slices.BinarySearch(a.Machines, id)
		switch a.Kind {
		case fault.Partition:
			_, most := slices.BinarySearch(a.Groups[largest(a.Groups)], id)
			touched = !most
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
			s := Span{Kind: "crash", Machines: []int{i}, From: down.from, To: down.to}
			s.Text = fmt.Sprintf("machine %d came back from its log, %s after its last event before that", c.charts.id(i), micros(down.to-down.from))
			if down.paused {
				s.Text = fmt.Sprintf("machine %d was stopped to be started again, and came back %s after its last event before that", c.charts.id(i), micros(down.to-down.from))
			}
			list = append(list, s)
		}
	}
	return list
}

// stood returns when machines stood still, but for those that were down, and what the fault
// plan did meanwhile: a machine that misses ticks was held up by something, and one without a
// pace may have waited for room on a link.
func (c *Collector) stood(known []Span) (list []Span) {
	for i := range c.charts.machines {
		for _, t := range c.charts.machines[i].stills {
			s := Span{Kind: "late", Machines: []int{i}, From: t.from, To: t.to}
			s.Text = fmt.Sprintf("machine %d missed %s: it executed none for %s", c.charts.id(i), figure.Plural(t.missed, "tick"), micros(t.to-t.from))
			if t.missed == 0 {
				s.Kind, s.Text = "stall", fmt.Sprintf("machine %d executed nothing for %s", c.charts.id(i), micros(t.to-t.from))
			}
			if slices.ContainsFunc(known, func(k Span) bool { return k.Kind == "crash" && k.Machines[0] == i && k.overlaps(s) }) {
				continue
			}
			s.Text += meanwhile(s, known)
			list = append(list, s)
		}
	}
	return list
}

// meanwhile says what the fault plan did while a machine stood still: to it, or else at all.
func meanwhile(s Span, known []Span) string {
	for _, its := range []bool{true, false} {
		for _, k := range known {
			if k.Kind != "crash" && k.overlaps(s) && (!its || slices.Contains(k.Machines, s.Machines[0])) {
				return "; meanwhile, " + k.Text
			}
		}
	}
	return ""
}

func (s *Span) overlaps(o Span) bool { return s.From < o.To && o.From < s.To }

// set returns when system clocks were set.
func (c *Collector) set(stats *trace.Stats) (list []Span) {
	for _, step := range stats.ClockSteps {
		place, ok := c.charts.placeOf(step.Machine)
		at, known := c.charts.timeOf(place, step.Step)
		if !ok || !known {
			continue
		}
		list = append(list, Span{Kind: "clock", Machines: []int{place}, From: at, To: at, Text: setText(step)})
	}
	return list
}

// setText says how a clock was set.
func setText(step trace.ClockStep) string {
	way := "forward"
	if step.By < 0 {
		way = "back"
	}
	return fmt.Sprintf("the system clock of machine %d was set %s by %s, at its step %s", step.Machine, way, figure.Duration(step.By.Abs()), figure.Count(step.Step))
}

// micros writes a time in µs.
func micros(n int64) string { return figure.Duration(time.Duration(n) * time.Microsecond) }
