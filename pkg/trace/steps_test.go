package trace_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// stats returns the figures of logs.
func (l logs) stats(t testing.TB) *trace.Stats {
	t.Helper()
	run, err := trace.Open(l.dir(t))
	require.NoError(t, err)
	s, err := run.Stats()
	require.NoError(t, err)
	return s
}

// The figures of a run are what they would be had nobody set the clock.
func TestClockStepsLeaveTheFigures(t *testing.T) {
	const s = time.Second
	years := 56 * 365 * 24 * time.Hour
	for _, tt := range []struct {
		name  string
		rates []clock.Rate
		by    []time.Duration
	}{
		{"an hour, a whole number of periods", hertz(1, 5, 4), []time.Duration{time.Hour}},
		{"an hour back", hertz(1, 5, 4), []time.Duration{-time.Hour}},
		{"a day", hertz(1, 5, 4), []time.Duration{24 * time.Hour}},
		{"56 years", hertz(1, 5, 4), []time.Duration{years}},
		{"56 years and back", hertz(1, 5, 4), []time.Duration{years, -years}},
		{"as a time server does", hertz(1, 5, 4), []time.Duration{1234567 * time.Microsecond}},
		{"less than a period", hertz(1, 5, 4), []time.Duration{600 * time.Millisecond}},
		{"less than a period back", hertz(1, 5, 4), []time.Duration{-600 * time.Millisecond}},
		{"one machine", hertz(1), []time.Duration{time.Hour}},
		{"slow and fast", hertz(1, 1000), []time.Duration{time.Hour}},
		{"again and again", hertz(2, 20), []time.Duration{time.Hour, 7 * s, -3 * s, 24 * time.Hour}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host{rates: tt.rates, duration: 60 * s, jitter: 300 * time.Microsecond, seed: 5}
			l, _ := h.logs()
			want := l.stats(t)
			require.Empty(t, want.ClockSteps)
			for i, by := range tt.by {
				at := time.Duration(i+1)*h.duration/time.Duration(len(tt.by)+1) + 123*time.Millisecond
				h.steps = append(h.steps, clockStep{at, by})
			}
			l, missed := h.logs()
			got := l.stats(t)
			sameFigures(t, want, got, missed)
			require.Len(t, got.ClockSteps, len(tt.rates)*len(tt.by))
			for _, step := range got.ClockSteps {
				require.True(t, slices.ContainsFunc(tt.by, func(by time.Duration) bool { return (by - step.By).Abs() < time.Millisecond }), "%v", step)
			}
		})
	}
}

// A machine whose clock was set back has the earlier times, and so is looked at to its end
// while others stand before that step: they are no witnesses of what it does then.
func TestClockSetBackAndForward(t *testing.T) {
	h := host{rates: []clock.Rate{clock.Hertz / 2, clock.Hertz}, duration: 33 * time.Second}
	l, _ := h.logs()
	h.record(t, l, nil)
	want := l.stats(t)
	h.steps = []clockStep{{5006 * time.Millisecond, -10 * 365 * 24 * time.Hour}, {18 * time.Second, 90013 * time.Millisecond}}
	l, missed := h.logs()
	h.record(t, l, nil)
	got := l.stats(t)
	require.Len(t, got.ClockSteps, 4)
	sameFigures(t, want, got, missed)
}

// sameFigures holds figures that rest on times against those of the same run.
func sameFigures(t require.TestingT, want, got *trace.Stats, missed []uint64) {
	near := func(a, b time.Duration, what string, id int) {
		require.LessOrEqual(t, (a - b).Abs(), 2*time.Millisecond, "%s of machine %d: %v, want %v", what, id, b, a)
	}
	near(want.Elapsed, got.Elapsed, "elapsed", -1)
	for id := range want.Machines {
		w, g := &want.Machines[id], &got.Machines[id]
		require.Empty(t, g.NotKnown)
		require.Equal(t, missed[id], g.Summary.Missed, "missed by machine %d", id)
		require.Equal(t, w.Summary.Steps, g.Summary.Steps)
		near(w.Summary.Elapsed, g.Summary.Elapsed, "elapsed", id)
		near(w.Summary.Lateness.P50, g.Summary.Lateness.P50, "lateness p50", id)
		near(w.Summary.Lateness.P99, g.Summary.Lateness.P99, "lateness p99", id)
		near(w.Summary.Lateness.Max, g.Summary.Lateness.Max, "largest lateness", id)
		if w.RateError != nil {
			require.InDelta(t, *w.RateError, *g.RateError, 1e6*0.002/w.Summary.Elapsed.Seconds(), "rate error of machine %d", id)
		}
		require.InDelta(t, *w.Arrivals, *g.Arrivals, 1e-2)
		require.InDelta(t, *w.QueueGrowth, *g.QueueGrowth, 1e-2)
		require.InDelta(t, w.Drift.Mean, g.Drift.Mean, 0.5)
		require.Equal(t, w.FinalDrift, g.FinalDrift)
	}
}

