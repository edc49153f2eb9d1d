package trace_test

import (
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// definitions are the measures of a run as docs/architecture.md and docs/model.md define
// them, made in the dumbest way from all that its logs hold.
type definitions struct {
	machines [][]logging.Record // their events
	queues   []int              // waiting at the end, by the stop lines
	from, to int64              // µs, of the first line and the last
}

func readDefinitions(t require.TestingT, run *trace.Run) *definitions {
	d := &definitions{machines: make([][]logging.Record, run.Machines), queues: make([]int, run.Machines)}
	for _, l := range run.Logs {
		s, err := l.Open()
		require.NoError(t, err)
		var rec logging.Record
		for s.Next(&rec) == nil {
			if d.from == 0 || rec.UnixMicro < d.from {
				d.from = rec.UnixMicro
			}
			d.to = max(d.to, rec.UnixMicro)
			switch rec.Kind {
			case logging.EventRecord:
				d.machines[l.ID] = append(d.machines[l.ID], rec)
			case logging.StopRecord:
				d.queues[l.ID] = rec.Stop.Queue
			}
		}
		require.NoError(t, s.Close())
	}
	return d
}

// clockAt is a machine's clock at a system time: that of its last event until then.
func (d *definitions) clockAt(machine int, micro int64) (now clock.Time) {
	for _, rec := range d.machines[machine] {
		if rec.UnixMicro <= micro {
			now = rec.Event.Clock
		}
	}
	return now
}

// driftAt is the largest clock of any machine at a system time minus the machine's own.
func (d *definitions) driftAt(machine int, micro int64) uint64 {
	largest := clock.Time(0)
	for other := range d.machines {
		largest = max(largest, d.clockAt(other, micro))
	}
	return uint64(largest - d.clockAt(machine, micro))
}

// instants are when something happened, the first and the last one of the run included.
func (d *definitions) instants() []int64 {
	all := []int64{d.from, d.to}
	for _, m := range d.machines {
		for _, rec := range m {
			all = append(all, rec.UnixMicro)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// drift is the distribution over time of a machine's drift.
func (d *definitions) drift(machine int) (of trace.Distribution) {
	lasted, total, area := make(map[uint64]uint64), uint64(0), new(big.Rat)
	at := d.instants()
	for i, micro := range at {
		drift := d.driftAt(machine, micro)
		of.Max = max(of.Max, drift)
		if i+1 < len(at) {
			span := uint64(at[i+1] - micro)
			lasted[drift] += span
			total += span
			area.Add(area, new(big.Rat).SetInt(new(big.Int).SetUint64(drift*span)))
		}
	}
	of.Mean, _ = area.Quo(area, new(big.Rat).SetInt(new(big.Int).SetUint64(total))).Float64()
	of.P50, of.P99 = rank(lasted, total, 50), rank(lasted, total, 99)
	return of
}

// rank is the nearest rank: the smallest value that, with all smaller ones, has so many
// per cent of the weight.
func rank(weights map[uint64]uint64, total, percent uint64) uint64 {
	below := uint64(0)
	for _, value := range slices.Sorted(maps.Keys(weights)) {
		if below += weights[value]; 100*below >= percent*total {
			return value
		}
	}
	return 0
}

func (d *definitions) jumps(machine int) (of trace.Distribution) {
	counts, last, sum := make(map[uint64]uint64), clock.Time(0), uint64(0)
	for _, rec := range d.machines[machine] {
		jump := uint64(rec.Event.Clock - last)
		last = rec.Event.Clock
		counts[jump]++
		sum += jump
		of.Max = max(of.Max, jump)
	}
	n := uint64(len(d.machines[machine]))
	if n > 0 {
		of.Mean = float64(sum) / float64(n)
	}
	of.P50, of.P99 = rank(counts, n, 50), rank(counts, n, 99)
	return of
}

// growth is the slope of the line through the lengths of the queue over time from which
// the sum of the squared distances is the least.
func (d *definitions) growth(machine int) (perSecond float64, ok bool) {
	var n, x, y, xx, xy big.Rat
	for _, rec := range d.machines[machine] {
		t := big.NewRat(rec.UnixMicro-d.from, 1e6)
		q := big.NewRat(int64(rec.Event.Queue), 1)
		n.Add(&n, big.NewRat(1, 1))
		x.Add(&x, t)
		y.Add(&y, q)
		xx.Add(&xx, new(big.Rat).Mul(t, t))
		xy.Add(&xy, new(big.Rat).Mul(t, q))
	}
	product := func(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
	below := product(&n, &xx)
	below.Sub(below, product(&x, &x))
	if below.Sign() == 0 {
		return 0, false
	}
	above := product(&n, &xy)
	above.Sub(above, product(&x, &y))
	perSecond, _ = above.Quo(above, below).Float64()
	return perSecond, true
}

// Every figure of every machine is what its definition says, in runs where machines tick
// at one instant, where clocks are coarse, and where one falls far behind.
func TestFiguresAreTheirDefinitions(t *testing.T) {
	parent := t.TempDir()
	runs, spread, together := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		cfg := tracetest.Config{
			Rates: rapid.SliceOfN(rapid.SampledFrom([]clock.Rate{
				clock.Hertz / 2, clock.Hertz, 2 * clock.Hertz, 5 * clock.Hertz, 5 * clock.Hertz, 17 * clock.Hertz,
			}), 1, 4).Draw(t, "rates"),
			Duration: time.Duration(rapid.IntRange(0, 15).Draw(t, "seconds")) * time.Second,
			Seed:     rapid.Uint64().Draw(t, "seed"),
			Die:      rapid.IntRange(1, 10).Draw(t, "die"),
			Delay:    rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second}).Draw(t, "delay"),
		}
		coarse := rapid.SampledFrom([]time.Duration{time.Microsecond, time.Millisecond, 90 * time.Millisecond}).Draw(t, "grain")
		cfg.Time = func(_ int, elapsed time.Duration) time.Duration { return elapsed.Truncate(coarse) }
		runs++
		dir := filepath.Join(parent, strconv.Itoa(runs))
		require.NoError(t, os.Mkdir(dir, 0o777))
		require.NoError(t, tracetest.Record(dir, cfg))
		run, err := trace.Open(dir)
		require.NoError(t, err)
		s, err := run.Stats()
		require.NoError(t, err)
		require.Equal(t, trace.Correct, s.Verdict.State)
		d := readDefinitions(t, run)
		require.Equal(t, time.Duration(d.to-d.from)*time.Microsecond, s.Elapsed)
		for id := range s.Machines {
			m, events := &s.Machines[id], d.machines[id]
			require.Equal(t, d.driftAt(id, d.to), *m.FinalDrift)
			want := d.jumps(id)
			require.InDelta(t, want.Mean, m.Jumps.Mean, 1e-12)
			m.Jumps.Mean = want.Mean
			require.Equal(t, want, m.Jumps, "jumps of machine %d", id)

			if d.to > d.from {
				want = d.drift(id)
				require.InEpsilon(t, 1+want.Mean, 1+m.Drift.Mean, 1e-14)
				m.Drift.Mean = want.Mean
				require.Equal(t, want, *m.Drift, "drift of machine %d", id)
				if want.P99 > want.P50 {
					spread++
				}
				arrived := float64(m.Summary.Receives) + float64(d.queues[id])
				require.InDelta(t, arrived/(float64(d.to-d.from)/1e6), *m.Arrivals, 1e-9)
			} else {
				require.Nil(t, m.Arrivals)
				at := *m.FinalDrift // at the one instant that there is
				require.Equal(t, trace.Distribution{Mean: float64(at), P50: at, P99: at, Max: at}, *m.Drift)
				together++
			}
			if growth, ok := d.growth(id); ok {
				require.InDelta(t, growth, *m.QueueGrowth, 1e-6)
			} else {
				require.Nil(t, m.QueueGrowth)
			}
			largest, sum := 0, 0
			for _, rec := range events {
				largest, sum = max(largest, rec.Event.Queue), sum+rec.Event.Queue
			}
			require.Equal(t, largest, m.Summary.MaxQueue)
			if len(events) > 0 {
				require.InDelta(t, float64(sum)/float64(len(events)), m.Summary.MeanQueue, 1e-9)
			}
			require.Equal(t, d.queues[id], m.Summary.Queue)
			require.EqualValues(t, len(events), m.Summary.Steps)
			kinds := make(map[event.Kind]uint64)
			for _, rec := range events {
				kinds[rec.Event.Kind]++
			}
			require.Equal(t, kinds[event.Receive], m.Summary.Receives)
			require.Equal(t, kinds[event.Send], m.Summary.Sends)
			require.Equal(t, kinds[event.Internal], m.Summary.Internal)
		}
	})
	require.NotZero(t, spread)
	require.NotZero(t, together)
}

// The lateness of ticks too: when one ran minus when it was due, by the nearest rank.
func TestLatenessIsItsDefinition(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		h := host{
			rates:    rapid.SliceOfN(rapid.SampledFrom(hertz(1, 2, 50, 1000)), 1, 3).Draw(t, "rates"),
			duration: time.Duration(rapid.IntRange(1, 3).Draw(t, "seconds")) * time.Second,
			jitter:   time.Duration(rapid.IntRange(1, 60).Draw(t, "ms")) * time.Millisecond, // none is missed
			seed:     rapid.Uint64().Draw(t, "seed"),
		}
		l, missed := h.logs()
		run := shelf.open(t, l)
		s, err := run.Stats()
		require.NoError(t, err)
		d := readDefinitions(t, run)
		for id := range s.Machines {
			got := s.Machines[id].Summary.Lateness
			require.Zero(t, missed[id])
			counts, worst := make(map[uint64]uint64), uint64(0)
			for k, rec := range d.machines[id] {
				late := uint64(max(0, (rec.UnixMicro-d.from)*1000-h.rates[id].Due(uint64(k+1)))) / 1000
				counts[late]++
				worst = max(worst, late)
			}
			n := uint64(len(d.machines[id]))
			require.Equal(t, n, got.Ticks)
			micro := func(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }
			require.Equal(t, micro(rank(counts, n, 50)), got.P50)
			require.Equal(t, micro(rank(counts, n, 99)), got.P99)
			require.Equal(t, micro(worst), got.Max)
		}
	})
}

// Two events within one microsecond: what the drift was between them lasted no time.
func TestNoDriftWithoutDuration(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: hertz(3, 3, 3), Duration: 10 * time.Second, Seed: 1, Die: 1000}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	s, err := run.Stats()
	require.NoError(t, err)
	for _, m := range s.Machines {
		require.Equal(t, trace.Distribution{}, *m.Drift, "machine %d", m.ID)
	}
}
