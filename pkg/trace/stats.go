package trace

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Stats are the figures of a run, taken from its logs alone.
type Stats struct {
	Dir     string        `json:"dir"`
	Run     string        `json:"run"`
	Die     int           `json:"die"`
	Start   time.Time     `json:"start"`
	Elapsed time.Duration `json:"elapsed_ns,omitzero"` // from the first start to the last line; 0: not known
	Events  uint64        `json:"events"`
	// Lateness is that of the ticks of all machines together, but for those whose pace is not
	// known. Its percentiles are those of all ticks, and cannot be had from the machines'.
	Lateness summary.Lateness `json:"lateness,omitzero"`
	// Machines are those that have a log, by ID, and among them those without one, if
	// these are few.
	Machines []MachineStats `json:"machines"`
	// Missing is how many machines have no log. Then nothing is predicted, for their
	// rates are not known.
	Missing int `json:"missing,omitzero"`
	// ClockSteps are where system clocks were set while machines ran. The figures
	// are what they would be without, unless a machine's NotKnown says otherwise.
	ClockSteps []ClockStep `json:"clock_steps,omitempty"`
	// ClockOffsets are how far the system clocks of hosts were apart, nil where machines do
	// not say. With Corrected, all times are by the clock of one of them.
	ClockOffsets *ClockOffsets `json:"clock_offsets,omitempty"`
	Corrected    bool          `json:"corrected,omitempty"`
	// Stood is how long the run stood still in all: all its machines had been stopped, and
	// were started again. No figure counts that time.
	Stood time.Duration `json:"stood_ns,omitzero"`
	// ClockSkews are whose system clocks were apart. Then nothing is known that rests
	// on times of several machines.
	ClockSkews []ClockSkew `json:"clock_skews,omitempty"`
	// WhyNoDrift says why nobody's drift is known to the end of the logs, "" where it is.
	// DriftUntil is up to when it is all the same, after the start; 0: not at all.
	WhyNoDrift string        `json:"why_no_drift,omitempty"`
	DriftUntil time.Duration `json:"drift_until_ns,omitzero"`
	// Concurrency is nil where it cannot be counted; Why then says why not.
	Concurrency *Concurrency `json:"concurrency,omitempty"`
	Why         string       `json:"why_no_concurrency,omitempty"`
	Verdict     *Verdict     `json:"verdict"`
}

// MachineStats are the figures of one machine. Rates are per second. What is nil is
// not known.
type MachineStats struct {
	ID int `json:"id"`
	// NotKnown says why figures of the machine are missing below, if they are: all
	// of them where Missing is true, else those that rest on its times.
	NotKnown string `json:"not_known,omitempty"`
	Missing  bool   `json:"missing,omitempty"` // there is no log

	Summary summary.Machine `json:"summary,omitzero"` // as the machine itself would have counted
	// AchievedRate is in ticks per second and RateError in parts per million;
	// both are nil where they cannot be had.
	AchievedRate *float64 `json:"achieved_rate,omitempty"`
	RateError    *float64 `json:"rate_error_ppm,omitempty"`

	Jumps Distribution `json:"jumps,omitzero"`
	// JumpHistogram counts jumps of 1, 2, 3–4, 5–8, 9–16, … : up to 2^i.
	JumpHistogram []uint64 `json:"jump_histogram,omitempty"`

	// Drift is the largest clock of any machine minus the machine's own, over time:
	// a value weighs as much as it lasts. Where a log is missing, nobody's is known,
	// for its machine may be ahead; nor after one breaks off.
	Drift      *Distribution `json:"drift,omitempty"`
	FinalDrift *uint64       `json:"final_drift,omitempty"` // at the end of the logs

	// QueueGrowth is the slope of the queue's length over time, by least
	// squares, in messages per second. One event has none.
	QueueGrowth *float64 `json:"queue_growth,omitempty"`
	// Arrivals are the messages received or pending, per second of the run, or of what
	// the machine's own log shows where its end is not the run's.
	Arrivals *float64 `json:"arrivals,omitempty"`
	// Predicted rests on the rates of all machines.
	Predicted *Prediction `json:"predicted,omitempty"`

	// Resumes is how often the machine came back from its log.
	Resumes int `json:"resumes,omitzero"`
}

