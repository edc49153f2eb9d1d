package trace_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// drifting is a clock that is ahead at the start and gains so many ppm.
func drifting(ahead []time.Duration, ppm []float64) func(int, time.Duration) time.Duration {
	return func(machine int, elapsed time.Duration) time.Duration {
		return elapsed + ahead[machine] + time.Duration(ppm[machine]*1e-6*float64(elapsed))
	}
}

// What the logs say of clocks holds the truth, at any time: by questions, by messages, and
// by both.
func TestClockOffsetsHoldTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 5).Draw(rt, "machines")
		cfg := tracetest.Config{
			Duration: 2 * time.Minute, Seed: rapid.Uint64().Draw(rt, "seed"),
			Delay: time.Duration(rapid.IntRange(0, 300).Draw(rt, "delay")) * time.Millisecond,
		}
		var ahead []time.Duration
		var ppm []float64
		for range n {
			cfg.Rates = append(cfg.Rates, hertz(uint64(rapid.IntRange(1, 9).Draw(rt, "rate")))...)
			ahead = append(ahead, time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(rt, "ahead")))
			ppm = append(ppm, rapid.Float64Range(-99, 99).Draw(rt, "ppm"))
		}
		cfg.Time = drifting(ahead, ppm)
		asked := rapid.Bool().Draw(rt, "asked")
		if asked {
			cfg.Within = time.Duration(rapid.Int64Range(0, int64(20*time.Millisecond)).Draw(rt, "within"))
			cfg.Compare = []time.Duration{0, time.Minute, 119 * time.Second}
		}
		run := recordRun(t, cfg)
		corrected, o, err := run.Corrected()
		if !asked && err != nil {
			require.ErrorIs(rt, err, trace.ErrNoOffsets)
			return
		}
		require.NoError(rt, err)
		assert.Equal(rt, 0, o.Reference)
		require.Empty(rt, o.Contradictions)
		require.Empty(rt, o.Changes)
		for id := range n {
			for at := time.Duration(0); at <= cfg.Duration; at += 7 * time.Second {
				got, known := o.Of(id, at)
				if known {
					truth := cfg.Time(id, at) - cfg.Time(0, at)
					require.LessOrEqual(rt, (got.Ahead - truth).Abs(), got.Within+2*time.Microsecond, "machine %d at %v: %v ± %v", id, at, got.Ahead, got.Within)
				} else {
					require.False(rt, asked)
				}
			}
		}
		if !asked {
			return
		}
		for _, c := range o.Clocks {
			require.LessOrEqual(rt, c.At[0].Within, cfg.Within+2*time.Millisecond)
			if m := c.Messages; m != nil {
				truth := cfg.Time(c.Machine, m.T) - cfg.Time(0, m.T)
				require.True(rt, m.Least == nil || *m.Least <= truth+time.Millisecond)
				require.True(rt, m.Most == nil || *m.Most >= truth-time.Millisecond)
			}
		}
		// The corrected times are those of one clock: no message is faster than the error.
		_, err = corrected.Walk(trace.Options{Unchecked: true}, trace.VisitorFunc(func(s *trace.Step) error {
			if s.Sent != nil {
				require.GreaterOrEqual(rt, s.Micro-s.Sent.Micro, -2*(cfg.Within+20*time.Millisecond).Microseconds())
			}
			return nil
		}))
		require.NoError(rt, err)
	})
}

