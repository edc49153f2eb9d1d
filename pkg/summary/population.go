package summary

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/bits"
	"slices"
	"sort"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Population is what the machines of a run did where there are too many to look at one
// by one: class by class, as distributions over the machines of a class.
type Population struct {
	Elapsed time.Duration `json:"elapsed_ns"` // the longest of all machines
	Clock   clock.Time    `json:"clock"`      // the largest at the end
	// Classes are by rate, the slowest first; Between has the machines of all but the first
	// and the last, nil if there are none, and All those of all.
	Classes []Class `json:"classes"`
	Between *Class  `json:"between,omitempty"`
	All     Class   `json:"all"`
}

// Class is what machines of one rate did, or of a range of rates. Figures of one
// machine count as much as those of any other.
type Class struct {
	Slowest  clock.Rate `json:"slowest"`
	Fastest  clock.Rate `json:"fastest"`
	Machines int        `json:"machines"`

	MeanRate  float64 `json:"mean_rate"`  // ticks per second
	MeanJump  float64 `json:"mean_jump"`  // of the machines' mean jumps; 0 without a step
	GapShare  float64 `json:"gap_share"`  // of jumps of more than 1 in the events, 0 to 1
	MeanQueue float64 `json:"mean_queue"` // of the machines' mean queues

	Steps    uint64 `json:"steps"`
	Internal uint64 `json:"internal"`
	Sends    uint64 `json:"sends"`
	Receives uint64 `json:"receives"`
	Sent     uint64 `json:"sent"`
	Missed   uint64 `json:"missed,omitzero"`

	Clocks   Spread `json:"clocks"`    // at the end
	Drifts   Spread `json:"drifts"`    // at the end, behind the largest clock
	MaxJumps Spread `json:"max_jumps"` // each machine's largest
	MaxQueue Spread `json:"max_queue"` // each machine's longest, at the end too
	Queues   Spread `json:"queues"`    // at the end
}

// Spread is how a whole number is distributed over machines. The quantiles are exact,
// by nearest rank: the smallest value that as large a share of the machines do not
// exceed.
type Spread struct {
	Mean float64 `json:"mean"`
	Min  uint64  `json:"min"`
	P10  uint64  `json:"p10"`
	P50  uint64  `json:"p50"`
	P90  uint64  `json:"p90"`
	P99  uint64  `json:"p99"`
	Max  uint64  `json:"max"`
	// Histogram counts the values 0, 1, 2, 3–4, 5–8, … ; see [Bucket].
	Histogram []uint64 `json:"histogram"`
}

// Bucket returns the values that an entry of a [Spread.Histogram] counts: both ends are
// among them.
func Bucket(i int) (low, high uint64) {
	switch i {
	case 0:
		return 0, 0
	case 1:
		return 1, 1
	}
	return 1<<(i-2) + 1, 1 << (i - 1)
}

// Buckets is how many entries a [Spread.Histogram] can have.
const Buckets = 66

// BucketOf returns which entry of a [Spread.Histogram] counts a value.
func BucketOf(x uint64) int {
	if x == 0 {
		return 0
	}
	return bits.Len64(x-1) + 1
}

// MaxClasses is up to how many rates have a class each. Of more, the slowest and the
// fastest have, and those between make up at most ten classes of neighbours.
const MaxClasses = 12

// Survey sums up machines. It ranges over them twice.
func Survey(machines iter.Seq[Machine]) *Population {
	p := &Population{}
	rates := make(map[clock.Rate]int)
	for m := range machines {
		rates[m.Rate]++
		p.Clock = max(p.Clock, m.Clock)
		p.Elapsed = max(p.Elapsed, m.Elapsed)
	}
	ends := classEnds(rates)
	gathering := make([]*gathering, len(ends))
	for i := range gathering {
		gathering[i] = newGathering()
	}
	all := newGathering()
	for m := range machines {
		i := sort.Search(len(ends), func(i int) bool { return ends[i] >= m.Rate })
		gathering[i].add(&m, p.Clock)
	}
	between := newGathering()
	for i, g := range gathering {
		all.merge(g)
		if i > 0 && i < len(gathering)-1 {
			between.merge(g)
		}
		p.Classes = append(p.Classes, g.class())
	}
	if between.Machines > 0 {
		c := between.class()
		p.Between = &c
	}
	p.All = all.class()
	return p
}

