package sweep

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/trace"
)

// measure is a figure of a machine in a run. Of several machines it is the mean,
// or the largest.
type measure struct {
	name    string // in words
	column  string // in a table
	of      func(*trace.MachineStats) float64
	largest bool
}

// The measures, in the order of the tables.
const (
	jumpMean = iota
	jumpMax
	gaps
	driftMean
	driftMax
	growth
	queueMax
	growthPredicted
	arrivals
	arrivalsPredicted
	measures // how many there are
)

// observed is how many of the measures are seen rather than predicted, and
// compared between points.
const observed = growthPredicted

var allMeasures = [measures]measure{
	jumpMean:          {"mean jump", "jump", func(m *trace.MachineStats) float64 { return m.Jumps.Mean }, false},
	jumpMax:           {"largest jump", "jump max", func(m *trace.MachineStats) float64 { return float64(m.Jumps.Max) }, true},
	gaps:              {"gaps, % of the events", "gaps %", gapShare, false},
	driftMean:         {"mean drift", "drift", func(m *trace.MachineStats) float64 { return drift(m).Mean }, false},
	driftMax:          {"largest drift", "drift max", largestDrift, true},
	growth:            {"growth of the queue, messages/s", "growth/s", func(m *trace.MachineStats) float64 { return known(m.QueueGrowth) }, false},
	queueMax:          {"longest queue", "queue max", longest, true},
	growthPredicted:   {"predicted growth", "predicted", func(m *trace.MachineStats) float64 { return predicted(m).Growth }, false},
	arrivals:          {"arrivals per second", "arrivals/s", func(m *trace.MachineStats) float64 { return known(m.Arrivals) }, false},
	arrivalsPredicted: {"predicted arrivals", "predicted", func(m *trace.MachineStats) float64 { return predicted(m).Arrivals }, false},
}

