package trace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// skewed are the figures of a run of which each host has a clock of its own, so far
// ahead.
func skewed(t testing.TB, cfg tracetest.Config, ahead ...time.Duration) *trace.Stats {
	cfg.Time = func(machine int, elapsed time.Duration) time.Duration { return elapsed + ahead[machine] }
	s, err := recordRun(t, cfg).Stats()
	require.NoError(t, err)
	require.Equal(t, trace.Correct, s.Verdict.State, "times are no law")
	return s
}

func TestClocksOfHostsThatAreApart(t *testing.T) {
	const day = 24 * time.Hour
	cfg := tracetest.Config{Rates: hertz(4, 5, 4), Duration: time.Minute, Seed: 7, Delay: 2 * time.Millisecond}
	straight := skewed(t, cfg, 0, 0, 0)
	require.Nil(t, straight.ClockSkews)
	require.NotNil(t, straight.Machines[0].Drift)
	for _, tt := range []struct {
		name  string
		ahead []time.Duration
		want  []trace.ClockSkew // Least is by how much it was
	}{
		{"within a period", []time.Duration{0, 150 * time.Millisecond, 0}, nil},
		{"a day ahead", []time.Duration{0, day, 0}, []trace.ClockSkew{{Machine: 1, Others: []int{0, 2}, Least: day}}},
		{"a day behind", []time.Duration{0, 0, -day}, []trace.ClockSkew{{Machine: 2, Others: []int{0, 1}, Least: -day}}},
		{"56 years", []time.Duration{56 * 365 * day, 0, 0}, []trace.ClockSkew{{Machine: 0, Others: []int{1, 2}, Least: 56 * 365 * day}}},
		{"a second", []time.Duration{0, 0, time.Second}, []trace.ClockSkew{{Machine: 2, Others: []int{0, 1}, Least: time.Second}}},
		{"all", []time.Duration{0, day, 2 * day}, []trace.ClockSkew{
			{Machine: 0, Others: []int{1, 2}, Least: -day}, {Machine: 1, Others: []int{2}, Least: -day},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := skewed(t, cfg, tt.ahead...)
			require.Len(t, s.ClockSkews, len(tt.want))
			for i, want := range tt.want {
				got := s.ClockSkews[i]
				require.Equal(t, want.Others, got.Others)
				require.Equal(t, want.Machine, got.Machine)
				// A message takes until the recipient's next tick at most.
				require.InDelta(t, float64(want.Least), float64(got.Least), float64(300*time.Millisecond))
				require.LessOrEqual(t, got.Least.Abs(), want.Least.Abs())
			}
			for id, m := range s.Machines {
				require.Empty(t, m.NotKnown)
				require.Equal(t, straight.Machines[id].FinalDrift, m.FinalDrift)
				require.Equal(t, straight.Machines[id].AchievedRate, m.AchievedRate)
				require.InDelta(t, *straight.Machines[id].Arrivals, *m.Arrivals, 1e-2)
				require.Equal(t, tt.want == nil, m.Drift != nil)
			}
			require.Equal(t, tt.want == nil, s.Elapsed > 0)
			require.Equal(t, tt.want == nil, s.WhyNoDrift == "")
		})
	}
}

// What is said of clocks is never more than is true, whatever they show.
func TestSkewsAreNoMoreThanTheyWere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := tracetest.Config{Duration: 20 * time.Second, Seed: rapid.Uint64().Draw(rt, "seed"), Delay: time.Duration(rapid.IntRange(0, 2000).Draw(rt, "ms")) * time.Millisecond}
		var ahead []time.Duration
		for range rapid.IntRange(2, 5).Draw(rt, "machines") {
			cfg.Rates = append(cfg.Rates, hertz(uint64(rapid.IntRange(1, 6).Draw(rt, "rate")))...)
			ahead = append(ahead, time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(rt, "ahead")))
		}
		for _, skew := range skewed(t, cfg, ahead...).ClockSkews {
			for _, other := range skew.Others {
				by := ahead[skew.Machine] - ahead[other]
				require.GreaterOrEqual(rt, by.Abs(), skew.Least.Abs())
				require.Equal(rt, by > 0, skew.Least > 0)
			}
		}
	})
}

// A log that breaks off does not say what its machine's clock was afterwards: the drift
// is that up to there, and what arrives is by the time that the log shows.
func TestDriftUpToWhereALogBreaksOff(t *testing.T) {
	l := record(t, tracetest.Config{Rates: hertz(1, 5, 4), Duration: time.Minute, Seed: 7, Delay: 2 * time.Millisecond})
	whole := l.stats(t)
	require.Empty(t, whole.WhyNoDrift)
	const name = "vm_1_5.log"
	l.setLines(name, l.lines(name)[:101]) // the start line and 100 events
	s := l.stats(t)
	require.Equal(t, trace.Incomplete, s.Verdict.State)
	require.Equal(t, "the log of machine 1 breaks off", s.WhyNoDrift)
	require.Equal(t, 20*time.Second, s.DriftUntil)
	require.InDelta(t, 60, s.Elapsed.Seconds(), 1)

	short := record(t, tracetest.Config{Rates: hertz(1, 5, 4), Duration: 20 * time.Second, Seed: 7, Delay: 2 * time.Millisecond}).stats(t)
	for id, m := range s.Machines {
		require.Nil(t, m.FinalDrift)
		require.InDelta(t, short.Machines[id].Drift.Mean, m.Drift.Mean, 1e-2)
		require.Equal(t, short.Machines[id].Drift.P50, m.Drift.P50)
		if id != 1 {
			require.Equal(t, whole.Machines[id].Arrivals, m.Arrivals)
		}
	}
	require.InDelta(t, float64(s.Machines[1].Summary.Receives+uint64(s.Machines[1].Summary.Queue))/20, *s.Machines[1].Arrivals, 1e-9)
}
