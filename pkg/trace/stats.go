package trace

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Stats are the figures of a run, taken from its logs alone.
type Stats struct {
	Dir      string         `json:"dir"`
	Run      string         `json:"run"`
	Die      int            `json:"die"`
	Start    time.Time      `json:"start"`
	Elapsed  time.Duration  `json:"elapsed_ns"` // from the first start to the last line
	Events   uint64         `json:"events"`
	Machines []MachineStats `json:"machines"` // those that have a log, by ID
	// Missing is how many machines have none. Then nothing is predicted, for their
	// rates are not known.
	Missing int `json:"missing,omitzero"`
	// Concurrency is nil where it cannot be counted; Why then says why not.
	Concurrency *Concurrency `json:"concurrency,omitempty"`
	Why         string       `json:"why_no_concurrency,omitempty"`
	Verdict     *Verdict     `json:"verdict"`
}

// MachineStats are the figures of one machine. Rates are per second.
type MachineStats struct {
	ID      int             `json:"id"`
	Summary summary.Machine `json:"summary"` // as the machine itself would have counted
	// AchievedRate is in ticks per second and RateError in parts per million;
	// both are nil where they cannot be had.
	AchievedRate *float64 `json:"achieved_rate,omitempty"`
	RateError    *float64 `json:"rate_error_ppm,omitempty"`

	Jumps Distribution `json:"jumps"`
	// JumpHistogram counts jumps of 1, 2, 3–4, 5–8, 9–16, … : up to 2^i.
	JumpHistogram []uint64 `json:"jump_histogram"`

	// Drift is the largest clock of any machine minus the machine's own:
	// Mean over time, Max exact, P50 and P99 sampled every few milliseconds.
	Drift      Distribution `json:"drift"`
	FinalDrift uint64       `json:"final_drift"`

	// QueueGrowth is the slope of the queue's length over time, by least
	// squares, in messages per second.
	QueueGrowth float64    `json:"queue_growth"`
	Arrivals    float64    `json:"arrivals"`           // messages received or pending, per second
	Predicted   Prediction `json:"predicted,omitzero"` // zero: not known

	// Resumes is how often the machine came back from its log.
	Resumes int `json:"resumes,omitzero"`
}

// Distribution sums up many values. P50 and P99 are within 1 % above the true
// ones.
type Distribution struct {
	Mean float64 `json:"mean"`
	P50  uint64  `json:"p50"`
	P99  uint64  `json:"p99"`
	Max  uint64  `json:"max"`
}

// Concurrency says how much a Lamport clock orders that nothing has ordered.
// Counted are pairs of events on different machines.
type Concurrency struct {
	Pairs      uint64 `json:"pairs"`
	Concurrent uint64 `json:"concurrent"` // neither happened before the other
	// Ordered are the concurrent pairs whose timestamps differ all the same,
	// as if one had happened before the other.
	Ordered uint64 `json:"ordered"`
}

// maxVectors is the largest number of machines for which vector clocks are
// kept: their cost per message grows with it.
const maxVectors = 256

// Stats goes through the run, as [Run.Walk] does, and gathers its figures.
func (r *Run) Stats() (*Stats, error) {
	c := NewCollector(r)
	verdict, err := r.Walk(Options{}, c)
	if err != nil {
		return nil, err
	}
	return c.Stats(verdict), nil
}

// Collector is a [Visitor] that gathers the figures of a run.
type Collector struct {
	dir      string
	present  []int       // machines, ascending
	machines []*gathered // theirs
	missing  int
	start    *logging.Record // the first
	from, to int64           // global time, µs
	largest  clock.Time      // of all machines, now
	pairs    *pairs          // nil: too many machines

	// The drift of all machines is sampled at fixed instants. It is the same of all
	// that have not had an event, so these have one histogram together.
	heard       []*gathered // the others
	silent      *hdrhistogram.Histogram
	sampleEvery int64
	nextSample  int64
	area        integral // of the largest clock over time
}

// gathered is what is known of one machine.
type gathered struct {
	start    *logging.Record
	stop     *logging.Record
	figures  summary.Collector
	missed   uint64
	steps    uint64
	clock    clock.Time
	queue    int
	jumps    *hdrhistogram.Histogram // nil: it has had no event
	drift    *hdrhistogram.Histogram // nil: so far that of the silent
	maxDrift uint64
	buckets  [65]uint64
	area     integral // of the clock over time
	slope    slope    // of the queue over time
	lastTick int64    // µs
	resumes  int
}

// NewCollector returns a Collector for one walk over the run.
func NewCollector(r *Run) *Collector {
	present := r.Present()
	c := &Collector{
		dir:         r.Dir,
		present:     present,
		machines:    make([]*gathered, len(present)),
		missing:     r.Machines - len(present),
		silent:      newHistogram(),
		sampleEvery: max(10_000, int64(len(present))*100),
	}
	for i := range c.machines {
		c.machines[i] = new(gathered)
	}
	if len(present) <= maxVectors {
		c.pairs = newPairs(len(present))
	}
	return c
}

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, math.MaxInt64, 2) }