// classEnds returns the fastest rate of each class.
func classEnds(rates map[clock.Rate]int) []clock.Rate {
	sorted := slices.Sorted(maps.Keys(rates))
	if len(sorted) <= MaxClasses {
		return sorted
	}
	between := sorted[1 : len(sorted)-1]
	total := 0
	for _, r := range between {
		total += rates[r]
	}
	ends := []clock.Rate{sorted[0]}
	seen, parts := 0, MaxClasses-2
	for i, r := range between {
		before := seen * parts / total
		seen += rates[r]
		if i == len(between)-1 || seen*parts/total > before {
			ends = append(ends, r)
		}
	}
	return append(ends, sorted[len(sorted)-1])
}

// gathering is a class on the way.
type gathering struct {
	Class
	rates, jumps, gaps, queues                float64 // sums over machines
	clocks, drifts, maxJumps, maxQueues, ends tally
}

func newGathering() *gathering {
	return &gathering{clocks: make(tally), drifts: make(tally), maxJumps: make(tally), maxQueues: make(tally), ends: make(tally)}
}

func (g *gathering) add(m *Machine, largest clock.Time) {
	if g.Machines == 0 || m.Rate < g.Slowest {
		g.Slowest = m.Rate
	}
	g.Fastest = max(g.Fastest, m.Rate)
	g.Machines++
	g.rates += m.Rate.PerSecond()
	g.jumps += m.MeanJump
	g.queues += m.MeanQueue
	if m.Steps > 0 {
		g.gaps += float64(m.Gaps) / float64(m.Steps)
	}
	g.Steps += m.Steps
	g.Internal += m.Internal
	g.Sends += m.Sends
	g.Receives += m.Receives
	g.Sent += m.Sent
	g.Missed += m.Missed
	g.clocks[uint64(m.Clock)]++
	g.drifts[uint64(largest-m.Clock)]++
	g.maxJumps[m.MaxJump]++
	g.maxQueues[uint64(max(m.MaxQueue, m.Queue))]++
	g.ends[uint64(m.Queue)]++
}

func (g *gathering) merge(o *gathering) {
	if g.Machines == 0 || o.Slowest < g.Slowest {
		g.Slowest = o.Slowest
	}
	g.Fastest = max(g.Fastest, o.Fastest)
	g.Machines += o.Machines
	g.rates += o.rates
	g.jumps += o.jumps
	g.gaps += o.gaps
	g.queues += o.queues
	g.Steps += o.Steps
	g.Internal += o.Internal
	g.Sends += o.Sends
	g.Receives += o.Receives
	g.Sent += o.Sent
	g.Missed += o.Missed
	for _, t := range []struct{ to, from tally }{
		{g.clocks, o.clocks}, {g.drifts, o.drifts}, {g.maxJumps, o.maxJumps}, {g.maxQueues, o.maxQueues}, {g.ends, o.ends},
	} {
		for x, n := range t.from {
			t.to[x] += n
		}
	}
}

func (g *gathering) class() Class {
	c := g.Class
	if n := float64(g.Machines); n > 0 {
		c.MeanRate, c.MeanJump, c.GapShare, c.MeanQueue = g.rates/n, g.jumps/n, g.gaps/n, g.queues/n
	}
	c.Clocks, c.Drifts = g.clocks.spread(), g.drifts.spread()
	c.MaxJumps, c.MaxQueue, c.Queues = g.maxJumps.spread(), g.maxQueues.spread(), g.ends.spread()
	return c
}

// SpreadOf returns how values are distributed.
func SpreadOf(values []uint64) Spread {
	t := make(tally)
	for _, x := range values {
		t[x]++
	}
	return t.spread()
}

// tally counts values: of a million machines, a few thousand are different.
type tally map[uint64]uint64

func (t tally) spread() (s Spread) {
	values := slices.Sorted(maps.Keys(t))
	total := uint64(0)
	for _, x := range values {
		total += t[x]
		i := BucketOf(x)
		for i >= len(s.Histogram) {
			s.Histogram = append(s.Histogram, 0)
		}
		s.Histogram[i] += t[x]
	}
	if total == 0 {
		return s
	}
	s.Min, s.Max = values[0], values[len(values)-1]
	quantiles := []struct {
		percent uint64
		value   *uint64
	}{{10, &s.P10}, {50, &s.P50}, {90, &s.P90}, {99, &s.P99}}
	seen := uint64(0)
	for _, x := range values {
		seen += t[x]
		s.Mean += float64(x) * (float64(t[x]) / float64(total))
		for len(quantiles) > 0 && seen*100 >= quantiles[0].percent*total {
			*quantiles[0].value = x
			quantiles = quantiles[1:]
		}
	}
	return s
}

