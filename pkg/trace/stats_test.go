package trace_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// record makes a run in a directory of its own and opens it.
func recordRun(t testing.TB, cfg tracetest.Config) *trace.Run {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, cfg))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

// plainEvent is an event as the naive twin reads it.
type plainEvent struct {
	machine int
	micro   int64
	event   event.Event
}

// readAll returns the events of all logs, machine by machine.
func readAll(t testing.TB, run *trace.Run) [][]plainEvent {
	t.Helper()
	all := make([][]plainEvent, run.Machines)
	for _, l := range run.Logs {
		f, err := os.Open(l.Name)
		require.NoError(t, err)
		r := logging.NewReader(f, filepath.Base(l.Name))
		var rec logging.Record
		for r.Next(&rec) == nil {
			if rec.Kind == logging.EventRecord {
				all[l.ID] = append(all[l.ID], plainEvent{l.ID, rec.UnixMicro, rec.Event})
			}
		}
		require.NoError(t, f.Close())
	}
	return all
}

// countPairs looks at every pair: who can reach whom over machines' orders and
// messages.
func countPairs(all [][]plainEvent) trace.Concurrency {
	type key struct{ from, to, seq uint64 }
	var events []plainEvent
	index := make([][]int, len(all))
	sends := make(map[key]int)
	for m, list := range all {
		for _, e := range list {
			index[m] = append(index[m], len(events))
			if e.event.Kind == event.Send {
				for _, msg := range e.event.Messages() {
					sends[key{uint64(m), uint64(msg.To), msg.Seq}] = len(events)
				}
			}
			events = append(events, e)
		}
	}
	n := len(events)
	next := make([][]int, n)
	for m, list := range index {
		for i, at := range list {
			if i > 0 {
				next[list[i-1]] = append(next[list[i-1]], at)
			}
			if e := events[at].event; e.Kind == event.Receive {
				msg := e.Messages()[0]
				from := sends[key{uint64(msg.From), uint64(m), msg.Seq}]
				next[from] = append(next[from], at)
			}
		}
	}
	reach := make([][]bool, n)
	for i := range reach {
		reach[i] = make([]bool, n)
		stack := []int{i}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, to := range next[at] {
				if !reach[i][to] {
					reach[i][to] = true
					stack = append(stack, to)
				}
			}
		}
	}
	var c trace.Concurrency
	for i := range n {
		for j := range i {
			if events[i].machine == events[j].machine {
				continue
			}
			c.Pairs++
			if !reach[i][j] && !reach[j][i] {
				c.Concurrent++
				if events[i].event.Clock != events[j].event.Clock {
					c.Ordered++
				}
			}
		}
	}
	return c
}

func TestConcurrencyEqualsBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for i := range 40 {
		cfg := tracetest.Config{
			Duration: time.Duration(1+rng.IntN(12)) * time.Second,
			Seed:     rng.Uint64(),
			Die:      3 + rng.IntN(8),
			Delay:    time.Duration(rng.IntN(900)) * time.Millisecond,
		}
		for range 1 + rng.IntN(5) {
			cfg.Rates = append(cfg.Rates, clock.Rate(1+rng.IntN(6))*clock.Hertz)
		}
		run := recordRun(t, cfg)
		s, err := run.Stats()
		require.NoError(t, err)
		require.NotNil(t, s.Concurrency, "%d: %s", i, s.Why)
		assert.Equal(t, countPairs(readAll(t, run)), *s.Concurrency, "%+v", cfg)
	}
}

// The figures of each machine, computed again with everything in memory.
func TestStatsEqualNaiveTwin(t *testing.T) {
	run := recordRun(t, tracetest.Config{
		Rates: tracetest.Hertz(1, 5, 4), Duration: 2 * time.Minute, Seed: 11, Delay: 3 * time.Millisecond,
	})
	s, err := run.Stats()
	require.NoError(t, err)
	require.Equal(t, trace.Correct, s.Verdict.State)
	all := readAll(t, run)
	for id, list := range all {
		m := s.Machines[id]
		var last clock.Time
		var jumps, gaps, worst uint64
		buckets := make([]uint64, 65)
		queue := 0
		for _, e := range list {
			jump := uint64(e.event.Clock - last)
			last = e.event.Clock
			jumps += jump
			worst = max(worst, jump)
			if jump > 1 {
				gaps++
			}
			for b := range buckets { // the first power of two that holds it
				if jump <= 1<<b {
					buckets[b]++
					break
				}
			}
			queue = max(queue, e.event.Queue)
		}
		assert.InDelta(t, float64(jumps)/float64(len(list)), m.Jumps.Mean, 1e-9)
		assert.Equal(t, worst, m.Jumps.Max)
		assert.Equal(t, gaps, m.Summary.Gaps)
		assert.Equal(t, buckets[:len(m.JumpHistogram)], m.JumpHistogram)
		assert.Equal(t, queue, m.Summary.MaxQueue)
		assert.Equal(t, uint64(len(list)), m.Summary.Steps)
	}
	checkDrift(t, s, all)
}