// WantsVectors reports that concurrency is counted by vector clocks.
func (c *Collector) WantsVectors() bool { return c.pairs != nil }

// Visit takes in a line.
func (c *Collector) Visit(s *Step) error {
	m := c.machines[s.Index]
	if c.from == 0 {
		c.from, c.to = s.Micro, s.Micro
		c.nextSample = c.from + c.sampleEvery
	}
	c.to = max(c.to, s.Micro)
	if s.Other != nil {
		c.other(m, s.Other)
		return nil
	}
	c.sample(s.Micro)
	if m.jumps == nil {
		m.jumps, m.drift = newHistogram(), hdrhistogram.Import(c.silent.Export())
		c.heard = append(c.heard, m)
	}
	ev := s.Event
	at := s.Micro - c.from
	m.maxDrift = max(m.maxDrift, uint64(c.largest-m.clock))
	m.area.until(at, float64(m.clock))
	if ev.Clock > c.largest {
		c.area.until(at, float64(c.largest))
		c.largest = ev.Clock
	}
	m.observe(ev, s.Micro)
	m.slope.add(float64(at)/1e6, float64(ev.Queue))
	if c.pairs != nil {
		c.pairs.add(s)
	}
	return nil
}

// sample takes the drifts at all instants before the next event. Nothing changes
// between events, so these are of one value each, however far apart events are.
func (c *Collector) sample(until int64) {
	if until < c.nextSample {
		return
	}
	instants := (until-c.nextSample)/c.sampleEvery + 1
	c.nextSample += instants * c.sampleEvery
	drift := func(now clock.Time) int64 { return int64(min(uint64(c.largest-now), math.MaxInt64)) }
	_ = c.silent.RecordValues(drift(0), instants)
	for _, m := range c.heard {
		_ = m.drift.RecordValues(drift(m.clock), instants)
	}
}

// nanoseconds returns the time between two times of a log, in µs. The largest times
// that a log can hold are further apart than a Duration can be.
func nanoseconds(from, to int64) int64 {
	const most = math.MaxInt64 / 2000
	return min(max(to-from, -most), most) * 1000
}

func (c *Collector) other(m *gathered, rec *logging.Record) {
	switch rec.Kind {
	case logging.StartRecord:
		if m.start == nil {
			m.start = rec
		}
		if c.start == nil {
			c.start = rec
		}
	case logging.ResumeRecord:
		m.resumes++
	case logging.StopRecord:
		m.stop = rec
	}
}

// observe takes in an event. How late it was follows from the schedule: tick k
// is due at start + k/rate, but where a machine stood still for more than a
// period and a tenth of a second, its schedule has moved on.
func (m *gathered) observe(ev *event.Event, micro int64) {
	jump := uint64(ev.Clock - m.clock)
	_ = m.jumps.RecordValue(int64(min(jump, math.MaxInt64)))
	m.buckets[bits.Len64(max(jump, 1)-1)]++
	m.clock, m.queue = ev.Clock, ev.Queue
	m.steps++
	m.lastTick = micro
	m.figures.Observe(ev)
	if m.start == nil || m.start.Start.Rate == clock.Unpaced {
		return
	}
	const patience = int64(100 * time.Millisecond)
	rate := m.start.Start.Rate
	// The log holds whole microseconds; the end of one is what can be said.
	now := nanoseconds(m.start.UnixMicro, micro) + 999
	tick := m.steps + m.missed
	if late := now - rate.Due(tick); late > patience && now > rate.Due(tick+1) {
		missed := rate.Ticks(now) - tick
		m.missed += missed
		m.figures.Missed(missed)
		tick += missed
	}
	m.figures.Tick(time.Duration(max(0, now-999-rate.Due(tick))))
}

// Stats returns the figures of the run when the walk has come to its end, with
// this verdict.
func (c *Collector) Stats(verdict *Verdict) *Stats {
	s := &Stats{Dir: c.dir, Verdict: verdict, Events: verdict.Events, Missing: c.missing}
	if c.start != nil {
		s.Run, s.Die, s.Start = c.start.Start.Run, c.start.Start.Die, c.start.Time()
	}
	s.Elapsed = time.Duration(nanoseconds(c.from, c.to))
	c.area.until(c.to-c.from, float64(c.largest))
	var rates []float64
	for i, m := range c.machines {
		ms := m.stats(c.present[i], c)
		rates = append(rates, ms.rate())
		s.Machines = append(s.Machines, ms)
	}
	if s.Die > 0 && s.Missing == 0 {
		for i, p := range Predict(rates, s.Die) {
			s.Machines[i].Predicted = p
		}
	}
	switch {
	case c.pairs == nil:
		s.Why = fmt.Sprintf("more than %d machines", maxVectors)
	case verdict.State == Broken:
		s.Why = "the run is broken"
	case verdict.Unmatched > 0:
		s.Why = "sends are missing"
	default:
		s.Concurrency, s.Why = c.pairs.result()
	}
	return s
}