// The figures of hosts whose clocks were apart are those of one clock, where they are
// asked for; else the logs' times stand.
func TestCorrectedStats(t *testing.T) {
	cfg := tracetest.Config{Rates: hertz(4, 5, 4), Duration: time.Minute, Seed: 7, Delay: 2 * time.Millisecond}
	straight, err := recordRun(t, cfg).Stats()
	require.NoError(t, err)
	require.Nil(t, straight.ClockOffsets, "nobody has asked")
	ahead := []time.Duration{0, 24 * time.Hour, -3 * time.Second}
	cfg.Time = drifting(ahead, []float64{0, 0, 0})
	cfg.Compare, cfg.Within = []time.Duration{0, 59 * time.Second}, time.Millisecond
	run := recordRun(t, cfg)
	recorded, err := run.Stats()
	require.NoError(t, err)
	assert.Equal(t, trace.Correct, recorded.Verdict.State)
	assert.NotEmpty(t, recorded.ClockSkews)
	assert.Zero(t, recorded.Elapsed)
	assert.False(t, recorded.Corrected)
	require.NotNil(t, recorded.ClockOffsets)
	assert.Equal(t, 6, recorded.ClockOffsets.Asked)

	lines := 0
	s, err := run.CorrectedStats(trace.VisitorFunc(func(s *trace.Step) error { lines++; return nil }))
	require.NoError(t, err)
	assert.True(t, s.Corrected)
	assert.Equal(t, recorded.ClockOffsets, s.ClockOffsets)
	assert.Empty(t, s.ClockSkews)
	assert.InDelta(t, float64(straight.Elapsed), float64(s.Elapsed), float64(2*time.Millisecond))
	assert.EqualValues(t, s.Events+3+3+6, lines)
	for id, m := range s.Machines {
		assert.InDelta(t, straight.Machines[id].Drift.Mean, m.Drift.Mean, 0.05)
		assert.Equal(t, straight.Machines[id].Jumps, m.Jumps)
	}
	for i, c := range s.ClockOffsets.Clocks {
		assert.Equal(t, i+1, c.Machine)
		require.Len(t, c.At, 2)
		assert.InDelta(t, float64(ahead[i+1]), float64(c.At[1].Ahead), float64(c.At[1].Within+time.Microsecond))
		assert.InDelta(t, 0, *c.Drift, 50)
		require.NotNil(t, c.Messages)
		assert.LessOrEqual(t, *c.Messages.Least, ahead[i+1]+time.Microsecond)
		assert.GreaterOrEqual(t, *c.Messages.Most, ahead[i+1]-time.Microsecond)
	}
}

// A line that contradicts what happened before what is said, and not believed.
func TestOffsetThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	cfg := tracetest.Config{Rates: hertz(5, 5), Duration: time.Minute, Seed: 7, Compare: []time.Duration{30 * time.Second}}
	require.NoError(t, tracetest.Record(dir, cfg))
	name := filepath.Join(dir, "vm_0_5.log")
	log, err := os.ReadFile(name)
	require.NoError(t, err)
	lie := bytes.Replace(log, []byte("offset: peer=1 ahead=0 within=1 "), []byte("offset: peer=1 ahead=-2000000 within=1000 "), 1)
	require.NotEqual(t, log, lie)
	require.NoError(t, os.WriteFile(name, lie, 0o600))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	s, err := run.Stats()
	require.NoError(t, err)
	assert.Equal(t, trace.Correct, s.Verdict.State, "clocks are no law")
	require.Len(t, s.ClockOffsets.Contradictions, 1)
	assert.Regexp(t, `^vm_0_5\.log:\d+ says that the clock of machine 1 was 2\.00 s behind that of machine 0, within 1\.00 ms; `+
		`by these clocks, vm_0_5\.log:\d+ receives \d+ ms after vm_1_5\.log:\d+ sends it: they miss each other by 1\.\d+ s$`, s.ClockOffsets.Contradictions[0])
	at, known := s.ClockOffsets.Of(1, 30*time.Second)
	require.True(t, known)
	assert.LessOrEqual(t, at.Ahead.Abs(), at.Within, "messages alone are believed")
}