// Distribution sums up many values. P50 and P99 are percentiles by the nearest rank: the
// smallest value that, with all smaller ones, is 50 or 99 per cent of all. They are exact
// up to 65,535, and above that too high by less than 1/32,768; in runs of more than 64
// machines, up to 4,095 and by less than 1/2,048.
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

// Stats goes through the run, as [Run.Walk] does, and gathers its figures. Where it
// turns out that system clocks were set, it goes through it once more, with the times
// as they would have been without. The first time, the others are shown the lines as well.
func (r *Run) Stats(others ...Visitor) (*Stats, error) {
	t, c, err := r.times(Options{}, others...)
	if err != nil {
		return nil, err
	}
	return t.stats(c), nil
}

// CorrectedStats is [Run.Stats] with all times by the clock of one host, as
// [Run.Corrected] has them; so are those of the lines that the others are shown.
// The verdict is on the run as it was recorded.
func (r *Run) CorrectedStats(others ...Visitor) (*Stats, error) {
	t, c, err := r.times(Options{})
	if err != nil {
		return nil, err
	}
	corrected, offsets, err := r.correctedBy(t, c)
	if err != nil {
		return nil, err
	}
	c = NewCollector(corrected)
	if _, err := corrected.Walk(Options{Unchecked: true}, append([]Visitor{c}, others...)...); err != nil {
		return nil, err
	}
	s := t.stats(c)
	s.ClockOffsets, s.Corrected = offsets, true
	return s, nil
}

// ErrNoOffsets says that nothing tells how far the system clocks of a run were apart.
var ErrNoOffsets = errors.New("nothing says how far the machines' system clocks were apart: no log compares them, and messages went one way at most")

// Corrected returns the run with the time of each line by the clock of one host, the
// [ClockOffsets.Reference], and as if no clock had been set while the machines ran. Its
// lines are the same but for that. Where no line compares clocks, messages alone say how
// far they were apart. A machine of whose clock nothing is known keeps its times.
//
// The error is [ErrNoOffsets] where nothing is known at all, but for a run of which it is
// recorded that all machines were on one host: its times stay, and the offsets are nil.
func (r *Run) Corrected() (*Run, *ClockOffsets, error) {
	t, c, err := r.times(Options{Unchecked: true})
	if err != nil {
		return nil, nil, err
	}
	return r.correctedBy(t, c)
}

// times are what is wrong with the times of each machine for itself.
type times struct {
	verdict *Verdict
	stood   []ClockStep // what of them does not belong to the run
	steps   []ClockStep // where clocks were set
}

// times goes through the run and gathers its figures, without what is wrong with the times of
// each machine for itself: if there is any, it goes through the run once more.
func (r *Run) times(o Options, others ...Visitor) (t times, c *Collector, err error) {
	c = NewCollector(r)
	if t.verdict, err = r.Walk(o, append([]Visitor{c}, others...)...); err != nil {
		return t, nil, err
	}
	t.steps, _ = c.clockSteps()
	t.stood = c.stood()
	if t.steps == nil && t.stood == nil {
		return t, c, nil
	}
	corrected := r.without(t.all())
	c = NewCollector(corrected)
	c.gauge.steps = t.steps
	_, err = corrected.Walk(Options{Unchecked: true}, c)
	return t, c, err
}

func (t *times) all() []ClockStep { return append(slices.Clone(t.stood), t.steps...) }

// stats returns the figures that were gathered without these.
func (t *times) stats(c *Collector) *Stats {
	s := c.Stats(t.verdict)
	if t.steps != nil || t.stood != nil { // else they are those that it has found itself
		s.ClockSteps = append(t.steps, s.ClockSteps...)
	}
	for _, pause := range t.stood {
		if pause.Machine == t.stood[0].Machine {
			s.Stood += pause.By
		}
	}
	return s
}

// correctedBy returns the run with the times of one clock, by what was gathered.
func (r *Run) correctedBy(t times, c *Collector) (*Run, *ClockOffsets, error) {
	offsets := c.gauge.solve()
	if offsets != nil && slices.ContainsFunc(offsets.Clocks, func(o ClockOffset) bool { return len(o.At) > 0 }) {
		return r.correct(offsets, t.all()), offsets, nil
	}
	if len(c.present) > 1 && !c.isOneHost() {
		return nil, nil, ErrNoOffsets
	}
	return r.without(t.all()), nil, nil
}

