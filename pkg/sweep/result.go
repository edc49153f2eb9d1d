package sweep

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Result is what a run did, as far as a sweep needs it.
type Result struct {
	Format int    `json:"format"` // of this record, [GridFormat]
	Name   string `json:"name"`
	Point  int    `json:"point"`
	Trial  int    `json:"trial"`
	Seed   uint64 `json:"seed"`
	// Logged says that the logs that it is from are kept.
	Logged bool `json:"logged,omitzero"`
	// Paces are of the machines whose ticks were timed; nil where the fault plan
	// stops machines, and where time is virtual.
	Paces []Pace `json:"paces,omitempty"`
	// Struck is how often the fault plan struck, by kind of fault.
	Struck map[string]int `json:"struck,omitempty"`
	// Stats are from the logs alone; Dir is left out, since a sweep can be moved. nil: the
	// run had too many machines for logs, and was not held against the laws.
	Stats *trace.Stats `json:"stats,omitempty"`
	// Population is what the machines of such a run did, and Predicted what their rates
	// lead to: an entry for each class of the population.
	Population *summary.Population `json:"population,omitempty"`
	Predicted  []ClassPrediction   `json:"predicted,omitempty"`
}

// ClassPrediction is what the rates say of a class of machines: the mean over them.
type ClassPrediction struct {
	trace.Prediction
	Saturated int `json:"saturated"` // how many of them are
	Edge      int `json:"edge"`      // how many are on the edge of it
}

// NewResult returns the result of a run from what its logs say, and, of machines that
// were timed, what they said themselves.
func NewResult(run *Run, stats *trace.Stats, machines []summary.Machine) *Result {
	r := newResult(run)
	r.Logged = true
	r.Stats = stats
	r.Stats.Dir = ""
	if !run.Faults.Has(fault.Kill, fault.Pause) { // these stop machines, which is not the host's doing
		r.Paces = Paces(machines)
	}
	return r
}

func newResult(run *Run) *Result {
	return &Result{Format: GridFormat, Name: run.Name, Point: run.Point.Number, Trial: run.Trial, Seed: run.Seed, Struck: run.Struck()}
}

// NewLargeResult returns the result of a run without logs, from what its machines did.
// The run has its rates ([Grid.Drawn]).
func NewLargeResult(run *Run, population *summary.Population) *Result {
	r := newResult(run)
	r.Population = population
	rates := make([]float64, len(run.Rates))
	for i, rate := range run.Rates {
		rates[i] = rate.PerSecond()
	}
	r.Predicted = make([]ClassPrediction, len(population.Classes))
	for id, p := range trace.Predict(rates, run.Die) {
		i := slices.IndexFunc(population.Classes, func(c summary.Class) bool { return run.Rates[id] <= c.Fastest })
		c := &r.Predicted[i]
		c.Arrivals += p.Arrivals
		c.Takes += p.Takes
		c.Idle += p.Idle
		c.Growth += p.Growth
		if p.Saturated() {
			c.Saturated++
		}
		if p.OnEdge() {
			c.Edge++
		}
	}
	for i := range r.Predicted { // at the end: the mean of equal rates is that rate to the last digit
		n, c := float64(population.Classes[i].Machines), &r.Predicted[i]
		c.Arrivals, c.Takes, c.Idle, c.Growth = c.Arrivals/n, c.Takes/n, c.Idle/n, c.Growth/n
	}
	return r
}

// Pace is how a machine kept its rate.
type Pace struct {
	Machine int           `json:"machine"`
	Rate    clock.Rate    `json:"rate"`
	P99     time.Duration `json:"p99_ns"` // of its ticks' lateness
	Missed  uint64        `json:"missed,omitzero"`
}

// Paces returns the paces of the machines that have one: not of those without
// pauses.
func Paces(machines []summary.Machine) (paces []Pace) {
	for i := range machines {
		if m := &machines[i]; m.Lateness.Ticks > 0 && m.Rate != clock.Unpaced {
			paces = append(paces, Pace{m.ID, m.Rate, m.Lateness.P99, m.Missed})
		}
	}
	return paces
}

// tolerance is how late a tick may be at any rate without the pace being called
// in question: what a busy system does to a process now and then.
const tolerance = 5 * time.Millisecond

// suffered reports whether the machine did not do what its rate says: it missed
// ticks, or more than one tick in a hundred was nearer to the time of the next
// than to its own.
func (p Pace) suffered() bool {
	return p.Missed > 0 || p.P99 > max(tolerance, time.Duration(p.Rate.Due(1))/2)
}

// worse orders paces, the better one first.
func worse(a, b Pace) int {
	share := func(p Pace) float64 { return p.P99.Seconds() * p.Rate.PerSecond() }
	return cmp.Or(cmp.Compare(a.Missed, b.Missed), cmp.Compare(share(a), share(b)))
}

// Suffered returns how many machines did not keep their pace.
func (r *Result) Suffered() (n int) {
	for _, p := range r.Paces {
		if p.suffered() {
			n++
		}
	}
	return n
}

// Usable reports whether the figures of the run mean something: it is correct by its
// logs, or has had none.
func (r *Result) Usable() bool { return r.Stats == nil || r.Stats.Verdict.State == trace.Correct }

// events returns how many there were.
func (r *Result) events() uint64 {
	if r.Stats == nil {
		return r.Population.All.Steps
	}
	return r.Stats.Events
}

// pairs returns how many of the pairs of events on different machines are concurrent, and
// how many of these the clocks order, in %; NaN where that is not known.
func (r *Result) pairs() (concurrent, ordered float64) {
	concurrent, ordered = math.NaN(), math.NaN()
	if r.Stats == nil || r.Stats.Concurrency == nil || r.Stats.Concurrency.Pairs == 0 {
		return concurrent, ordered
	}
	c := r.Stats.Concurrency
	concurrent = 100 * float64(c.Concurrent) / float64(c.Pairs)
	if c.Concurrent > 0 {
		ordered = 100 * float64(c.Ordered) / float64(c.Concurrent)
	}
	return concurrent, ordered
}