// The same of any host on which machines stand still as well, wherever that can be
// told at all: where one of them ticks slowly enough.
func TestFiguresAreThoseWithoutClockSteps(t *testing.T) {
	shelf := newShelf(t)
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		h := anyHost(t)
		h.duration = min(h.duration, 20*time.Second) + 15*time.Second
		h.jitter = min(h.jitter, time.Millisecond)
		h.rates = append(h.rates, clock.Hertz)
		h.awkward()
		steps := apart(h)
		h.steps = nil
		l, _ := h.logs()
		h.record(t, l, nil)
		without, err := shelf.open(t, l).Stats()
		require.NoError(t, err)
		require.Empty(t, without.ClockSteps)
		h.steps = steps
		l, missed := h.logs()
		h.record(t, l, nil)
		got, err := shelf.open(t, l).Stats()
		require.NoError(t, err)
		for _, m := range got.Machines {
			if m.NotKnown != "" {
				return // and said so
			}
		}
		told += len(steps)
		sameFigures(t, without, got, missed)
	})
	require.NotZero(t, told)
}

// awkward lets no pause end just when a tick is due: that has a small chance, of which
// the figures know, but not here. Nor does it let one hold up a tick after one that
// another pause has held up, by as much: that looks like a clock that was set and set back.
func (h *host) awkward() {
	const far = 5 * time.Second
	var kept []pause
	for _, p := range h.pauses {
		if !slices.ContainsFunc(kept, func(q pause) bool { return p.at < q.at+q.length+far && q.at < p.at+p.length+far }) {
			kept = append(kept, p)
		}
	}
	h.pauses = kept
	for i := range h.pauses {
		p := &h.pauses[i]
		for slices.ContainsFunc(h.rates, func(r clock.Rate) bool {
			period, end := time.Duration(r.Due(1)), p.at+p.length
			return period > 10*time.Millisecond && min(end%period, period-end%period) < 6*time.Millisecond
		}) {
			p.length += time.Millisecond
		}
	}
}

// apart returns those steps of the clock that are a few ticks away from all else that
// happens on the host.
func apart(h *host) (steps []clockStep) {
	const far = 5 * time.Second
	busy := []time.Duration{-far, h.duration}
	for _, p := range h.pauses {
		busy = append(busy, p.at, p.at+p.length)
	}
	for _, s := range h.steps {
		ok := s.at < h.duration && s.by.Abs() > 200*time.Millisecond // or it is no more than ticks can be late
		ok = ok && !slices.ContainsFunc(busy, func(at time.Duration) bool { return (at - s.at).Abs() < far })
		for _, p := range h.pauses {
			ok = ok && (s.at < p.at || s.at > p.at+p.length)
		}
		if ok {
			steps = append(steps, s)
			busy = append(busy, s.at)
		}
	}
	slices.SortFunc(steps, func(a, b clockStep) int { return int(a.at - b.at) })
	return steps
}

// A machine that stands still is no clock that is set: what it missed, it missed.
func TestStandingStillIsNoClockStep(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name    string
		rates   []clock.Rate
		pauses  []pause
		oneHost bool
		unknown bool
	}{
		{"one machine", hertz(1, 5, 4), []pause{{1, 20 * s, 9*s + 77*time.Millisecond}}, false, false},
		{"all", hertz(1, 5, 4), []pause{{-1, 20 * s, 9*s + 377*time.Millisecond}}, false, false},
		{"by chance until a tick is due, while others tick", hertz(1, 5), []pause{{0, 20*s - s/2, 10*s + s/2}}, true, false},
		{"shortly, and fast", hertz(1000, 1000), []pause{{-1, 20 * s, 2 * s}}, false, false},
		{"long, and fast, alone", hertz(1000, 1000), []pause{{0, 20 * s, 20 * s}}, false, false},
		{"long, and fast, all", hertz(1000, 1000), []pause{{-1, 20 * s, 20 * s}}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host{rates: tt.rates, duration: 60 * s, jitter: 300 * time.Microsecond, seed: 5, pauses: tt.pauses}
			l, missed := h.logs()
			if tt.oneHost {
				h.record(t, l, nil)
			}
			got := l.stats(t)
			require.Empty(t, got.ClockSteps)
			for id, m := range got.Machines {
				require.Equal(t, tt.unknown, m.NotKnown != "", m.NotKnown)
				if !tt.unknown {
					require.Equal(t, missed[id], m.Summary.Missed)
					require.NotNil(t, m.RateError)
					require.NotNil(t, m.Arrivals)
					continue
				}
				require.Contains(t, m.NotKnown, "whether it stood still or its system clock was set cannot be told")
				require.Zero(t, m.Summary.Missed)
				require.Nil(t, m.RateError)
				require.Nil(t, m.Arrivals)
				require.Nil(t, m.Drift)
				require.Zero(t, got.Elapsed)
			}
		})
	}
}