// Collector is a [Visitor] that gathers the figures of a run. It sees where system
// clocks were set, but by then what came afterwards is counted: [Run.Stats] can leave
// that out of the figures, which a Collector by itself only marks.
type Collector struct {
	dir      string
	oneHost  bool            // all machines ran on one
	present  []int           // machines, ascending
	machines []*gathered     // theirs
	absent   []int           // the first of those without a log
	missing  int             // how many of those there are
	lasts    time.Duration   // what the run was to last, 0: not known
	start    *logging.Record // the first
	from, to int64           // global time, µs
	pairs    *pairs          // nil: too many machines
	drifts   *drifts         // nil: nothing has happened yet
	skews    skews
	gauge    *gauge
	breaks   *gathered        // whose log breaks off first; nil: nobody's
	parted   bool             // what each log says by itself is taken in beside the walk
	one      [1]logging.Entry // of Visit
}

// gathered is what is known of one machine: by its own log, and by the order of the walk.
type gathered struct {
	id int
	*own
	offsets *offsets
}

// NewCollector returns a Collector for one walk over the run.
func NewCollector(r *Run) *Collector {
	present := r.Present()
	c := &Collector{
		dir:      r.Dir,
		oneHost:  r.Record != nil && r.Record.OneHost(),
		present:  present,
		machines: make([]*gathered, len(present)),
		skews:    make(skews),
		gauge:    newGauge(r),
	}
	if r.Record != nil {
		c.lasts = r.Record.Duration
	}
	for i := range c.machines {
		c.machines[i] = &gathered{id: present[i], own: newOwn(len(present), c.lasts)}
	}
	c.missing, c.absent = roster(present).missing(r.Machines)
	if len(present) <= maxVectors {
		c.pairs = newPairs(len(present))
	}
	return c
}

// WantsVectors reports that concurrency is counted by vector clocks.
func (c *Collector) WantsVectors() bool { return c.pairs != nil }

// beside makes a walk show the lines of each machine where they are read: what they say
// without those of others is gathered there, by as many goroutines as there are logs.
func (c *Collector) beside(index int) func([]logging.Entry) {
	c.parted = true
	return c.machines[index].batch
}

// Visit takes in a line.
func (c *Collector) Visit(s *Step) error {
	m := c.machines[s.Index]
	if !c.parted {
		m.line(s.Line, s.Micro, s.Event, s.Other)
	}
	if s.Other != nil {
		c.begin(s.Micro)
		c.gauge.other(s)
		c.to = max(c.to, s.Micro)
		c.other(m, s.Other)
		return nil
	}
	if s.Sent != nil {
		c.received(s)
	}
	c.one[0] = logging.Entry{Line: s.Line, UnixMicro: s.Micro, Event: *s.Event}
	c.streak(s.Index, c.one[:], s.Vector)
	return nil
}

// begin takes in when the first line was written.
func (c *Collector) begin(micro int64) {
	if c.drifts == nil {
		c.from, c.to = micro, micro
		c.drifts = newDrifts(len(c.machines), micro)
	}
}

// received takes in a message whose send is known.
func (c *Collector) received(s *Step) {
	c.skews.received(int(s.Event.Messages()[0].From), s.Machine, s.Micro-s.Sent.Micro)
	c.gauge.received(s)
	if c.pairs != nil {
		c.pairs.received(s)
	}
}

// streak takes in events of a machine. All that happens within one microsecond happens at once.
func (c *Collector) streak(index int, events []logging.Entry, vector []uint64) {
	c.begin(events[0].UnixMicro)
	if c.pairs != nil {
		c.pairs.add(index, events, vector)
	}
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].UnixMicro == events[0].UnixMicro {
			n++
		}
		c.instant(index, events[:n])
		events = events[n:]
	}
}

// instant takes in events of a machine at one time.
func (c *Collector) instant(index int, events []logging.Entry) {
	m, at := c.machines[index], events[0].UnixMicro
	c.to = max(c.to, at)
	c.gauge.instant(index, events)
	if c.breaks == nil {
		most := events[0].Event.Clock
		for i := range events {
			most = max(most, events[i].Event.Clock)
		}
		c.drifts.set(index, at, most, events[len(events)-1].Event.Clock)
	}
	if m.offsets != nil {
		m.offsets.instant(m.id, events, c.seen)
	}
}

