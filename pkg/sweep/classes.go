package sweep

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// measure is a figure of a machine in a run. Of several machines it is the mean,
// or the largest.
type measure struct {
	name    string // in words
	group   string // its column in a table
	column  string
	field   string                            // its column in CSV
	of      func(*trace.MachineStats) float64 // nil: it is no figure of a single machine
	largest bool
	within  *Range // where it can lie; nil: anywhere
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
	// How the machines are spread at the end of the run.
	driftEnd
	driftP10
	driftP50
	driftP90
	driftP99
	driftLast
	queueEnd
	queueP50
	queueP90
	queueP99
	queueLast
	// Of a run, not of a machine.
	concurrent
	overOrdered
	measures // how many there are
)

// compared are the measures that are compared between points.
var compared = []int{jumpMean, jumpMax, gaps, driftMean, driftMax, driftEnd, growth, queueMax, concurrent, overOrdered}

var allMeasures = [measures]measure{
	jumpMean:          {"mean jump", "jump", "mean", "jump_mean", func(m *trace.MachineStats) float64 { return m.Jumps.Mean }, false, counted},
	jumpMax:           {"largest jump", "jump", "max", "jump_max", func(m *trace.MachineStats) float64 { return float64(m.Jumps.Max) }, true, counted},
	gaps:              {"gaps, % of the events", "", "gaps %", "gaps_percent", gapShare, false, percent},
	driftMean:         {"mean drift", "drift", "mean", "drift_mean", func(m *trace.MachineStats) float64 { return drift(m).Mean }, false, counted},
	driftMax:          {"largest drift", "drift", "max", "drift_max", largestDrift, true, counted},
	growth:            {"growth of the queue, messages/s", "growth/s", "observed", "queue_growth", func(m *trace.MachineStats) float64 { return known(m.QueueGrowth) }, false, nil},
	queueMax:          {"longest queue", "", "queue max", "queue_max", longest, true, counted},
	growthPredicted:   {"predicted growth", "growth/s", "predicted", "queue_growth_predicted", func(m *trace.MachineStats) float64 { return predicted(m).Growth }, false, counted},
	arrivals:          {"arrivals per second", "arrivals/s", "observed", "arrivals", func(m *trace.MachineStats) float64 { return known(m.Arrivals) }, false, counted},
	arrivalsPredicted: {"predicted arrivals", "arrivals/s", "predicted", "arrivals_predicted", func(m *trace.MachineStats) float64 { return predicted(m).Arrivals }, false, counted},
	driftEnd:          {"drift at the end", "drift at the end", "mean", "drift_end_mean", nil, false, counted},
	driftP10:          {"drift at the end, 10th percentile", "drift at the end", "p10", "drift_end_p10", nil, false, counted},
	driftP50:          {"drift at the end, median", "drift at the end", "p50", "drift_end_p50", nil, false, counted},
	driftP90:          {"drift at the end, 90th percentile", "drift at the end", "p90", "drift_end_p90", nil, false, counted},
	driftP99:          {"drift at the end, 99th percentile", "drift at the end", "p99", "drift_end_p99", nil, false, counted},
	driftLast:         {"largest drift at the end", "drift at the end", "max", "drift_end_max", nil, false, counted},
	queueEnd:          {"queue at the end", "queue at the end", "mean", "queue_end_mean", nil, false, counted},
	queueP50:          {"queue at the end, median", "queue at the end", "p50", "queue_end_p50", nil, false, counted},
	queueP90:          {"queue at the end, 90th percentile", "queue at the end", "p90", "queue_end_p90", nil, false, counted},
	queueP99:          {"queue at the end, 99th percentile", "queue at the end", "p99", "queue_end_p99", nil, false, counted},
	queueLast:         {"longest queue at the end", "queue at the end", "max", "queue_end_max", nil, false, counted},
	concurrent:        {"concurrent pairs, %", "pairs", "concurrent %", "concurrent_percent", nil, false, percent},
	overOrdered:       {"concurrent pairs that the clocks order, %", "pairs", "of these ordered %", "ordered_percent", nil, false, percent},
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

// figures are the measures of one class of machines in one run. What is not known is NaN.
type figures struct {
	value    [measures]float64
	rate     float64 // mean, ticks per second
	clock    float64 // mean, at the end
	takes    float64 // the same, as far as it is known: what unpaced machines reached
	machines int
	full     int // predicted to be saturated
	edge     int // predicted to be just short of that
	// drifts and queues are how the machines are spread at the end: the share of them in
	// each bucket of a [summary.Spread]; nil for fewer than [many].
	drifts, queues []float64
}

// many is from how many machines on their spread is shown.
const many = 10

func newFigures(machines int) *figures {
	f := &figures{machines: machines}
	for k := range f.value {
		if allMeasures[k].of == nil {
			f.value[k] = math.NaN()
		}
	}
	return f
}

func figuresOf(machines []*trace.MachineStats) *figures {
	f := newFigures(len(machines))
	var drifts, queues []uint64
	for _, m := range machines {
		for k := range f.value {
			if allMeasures[k].of == nil {
				continue
			}
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
		if predicted(m).OnEdge() {
			f.edge++
		}
		if m.FinalDrift != nil {
			drifts = append(drifts, *m.FinalDrift)
		}
		queues = append(queues, uint64(m.Summary.Queue))
	}
	// Divided at the end, the mean of equal rates is that rate to the last digit.
	n := float64(len(machines))
	for k := range f.value {
		if allMeasures[k].of != nil && !allMeasures[k].largest {
			f.value[k] /= n
		}
	}
	f.clock, f.rate, f.takes = f.clock/n, f.rate/n, f.takes/n
	if len(drifts) == len(machines) {
		f.spreads(summary.SpreadOf(drifts), summary.SpreadOf(queues))
	}
	return f
}

// spreads takes in how the machines are spread at the end.
func (f *figures) spreads(drifts, queues summary.Spread) {
	for _, s := range []struct {
		of    *summary.Spread
		first int
		at    []uint64
		mean  float64
	}{
		{&drifts, driftEnd, []uint64{drifts.P10, drifts.P50, drifts.P90, drifts.P99, drifts.Max}, drifts.Mean},
		{&queues, queueEnd, []uint64{queues.P50, queues.P90, queues.P99, queues.Max}, queues.Mean},
	} {
		f.value[s.first] = s.mean
		for i, x := range s.at {
			f.value[s.first+1+i] = float64(x)
		}
	}
	if f.machines >= many {
		f.drifts, f.queues = shares(&drifts, f.machines), shares(&queues, f.machines)
	}
}

func shares(s *summary.Spread, machines int) []float64 {
	shares := make([]float64, len(s.Histogram))
	for i, n := range s.Histogram {
		shares[i] = float64(n) / float64(machines)
	}
	return shares
}

// figuresOfClass returns the figures of a class of a run without logs. Its queue begins
// empty, so what is left of it at the end, over the time, is how it grew.
func figuresOfClass(c *summary.Class, p *ClassPrediction, seconds float64) *figures {
	f := newFigures(c.Machines)
	n := float64(c.Machines)
	f.value[jumpMean], f.value[jumpMax], f.value[gaps] = c.MeanJump, float64(c.MaxJumps.Max), 100*c.GapShare
	f.value[driftMean], f.value[driftMax] = math.NaN(), math.NaN()
	f.value[growth], f.value[queueMax] = c.Queues.Mean/seconds, float64(c.MaxQueue.Max)
	f.value[arrivals] = (float64(c.Receives)/n + c.Queues.Mean) / seconds
	f.value[growthPredicted], f.value[arrivalsPredicted] = p.Growth, p.Arrivals
	f.rate, f.clock, f.takes, f.full = c.MeanRate, c.Clocks.Mean, p.Takes, p.Saturated
	f.edge = p.Edge
	f.spreads(c.Drifts, c.Queues)
	return f
}

// joined returns the figures of several classes as of one, nil of none, without how the
// machines are spread: that cannot be had from the parts.
func joined(parts []*figures) *figures {
	if len(parts) < 2 {
		return append(parts, nil)[0]
	}
	total := newFigures(0)
	for _, f := range parts {
		total.machines += f.machines
	}
	for _, f := range parts {
		weight := float64(f.machines) / float64(total.machines)
		for k := range total.value {
			switch {
			case allMeasures[k].largest:
				total.value[k] = max(total.value[k], f.value[k])
			case allMeasures[k].of != nil:
				total.value[k] += f.value[k] * weight
			}
		}
		total.rate += f.rate * weight
		total.clock += f.clock * weight
		total.takes += f.takes * weight
		total.full += f.full
		total.edge += f.edge
	}
	return total
}

// class is machines that are looked at together: those of one rate, or, where the
// rates are drawn anew in each trial, the slowest and the fastest of each.
type class struct {
	name   string
	trials map[int]*figures
	sorted []int // the trials, once they have been asked for
}

// maxClasses is up to how many rates have a class each.
const maxClasses = 6

// overview is what the correct runs of a point did, by class.
type overview struct {
	point   Point
	seconds float64  // of a run
	runs    int      // that are correct
	drawn   bool     // the trials have rates of their own
	classes []*class // from the slowest to the fastest
	all     *class   // all machines
	// speed is by how much the largest clock advances per second, by trial.
	speed map[int]float64
}

// group is the machines of a run with one rate, or with a range of rates.
type group struct {
	slowest, fastest clock.Rate
	figures          func() *figures
}

func summarize(p Point, duration time.Duration, results []*Result) *overview {
	s := &overview{point: p, seconds: duration.Seconds(), all: newClass("all"), speed: make(map[int]float64)}
	byRate := make(map[clock.Rate]*class)
	slowest, between, fastest := newClass("slowest"), newClass("between"), newClass("fastest")
	alike := true   // in each run, the machines have one rate
	banded := false // in some run, a group has several
	// Of rates that are drawn for so many machines, all trials have all.
	fixed, ofFirst := !p.isDrawn() || p.Machines > MaxChecked, []clock.Rate(nil)
	for _, r := range results {
		s.runs++
		groups, all, largest := s.groups(r)
		s.speed[r.Trial] = largest / s.seconds
		s.all.trials[r.Trial] = all
		var rest []*figures
		for i, g := range groups {
			f := g.figures()
			banded = banded || g.slowest != g.fastest
			if byRate[g.slowest] == nil {
				byRate[g.slowest] = newClass(fmt.Sprintf("rate %v", g.slowest))
			}
			byRate[g.slowest].trials[r.Trial] = f
			if i == 0 {
				slowest.trials[r.Trial] = f
			}
			if i == len(groups)-1 {
				fastest.trials[r.Trial] = f
			}
			if i > 0 && i < len(groups)-1 {
				rest = append(rest, f)
			}
		}
		if f := joined(rest); f != nil {
			if r.Population != nil {
				f.spreads(r.Population.Between.Drifts, r.Population.Between.Queues)
			}
			between.trials[r.Trial] = f
		}
		alike = alike && len(groups) == 1 && groups[0].slowest == groups[0].fastest
		var rates []clock.Rate
		for _, g := range groups {
			rates = append(rates, g.slowest)
		}
		fixed = fixed && (s.runs == 1 || slices.Equal(rates, ofFirst))
		ofFirst = rates
	}
	s.drawn = p.isDrawn() && !fixed && !alike
	switch {
	case p.isDrawn() && alike && !fixed && s.runs > 0:
		slowest.name = "all alike"
		s.classes = []*class{slowest}
	case p.isDrawn() && !fixed || banded || len(byRate) > maxClasses:
		for _, c := range []*class{slowest, between, fastest} {
			if len(c.trials) > 0 {
				s.classes = append(s.classes, c)
			}
		}
	default:
		for _, rate := range slices.Sorted(maps.Keys(byRate)) {
			s.classes = append(s.classes, byRate[rate])
		}
	}
	return s
}

// groups returns the machines of a run by rate, the slowest first, the figures of all of
// them, and the largest clock at the end.
func (s *overview) groups(r *Result) (groups []group, all *figures, largest float64) {
	if r.Stats == nil {
		var parts []*figures
		for i := range r.Population.Classes {
			c := &r.Population.Classes[i]
			f := figuresOfClass(c, &r.Predicted[i], s.seconds)
			groups = append(groups, group{c.Slowest, c.Fastest, func() *figures { return f }})
			parts = append(parts, f)
		}
		all = joined(parts)
		all.spreads(r.Population.All.Drifts, r.Population.All.Queues)
		return groups, all, float64(r.Population.Clock)
	}
	machines := make([]*trace.MachineStats, len(r.Stats.Machines))
	byRate := make(map[clock.Rate][]*trace.MachineStats)
	for i := range machines {
		m := &r.Stats.Machines[i]
		machines[i] = m
		byRate[m.Summary.Rate] = append(byRate[m.Summary.Rate], m)
		largest = max(largest, float64(m.Summary.Clock))
	}
	rates := slices.Sorted(maps.Keys(byRate))
	one := func(rate clock.Rate) group {
		return group{rate, rate, func() *figures { return figuresOf(byRate[rate]) }}
	}
	switch {
	case s.point.isDrawn() && len(rates) > 2 || len(rates) > maxClasses: // those between are one class
		low, high := rates[0], rates[len(rates)-1]
		rest := slices.DeleteFunc(slices.Clone(machines), func(m *trace.MachineStats) bool {
			return m.Summary.Rate == low || m.Summary.Rate == high
		})
		groups = []group{one(low), {rates[1], rates[len(rates)-2], func() *figures { return figuresOf(rest) }}, one(high)}
	default:
		for _, rate := range rates {
			groups = append(groups, one(rate))
		}
	}
	all = figuresOf(machines)
	all.value[concurrent], all.value[overOrdered] = r.pairs()
	return groups, all, largest
}

func newClass(name string) *class { return &class{name: name, trials: make(map[int]*figures)} }

// of returns the interval of a figure over the trials.
func (c *class) of(f func(*figures) float64) Interval {
	trials := c.order()
	values := make([]float64, 0, len(trials))
	for _, t := range trials {
		values = append(values, f(c.trials[t]))
	}
	return Mean95(values)
}

func (c *class) measure(k int) Interval {
	i := c.of(func(f *figures) float64 { return f.value[k] })
	i.Within = allMeasures[k].within
	return i
}

// knows reports whether a measure of the class is known.
func (c *class) knows(k int) bool { return !math.IsNaN(c.measure(k).Mean) }

// order returns the trials, in order.
func (c *class) order() []int {
	if len(c.sorted) != len(c.trials) {
		c.sorted = slices.Sorted(maps.Keys(c.trials))
	}
	return c.sorted
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

// crowded reports whether in each trial there are [many] of the class.
func (c *class) crowded() bool {
	return len(c.trials) > 0 && c.in(func(f *figures) bool { return f.machines >= many }) == len(c.trials)
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
