package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// laboratory is a minute of the default cluster.
func laboratory(t testing.TB) *trace.Run {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(1, 5, 4), Duration: time.Minute, Seed: 7, Delay: 2 * time.Millisecond,
	}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

func TestStatsFormats(t *testing.T) {
	s, err := laboratory(t).Stats()
	require.NoError(t, err)
	s.Dir = "runs/example"
	written := make(map[string]string)
	for _, format := range report.StatsFormats {
		var b bytes.Buffer
		require.NoError(t, report.Stats(&b, s, format, terminal.Screen{}))
		written[format] = b.String()
	}
	for _, width := range []int{40, 60, 80, 120} {
		var b bytes.Buffer
		require.NoError(t, report.Stats(&b, s, "table", terminal.Screen{Width: width}))
		golden(t, fmt.Sprintf("stats-%d.txt", width), b.Bytes())
		for line := range strings.SplitSeq(b.String(), "\n") {
			assert.LessOrEqual(t, terminal.Width(line), width, "%q", line)
		}
		var wide, painted bytes.Buffer
		require.NoError(t, report.Stats(&painted, s, "table", terminal.Screen{Width: width, Colour: true}))
		assert.Equal(t, b.String(), terminal.Plain(painted.String()))
		assert.Contains(t, painted.String(), "The run is \x1b[32mcorrect\x1b[0m: ")
		assert.Contains(t, painted.String(), "\n\x1b[38;5;25mvm-0\x1b[0m ")
		require.NoError(t, report.Stats(&wide, s, "table", terminal.Screen{Width: width, Wide: true}))
		tables, _, _ := strings.Cut(wide.String(), "What this shows")
		if width >= 80 {
			assert.True(t, strings.HasPrefix(written["table"], tables), "all columns side by side")
		}
	}
	golden(t, "stats.txt", []byte(written["table"]))
	golden(t, "stats.md", []byte(written["markdown"]))
	golden(t, "stats.csv", []byte(written["csv"]))

	rows, err := csv.NewReader(strings.NewReader(written["csv"])).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	column := make(map[string]int)
	for i, name := range rows[0] {
		_, twice := column[name]
		assert.False(t, twice, "column %s", name)
		column[name] = i
	}
	for i, m := range s.Machines {
		row := rows[i+1]
		assert.Equal(t, strconv.FormatUint(m.Summary.Steps, 10), row[column["events"]])
		drift, err := strconv.ParseFloat(row[column["drift_mean"]], 64)
		require.NoError(t, err)
		assert.InDelta(t, m.Drift.Mean, drift, 0, "csv loses no digit")
	}

	var back trace.Stats
	require.NoError(t, json.Unmarshal([]byte(written["json"]), &back))
	assert.Equal(t, s.Machines, back.Machines)
	assert.Equal(t, s.Concurrency, back.Concurrency)

	assert.Contains(t, written["table"], "machine 0 is saturated: 1.50 messages/s are expected to arrive, it takes 1.00/s, so its queue should grow by 0.50/s")
	assert.Contains(t, written["table"], "The run is correct")
}

func TestDiagramIsASoundDrawing(t *testing.T) {
	run := laboratory(t)
	var b bytes.Buffer
	require.NoError(t, report.Diagram(&b, run, report.DiagramOptions{From: 5 * time.Second, To: 15 * time.Second}))
	var events, arrows int
	dec := xml.NewDecoder(&b)
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			assert.NotContains(t, a.Value, "NaN")
			if a.Name.Local == "marker-end" {
				arrows++
			}
		}
		if start.Name.Local == "title" {
			events++
		}
	}
	// What must be there, counted without the drawing.
	var wantEvents, wantArrows int
	_, err := run.Walk(trace.Options{}, trace.VisitorFunc(func(s *trace.Step) error {
		at := s.Micro - tracetest.Start.UnixMicro()
		if s.Event != nil && at >= 5e6 && at <= 15e6 {
			wantEvents++
		}
		if s.Sent != nil && at >= 5e6 && s.Sent.Micro-tracetest.Start.UnixMicro() <= 15e6 {
			wantArrows++
		}
		return nil
	}))
	require.NoError(t, err)
	assert.Equal(t, wantEvents+1, events, "a title per event, and the picture's own")
	assert.Equal(t, wantArrows, arrows)
}

// A machine that is down has a broken line, as far as that lies in the picture.
func TestDiagramShowsCrashes(t *testing.T) {
	plan, err := fault.Parse("at 4s kill 1 for 3s; at 10s kill 2 for 10s; at 30s kill 1 for 5s", 3)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = sim.Run(t.Context(), sim.Config{Spec: experiment.Spec{
		Common:  experiment.Common{Run: "crashes", Die: 10, Seed: 1, Duration: time.Minute, Faults: plan},
		Rates:   tracetest.Hertz(1, 5, 4),
		Virtual: new(experiment.Virtual),
	}, LogDir: dir})
	require.NoError(t, err)
	run, err := trace.Open(dir)
	require.NoError(t, err)
	for want, o := range map[string]report.DiagramOptions{
		"3.8 7.0 9.8 20.0": {To: 25 * time.Second},
		"12.0 15.0":        {From: 12 * time.Second, To: 15 * time.Second},
		"":                 {From: 21 * time.Second, To: 29 * time.Second},
	} {
		var b bytes.Buffer
		require.NoError(t, report.Diagram(&b, run, o))
		gaps := regexp.MustCompile(`class="gap" x1="([0-9.]+)" y1="[0-9.]+" x2="([0-9.]+)"`).FindAllStringSubmatch(b.String(), -1)
		assert.Equal(t, len(gaps) > 0, strings.Contains(b.String(), "broken line: down"))
		from, to := o.From.Seconds(), o.To.Seconds()
		var seen []string
		for _, g := range gaps {
			for _, px := range g[1:] {
				x, err := strconv.ParseFloat(px, 64)
				require.NoError(t, err)
				at := fmt.Sprintf("%.1f", from+(to-from)*(x-70)/1100)
				if !slices.Contains(seen, at) {
					seen = append(seen, at)
				}
			}
		}
		assert.Equal(t, want, strings.Join(seen, " "))
	}
}

