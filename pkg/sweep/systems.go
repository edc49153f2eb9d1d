package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Where the rates are drawn, each trial is a system of its own: in one a machine drowns in
// messages, in the next none does, and the mean over both describes neither. Of a few of
// them, every machine is shown for itself.
const (
	maxSystems        = 10 // trials of a point
	maxSystemMachines = 10
)

// system is a run whose rates no other has.
type system struct {
	run    *Run
	result *Result
	// worst is the machine that has most to tell: that whose queue should grow fastest,
	// else one on the edge of that, else the one that is furthest behind.
	worst *trace.MachineStats
}

// areSystems reports whether the trials of a point are looked at one by one.
func (o *overview) areSystems(trials int) bool {
	return o.drawn && trials <= maxSystems && o.point.Machines <= maxSystemMachines
}

// telling orders machines, the one that has less to tell first.
func telling(a, b *trace.MachineStats) int {
	edge := func(m *trace.MachineStats) int {
		if predicted(m).OnEdge() {
			return 1
		}
		return 0
	}
	behind := func(m *trace.MachineStats) float64 { return cmp.Or(drift(m).Mean, 0) }
	return cmp.Or(
		cmp.Compare(orZero(predicted(a).Growth), orZero(predicted(b).Growth)),
		cmp.Compare(edge(a), edge(b)),
		cmp.Compare(orZero(behind(a)), orZero(behind(b))),
		cmp.Compare(b.ID, a.ID)) // the first of those that are alike
}