// checkDrift steps through time a microsecond-ordered list at a time.
func checkDrift(t *testing.T, s *trace.Stats, all [][]plainEvent) {
	t.Helper()
	clocks := make([]clock.Time, len(all))
	at := make([]int, len(all))
	worst := make([]uint64, len(all))
	sum := make([]float64, len(all))
	begin := s.Start.UnixMicro()
	now := begin
	for {
		next := -1
		for m := range all {
			if at[m] < len(all[m]) && (next < 0 || all[m][at[m]].micro < all[next][at[next]].micro) {
				next = m
			}
		}
		largest := clock.Time(0)
		for _, c := range clocks {
			largest = max(largest, c)
		}
		until := begin + s.Elapsed.Microseconds()
		if next >= 0 {
			until = all[next][at[next]].micro
		}
		for m, c := range clocks {
			sum[m] += float64(largest-c) * float64(until-now)
			if until > now || next < 0 {
				worst[m] = max(worst[m], uint64(largest-c))
			}
		}
		now = until
		if next < 0 {
			break
		}
		clocks[next] = all[next][at[next]].event.Clock
		at[next]++
	}
	for m := range all {
		assert.InDelta(t, sum[m]/float64(s.Elapsed.Microseconds()), s.Machines[m].Drift.Mean, 1e-6)
		assert.InDelta(t, float64(worst[m]), float64(s.Machines[m].Drift.Max), 1, "machine %d", m)
	}
}

// A run's own clock is exact here, so its pace is too.
func TestPaceFromTheLog(t *testing.T) {
	run := recordRun(t, tracetest.Config{
		Rates: tracetest.Hertz(1, 5, 4), Duration: time.Minute, Seed: 1,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			return elapsed + time.Duration(machine)*250*time.Microsecond // late by that much
		},
	})
	s, err := run.Stats()
	require.NoError(t, err)
	for id, m := range s.Machines {
		late := time.Duration(0) // the start line is late as well
		assert.InDelta(t, float64(late), float64(m.Summary.Lateness.Max), float64(time.Microsecond), "machine %d", id)
		require.NotNil(t, m.RateError)
		assert.InDelta(t, 0, *m.RateError, 1)
		assert.Zero(t, m.Summary.Missed)
	}
}

func TestStatsOfABrokenRunSayWhy(t *testing.T) {
	run := recordRun(t, tracetest.Config{Rates: tracetest.Hertz(2, 3), Duration: 5 * time.Second, Seed: 3})
	path := run.Logs[1].Name
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := 0
	for i, c := range b { // the third line goes
		if c == '\n' {
			if lines++; lines == 2 {
				end := i + 1
				for b[end] != '\n' {
					end++
				}
				b = append(b[:i+1], b[end+1:]...)
				break
			}
		}
	}
	require.NoError(t, os.WriteFile(path, b, 0o644))
	s, err := run.Stats()
	require.NoError(t, err)
	assert.Equal(t, trace.Broken, s.Verdict.State)
	assert.Nil(t, s.Concurrency)
	assert.Equal(t, "the run is broken", s.Why)
}

// Who keeps the figures of many runs does not keep the runs: their logs, or what was gathered
// while they were read.
func TestFiguresKeepNoLogs(t *testing.T) {
	var kept []*trace.Stats
	var logs []weak.Pointer[[1 << 20]byte]
	func() {
		run := recordRun(t, tracetest.Config{Rates: tracetest.Hertz(1, 5), Duration: 20 * time.Second, Seed: 1})
		for i := range run.Logs {
			text := new([1 << 20]byte)
			b, err := os.ReadFile(run.Logs[i].Name)
			require.NoError(t, err)
			n := copy(text[:], b)
			logs = append(logs, weak.Make(text))
			run.Logs[i] = trace.TextLog(run.Logs[i].ID, run.Logs[i].Name, func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(text[:n])), nil
			})
		}
		stats, err := run.Stats()
		require.NoError(t, err)
		kept = append(kept, stats)
	}()
	require.NotEmpty(t, logs)
	for i, log := range logs {
		assert.Eventually(t, func() bool { runtime.GC(); return log.Value() == nil }, time.Minute, time.Millisecond, "log %d", i)
	}
	runtime.KeepAlive(kept)
}
