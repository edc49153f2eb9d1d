package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// errOther says that a result is well formed, but not of this run.
var errOther = errors.New("the result of another run")

// readResult reads what [Dir.Save] has written of a run, and nothing that it would not
// have written.
func readResult(b []byte, run *Run) (*Result, error) {
	if err := checkShape(b, len(run.Rates)); err != nil { // of a large run it lists none
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	if err := r.Check(run); err != nil {
		return nil, err
	}
	return &r, nil
}

// maxResult is the largest result of a run that is read, in bytes: a machine has up to
// 4 kB, and two counts of messages for each other.
func maxResult(machines int) int64 {
	n := int64(machines)
	return 1<<20 + n*16<<10 + n*n*128
}

// checkShape looks at how many machines there are before there is memory for each: of
// "{}," every three bytes would take almost a kilobyte.
func checkShape(b []byte, machines int) error {
	var shape struct {
		Paces      []json.RawMessage `json:"paces"`
		Predicted  []json.RawMessage `json:"predicted"`
		Population struct {
			Classes []json.RawMessage `json:"classes"`
		} `json:"population"`
		Stats struct {
			Machines []json.RawMessage `json:"machines"`
			Verdict  struct {
				Violations []json.RawMessage `json:"violations"`
			} `json:"verdict"`
		} `json:"stats"`
	}
	if err := guarded.Unmarshal(b, &shape); err != nil {
		return err
	}
	for _, part := range []struct {
		what      string
		have, max int
	}{
		{"pace", len(shape.Paces), machines},
		{"prediction", len(shape.Predicted), summary.MaxClasses},
		{"class", len(shape.Population.Classes), summary.MaxClasses},
		{"machine", len(shape.Stats.Machines), machines},
		{"violation", len(shape.Stats.Verdict.Violations), len(trace.Laws)},
	} {
		if part.have > part.max {
			return fmt.Errorf("%s: want at most %d", figure.Plural(part.have, part.what), part.max)
		}
	}
	return nil
}

// Check returns nil if a run of a sweep can have this result: it is of that run, and
// its figures agree with each other. What its logs hold is not looked at.
func (r *Result) Check(run *Run) error {
	if r.Format != GridFormat || r.Name != run.Name || r.Point != run.Point.Number || r.Trial != run.Trial || r.Seed != run.Seed ||
		(r.Stats == nil) != run.IsLarge() || (r.Population == nil) == run.IsLarge() || r.Stats != nil && r.Stats.Verdict == nil {
		return errOther
	}
	if run.IsLarge() {
		return r.checkLarge(run)
	}
	for _, check := range []func(*Run) error{r.checkMachines, r.checkVerdict, r.checkPaces, r.checkStruck} {
		if err := check(run); err != nil {
			return err
		}
	}
	return nil
}

// checkLarge looks at the result of a run without logs.
func (r *Result) checkLarge(run *Run) error {
	p := r.Population
	if err := p.Check(); err != nil {
		return err
	}
	switch {
	case p.All.Machines != run.Point.Machines:
		return fmt.Errorf("%s: want %d", figure.Plural(p.All.Machines, "machine"), run.Point.Machines)
	case len(r.Predicted) != len(p.Classes):
		return fmt.Errorf("%s: want one for each of %s", figure.Plural(len(r.Predicted), "prediction"), figure.Plural(len(p.Classes), "class"))
	case r.Logged || len(r.Paces) > 0:
		return errors.New("it cannot have logs")
	}
	for i, c := range r.Predicted {
		for _, x := range []float64{c.Arrivals, c.Takes, c.Idle, c.Growth} {
			if !(x >= 0 && x <= 1e30) {
				return errRange
			}
		}
		if c.Saturated < 0 || c.Edge < 0 || c.Saturated > p.Classes[i].Machines || c.Edge > p.Classes[i].Machines {
			return errRange
		}
	}
	return r.checkStruck(run)
}

// nameIn returns which run a line of the results says that it is of.
func nameIn(line []byte) string {
	const before = `,"name":"`
	if i := bytes.Index(line[:min(len(line), 64)], []byte(before)); i >= 0 { // as it is written
		name, _, _ := bytes.Cut(line[i+len(before):], []byte(`"`))
		return string(name)
	}
	var of struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(line, &of) != nil {
		return ""
	}
	return of.Name
}

var errRange = errors.New("a figure out of its range")

// maxCount bounds every count of events and messages, so that no sum of them
// overflows.
const maxCount = 1 << 48

func (r *Result) checkMachines(run *Run) error {
	s := r.Stats
	if len(s.Machines) != len(run.Rates) {
		return fmt.Errorf("%s: want %d", figure.Plural(len(s.Machines), "machine"), len(run.Rates))
	}
	if s.Elapsed < 0 || s.Events > maxCount {
		return errRange
	}
	for i := range s.Machines {
		m := &s.Machines[i]
		switch {
		case m.ID != i || m.Summary.ID != i:
			return fmt.Errorf("machine %d stands in the place of machine %d", m.ID, i)
		case !inRange(m, len(run.Rates)):
			return fmt.Errorf("machine %d: %w", i, errRange)
		}
	}
	return nil
}

// inRange reports whether the figures of one of n machines can be summed up and shown.
func inRange(m *trace.MachineStats, n int) bool {
	s := &m.Summary
	for _, count := range append([]uint64{s.Steps, s.Internal, s.Sends, s.Receives, s.Sent, s.Missed}, m.JumpHistogram...) {
		if count > maxCount {
			return false
		}
	}
	drift, predicted := given(m.Drift), given(m.Predicted)
	for _, x := range []float64{s.MeanJump, s.MeanQueue, m.Jumps.Mean, drift.Mean, given(m.QueueGrowth), given(m.Arrivals),
		predicted.Arrivals, predicted.Takes, predicted.Growth, predicted.Idle} {
		if math.Abs(x) > 1e30 { // a sum of squares of larger ones could have no value
			return false
		}
	}
	for _, counts := range []map[int]uint64{s.Pending, s.Undelivered} {
		for id, messages := range counts {
			if id < 0 || id >= n || messages > maxCount {
				return false
			}
		}
	}
	const buckets = 65 // of as many bits as a jump has, and one for jumps of 1
	return len(m.JumpHistogram) <= buckets && s.Queue >= 0 && s.MaxQueue >= 0 && s.Elapsed >= 0 && m.Resumes >= 0
}

// given returns what a figure is, if there is one.
func given[T any](figure *T) (v T) {
	if figure != nil {
		v = *figure
	}
	return v
}

// checkFigures holds the figures of one of n machines of a correct run against each
// other, as package trace makes them. largest is the largest clock of all at the end.
func checkFigures(m *trace.MachineStats, n int, largest clock.Time) error {
	s := &m.Summary
	var jumps uint64
	for _, count := range m.JumpHistogram {
		jumps += count
	}
	ones, last := uint64(0), 0
	if s.Steps > 0 && len(m.JumpHistogram) > 0 {
		ones, last = m.JumpHistogram[0], bits.Len64(max(s.MaxJump, 1)-1)+1
	}
	for _, rule := range []struct {
		holds bool
		what  string
	}{
		{s.Steps == s.Internal+s.Sends+s.Receives, "its steps are not the sum of internal events, sends and receives"},
		{s.Sends <= s.Sent && s.Sent <= s.Sends*uint64(max(n-1, 1)), "it cannot have sent so many messages"},
		{jumps == s.Steps && len(m.JumpHistogram) == last && s.Gaps == jumps-ones, "its jumps do not add up"},
		{m.Jumps.Mean == s.MeanJump && m.Jumps.Max == s.MaxJump && s.MaxJump <= uint64(s.Clock), "its jumps do not fit its clock"},
		{ordered(m.Jumps) && ordered(given(m.Drift)), "a quantile is above the largest value"},
		{m.FinalDrift != nil && *m.FinalDrift == uint64(largest-s.Clock) && (m.Drift == nil || *m.FinalDrift <= m.Drift.Max), "its final drift is not the largest clock minus its own"},
		{0 <= s.MeanQueue && notAbove(s.MeanQueue, float64(s.MaxQueue)), "its mean queue is above the largest"},
		{s.Lateness.Late <= s.Lateness.Ticks && s.Lateness.Ticks <= s.Steps && s.Lateness.P99 >= 0 && s.Lateness.Max >= 0,
			"more ticks were late than there were"},
		{m.NotKnown != "" && m.AchievedRate == nil && m.RateError == nil || same(m.AchievedRate, s.AchievedRate()) && same(m.RateError, s.RateError()), "its rate is not its steps by its time"},
	} {
		if !rule.holds {
			return errors.New(rule.what)
		}
	}
	return nil
}

// ordered reports whether the values of a distribution can be.
func ordered(d trace.Distribution) bool {
	return d.P50 <= d.P99 && d.P99 <= d.Max && 0 <= d.Mean && notAbove(d.Mean, float64(d.Max))
}

// notAbove allows for what was rounded in adding up.
func notAbove(mean, largest float64) bool { return mean <= largest*(1+1e-9) }

// same reports whether a figure that is nil where there is none is this one.
func same(f *float64, want float64) bool {
	if f == nil || math.IsNaN(want) || math.IsInf(want, 0) {
		return f == nil && (math.IsNaN(want) || math.IsInf(want, 0))
	}
	return math.Abs(*f-want) <= 1e-6*max(1, math.Abs(want))
}

func (r *Result) checkVerdict(run *Run) error {
	v := r.Stats.Verdict
	broken := len(v.Broken) > 0 || len(v.Violations) > 0
	switch v.State {
	case trace.Correct:
		if broken || len(v.Open) > 0 || v.Unmatched > 0 {
			return errors.New("it is called correct, but something is broken or open")
		}
		return r.checkCorrect(run)
	case trace.Incomplete:
		if broken || len(v.Open) == 0 {
			return errors.New("it is called incomplete, but something is broken, or nothing is open")
		}
	case trace.Broken:
		if len(v.Broken) == 0 {
			return errors.New("it is called broken, but no law is")
		}
	default:
		return fmt.Errorf("verdict %.20q: want %s, %s or %s", v.State, trace.Correct, trace.Incomplete, trace.Broken)
	}
	for law, n := range v.Broken {
		if n == 0 || n > maxCount || !slices.Contains(trace.Laws, law) {
			return fmt.Errorf("law %.20q is broken %s: there is no such law, or it is not", law, figure.Plural(n, "time"))
		}
	}
	return nil
}

// checkCorrect holds the figures of a correct run against each other, and what its logs
// say of it against what it is. Of others they can be anything, and are left out.
func (r *Result) checkCorrect(run *Run) error {
	s, v := r.Stats, r.Stats.Verdict
	var largest clock.Time
	for i := range s.Machines {
		largest = max(largest, s.Machines[i].Summary.Clock)
	}
	var steps, sent, received, pending uint64
	for i := range s.Machines {
		m := &s.Machines[i].Summary
		if m.Rate != run.Rates[i] {
			return fmt.Errorf("machine %d: rate %v: want %v", i, m.Rate, run.Rates[i])
		}
		if err := checkFigures(&s.Machines[i], len(run.Rates), largest); err != nil {
			return fmt.Errorf("machine %d: %w", i, err)
		}
		steps, sent, received, pending = steps+m.Steps, sent+m.Sent, received+m.Receives, pending+uint64(m.Queue)
	}
	switch {
	case v.Machines != len(run.Rates):
		return fmt.Errorf("a verdict on %s: want %d", figure.Plural(v.Machines, "machine"), len(run.Rates))
	case s.Die != run.Die:
		return fmt.Errorf("die %d: want %d", s.Die, run.Die)
	case v.Events != steps || s.Events != steps:
		return errors.New("its events are not those of its machines")
	case v.Sent != sent || v.Received != received || v.Pending != pending:
		return errors.New("its messages are not those of its machines")
	case v.Undelivered > maxCount || sent < received+pending || sent > received+pending+v.Undelivered:
		return errors.New("it is called correct, but its messages do not add up")
	}
	if c := s.Concurrency; c != nil && (c.Ordered > c.Concurrent || c.Concurrent > c.Pairs) {
		return errors.New("more pairs of events are concurrent than there are")
	}
	return nil
}

func (r *Result) checkPaces(run *Run) error {
	if run.Virtual != nil && len(r.Paces) > 0 {
		return errors.New("a pace in virtual time")
	}
	last := -1
	for _, p := range r.Paces {
		switch {
		case p.Machine <= last || p.Machine >= len(run.Rates):
			return fmt.Errorf("the pace of machine %d after that of machine %d, of %d", p.Machine, last, len(run.Rates))
		case p.Rate != run.Rates[p.Machine] || p.P99 < 0 || p.Missed > maxCount:
			return fmt.Errorf("machine %d did not have this pace", p.Machine)
		}
		last = p.Machine
	}
	return nil
}

func (r *Result) checkStruck(run *Run) error {
	if !maps.Equal(r.Struck, run.Struck()) {
		return errors.New("other faults than the plan's")
	}
	return nil
}