// A clock that was set while the machine ran is taken out, wherever the others asked.
func TestOffsetsOfAClockThatWasSet(t *testing.T) {
	for _, set := range []int{0, 1, 2} {
		cfg := tracetest.Config{Rates: hertz(5, 4, 5), Duration: 4 * time.Minute, Seed: 7, Delay: time.Millisecond, Within: time.Millisecond}
		for at := time.Duration(0); at < cfg.Duration; at += 30 * time.Second {
			cfg.Compare = append(cfg.Compare, at)
		}
		ahead := []time.Duration{0, time.Minute, 0}
		cfg.Time = func(machine int, elapsed time.Duration) time.Duration {
			if machine == set && elapsed > 100*time.Second+time.Millisecond {
				elapsed -= 7130 * time.Millisecond
			}
			return elapsed + ahead[machine]
		}
		s, err := recordRun(t, cfg).CorrectedStats()
		require.NoError(t, err)
		require.Len(t, s.ClockSteps, 1)
		assert.Equal(t, set, s.ClockSteps[0].Machine)
		assert.Empty(t, s.ClockOffsets.Changes, "machine %d", set)
		assert.Empty(t, s.ClockOffsets.Contradictions, "machine %d", set)
		assert.Empty(t, s.ClockSkews)
		for _, c := range s.ClockOffsets.Clocks {
			require.Len(t, c.At, 8)
			for _, at := range c.At {
				assert.InDelta(t, float64(ahead[c.Machine]), float64(at.Ahead), float64(20*time.Millisecond), "machine %d of %d at %v", c.Machine, set, at.T)
			}
		}
		assert.InDelta(t, float64(cfg.Duration), float64(s.Elapsed), float64(20*time.Millisecond))
	}
}

// A clock that goes astray without a step in the machine's pace is said to have changed.
func TestClockThatChanges(t *testing.T) {
	cfg := tracetest.Config{Rates: hertz(5, 5), Duration: 3 * time.Minute, Seed: 7, Delay: time.Millisecond, Within: time.Millisecond}
	cfg.Compare = []time.Duration{0, time.Minute, 2 * time.Minute, 179 * time.Second}
	cfg.Time = func(machine int, elapsed time.Duration) time.Duration {
		if machine == 1 && elapsed > 70*time.Second { // slewed by 1,000 ppm, for a while
			elapsed += min(elapsed-70*time.Second, 40*time.Second) / 1000
		}
		return elapsed
	}
	s, err := recordRun(t, cfg).Stats()
	require.NoError(t, err)
	require.Len(t, s.ClockOffsets.Changes, 1)
	c := s.ClockOffsets.Changes[0]
	assert.Equal(t, 1, c.Machine)
	assert.InDelta(t, float64(time.Minute), float64(c.From), float64(time.Second))
	assert.InDelta(t, float64(2*time.Minute), float64(c.To), float64(time.Second))
	assert.InDelta(t, float64(38*time.Millisecond), float64(c.By), float64(2*time.Millisecond))
	assert.Nil(t, s.ClockOffsets.Clocks[0].Drift)
	for at := time.Duration(0); at < cfg.Duration; at += time.Second {
		got, known := s.ClockOffsets.Of(1, at)
		require.True(t, known)
		assert.LessOrEqual(t, (got.Ahead - (cfg.Time(1, at) - at)).Abs(), got.Within+time.Microsecond, "at %v", at)
	}
}

// Where a run is recorded as that of one host, and no machine compares clocks, there is
// nothing to correct. Of machines by hand whose messages cannot tell their clocks apart, the
// times stand.
func TestNothingToCorrect(t *testing.T) {
	cfg := tracetest.Config{Rates: hertz(5, 4, 5), Duration: time.Minute, Seed: 7, Delay: time.Millisecond}
	run := recordRun(t, cfg)
	corrected, o, err := run.Corrected()
	require.NoError(t, err)
	require.NotNil(t, o)
	for _, c := range o.Clocks {
		for _, at := range c.At {
			assert.Zero(t, at.Ahead)
			assert.Positive(t, at.Within)
		}
	}
	var times []int64
	note := trace.VisitorFunc(func(s *trace.Step) error { times = append(times, s.Micro); return nil })
	_, err = run.Walk(trace.Options{Unchecked: true}, note)
	require.NoError(t, err)
	want := times
	times = nil
	_, err = corrected.Walk(trace.Options{Unchecked: true}, note)
	require.NoError(t, err)
	assert.Equal(t, want, times)

	alone := recordRun(t, tracetest.Config{Rates: hertz(5), Duration: time.Second})
	_, o, err = alone.Corrected()
	require.NoError(t, err)
	assert.Nil(t, o)
}

