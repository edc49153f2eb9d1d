package trace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

const stampForm = "2006-01-02T15:04:05.000000Z"

// standStill has all machines of a run on one host stopped at an instant and started again
// so long after, when they wait for each other before they go on.
func standStill(t require.TestingT, l logs, at, away, together time.Duration) {
	for _, name := range l.names() {
		if name == rundir.RecordName {
			continue
		}
		var fresh []string
		step, now := "0", "0"
		stood := false
		for _, text := range l.lines(name) {
			stamp, err := time.Parse(stampForm, text[:len(stampForm)])
			require.NoError(t, err)
			head := text[len(stampForm):strings.Index(text, ": ")]
			if !stood && stamp.After(tracetest.Start.Add(at)) {
				stood = true
				line := func(stamp time.Time, kind string, elapsed time.Duration) {
					fresh = append(fresh, fmt.Sprintf("%s%s: %s: step=%s clock=%s elapsed=%d.%06d\n", stamp.Format(stampForm), head, kind, step, now,
						elapsed/time.Second, elapsed%time.Second/time.Microsecond))
				}
				line(tracetest.Start.Add(at), "pause", at)
				line(tracetest.Start.Add(at+away), "resume", at-together)
			}
			if m := stepAndClock.FindStringSubmatch(text); m != nil {
				step, now = m[1], m[2]
			}
			if stood {
				stamp = stamp.Add(away + together)
			}
			fresh = append(fresh, stamp.Format(stampForm)+text[len(stampForm):])
		}
		l.setLines(name, fresh)
	}
}

// A run that stood still as a whole has the figures of one that did not: none counts that time.
func TestStandStill(t *testing.T) {
	const s = time.Second
	h := host{rates: hertz(1, 5, 40), duration: 60 * s, jitter: time.Millisecond, pauses: []pause{{1, 41 * s, 4 * s}}}
	plain, missed := h.logs()
	h.record(t, plain, nil)
	want := plain.stats(t)
	require.NotZero(t, missed[1])
	for _, tt := range []struct{ at, away, together time.Duration }{
		{19*s + s/3, time.Hour, 2 * s},
		{19*s + s/3, time.Hour, 0},
		{time.Microsecond, 24 * time.Hour, 0},
		{19*s + s/3, s / 5, 0},
		{59*s + s/2, time.Hour, s},
	} {
		l, _ := h.logs()
		h.record(t, l, nil)
		standStill(t, l, tt.at, tt.away, tt.together)
		got := l.stats(t)
		require.Equal(t, trace.Correct, got.Verdict.State, "%v %v", got.Verdict.Open, got.Verdict.Violations)
		assert.Empty(t, got.Verdict.Remarks)
		assert.Equal(t, tt.away+tt.together, got.Stood, "%v", tt)
		assert.Empty(t, got.ClockSteps, "%v", tt)
		assert.Equal(t, want.Elapsed, got.Elapsed, "%v", tt)
		for i := range want.Machines {
			w, g := want.Machines[i], got.Machines[i]
			assert.Equal(t, 1, g.Resumes)
			g.Resumes = 0
			assert.InDelta(t, *w.QueueGrowth, *g.QueueGrowth, 1e-9)
			g.QueueGrowth = w.QueueGrowth
			assert.Equal(t, w, g, "%v", tt)
		}
	}
}

// One that goes on without a machine does not stand still: the machine misses its ticks.
func TestOneIsAway(t *testing.T) {
	const s = time.Second
	h := host{rates: hertz(1, 5, 40), duration: 60 * s, jitter: time.Millisecond, pauses: []pause{{1, 20 * s, 20 * s}}}
	l, missed := h.logs()
	h.record(t, l, nil)
	lines := l.lines("vm_1_5.log")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "step=100 ") })
	l.setLines("vm_1_5.log", slices.Insert(lines, at,
		tracetest.Start.Add(19*s+900*time.Millisecond).Format(stampForm)+" [INFO]  vm-1: pause: step=99 clock=99 elapsed=19.900000\n",
		tracetest.Start.Add(39*s+990*time.Millisecond).Format(stampForm)+" [INFO]  vm-1: resume: step=99 clock=99 elapsed=39.990000\n"))
	got := l.stats(t)
	require.Equal(t, trace.Correct, got.Verdict.State, got.Verdict.Open)
	assert.Zero(t, got.Stood)
	assert.Empty(t, got.ClockSteps)
	assert.Equal(t, missed[1], got.Machines[1].Summary.Missed)
}

// Whoever stops a run before its time is told so, also if the run stood still in between.
func TestShortAfterAStandStill(t *testing.T) {
	const s = time.Second
	h := host{rates: hertz(1, 5, 4), duration: 60 * s, ends: map[int]time.Duration{0: 41 * s, 1: 41 * s, 2: 41 * s}}
	l, _ := h.logs()
	h.record(t, l, nil)
	standStill(t, l, 20*s+s/2, time.Hour, 2*s)
	v := l.check(t)
	require.Equal(t, trace.Correct, v.State)
	assert.Equal(t, []string{"the run ended after 41.0 s of 60.0 s, with 410 of 600 ticks"}, v.Remarks)

	h.record(t, l, func(r *rundir.Record) { r.Duration = 41 * s })
	assert.Empty(t, l.check(t).Remarks)
}