// With messages, and a clock for each machine: only one is set.
func TestOneClockOfSeveralIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 1234567 * time.Microsecond, -10 * 365 * 24 * time.Hour} {
		cfg := tracetest.Config{Rates: hertz(1, 5, 4), Duration: time.Minute, Seed: 7, Delay: 2 * time.Millisecond}
		want := record(t, cfg).stats(t)
		cfg.Time = func(machine int, elapsed time.Duration) time.Duration {
			if machine == 1 && elapsed > 33*time.Second {
				elapsed += by
			}
			return elapsed
		}
		got := record(t, cfg).stats(t)
		require.Len(t, got.ClockSteps, 1)
		require.Equal(t, trace.ClockStep{Machine: 1, Line: 167, Step: 166, By: by}, got.ClockSteps[0])
		sameFigures(t, want, got, make([]uint64, 3))
	}
}

// A replay that does not keep the pace of its record has no pace to speak of.
func TestPaceOfAReplay(t *testing.T) {
	h := host{rates: hertz(1000), duration: time.Second}
	l, _ := h.logs()
	l.renamed(0, h.rates[0], clock.Hertz)
	h.rates[0] = clock.Hertz
	h.record(t, l, func(r *rundir.Record) { r.ReplayOf = "x" })
	m := l.stats(t).Machines[0]
	require.Equal(t, "it executed its steps faster than its rate allows: it was replayed, or its rate was another", m.NotKnown)
	require.Nil(t, m.AchievedRate)
	require.NotNil(t, m.Drift)
}

// What the ticks of another machine prove of a clock, they prove only of one on the same
// host: the record of a run on several says no more about clocks than none.
func TestClocksOfSeveralHosts(t *testing.T) {
	const s = time.Second
	h := host{rates: hertz(1, 5), duration: 60 * s, jitter: 300 * time.Microsecond, seed: 5, pauses: []pause{{0, 20*s - s/2, 10*s + s/2}}}
	l, _ := h.logs()
	without := l.stats(t).ClockSteps
	h.record(t, l, nil)
	require.Empty(t, l.stats(t).ClockSteps)
	require.NotEmpty(t, without)
	h.record(t, l, func(r *rundir.Record) { r.Hosts = []string{"a", "b"} })
	require.Equal(t, without, l.stats(t).ClockSteps)
	h.record(t, l, func(r *rundir.Record) { r.Hosts = []string{"a", "a"} })
	require.Empty(t, l.stats(t).ClockSteps)
}

// The percentiles of all ticks are not those of any machine's.
func TestLatenessOfAllMachines(t *testing.T) {
	h := host{rates: hertz(10, 10, 10), duration: 60 * time.Second, jitter: 300 * time.Microsecond, seed: 5, pauses: []pause{{1, 20 * time.Second, 50 * time.Millisecond}}}
	l, _ := h.logs()
	got := l.stats(t)
	var all []time.Duration
	for _, m := range got.Machines {
		sum := m.Summary.Lateness
		require.NotZero(t, sum.Ticks)
		got.Lateness.Ticks -= sum.Ticks
		got.Lateness.Late -= sum.Late
		all = append(all, sum.P50)
		require.LessOrEqual(t, sum.Max, got.Lateness.Max)
	}
	require.Zero(t, got.Lateness.Ticks)
	require.Zero(t, got.Lateness.Late)
	require.GreaterOrEqual(t, got.Lateness.P50, slices.Min(all))
	require.LessOrEqual(t, got.Lateness.P50, slices.Max(all))
}
