package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// figures are made-up ones of machines, each with a growth of its queue and a prediction.
func figures(machines ...trace.MachineStats) *trace.Stats {
	s := &trace.Stats{Elapsed: time.Minute, Verdict: &trace.Verdict{State: trace.Correct, Machines: len(machines)}, Machines: machines}
	for i := range s.Machines {
		s.Machines[i].ID = i
	}
	return s
}

func queue(growth, takes, arrivals float64) trace.MachineStats {
	p := &trace.Prediction{Takes: takes, Arrivals: arrivals, Growth: max(0, arrivals-takes), Idle: max(0, takes-arrivals)}
	return trace.MachineStats{QueueGrowth: &growth, Predicted: p, Summary: summary.Machine{Steps: 900, MaxQueue: 12}}
}

// What is said follows from the figures, the most telling first, and no more than three.
func TestFindings(t *testing.T) {
	keeps := queue(0, 5, 1)
	missed := keeps
	missed.Summary.Missed = 100
	behind := keeps
	behind.Drift, behind.Jumps = &trace.Distribution{Mean: 52.3, Max: 104}, trace.Distribution{Max: 21}
	crash := func(machine int, from, to int64) Span {
		return Span{Kind: "crash", Machines: []int{machine}, From: from, To: to}
	}
	concurrent := figures(queue(0.9, 1, 1.88), behind, missed)
	concurrent.Concurrency = &trace.Concurrency{Pairs: 1000, Concurrent: 230, Ordered: 200}
	set := figures(keeps, missed)
	set.ClockSteps = []trace.ClockStep{{Machine: 1, Step: 500, By: -2 * time.Second}, {Machine: 0, Step: 7, By: time.Second}}
	broken := figures(keeps)
	broken.Verdict.State = trace.Broken
	for _, tt := range []struct {
		name  string
		stats *trace.Stats
		spans []Span
		want  []string
	}{
		{"nothing", figures(), nil, nil},
		{"one machine", figures(keeps), nil, nil},
		{"falls behind", figures(queue(0.9, 1, 1.88), keeps), nil, []string{"machine 0 falls behind: its queue grew by 0.90 messages/s, predicted 0.88"}},
		{"several fall behind", figures(queue(0.9, 1, 1.88), queue(1.2, 1, 2), queue(0, 1, 2)), nil, []string{
			"machine 1 falls behind, and 2 others do too: its queue grew by 1.20 messages/s, predicted 1.00",
		}},
		{"grows all the same", figures(keeps, queue(2, 5, 1)), nil, []string{"the queue of machine 1 grew by 2.00 messages/s, though its rate is enough for what arrives"}},
		{"at the edge", figures(queue(0.1, 2, 2), keeps), nil, []string{"machine 0 is at the edge: as many messages arrive as it takes, 2.00/s, and its queue was up to 12 long"}},
		{"all keep up", figures(keeps, queue(0, 5, 2)), nil, []string{"all machines keep up: even machine 1 is idle in 60.0 % of its steps"}},
		{"one crash", figures(keeps), []Span{crash(0, 1e6, 3e6)}, []string{"machine 0 was down for 2.00 s and came back from its log"}},
		{"crashes", figures(keeps, keeps), []Span{crash(0, 1e6, 3e6), crash(1, 2e6, 7e6)}, []string{
			"machines were down 2 times and came back from their logs; machine 1 was so the longest, for 5.00 s",
			"all machines keep up: even machine 0 is idle in 80.0 % of its steps",
		}},
		{"clocks were set", set, nil, []string{
			"the system clock of machine 1 was set back by 2.00 s, at its step 500, and one other does too",
			"machine 1 missed 100 ticks (10.0 %)",
			"all machines keep up: even machine 0 is idle in 80.0 % of its steps",
		}},
		{"no more than three", concurrent, nil, []string{
			"machine 0 falls behind: its queue grew by 0.90 messages/s, predicted 0.88",
			"machine 2 missed 100 ticks (10.0 %)",
			"the clock of machine 1 is behind the largest by 52.30 on average, by 104 at most, and jumps by up to 21 at once",
		}},
		{"broken", broken, nil, []string{"a law is broken, so the figures may mean nothing"}},
	} {
		c := &charts{present: make([]int, len(tt.stats.Machines)), machines: make([]charted, len(tt.stats.Machines))}
		for i := range c.machines {
			c.present[i], c.machines[i].drifts = i, newBuckets(8, 1)
		}
		var texts []string
		for _, f := range findings(tt.stats, c, tt.spans) {
			texts = append(texts, f.Text)
		}
		assert.Equal(t, tt.want, texts, tt.name)
	}
}