// End takes in that a log holds no more lines. Where it breaks off, its machine may have
// gone on, and have had the largest clock from then on.
func (c *Collector) End(index int) {
	if m := c.machines[index]; m.stop == nil && c.breaks == nil {
		c.breaks = m
	}
}

// other takes in a line that is no event. What the order of the walk has no part in, its
// machine's own figures have taken in.
func (c *Collector) other(m *gathered, rec *logging.Record) {
	switch rec.Kind {
	case logging.StartRecord:
		if m.offsets == nil {
			m.offsets = newOffsets(rec.Start.Rate, rec.UnixMicro)
		}
		if c.start == nil {
			c.start = rec
		}
	case logging.ResumeRecord:
		if m.offsets != nil {
			m.offsets.resumed(rec)
		}
	}
}

// seen reports whether another machine kept its pace while the times of one rose: it
// ticked after the next tick of that one was due, and has had no rise itself. A later
// time than that after the rise is one from before the clock was set back.
func (c *Collector) seen(r *rise) bool {
	due := r.from + (r.period + 10*grain).Microseconds()
	for _, m := range c.machines {
		if o := m.offsets; o != nil && m.id != r.machine && o.micro > due && o.micro <= r.to && o.open == nil &&
			(len(o.rises) == 0 || o.rises[len(o.rises)-1].to <= r.from) {
			return true
		}
	}
	return false
}

// clockSteps returns where clocks were set, and by machine what cannot be told.
func (c *Collector) clockSteps() (steps []ClockStep, doubts map[int]string) {
	var rises []*rise
	for _, m := range c.machines {
		if m.offsets == nil || m.hasty() {
			continue
		}
		if m.offsets.open != nil {
			m.offsets.close()
		}
		for i := range m.offsets.rises {
			rises = append(rises, &m.offsets.rises[i])
		}
	}
	settle(rises, c.isOneHost())
	for _, r := range rises {
		switch r.cause {
		case clockSet:
			steps = append(steps, ClockStep{Machine: r.machine, Line: r.line, Step: r.step, By: r.by()})
		case uncertain:
			if doubts == nil {
				doubts = make(map[int]string)
			}
			doubts[r.machine] = r.doubt()
		}
	}
	return append(steps, c.atStops(rises)...), doubts
}

// isOneHost reports whether all machines ran on one host: they would not compare its clock
// with itself.
func (c *Collector) isOneHost() bool { return c.oneHost && c.gauge.lines == 0 }

// atStops returns where a clock was set between the last step of a machine and its
// stop line, as the ticks of others show.
func (c *Collector) atStops(rises []*rise) (steps []ClockStep) {
	for _, m := range c.machines {
		if m.stop == nil || m.steps == 0 {
			continue
		}
		tail := between(m.lastTick, m.stop.UnixMicro)
		for _, r := range rises {
			by := r.by()
			if r.cause != clockSet || r.machine == m.id || by > 0 && tail < by-r.noise || by < 0 && tail > 0 {
				continue
			}
			if max(r.from, m.lastTick) <= min(r.to, m.stop.UnixMicro)-by.Microseconds() {
				steps = append(steps, ClockStep{Machine: m.id, Line: m.stop.Line, Step: m.steps, By: by})
				break
			}
		}
	}
	return steps
}