// rate returns the rate to predict from: the nominal one, or what an unpaced
// machine reached.
func (m *MachineStats) rate() float64 {
	switch {
	case m.Summary.Rate != 0 && m.Summary.Rate != clock.Unpaced:
		return m.Summary.Rate.PerSecond()
	case m.AchievedRate != nil:
		return *m.AchievedRate
	}
	return 1
}

func (m *gathered) stats(id int, c *Collector) MachineStats {
	s := MachineStats{ID: id, Resumes: m.resumes}
	var rate clock.Rate
	if m.start != nil {
		rate = m.start.Start.Rate
	}
	queue := m.queue
	if m.stop != nil {
		queue = m.stop.Stop.Queue
	}
	s.Summary = m.figures.Machine(id, rate, queue)
	if m.start != nil {
		s.Summary.Started = m.start.Time()
		if rate == clock.Unpaced && m.steps > 0 {
			s.Summary.Elapsed = time.Duration(nanoseconds(m.start.UnixMicro, m.lastTick))
		}
	}
	if m.stop != nil {
		s.Summary.Pending = byPeer(m.stop.Stop.Pending)
		s.Summary.Undelivered = byPeer(m.stop.Stop.Undelivered)
	}
	s.AchievedRate = known(s.Summary.AchievedRate())
	s.RateError = known(s.Summary.RateError())
	drift := c.silent
	if m.jumps != nil {
		drift = m.drift
		s.Jumps = distribution(m.jumps, s.Summary.MeanJump, s.Summary.MaxJump)
	}
	for i := len(m.buckets) - 1; i >= 0; i-- {
		if m.buckets[i] > 0 {
			s.JumpHistogram = m.buckets[:i+1]
			break
		}
	}
	span := c.to - c.from
	m.area.until(span, float64(m.clock))
	s.FinalDrift = uint64(c.largest - m.clock)
	meanDrift := 0.0
	if span > 0 {
		meanDrift = (c.area.sum - m.area.sum) / float64(span)
	}
	s.Drift = distribution(drift, meanDrift, max(m.maxDrift, s.FinalDrift))
	s.QueueGrowth = m.slope.value()
	if span > 0 {
		s.Arrivals = float64(s.Summary.Receives+uint64(queue)) / (float64(span) / 1e6)
	}
	return s
}

func byPeer(counts []logging.Count) map[int]uint64 {
	if len(counts) == 0 {
		return nil
	}
	m := make(map[int]uint64, len(counts))
	for _, c := range counts {
		m[c.Peer] = c.Messages
	}
	return m
}

func known(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

func distribution(h *hdrhistogram.Histogram, mean float64, largest uint64) Distribution {
	return Distribution{
		Mean: mean,
		P50:  min(uint64(h.ValueAtPercentile(50)), largest),
		P99:  min(uint64(h.ValueAtPercentile(99)), largest),
		Max:  largest,
	}
}

// Explain says in a sentence what the rates mean for the machine's queue, and
// what was seen.
func (m *MachineStats) Explain() string {
	p := m.Predicted
	if !p.Known() {
		return fmt.Sprintf("machine %d: what to expect is not known, for machines are missing; seen: %s arrive, the queue grows by %s/s",
			m.ID, perSecond(m.Arrivals), perSecond(m.QueueGrowth))
	}
	if p.Saturated() {
		return fmt.Sprintf("machine %d is saturated: %s messages/s are expected to arrive, it takes %s/s, so its queue should grow by %s/s; seen: %s arrive, the queue grows by %s/s",
			m.ID, perSecond(p.Arrivals), perSecond(p.Takes), perSecond(p.Growth), perSecond(m.Arrivals), perSecond(m.QueueGrowth))
	}
	return fmt.Sprintf("machine %d keeps up: %s messages/s are expected to arrive, it takes %s/s and is idle in %.0f %% of its steps; seen: %s arrive, the queue grows by %s/s",
		m.ID, perSecond(p.Arrivals), perSecond(p.Takes), 100*p.Idle/p.Takes, perSecond(m.Arrivals), perSecond(m.QueueGrowth))
}

func perSecond(f float64) string {
	places := 2
	if math.Abs(f) >= 1000 {
		places = 0
	}
	s := strings.TrimSuffix(strconv.FormatFloat(f, 'f', places, 64), ".00")
	if s == "-0" {
		return "0"
	}
	return s
}

// integral adds up a step function over time.
type integral struct {
	sum  float64
	last int64
}

// until says that the function has had this value since the last call.
func (i *integral) until(at int64, value float64) {
	if at > i.last {
		i.sum += value * float64(at-i.last)
		i.last = at
	}
}

// slope is a line through points by least squares (Welford's updates, which do
// not lose the small differences of large numbers).
type slope struct {
	n            float64
	meanX, meanY float64
	varX, covXY  float64
}

func (s *slope) add(x, y float64) {
	s.n++
	dx := x - s.meanX
	s.meanX += dx / s.n
	s.meanY += (y - s.meanY) / s.n
	s.varX += dx * (x - s.meanX)
	s.covXY += dx * (y - s.meanY)
}

// value returns the slope, 0 where the points give none.
func (s *slope) value() float64 {
	if s.varX == 0 {
		return 0
	}
	return s.covXY / s.varX
}