func orZero(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// systems returns the correct runs of a point, in their order.
func (r *Report) systems(o *overview) (all []system) {
	for run, result := range r.each() {
		if run.Point.Number != o.point.Number || !result.Usable() || result.Stats == nil {
			continue
		}
		s := system{run: run, result: result}
		for i := range result.Stats.Machines {
			if m := &result.Stats.Machines[i]; s.worst == nil || telling(s.worst, m) < 0 {
				s.worst = m
			}
		}
		all = append(all, s)
	}
	return all
}

// Telling returns the run that has most to tell, whose rates are drawn: of a machine that
// is saturated rather than of none. It is "" where there is no such run.
func (r *Report) Telling() string {
	var best *system
	for _, o := range r.points {
		if !o.areSystems(r.grid.Trials) {
			continue
		}
		for _, s := range r.systems(o) {
			if best == nil || telling(best.worst, s.worst) < 0 {
				best = &s
			}
		}
	}
	if best == nil {
		return ""
	}
	return best.run.Name
}

// describeSystems says what each run of a point did, the most telling first.
func (r *Report) describeSystems(w *writer, o *overview) {
	all := r.systems(o)
	if len(all) == 0 {
		w.bullet("No run is correct, so there is nothing to report.")
		return
	}
	slices.SortStableFunc(all, func(a, b system) int { return telling(b.worst, a.worst) })
	saturated := 0
	for _, s := range all {
		if predicted(s.worst).Saturated() {
			saturated++
		}
	}
	most := all[0]
	head := "In no run is a machine saturated"
	if saturated > 0 {
		head = fmt.Sprintf("In %s of %s a machine is saturated", figure.Count(saturated), figure.Plural(len(all), "run"))
	}
	w.bullet("**%s.** The run to look at first is %s: %s", head, most.run.Name, most.describe())
	w.bullet("Each run has drawn its own rates, and is a system of its own: a mean over them would describe none. The table of runs and machines in sweep.md has them all.")
	for _, s := range all[1:] {
		w.bullet("%s: %s", s.run.Name, s.describe())
	}
	// What is observed minus what is predicted can be compared, whatever the rates are.
	missed := o.all.missed(growth, growthPredicted)
	if missed.N > 1 {
		w.comparisons++
		what := "the prediction lies inside the interval"
		if !missed.Has(0) && !o.negligible(missed.Mean) {
			what = "the prediction lies OUTSIDE the interval"
		}
		w.bullet("What can be compared: the growth of the queues, observed minus predicted, is %v messages per second and machine over the runs; %s.", missed, what)
	}
}

// describe says what the worst machine of a run did.
func (s *system) describe() string {
	m, p := s.worst, predicted(s.worst)
	what := fmt.Sprintf("rates %s; ", figure.Rates(s.run.Rates, maxListed))
	seconds := s.run.Duration.Seconds()
	switch {
	case p.Saturated():
		what += fmt.Sprintf("%s reach vm-%d per second, which takes %s: its queue should grow by %s/s, or by %s in the run, and got %s long",
			messages(p.Arrivals), m.ID, figure.PerSecond(p.Takes), figure.PerSecond(p.Growth), figure.Mean(p.Growth*seconds), figure.Short(longest(m)))
	case p.OnEdge():
		what += fmt.Sprintf("vm-%d is at the edge: %s reach it per second, as many as it takes, and its queue got %s long",
			m.ID, messages(p.Arrivals), figure.Short(longest(m)))
	default:
		what += fmt.Sprintf("every machine keeps up, vm-%d is furthest behind, and its queue got %s long", m.ID, figure.Short(longest(m)))
	}
	if m.Drift != nil {
		what += fmt.Sprintf("; its clock was behind by %s on average, and by %s at most", figure.Mean(m.Drift.Mean), figure.Short(float64(m.Drift.Max)))
	}
	return what + fmt.Sprintf(", and jumped by %s per event, by %s at most.", figure.Mean(m.Jumps.Mean), figure.Short(float64(m.Jumps.Max)))
}

func messages(perSecond float64) string { return figure.PerSecond(perSecond) + " messages" }

// member is a machine of a system.
type member struct {
	system
	first   bool // of its run
	machine *trace.MachineStats
}

var memberColumns = []columns.Column[member]{
	columns.Words("run", func(m *member) string {
		if !m.first {
			return ""
		}
		return m.run.Name
	}),
	columns.Words("machine", func(m *member) string { return "vm-" + strconv.Itoa(m.machine.ID) }),
	columns.Words("rate", func(m *member) string { return m.machine.Summary.Rate.String() }),
	columns.Words("queue", func(m *member) string {
		switch p := predicted(m.machine); {
		case m.machine.Predicted == nil:
			return figure.Absent
		case p.Saturated():
			return "saturated"
		case p.OnEdge():
			return "at the edge"
		}
		return "keeps up"
	}),
	columns.Number("jump", "mean", figure.Mean, func(m *member) float64 { return m.machine.Jumps.Mean }),
	columns.Count("jump", "max", func(m *member) uint64 { return m.machine.Jumps.Max }),
	columns.Number("", "gaps %", figure.Mean, func(m *member) float64 { return gapShare(m.machine) }),
	columns.Number("drift", "mean", figure.Mean, func(m *member) float64 { return drift(m.machine).Mean }),
	columns.Number("drift", "max", figure.Short, func(m *member) float64 { return largestDrift(m.machine) }),
	columns.Number("growth/s", "observed", figure.PerSecond, func(m *member) float64 { return known(m.machine.QueueGrowth) }),
	columns.Number("growth/s", "predicted", figure.PerSecond, func(m *member) float64 { return predicted(m.machine).Growth }),
	columns.Number("", "queue max", figure.Short, func(m *member) float64 { return longest(m.machine) }),
}

// orderColumns say of a system how much of the order of its clocks is one of causes.
var orderColumns = []columns.Column[system]{
	columns.Words("run", func(s *system) string { return s.run.Name }),
	columns.Words("rates", func(s *system) string { return figure.Rates(s.run.Rates, maxListed) }),
	columns.Number("pairs", "concurrent %", figure.Mean, func(s *system) float64 {
		concurrent, _ := s.result.pairs()
		return concurrent
	}),
	columns.Number("pairs", "of these ordered %", figure.Mean, func(s *system) float64 {
		_, ordered := s.result.pairs()
		return ordered
	}),
}

// members are tables of the machines of each run of a point, and of its runs.
func (r *Report) members(o *overview) []report.Table {
	var rows []member
	for _, s := range r.systems(o) {
		for i := range s.result.Stats.Machines {
			rows = append(rows, member{s, i == 0, &s.result.Stats.Machines[i]})
		}
	}
	point := ""
	if len(r.points) > 1 {
		point = ", point " + strconv.Itoa(o.point.Number)
	}
	return []report.Table{
		{Title: "Runs and machines" + point, Keys: 2, Table: columns.New(memberColumns, rows)},
		{Title: "Order: pairs of events on different machines" + point, Keys: 1, Table: columns.New(orderColumns, r.systems(o))},
	}
}