// known returns a figure, NaN where it is not known.
func known(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func drift(m *trace.MachineStats) trace.Distribution {
	if m.Drift == nil {
		return trace.Distribution{Mean: math.NaN()}
	}
	return *m.Drift
}

func largestDrift(m *trace.MachineStats) float64 {
	if m.Drift == nil {
		return math.NaN()
	}
	return float64(m.Drift.Max)
}

func predicted(m *trace.MachineStats) trace.Prediction {
	if m.Predicted == nil {
		nan := math.NaN()
		return trace.Prediction{Arrivals: nan, Takes: nan, Idle: nan, Growth: nan}
	}
	return *m.Predicted
}

func gapShare(m *trace.MachineStats) float64 {
	if m.Summary.Steps == 0 {
		return 0
	}
	return 100 * float64(m.Summary.Gaps) / float64(m.Summary.Steps)
}

// longest is the longest that the queue was, also at the end, when more may have
// arrived than after the last step.
func longest(m *trace.MachineStats) float64 {
	return float64(max(m.Summary.MaxQueue, m.Summary.Queue))
}

// figures are the measures of one class of machines in one run.
type figures struct {
	value    [measures]float64
	rate     float64 // mean, ticks per second
	clock    float64 // mean, at the end
	takes    float64 // the same, as far as it is known: what unpaced machines reached
	machines int
	full     int // predicted to be saturated
}

func figuresOf(machines []*trace.MachineStats) *figures {
	f := &figures{machines: len(machines)}
	for _, m := range machines {
		for k := range f.value {
			if x := allMeasures[k].of(m); allMeasures[k].largest {
				f.value[k] = max(f.value[k], x)
			} else {
				f.value[k] += x
			}
		}
		f.clock += float64(m.Summary.Clock)
		f.rate += m.Summary.Rate.PerSecond()
		f.takes += predicted(m).Takes
		if predicted(m).Saturated() {
			f.full++
		}
	}
	// Divided at the end, the mean of equal rates is that rate to the last digit.
	n := float64(len(machines))
	for k := range f.value {
		if !allMeasures[k].largest {
			f.value[k] /= n
		}
	}
	f.clock, f.rate, f.takes = f.clock/n, f.rate/n, f.takes/n
	return f
}

// class is machines that are looked at together: those of one rate, or, where the
// rates are drawn anew in each trial, the slowest and the fastest of each.
type class struct {
	name   string
	trials map[int]*figures
}

// maxClasses is up to how many rates have a class each.
const maxClasses = 6

// overview is what the correct runs of a point did, by class.
type overview struct {
	point   Point
	seconds float64  // of a run
	runs    int      // that are correct
	classes []*class // from the slowest to the fastest
	all     *class   // all machines
	// speed is by how much the largest clock advances per second, by trial.
	speed map[int]float64
}

func summarize(p Point, duration time.Duration, results []*Result) *overview {
	s := &overview{point: p, seconds: duration.Seconds(), all: newClass("all"), speed: make(map[int]float64)}
	byRate := make(map[clock.Rate]*class)
	slowest, between, fastest := newClass("slowest"), newClass("between"), newClass("fastest")
	alike := true // in each run, the machines have one rate
	for _, r := range results {
		s.runs++
		all := make([]*trace.MachineStats, len(r.Stats.Machines))
		groups := make(map[clock.Rate][]*trace.MachineStats)
		for i := range all {
			m := &r.Stats.Machines[i]
			all[i] = m
			groups[m.Summary.Rate] = append(groups[m.Summary.Rate], m)
			s.speed[r.Trial] = max(s.speed[r.Trial], float64(m.Summary.Clock)/s.seconds)
		}
		s.all.trials[r.Trial] = figuresOf(all)
		for rate, machines := range groups {
			if byRate[rate] == nil {
				byRate[rate] = newClass(fmt.Sprintf("rate %v", rate))
			}
			byRate[rate].trials[r.Trial] = figuresOf(machines)
		}
		low, high := all[0].Summary.Rate, all[0].Summary.Rate
		for _, m := range all {
			low, high = min(low, m.Summary.Rate), max(high, m.Summary.Rate)
		}
		alike = alike && low == high
		slowest.trials[r.Trial] = figuresOf(groups[low])
		fastest.trials[r.Trial] = figuresOf(groups[high])
		if rest := slices.DeleteFunc(all, func(m *trace.MachineStats) bool {
			return m.Summary.Rate == low || m.Summary.Rate == high
		}); len(rest) > 0 {
			between.trials[r.Trial] = figuresOf(rest)
		}
	}
	switch {
	case p.isDrawn() && alike && s.runs > 0:
		slowest.name = "all alike"
		s.classes = []*class{slowest}
	case p.isDrawn() || len(byRate) > maxClasses:
		for _, c := range []*class{slowest, between, fastest} {
			if len(c.trials) > 0 {
				s.classes = append(s.classes, c)
			}
		}
	default:
		var rates []clock.Rate
		for rate := range byRate {
			rates = append(rates, rate)
		}
		slices.Sort(rates)
		for _, rate := range rates {
			s.classes = append(s.classes, byRate[rate])
		}
	}
	return s
}

func newClass(name string) *class { return &class{name, make(map[int]*figures)} }

// of returns the interval of a figure over the trials.
func (c *class) of(f func(*figures) float64) Interval {
	var values []float64
	for _, t := range c.order() {
		values = append(values, f(c.trials[t]))
	}
	return Mean95(values)
}

func (c *class) measure(k int) Interval {
	return c.of(func(f *figures) float64 { return f.value[k] })
}

// order returns the trials, in order.
func (c *class) order() []int {
	var trials []int
	for t := range c.trials {
		trials = append(trials, t)
	}
	slices.Sort(trials)
	return trials
}

// machines says how many machines of a run are in the class, 0 where the runs
// differ.
func (c *class) machines() int {
	n := 0
	for _, f := range c.trials {
		if n != 0 && f.machines != n {
			return 0
		}
		n = f.machines
	}
	return n
}

// unpaced reports whether the class is of machines without pauses.
func (c *class) unpaced() bool {
	return math.IsInf(c.of(func(f *figures) float64 { return f.rate }).Mean, 1)
}

// difference returns the interval of b's figure minus a's, over the trials that
// both have. Trials of one number have the same dice, so they are compared pair
// by pair: where the dice move both, that takes no part, and where they do not,
// nothing is supposed that is not so.
func difference(a, b *class, k int) Interval {
	var values []float64
	for _, t := range b.order() {
		if f := a.trials[t]; f != nil {
			values = append(values, b.trials[t].value[k]-f.value[k])
		}
	}
	return Mean95(values)
}

// missed returns the interval of what was seen minus what was predicted.
func (c *class) missed(seen, predicted int) Interval {
	return c.of(func(f *figures) float64 { return f.value[seen] - f.value[predicted] })
}