// MaxPopulation is the largest number of bytes of a population in JSON that is read.
const MaxPopulation = 1 << 20

// maxCounted bounds every count in a population, so that no sum of some of them
// overflows.
const maxCounted = 1 << 56

// ParsePopulation reads a population from JSON, and nothing that [Survey] would not
// have made.
func ParsePopulation(text []byte) (*Population, error) {
	if len(text) > MaxPopulation {
		return nil, fmt.Errorf("%d bytes: want at most %d", len(text), MaxPopulation)
	}
	var p Population
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, err
	}
	return &p, p.Check()
}

// Check returns nil if the figures can be those of one run.
func (p *Population) Check() error {
	if len(p.Classes) == 0 || len(p.Classes) > MaxClasses {
		return fmt.Errorf("%d classes: want 1 to %d", len(p.Classes), MaxClasses)
	}
	machines := 0
	var last clock.Rate
	for i := range p.Classes {
		c := &p.Classes[i]
		if err := c.check(p.Clock); err != nil {
			return fmt.Errorf("class %d: %w", i+1, err)
		}
		if i > 0 && c.Slowest <= last {
			return fmt.Errorf("class %d: its rates are not above those of the one before", i+1)
		}
		last = c.Fastest
		machines += c.Machines
	}
	if err := p.All.check(p.Clock); err != nil {
		return fmt.Errorf("all machines: %w", err)
	}
	between := 0
	if p.Between != nil {
		if err := p.Between.check(p.Clock); err != nil {
			return fmt.Errorf("the machines between: %w", err)
		}
		between = p.Between.Machines
	}
	if want := machines - p.Classes[0].Machines - p.Classes[len(p.Classes)-1].Machines; max(want, 0) != between {
		return errors.New("the machines between are not those of the classes between")
	}
	if p.All.Machines != machines || p.All.Slowest != p.Classes[0].Slowest || p.All.Fastest != last || p.Elapsed < 0 {
		return errors.New("the classes are not all machines")
	}
	return nil
}

func (c *Class) check(largest clock.Time) error {
	switch {
	case c.Machines < 1 || c.Machines > math.MaxInt32:
		return fmt.Errorf("%d machines: want 1 at least", c.Machines)
	case c.Slowest > c.Fastest:
		return errors.New("the slowest is faster than the fastest")
	case max(c.Steps, c.Internal, c.Sends, c.Receives, c.Sent, c.Missed) > maxCounted || c.Steps != c.Internal+c.Sends+c.Receives:
		return errors.New("the events do not add up")
	case !(c.GapShare >= 0 && c.GapShare <= 1):
		return errors.New("a share of gaps that is none")
	}
	for _, x := range []float64{c.MeanJump, c.MeanQueue} {
		if !(x >= 0 && x <= maxCounted) {
			return errors.New("a mean out of its range")
		}
	}
	for _, s := range []*Spread{&c.Clocks, &c.Drifts, &c.MaxJumps, &c.MaxQueue, &c.Queues} {
		if err := s.check(c.Machines); err != nil {
			return err
		}
	}
	if c.Clocks.Max > uint64(largest) || c.Drifts.Min != uint64(largest)-c.Clocks.Max || c.Drifts.Max != uint64(largest)-c.Clocks.Min {
		return errors.New("the drifts are not the largest clock minus the clocks")
	}
	return nil
}

func (s *Spread) check(machines int) error {
	total := uint64(0)
	for _, n := range s.Histogram {
		total += min(n, math.MaxInt32+1)
	}
	switch {
	case !slices.IsSortedFunc([]uint64{s.Min, s.P10, s.P50, s.P90, s.P99, s.Max}, cmp.Compare):
		return errors.New("the quantiles do not rise")
	case !(s.Mean >= float64(s.Min)*(1-1e-9) && s.Mean <= float64(s.Max)*(1+1e-9)):
		return errors.New("a mean is not between the smallest and the largest value")
	case len(s.Histogram) != BucketOf(s.Max)+1 || total != uint64(machines):
		return errors.New("a histogram does not count the machines")
	}
	return nil
}