// Stats returns the figures of the run when the walk has come to its end, with
// this verdict.
func (c *Collector) Stats(verdict *Verdict) *Stats {
	s := &Stats{Dir: c.dir, Verdict: verdict, Events: verdict.Events, Missing: c.missing}
	if c.start != nil {
		s.Run, s.Die, s.Start = c.start.Start.Run, c.start.Start.Die, c.start.Time()
	}
	var doubts map[int]string
	s.ClockSteps, doubts = c.clockSteps()
	for _, step := range s.ClockSteps { // whose figures are those with it
		if doubts == nil {
			doubts = make(map[int]string)
		}
		doubts[step.Machine] = "its system clock was set, and the figures are not without that"
	}
	if c.gauge.lines > 0 {
		s.ClockOffsets = c.gauge.solve()
	}
	s.ClockSkews = c.skews.settle(tolerated(c.rates()))
	if doubts == nil && s.ClockSkews == nil {
		s.Elapsed = between(c.from, c.to)
	}
	known := c.driftKnown(s, doubts)
	var timed []*summary.Collector
	for i, m := range c.machines {
		if m.isEmpty() {
			s.Machines = append(s.Machines, MachineStats{ID: m.id, NotKnown: emptyLog(m.id), Missing: true})
			continue
		}
		ms := m.stats()
		if c.incomplete() == "" && c.breaks == nil {
			ms.FinalDrift = ptr(c.drifts.final(i))
		}
		if known {
			ms.Drift = ptr(c.drifts.of(i))
		}
		if doubts == nil {
			span := c.to - c.from
			if m.stop == nil || s.ClockSkews != nil {
				span = m.to - m.from
			}
			m.overTime(&ms, span)
		}
		if m.pace(&ms, doubts[m.id]); ms.NotKnown == "" {
			timed = append(timed, &m.figures)
		}
		s.Machines = append(s.Machines, ms)
	}
	if c.missing == len(c.absent) { // else there are too many to be listed
		for _, id := range c.absent {
			s.Machines = append(s.Machines, MachineStats{ID: id, NotKnown: missingLog(id), Missing: true})
		}
		slices.SortFunc(s.Machines, func(a, b MachineStats) int { return a.ID - b.ID })
	}
	s.Lateness = summary.Together(timed)
	s.predict()
	s.Concurrency, s.Why = c.concurrency(verdict)
	return s
}

// driftKnown reports whether drifts are known, counts them as far as they are, and says
// why that is not to the end.
func (c *Collector) driftKnown(s *Stats, doubts map[int]string) bool {
	switch why := c.incomplete(); {
	case why != "":
		s.WhyNoDrift = why
		return false
	case doubts != nil:
		s.WhyNoDrift = "the times of the machines cannot be compared"
		return false
	case s.ClockSkews != nil:
		s.WhyNoDrift = "the system clocks were apart"
		return false
	case c.breaks == nil:
		c.drifts.until(c.to)
		return true
	}
	s.WhyNoDrift = fmt.Sprintf("the log of machine %d breaks off", c.breaks.id)
	s.DriftUntil = between(c.from, c.drifts.now)
	c.drifts.until(c.drifts.now)
	return s.DriftUntil > 0
}

// rates returns the rates that are known, of machines that keep one or have none.
func (c *Collector) rates() (rates []clock.Rate) {
	for _, m := range c.machines {
		if m.start != nil {
			rates = append(rates, m.start.Start.Rate)
		}
	}
	return rates
}

func emptyLog(id int) string   { return fmt.Sprintf("the log of machine %d is empty", id) }
func missingLog(id int) string { return fmt.Sprintf("the log of machine %d is missing", id) }

// incomplete says why nothing can be said that needs all logs, "" if it can.
func (c *Collector) incomplete() string {
	if c.missing > 0 {
		return missingLog(c.absent[0])
	}
	for _, m := range c.machines {
		if m.isEmpty() {
			return emptyLog(m.id)
		}
	}
	return ""
}

func (c *Collector) concurrency(verdict *Verdict) (*Concurrency, string) {
	switch {
	case c.pairs == nil:
		return nil, fmt.Sprintf("more than %d machines", maxVectors)
	case verdict.State == Broken:
		return nil, "the run is broken"
	case verdict.Unmatched > 0:
		return nil, "sends are missing"
	case c.incomplete() != "":
		return nil, c.incomplete()
	}
	return c.pairs.result()
}

// predict adds what the rates lead to, if all of them are known.
func (s *Stats) predict() {
	var rates []float64
	for i := range s.Machines {
		rate, ok := s.Machines[i].rate()
		if !ok || s.Die == 0 {
			return
		}
		rates = append(rates, rate)
	}
	for i, p := range Predict(rates, s.Die) {
		s.Machines[i].Predicted = &p
	}
}

// rate returns the rate to predict from: the nominal one, or what an unpaced
// machine reached.
func (m *MachineStats) rate() (perSecond float64, ok bool) {
	switch {
	case m.Summary.Rate != 0 && m.Summary.Rate != clock.Unpaced:
		return m.Summary.Rate.PerSecond(), true
	case m.AchievedRate != nil:
		return *m.AchievedRate, true
	}
	return 0, false
}

