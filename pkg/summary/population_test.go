package summary_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
)

// several draws machines whose figures fit each other, of up to so many rates.
func several(t *rapid.T, rates int) (machines []summary.Machine) {
	for id := range rapid.IntRange(1, 200).Draw(t, "machines") {
		n := func(what string, most uint64) uint64 { return rapid.Uint64Range(0, most).Draw(t, what) }
		m := summary.Machine{
			ID: id, Rate: clock.Rate(1+n("rate", uint64(rates-1))) * clock.Hertz / 8,
			Internal: n("internal", 50), Sends: n("sends", 50), Receives: n("receives", 50), Sent: n("sent", 99),
			Clock: clock.Time(n("clock", 3000)), MaxJump: n("jump", 70), MaxQueue: int(n("max queue", 40)), Queue: int(n("queue", 50)),
			MeanJump: float64(n("mean jump", 30)), MeanQueue: float64(n("mean queue", 30)),
		}
		m.Steps = m.Internal + m.Sends + m.Receives
		m.Gaps = min(m.Steps, n("gaps", 99))
		machines = append(machines, m)
	}
	return machines
}

// nearestRank is the definition.
func nearestRank(values []uint64, percent float64) uint64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(1, int(math.Ceil(percent/100*float64(len(sorted)))))-1]
}

// The dumb twin has all values of all machines of a class.
func TestSurvey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := several(t, rapid.SampledFrom([]int{1, 3, 60}).Draw(t, "rates"))
		p := summary.Survey(slices.Values(machines))
		require.NoError(t, p.Check())
		seen := 0
		classes := append(slices.Clone(p.Classes), p.All)
		if p.Between != nil {
			classes = append(classes, *p.Between)
			seen -= p.Between.Machines
		}
		for _, c := range classes {
			var drifts, queues, longest []uint64
			var steps uint64
			var rate, gaps float64
			for _, m := range machines {
				if m.Rate < c.Slowest || m.Rate > c.Fastest {
					continue
				}
				drifts = append(drifts, uint64(p.Clock-m.Clock))
				queues = append(queues, uint64(m.Queue))
				longest = append(longest, uint64(max(m.Queue, m.MaxQueue)))
				steps += m.Steps
				rate += m.Rate.PerSecond()
				if m.Steps > 0 {
					gaps += float64(m.Gaps) / float64(m.Steps)
				}
			}
			n := float64(c.Machines)
			require.Len(t, drifts, c.Machines)
			require.Equal(t, steps, c.Steps)
			require.InDelta(t, rate, c.MeanRate*n, 1e-6)
			require.InDelta(t, gaps, c.GapShare*n, 1e-6)
			for _, s := range []struct {
				values []uint64
				got    summary.Spread
			}{{drifts, c.Drifts}, {queues, c.Queues}, {longest, c.MaxQueue}} {
				sum := 0.0
				counts := make([]uint64, len(s.got.Histogram))
				for _, x := range s.values {
					sum += float64(x)
					for i := range counts {
						if low, high := summary.Bucket(i); low <= x && x <= high {
							counts[i]++
						}
					}
				}
				require.Equal(t, counts, s.got.Histogram)
				require.InDelta(t, sum, s.got.Mean*n, 1e-6)
				require.Equal(t, slices.Min(s.values), s.got.Min)
				require.Equal(t, slices.Max(s.values), s.got.Max)
				require.Equal(t, nearestRank(s.values, 10), s.got.P10)
				require.Equal(t, nearestRank(s.values, 50), s.got.P50)
				require.Equal(t, nearestRank(s.values, 90), s.got.P90)
				require.Equal(t, nearestRank(s.values, 99), s.got.P99)
			}
			seen += c.Machines
		}
		require.Equal(t, 2*len(machines), seen, "every machine is in one class")
	})
}

// Whatever there are of rates, the first class is the slowest and the last the fastest.
func TestClassesOfManyRates(t *testing.T) {
	var machines []summary.Machine
	for id := range 10_000 {
		machines = append(machines, summary.Machine{ID: id, Rate: clock.Rate(1 + id%5001)})
	}
	p := summary.Survey(slices.Values(machines))
	require.Len(t, p.Classes, summary.MaxClasses)
	first, last := p.Classes[0], p.Classes[len(p.Classes)-1]
	assert.Equal(t, []clock.Rate{1, 1, 5001, 5001}, []clock.Rate{first.Slowest, first.Fastest, last.Slowest, last.Fastest})
	for _, c := range p.Classes[1 : len(p.Classes)-1] {
		assert.InDelta(t, 1000, c.Machines, 2, "neighbours in classes of one size")
	}
}

func TestPopulationGoesThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := summary.Survey(slices.Values(several(t, 60)))
		text, err := json.Marshal(want)
		require.NoError(t, err)
		require.Less(t, len(text), summary.MaxPopulation/50)
		got, err := summary.ParsePopulation(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestForgedPopulations(t *testing.T) {
	machines := []summary.Machine{
		{ID: 0, Rate: clock.Hertz, Steps: 2, Internal: 2, Clock: 7, MaxJump: 3, Queue: 1},
		{ID: 1, Rate: 2 * clock.Hertz, Steps: 3, Internal: 3, Clock: 9, MaxJump: 3},
	}
	for want, forge := range map[string]func(*summary.Population){
		"0 classes: want 1 to 12":                                        func(p *summary.Population) { p.Classes = nil },
		"13 classes: want 1 to 12":                                       func(p *summary.Population) { p.Classes = make([]summary.Class, 13) },
		"class 1: 0 machines: want 1 at least":                           func(p *summary.Population) { p.Classes[0].Machines = 0 },
		"class 1: the events do not add up":                              func(p *summary.Population) { p.Classes[0].Steps++ },
		"class 1: a share of gaps that is none":                          func(p *summary.Population) { p.Classes[0].GapShare = 1.5 },
		"class 1: a mean out of its range":                               func(p *summary.Population) { p.Classes[0].MeanJump = -1 },
		"class 2: the quantiles do not rise":                             func(p *summary.Population) { p.Classes[1].Queues.P50 = 1 },
		"class 2: a histogram does not count the machines":               func(p *summary.Population) { p.Classes[1].Queues.Histogram[0] = 1 << 40 },
		"all machines: a histogram does not count the machines":          func(p *summary.Population) { p.All.Queues.Histogram = nil },
		"class 2: its rates are not above those of the one before":       func(p *summary.Population) { p.Classes[1].Slowest = clock.Hertz },
		"class 1: the drifts are not the largest clock minus the clocks": func(p *summary.Population) { p.Clock = 10 },
		"the machines between are not those of the classes between":      func(p *summary.Population) { p.Between = &p.Classes[1] },
		"the classes are not all machines":                               func(p *summary.Population) { p.Elapsed = -1 },
	} {
		p := summary.Survey(slices.Values(machines))
		require.NoError(t, p.Check())
		forge(p)
		assert.EqualError(t, p.Check(), want)
	}
	_, err := summary.ParsePopulation(make([]byte, summary.MaxPopulation+1))
	assert.Error(t, err)
}
