package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// hosts is a run on three hosts, whose clocks are wrong and drift.
func hosts() tracetest.Config {
	ahead := []time.Duration{0, 90 * time.Second, -1500 * time.Millisecond}
	ppm := []float64{10, 43, -60}
	return tracetest.Config{
		Rates: tracetest.Hertz(2, 3, 5), Duration: 2 * time.Minute, Seed: 7, Delay: 20 * time.Millisecond,
		Compare: []time.Duration{0, time.Minute, 119 * time.Second}, Within: 300 * time.Microsecond,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			return elapsed + ahead[machine] + time.Duration(ppm[machine]*1e-6*float64(elapsed))
		},
	}
}

func TestStatsOfClocksThatAreApart(t *testing.T) {
	run := recorded(t, hosts())
	text := func(s *trace.Stats, err error) string {
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, report.Stats(&b, s, "table", terminal.Screen{}))
		return b.String()
	}
	asRecorded, asCorrected := text(run.Stats()), text(run.CorrectedStats())
	golden(t, "stats-hosts.txt", []byte(asRecorded))
	golden(t, "stats-corrected.txt", []byte(asCorrected))
	tables := func(s string) string {
		_, after, _ := strings.Cut(s, "System clocks, ahead of")
		table, _, _ := strings.Cut(after, "What this shows")
		return table
	}
	assert.Equal(t, tables(asRecorded), tables(asCorrected))
	assert.NotEmpty(t, tables(asCorrected))

	var b bytes.Buffer
	s, err := run.CorrectedStats()
	require.NoError(t, err)
	require.NoError(t, report.Stats(&b, s, "json", terminal.Screen{}))
	var back trace.Stats
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.True(t, back.Corrected)
	assert.Equal(t, s.ClockOffsets.Clocks, back.ClockOffsets.Clocks)
}

func TestWhatIsSaidOfClocks(t *testing.T) {
	said := func(o trace.ClockOffsets) string {
		s := &trace.Stats{Verdict: &trace.Verdict{State: trace.Correct}, ClockOffsets: &o}
		return strings.Join(report.StatsFindings(s), "\n")
	}
	at := func(ahead, within time.Duration) []trace.OffsetAt {
		return []trace.OffsetAt{{Ahead: ahead, Within: within}}
	}
	assert.Contains(t, said(trace.ClockOffsets{Clocks: []trace.ClockOffset{{Machine: 1, At: at(5, 70*time.Microsecond)}}}),
		"The system clocks of the machines cannot be told apart: they are within 70.0 µs of that of machine 0.")
	assert.Contains(t, said(trace.ClockOffsets{Clocks: []trace.ClockOffset{{Machine: 1, At: at(-time.Second, time.Millisecond)}}}),
		"At the start, the system clock of machine 1 was 1.00 s behind that of machine 0, within 1.00 ms.")
	assert.Contains(t, said(trace.ClockOffsets{Changes: []trace.ClockChange{{Machine: 2, From: time.Second, To: time.Minute, By: -3 * time.Second}}}),
		"Between 1.00 s and 60.0 s after the start, the system clock of machine 2 lost 3.00 s at least on that of machine 0: one of the two was set.")
	assert.Contains(t, said(trace.ClockOffsets{Contradictions: []string{"a\x1b"}}), `What is known of the system clocks cannot all be true, unless one was set: a\x1b.`)
}

// What is drawn and exported with corrected times is what one clock would have shown.
func TestCorrectedTimes(t *testing.T) {
	cfg := hosts()
	run := recorded(t, cfg)
	cfg.Time, cfg.Compare = nil, nil
	straight := recorded(t, cfg)
	times := func(run *trace.Run, o report.Options) map[string]time.Time {
		var b bytes.Buffer
		x, err := report.Export(&b, run, report.JSONL, o)
		require.NoError(t, err)
		assert.Equal(t, trace.Correct, x.Verdict.State)
		all := make(map[string]time.Time)
		for line := range strings.Lines(b.String()) {
			var row struct {
				Time          time.Time
				Machine, Step json.Number
			}
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			all[row.Machine.String()+":"+row.Step.String()] = row.Time
		}
		return all
	}
	want, got := times(straight, report.Options{}), times(run, report.Options{Corrected: true})
	require.Len(t, got, len(want))
	for name, at := range want {
		assert.WithinDuration(t, at, got[name], 10*time.Millisecond, name)
	}
	for _, format := range report.Formats { // lines that are no events are in none
		var b bytes.Buffer
		_, err := report.Export(&b, run, format, report.Options{})
		require.NoError(t, err)
		assert.NotContains(t, b.String(), "offset", "%s", format)
	}
	var b bytes.Buffer
	require.NoError(t, report.Diagram(&b, straight, report.DiagramOptions{To: time.Second, Times: "times by the clock of machine 0"}))
	assert.Contains(t, b.String(), "times by the clock of machine 0 · 0s to 1s")
}
