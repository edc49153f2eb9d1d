package sim

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// speedup is how much faster than in the laboratory the machines of this test tick.
const speedup = 10

// The laboratory's rates, except that ticks of two machines hardly ever fall on one
// instant: there, virtual time has a fixed order, and real time has none.
var fastRates = []float64{1 * speedup, 5.03 * speedup, 3.97 * speedup}

// fast is the laboratory's minute in six seconds. Over the loopback device,
// messages take a fraction of a millisecond.
func fast(seed uint64) Config {
	cfg := lab(seed)
	cfg.Rates = hertz(fastRates...)
	cfg.Duration = time.Minute / speedup
	cfg.Latency = experiment.Constant(200 * time.Microsecond)
	return cfg
}

// figures are what a run is compared by. Figures of a machine that is limited by
// its own ticks are per step, so that a tick missed on a busy host counts little.
func figures(machines []summary.Machine) map[string]float64 {
	f := make(map[string]float64)
	for _, m := range machines {
		steps := float64(m.Steps)
		add := func(name string, x float64) { f[fmt.Sprintf("machine %d: %s", m.ID, name)] = x }
		add("internal", float64(m.Internal)/steps)
		add("send", float64(m.Sends)/steps)
		add("receive", float64(m.Receives)/steps)
		add("mean jump", m.MeanJump)
		add("gaps", float64(m.Gaps)/steps)
		add("mean queue", m.MeanQueue)
		add("queue growth", float64(m.Queue)/steps)
	}
	return f
}

// samples are the values of each figure, one for each run.
type samples map[string][]float64

func (s samples) add(machines []summary.Machine) {
	for name, x := range figures(machines) {
		s[name] = append(s[name], x)
	}
}

// furthest returns the figure by which two samples of runs differ most, and by how
// many standard deviations: the Mann-Whitney test (rank sums, with the normal
// approximation and the correction for ties).
func furthest(a, b samples) (name string, z float64) {
	for n := range a {
		if of := math.Abs(rankSum(a[n], b[n])); of >= z {
			name, z = n, of
		}
	}
	return name, z
}

// A run of processes and a run in virtual time are draws from the same
// distribution. For each figure, a few real runs are compared with many virtual
// ones. That they are equal is rejected from 4 standard deviations on: of 21
// figures, chance alone does that once in 700 times, and so twice in a row, with
// other seeds, once in half a million.
func TestRealAndVirtualRunsAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes six seconds")
	}
	const virtual = 400
	simulated := samples{}
	growth := 0.0
	for seed := range uint64(virtual) {
		r, err := Run(context.Background(), fast(seed))
		require.NoError(t, err)
		machines := slices.Collect(r.Machines())
		simulated.add(machines)
		growth += float64(machines[0].Queue) / virtual
	}
	// The start is not in the prediction: the first steps of machine 0 are often
	// still idle, which makes about one message more.
	predicted := trace.Predict(fastRates, 10)
	require.InEpsilon(t, predicted[0].Growth*fast(0).Duration.Seconds(), growth, 0.08)

	// The test is not blind: as few runs with another die are told apart.
	other := samples{}
	for seed := range uint64(6) {
		cfg := fast(seed)
		cfg.Die = 6
		r, err := Run(context.Background(), cfg)
		require.NoError(t, err)
		other.add(slices.Collect(r.Machines()))
	}
	_, seen := furthest(other, simulated)
	require.Greater(t, seen, 4.0)

	measured := runsOnTime(t, 1000)
	name, z := furthest(measured, simulated)
	if z >= 4 {
		t.Logf("%s differs by %.1f standard deviations: once more, with other seeds", name, z)
		measured = runsOnTime(t, 2000)
		name, z = furthest(measured, simulated)
	}
	require.Less(t, z, 4.0, "%s: real %.3v", name, measured[name])
	// The same for the mean of the real runs: nine in ten virtual ones end
	// between 18 and 44, so the mean of six or more lies within these.
	s := measured["machine 0: queue growth"]
	mean := 0.0
	for _, x := range s {
		mean += x / float64(len(s))
	}
	require.InDelta(t, 0.5, mean, 0.3)
}

// runsOnTime runs the machines for real, with the seeds from this one on, side by
// side. Where the host is too busy for enough of the runs to keep their rates, the
// test is skipped.
func runsOnTime(t *testing.T, seed uint64) samples {
	const processes, enough = 8, 6 // with fewer, even samples that do not overlap are within 4 standard deviations
	var runs sync.WaitGroup
	results := make([][]summary.Machine, processes)
	for i := range processes {
		runs.Go(func() { results[i] = runReal(t, fast(seed+uint64(i))) })
	}
	runs.Wait()
	taken, n := samples{}, 0
	for _, machines := range results {
		// A host that is late by half a period, which is 20 ms for the
		// fastest, runs another schedule.
		onTime := len(machines) == 3
		for _, m := range machines {
			t.Logf("machine %d: %d missed, late by up to %v, 99 %% by %v", m.ID, m.Missed, m.Lateness.Max, m.Lateness.P99)
			onTime = onTime && m.Missed == 0 && m.Lateness.P99 < 10*time.Millisecond
		}
		if onTime {
			taken.add(machines)
			n++
		}
	}
	if n < enough {
		t.Skipf("the host is too busy: only %d of %d real runs kept their rates", n, processes)
	}
	return taken
}

// runReal runs machines over TCP, in real time.
func runReal(t *testing.T, cfg Config) []summary.Machine {
	n := len(cfg.Rates)
	listeners := make([]net.Listener, n)
	for id := range listeners {
		var err error
		if listeners[id], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Error(err)
			return nil
		}
	}
	dir := t.TempDir()
	machines := make([]summary.Machine, n)
	var all sync.WaitGroup
	for id := range n {
		var peers []transport.Peer
		for p := range n {
			if p != id {
				peers = append(peers, transport.Peer{ID: p, Addr: listeners[p].Addr().String()})
			}
		}
		all.Go(func() {
			m, err := vm.Run(context.Background(), vm.Config{
				Common: cfg.Common, ID: id, Rate: cfg.Rates[id],
				Peers: peers, LogDir: dir, ConnectTimeout: 20 * time.Second, Linger: 10 * time.Second,
			}, listeners[id])
			if err != nil {
				t.Error(err)
				return
			}
			machines[id] = *m
		})
	}
	all.Wait()
	return machines
}

// rankSum returns by how many standard deviations the ranks of xs are above what
// chance would give, among xs and ys.
func rankSum(xs, ys []float64) float64 {
	all := slices.Concat(xs, ys)
	slices.Sort(all)
	n, m := float64(len(xs)), float64(len(ys))
	rank := func(x float64) float64 {
		first, _ := slices.BinarySearch(all, x)
		last := first
		for last < len(all) && all[last] == x {
			last++
		}
		return float64(first+1+last) / 2
	}
	sum := 0.0
	for _, x := range xs {
		sum += rank(x)
	}
	ties := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		k := float64(j - i)
		ties += k*k*k - k
		i = j
	}
	variance := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	if variance == 0 {
		return 0
	}
	return (sum - n*(n+m+1)/2) / math.Sqrt(variance)
}

// Source of the example: all five of one sample below the five of the other.
func TestRankSum(t *testing.T) {
	require.InDelta(t, -2.611, rankSum([]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}), 0.001)
	require.Zero(t, rankSum([]float64{1, 1}, []float64{1, 1, 1}))
	require.Zero(t, rankSum([]float64{1, 4}, []float64{2, 3}))
}