// What a partition did to a clock is told from the time before.
func TestDivision(t *testing.T) {
	c := &charts{present: []int{3, 4}, machines: make([]charted, 2)}
	for i := range c.machines {
		b := newBuckets(64, 1e6)
		for at := range int64(40) {
			b.add(at*1e6, 1)
		}
		c.machines[i].drifts = b
	}
	c.machines[1].drifts.add(25e6, 30)
	list := findings(figures(queue(0, 5, 1), queue(0, 5, 1)), c, []Span{{Kind: "partition", Machines: []int{0}, From: 20e6, To: 30e6}})
	assert.Equal(t, "while the network was divided, the clock of machine 4 fell behind by up to 30; before, by 1", list[0].Text)
	assert.Equal(t, []any{1, int64(20e6), int64(30e6)}, []any{*list[0].Machine, *list[0].From, *list[0].To})
}

// Faults of the plan, crashes by the logs, and standstills, each with its reason.
func TestSpans(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(5, 5, 5), Duration: 10 * time.Second, Seed: 3,
		Time: func(machine int, elapsed time.Duration) time.Duration { // machine 2 stands still from 4 s to 5 s
			if machine == 2 && elapsed > 4*time.Second && elapsed < 5*time.Second {
				return 5 * time.Second
			}
			return elapsed
		},
	}))
	back(t, filepath.Join(dir, "vm_1_5.log"), 21)
	run, err := trace.Open(dir)
	require.NoError(t, err)
	plan, err := fault.Parse("at 1s partition 0 | 1,2 for 2s; at 4s pause 2 for 1s; at 6s cut 0->1 for 100h", 3)
	require.NoError(t, err)
	run.Record = &rundir.Record{Spec: experiment.Spec{Common: experiment.Common{Run: "test", Die: 10, Seed: 3, Faults: plan}, Rates: tracetest.Hertz(5, 5, 5)}}
	c := NewCollector(run, Options{})
	stats, err := run.Stats(c.Visitors()...)
	require.NoError(t, err)
	head, _ := c.Run(stats)
	end := head.Duration
	assert.Equal(t, []Span{
		{"partition", []int{0}, 1e6, 3e6, "fault plan: at 1s partition 0 | 1,2 for 2s"},
		{"pause", []int{2}, 4e6, 5e6, "fault plan: at 4s pause 2 for 1s"},
		{"crash", []int{1}, 4e6, 4e6, "machine 1 came back from its log, 0 after its last event before that"},
		{"late", []int{2}, 4e6, 5e6, "machine 2 missed 4 ticks: it executed none for 1.00 s; meanwhile, fault plan: at 4s pause 2 for 1s"},
		{"cut", []int{0, 1}, 6e6, end, "fault plan: at 6s cut 0->1 for 100h"},
	}, sorted(head.Spans))
}

// sorted leaves out what the made-up times bring about besides.
func sorted(spans []Span) (list []Span) {
	order := []string{"partition", "pause", "crash", "late", "cut"}
	for _, kind := range order {
		for _, s := range spans {
			if s.Kind == kind {
				list = append(list, s)
				break
			}
		}
	}
	return list
}

// back puts a resume line behind the nth line of a log.
func back(t *testing.T, name string, n int) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(b), "\n")
	head, _, _ := strings.Cut(lines[n-1], ": ")
	words := strings.Fields(lines[n-1])
	resume := head + ": resume: "
	for _, w := range words {
		if strings.HasPrefix(w, "step=") || strings.HasPrefix(w, "clock=") {
			resume += w + " "
		}
	}
	lines[n-1] += strings.TrimSuffix(resume, " ") + "\n"
	require.NoError(t, os.WriteFile(name, []byte(strings.Join(lines, "")), 0o666))
}

// Where a system clock was set, there is a mark.
func TestClockSpan(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(10, 10, 10), Duration: 40 * time.Second, Seed: 3,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			if machine == 1 && elapsed > 20*time.Second {
				return elapsed + 3*time.Second
			}
			return elapsed
		},
	}))
	head, _, _ := show(t, dir, Options{})
	var found []Span
	for _, s := range head.Spans {
		if s.Kind == "clock" {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1)
	assert.Equal(t, Span{"clock", []int{1}, 20.1e6, 20.1e6, "the system clock of machine 1 was set forward by 3.00 s, at its step 201"}, found[0])
	assert.Equal(t, found[0].Text, head.Findings[0].Text)
}