// No number in a line is too large.
func TestOffsetsThatAreForged(t *testing.T) {
	dir := t.TempDir()
	cfg := tracetest.Config{Rates: hertz(5, 5), Duration: 10 * time.Second, Seed: 7, Compare: []time.Duration{0, 5 * time.Second}}
	require.NoError(t, tracetest.Record(dir, cfg))
	name := filepath.Join(dir, "vm_0_5.log")
	log, err := os.ReadFile(name)
	require.NoError(t, err)
	for _, line := range []string{
		"offset: peer=1 ahead=9223372036854775807 within=0 rtt=0", "offset: peer=1 ahead=-9223372036854775808 within=9223372036854775807 rtt=0",
		"offset: peer=0 ahead=0 within=0 rtt=0", "offset: peer=2147483647 ahead=0 within=0 rtt=0",
		"offset: peer=1 ahead=2305843009213693950 within=1 rtt=0", "offset: peer=1 ahead=-2305843009213693950 within=2305843009213693950 rtt=0",
	} {
		require.NoError(t, os.WriteFile(name, bytes.ReplaceAll(log, []byte("offset: peer=1 ahead=0 within=1 rtt=0"), []byte(line)), 0o600))
		run, err := trace.Open(dir)
		require.NoError(t, err)
		s, err := run.Stats()
		require.NoError(t, err, line)
		require.Equal(t, trace.Correct, s.Verdict.State, "%v", s.Verdict)
		_, _ = run.CorrectedStats()
	}
}

// Offset lines stand between the first and the last line, and mean nothing to the laws.
func TestWhereOffsetsStand(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: hertz(5), Duration: time.Second}))
	name := filepath.Join(dir, "vm_0_5.log")
	log, err := os.ReadFile(name)
	require.NoError(t, err)
	var line bytes.Buffer
	w := logging.NewWriter(&line, 0)
	w.Offset(tracetest.Start, logging.Offset{Peer: 1})
	require.NoError(t, w.Flush())
	for _, c := range []struct {
		log  []byte
		want trace.State
	}{
		{bytes.Replace(log, []byte("\n"), append([]byte("\n"), line.Bytes()...), 1), trace.Correct},
		{append(bytes.Clone(line.Bytes()), log...), trace.Broken},
		{append(bytes.Clone(log), line.Bytes()...), trace.Broken},
	} {
		require.NoError(t, os.WriteFile(name, c.log, 0o600))
		run, err := trace.Open(dir)
		require.NoError(t, err)
		v, err := run.Walk(trace.Options{})
		require.NoError(t, err)
		assert.Equal(t, c.want, v.State, "%v", v)
	}
}

// A run of days has as many instants as can be shown, and a round of its own for each.
func TestManyRounds(t *testing.T) {
	for minutes, want := range map[int]int{3: 3, 128: 128, 129: 65, 1000: 91} {
		cfg := tracetest.Config{Rates: hertz(1, 1), Duration: time.Duration(minutes) * time.Minute, Seed: 7, Delay: time.Millisecond}
		for at := range minutes {
			cfg.Compare = append(cfg.Compare, time.Duration(at)*time.Minute)
		}
		_, o, err := recordRun(t, cfg).Corrected()
		require.NoError(t, err)
		require.Len(t, o.Clocks[0].At, want, "%d minutes", minutes)
		for _, at := range o.Clocks[0].At {
			require.LessOrEqual(t, at.Within, 20*time.Millisecond)
		}
	}
}