func TestDiagramRefusesWhatCannotBeDrawn(t *testing.T) {
	run := laboratory(t)
	err := report.Diagram(io.Discard, run, report.DiagramOptions{From: 2 * time.Minute})
	require.ErrorIs(t, err, report.ErrNothingToDraw)
	require.Error(t, report.Diagram(io.Discard, run, report.DiagramOptions{Format: "png"}))
}

// What the logs do not let anybody know is left out, in every format.
func TestStatsWithoutALog(t *testing.T) {
	run := laboratory(t)
	require.NoError(t, os.Remove(run.Logs[2].Name))
	run, err := trace.Open(run.Dir)
	require.NoError(t, err)
	s, err := run.Stats()
	require.NoError(t, err)
	s.Dir = "runs/example"
	written := make(map[string]string)
	for _, format := range report.StatsFormats {
		var b bytes.Buffer
		require.NoError(t, report.Stats(&b, s, format, terminal.Screen{}))
		written[format] = b.String()
	}
	golden(t, "stats_missing.txt", []byte(written["table"]))
	golden(t, "stats_missing.csv", []byte(written["csv"]))
	assert.Contains(t, written["markdown"], "\n| vm-2 | - | - | - | - | - | - | - |\n")
	for _, words := range []string{"keeps up", "saturated", "is at the edge"} {
		assert.NotContains(t, written["table"], words, "that rests on all rates")
	}

	var all struct{ Machines []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(written["json"]), &all))
	assert.Equal(t, map[string]any{"id": 2.0, "missing": true, "not_known": "the log of machine 2 is missing"}, all.Machines[2])
	for _, m := range all.Machines[:2] {
		assert.Contains(t, m, "summary")
		for _, absent := range []string{"drift", "final_drift", "predicted", "not_known"} {
			assert.NotContains(t, m, absent)
		}
	}
}

// What is said of a queue is what the rates and the times let be said.
func TestExplain(t *testing.T) {
	seen := 3.0
	for _, tt := range []struct {
		predicted *trace.Prediction
		want      string
	}{
		{&trace.Prediction{Arrivals: 3, Takes: 3}, "machine 1 is at the edge: 3.00 messages/s are expected to arrive, as many as it takes; " +
			"they come in bunches, so its queue should grow without bound, though ever more slowly; seen: 3.00 arrive, the queue grows by 3.00/s"},
		{&trace.Prediction{Arrivals: 2.99, Takes: 3, Idle: 0.01}, "machine 1 keeps up: 2.99 messages/s are expected to arrive, it takes 3.00/s and is idle in 0.3 % of its steps; seen: 3.00 arrive, the queue grows by 3.00/s"},
		{&trace.Prediction{Arrivals: 3.25, Takes: 3, Growth: 0.25}, "machine 1 is saturated: 3.25 messages/s are expected to arrive, it takes 3.00/s, so its queue should grow by 0.25/s; seen: 3.00 arrive, the queue grows by 3.00/s"},
		{&trace.Prediction{Takes: 3, Idle: 3}, "machine 1 keeps up: 0.00 messages/s are expected to arrive, it takes 3.00/s and is idle in 100.0 % of its steps; seen: 3.00 arrive, the queue grows by 3.00/s"},
		{nil, "machine 1: what to expect is not known, since the rates of all machines are not; seen: 3.00 arrive, the queue grows by 3.00/s"},
	} {
		m := trace.MachineStats{ID: 1, Predicted: tt.predicted, Arrivals: &seen, QueueGrowth: &seen}
		assert.Equal(t, tt.want, m.Explain())
	}
}

// A clock that was set is named, and missed ticks are.
func TestStatsNameWhatHappened(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(1, 5, 4), Duration: time.Minute, Seed: 7,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			if elapsed > 20*time.Second && machine < 2 {
				elapsed += time.Hour
			}
			if elapsed > 40*time.Second && machine == 2 {
				elapsed -= 3 * time.Second
			}
			return elapsed
		},
	}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	s, err := run.Stats()
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Stats(&b, s, "table", terminal.Screen{}))
	assert.Contains(t, b.String(), "600 events on 3 machines in 60.0 s ")
	for _, line := range []string{
		"- The system clock of machine 0 was set forward by 1h0m0s at step 21.\n",
		"- The system clock of machine 1 was set forward by 1h0m0s at step 101.\n",
		"- The system clock of machine 2 was set back by 3.00 s at step 161.\n",
	} {
		assert.Contains(t, b.String(), line)
	}
	s.Machines[1].Summary.Missed = 100
	b.Reset()
	require.NoError(t, report.Stats(&b, s, "table", terminal.Screen{}))
	assert.Contains(t, b.String(), "- Machine 1 missed 100 ticks (25.0 %): it was held up, or it ran at a lower rate than its start line names.\n")
}