// stats returns the figures that rest on no time.
func (m *gathered) stats() MachineStats {
	s := MachineStats{ID: m.id, Resumes: m.resumes}
	var rate clock.Rate
	if m.start != nil {
		rate = m.start.Start.Rate
	}
	queue := m.queue
	if m.stop != nil {
		queue = m.stop.Stop.Queue
	}
	s.Summary = m.figures.Machine(m.id, rate, queue)
	if m.start != nil {
		s.Summary.Started = m.start.Time()
		if rate == clock.Unpaced && m.steps > 0 {
			s.Summary.Elapsed = between(m.start.UnixMicro, m.lastTick)
		}
	}
	if m.stop != nil {
		s.Summary.Pending = logging.ByPeer(m.stop.Stop.Pending)
		s.Summary.Undelivered = logging.ByPeer(m.stop.Stop.Undelivered)
	}
	s.Jumps = Distribution{
		Mean: s.Summary.MeanJump,
		P50:  min(m.jumps.Percentile(50), s.Summary.MaxJump),
		P99:  min(m.jumps.Percentile(99), s.Summary.MaxJump),
		Max:  s.Summary.MaxJump,
	}
	for i := len(m.buckets) - 1; i >= 0; i-- {
		if m.buckets[i] > 0 {
			s.JumpHistogram = slices.Clone(m.buckets[:i+1]) // a slice of it would keep all that has been gathered
			break
		}
	}
	return s
}

// pace adds how well the machine kept its rate, unless its times are in doubt, or say
// that it did not try to.
func (m *gathered) pace(s *MachineStats, doubt string) {
	if m.hasty() {
		doubt = "it executed its steps faster than its rate allows: it was replayed, or its rate was another"
	}
	if s.NotKnown = doubt; doubt != "" {
		s.Summary.Lateness, s.Summary.Missed, s.Summary.Elapsed = summary.Lateness{}, 0, 0
		return
	}
	s.AchievedRate = known(s.Summary.AchievedRate())
	s.RateError = known(s.Summary.RateError())
}

// overTime adds the figures of the queue that rest on time; span is how long its arrivals
// are known for, in µs.
func (m *gathered) overTime(s *MachineStats, span int64) {
	if perMicro, ok := m.slope.value(); ok {
		s.QueueGrowth = ptr(perMicro * 1e6)
	}
	if span > 0 {
		s.Arrivals = ptr(float64(s.Summary.Receives+uint64(s.Summary.Queue)) / (float64(span) / 1e6))
	}
}

func ptr[T any](v T) *T { return &v }

func known(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

// Explain says in a sentence what the rates mean for the machine's queue, and
// what was seen.
func (m *MachineStats) Explain() string {
	p := m.Predicted
	switch {
	case m.Missing:
		return fmt.Sprintf("machine %d: not known: %s; so nobody's drift is known either, since its clock may be the largest", m.ID, m.NotKnown)
	case p == nil:
		return fmt.Sprintf("machine %d: what to expect is not known, since the rates of all machines are not; seen: %s", m.ID, m.seen())
	case p.OnEdge():
		return fmt.Sprintf("machine %d is at the edge: %s messages/s are expected to arrive, as many as it takes; they come in bunches, so its queue should grow without bound, though ever more slowly; seen: %s",
			m.ID, figure.PerSecond(p.Arrivals), m.seen())
	case p.Saturated():
		return fmt.Sprintf("machine %d is saturated: %s messages/s are expected to arrive, it takes %s/s, so its queue should grow by %s/s; seen: %s",
			m.ID, figure.PerSecond(p.Arrivals), figure.PerSecond(p.Takes), figure.PerSecond(p.Growth), m.seen())
	}
	return fmt.Sprintf("machine %d keeps up: %s messages/s are expected to arrive, it takes %s/s and is idle in %s of its steps; seen: %s",
		m.ID, figure.PerSecond(p.Arrivals), figure.PerSecond(p.Takes), figure.Percent(p.Idle, p.Takes), m.seen())
}

// seen says what became of the queue.
func (m *MachineStats) seen() string {
	switch {
	case m.Arrivals == nil:
		return "not known per second, since the times are not"
	case m.QueueGrowth == nil:
		return fmt.Sprintf("%s arrive; how the queue grows, %s cannot show", figure.PerSecond(*m.Arrivals), figure.Plural(m.Summary.Steps, "event"))
	}
	return fmt.Sprintf("%s arrive, the queue grows by %s/s", figure.PerSecond(*m.Arrivals), figure.PerSecond(*m.QueueGrowth))
}
