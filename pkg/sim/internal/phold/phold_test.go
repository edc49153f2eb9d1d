package phold

import (
	"container/heap"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// twin is the plainest way to run PHOLD: one heap.
type twin struct {
	rules
	lps    []LP
	events events
}

type events []Event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].At < e[j].At }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(Event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newTwin(cfg Config) *twin {
	t := &twin{rules: cfg.rules()}
	for id := range cfg.LPs {
		lp, e := newLP(cfg.Seed, id)
		t.lps = append(t.lps, lp)
		t.events = append(t.events, e)
	}
	heap.Init(&t.events)
	return t
}

func (t *twin) run(end int64) (n uint64) {
	for t.events[0].At <= end {
		e := t.events[0]
		t.events[0] = t.execute(&t.lps[e.LP], e)
		heap.Fix(&t.events, 0)
		n++
	}
	return n
}

// Any number of workers does what one heap does, to the last bit of every LP.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			LPs:     rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(1, 3000)).Draw(t, "lps"),
			Remote:  rapid.SampledFrom([]float64{0, 0.1, 0.5, 1}).Draw(t, "remote"),
			Seed:    rapid.Uint64().Draw(t, "seed"),
			End:     rapid.Int64Range(0, 20*Unit).Draw(t, "end"),
			Workers: rapid.IntRange(1, 4).Draw(t, "workers"),
		}
		twin := newTwin(cfg)
		want := twin.run(cfg.End)
		m := New(cfg)
		require.Equal(t, want, m.Run())
		lps, scheduled := m.State()
		require.Equal(t, twin.lps, lps)
		sort(twin.events)
		require.Equal(t, []Event(twin.events), scheduled)
	})
}

// PHOLD is known to execute an event a unit of time for each LP. These numbers stay.
func TestEvents(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		m := New(Config{LPs: 10_000, Remote: 0.5, Seed: 1, End: 20 * Unit, Workers: workers})
		n := m.Run()
		require.InEpsilon(t, 200_000, n, 0.01)
		require.EqualValues(t, 199_415, n, "this number stays, on any architecture")
		_, scheduled := m.State()
		require.Len(t, scheduled, 10_000)
	}
}

// The logarithms are those of package math, and what they make of random numbers has the
// mean and the variance of the exponential distribution.
func TestExponential(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Uint64(), rapid.Custom(func(t *rapid.T) uint64 {
			return 1 << rapid.IntRange(0, 63).Draw(t, "bit")
		})).Draw(t, "random")
		want := -math.Log(float64(x|1)/0x1p64) * float64(Unit)
		require.InDelta(t, want, exponential(&initial, x), float64(Unit)/(1<<22))
		require.LessOrEqual(t, exponential(&initial, x), longest)
		require.GreaterOrEqual(t, exponential(&initial, x), int64(0))
	})
	lp, _ := newLP(1, 1)
	sum, squares := 0.0, 0.0
	const n = 1_000_000
	for range n {
		x := float64(exponential(&increments, lp.draw())) / float64(Mean)
		sum, squares = sum+x, squares+x*x
	}
	require.InDelta(t, 1, sum/n, 5/math.Sqrt(n))
	require.InDelta(t, 2, squares/n, 5*math.Sqrt(20)/math.Sqrt(n))
}

// BenchmarkPHOLD executes some millions of events on the engine, and some on one
// container/heap, the rival. Making the LPs is not measured.
func BenchmarkPHOLD(b *testing.B) {
	for _, lps := range []int{10_000, 1_000_000} {
		for _, remote := range []float64{0.1, 0.5, 1} {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("lps=%d/remote=%v/workers=%d", lps, remote, workers), func(b *testing.B) {
					cfg := Config{LPs: lps, Remote: remote, Seed: 1, Workers: workers}
					var ours, rival float64 // seconds
					var events, theirs uint64
					for b.Loop() {
						b.StopTimer()
						cfg.End = int64(4_000_000/lps) * Unit
						m := New(cfg)
						b.StartTimer()
						began := time.Now()
						events += m.Run()
						ours += time.Since(began).Seconds()
						b.StopTimer()
						t := newTwin(cfg)
						began = time.Now()
						theirs += t.run(cfg.End / 8)
						rival += time.Since(began).Seconds()
						b.StartTimer()
					}
					b.ReportMetric(float64(events)/ours, "ours/s")
					b.ReportMetric(float64(events)/ours/float64(workers), "ours/core-s")
					b.ReportMetric(float64(theirs)/rival, "rival/s")
					b.ReportMetric(float64(events)/ours/(float64(theirs)/rival), "ratio")
				})
			}
		}
	}
}
