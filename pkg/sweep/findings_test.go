package sweep

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// outcome is what a made-up machine of a made-up run did.
type outcome struct {
	jump, drift, growth, predicted float64
	jumpMax, driftMax, queueMax    int
	gaps                           uint64 // of 100 events
	missing                        int    // of the 300 that the clock shows at the end
}

// made is a sweep whose numbers are given by a function, so that tests decide what
// there is to find.
type made struct {
	grid    *Grid
	runs    []Run
	results []*Result
}

func invent(t testing.TB, g *Grid, f func(r *Run, machine int) outcome) *made {
	t.Helper()
	m := &made{grid: g}
	var err error
	m.runs, err = g.Runs()
	require.NoError(t, err)
	for i := range m.runs {
		r := &m.runs[i]
		stats := &trace.Stats{Run: "made", Die: r.Point.Die, Elapsed: g.Duration, Events: uint64(100 * len(r.Rates)), Verdict: &trace.Verdict{
			State: trace.Correct, Machines: len(r.Rates), Events: uint64(100 * len(r.Rates)),
		}}
		for id, rate := range r.Rates {
			x := f(r, id)
			ms := trace.MachineStats{
				ID:          id,
				Summary:     summary.Machine{ID: id, Rate: rate, Steps: 100, Gaps: x.gaps, MaxQueue: x.queueMax, Clock: clock.Time(300 - x.missing)},
				Jumps:       trace.Distribution{Mean: x.jump, Max: uint64(x.jumpMax)},
				Drift:       &trace.Distribution{Mean: x.drift, Max: uint64(x.driftMax)},
				QueueGrowth: &x.growth,
				Arrivals:    new(float64),
				Predicted:   &trace.Prediction{Arrivals: 1.5, Takes: rate.PerSecond(), Growth: x.predicted},
			}
			stats.Machines = append(stats.Machines, ms)
		}
		m.results = append(m.results, &Result{Format: GridFormat, Name: r.Name, Point: r.Point.Number, Trial: r.Trial, Seed: r.Seed, Stats: stats})
	}
	return m
}

func (m *made) report() *Report { return NewReport(m.grid, m.runs, m.results) }

func (m *made) findings() string { return string(m.report().Findings()) }

// lists is a grid of rates and dice, in so many trials.
func lists(trials int, rates []string, dice ...int) *Grid {
	return &Grid{
		Format: GridFormat, Virtual: true, Rates: rates, Machines: []int{0}, Die: dice, Latency: []string{"1ms"}, Phase: "together",
		Duration: time.Minute, Trials: trials, Seed: 7, Seeds: Seeds(7, trials),
	}
}

// stray is a little more or less in each trial: -2, -1, 0, 1, 2 times by.
func stray(r *Run, by float64) float64 { return by * float64((r.Trial-1)%5-2) }

// What is said of jumps, gaps, drift and queues turns with the numbers.
func TestFindingsFollowTheNumbers(t *testing.T) {
	one := lists(5, []string{"1,5"}, 10)
	// The machine with rate 1 has low, that with rate 5 high.
	of := func(low, high outcome) string {
		return invent(t, one, func(r *Run, id int) outcome {
			x := []outcome{low, high}[id]
			x.jump += stray(r, 0.1)
			x.drift += stray(r, 0.1) * float64(1-2*id)
			x.growth += stray(r, 0.01)
			return x
		}).findings()
	}
	for _, c := range []struct {
		name      string
		low, high outcome
		want      []string
	}{
		{"the slow one jumps", outcome{jump: 5}, outcome{jump: 1}, []string{
			"The jumps are largest on the machine with rate 1: per event, the clock advances by 5.00 ± 0.20 (rate 1), 1.00 ± 0.20 (rate 5).",
			"Why: at 1.00 ticks per second, the machine with rate 1 had to follow a clock that advanced by 5 per second, and reached 100 % of that: enough to keep up.",
		}},
		{"the fast one jumps", outcome{jump: 1}, outcome{jump: 5}, []string{
			"The jumps are largest on the machine with rate 5: per event,", "The rates do not explain this: the slowest jump less.",
		}},
		{"none jumps more", outcome{jump: 2}, outcome{jump: 2}, []string{"No class of machines is shown to jump more than all the others: per event,"}},
		{"the slow one is behind", outcome{drift: 9}, outcome{drift: 1}, []string{
			"on average: 9.00 ± 0.20 (rate 1), 1.00 ± 0.20 (rate 5); the slowest are further behind than the fastest.",
		}},
		{"the fast one is behind", outcome{drift: 1}, outcome{drift: 9}, []string{
			"the fastest are further behind than the slowest, which is not what the rates suggest.",
		}},
		{"none is behind", outcome{drift: 1}, outcome{drift: 1}, []string{"1.00 ± 0.20 (rate 1), 1.00 ± 0.20 (rate 5); no difference shown by these runs."}},
		{"gaps of the slow one", outcome{gaps: 40}, outcome{gaps: 2}, []string{"in % of the events: 40 (rate 1), 2 (rate 5); more on the slowest than on the fastest."}},
		{"gaps of the fast one", outcome{gaps: 2}, outcome{gaps: 40}, []string{"2 (rate 1), 40 (rate 5); more on the fastest than on the slowest."}},
		{"gaps of both", outcome{gaps: 2}, outcome{gaps: 2}, []string{"2 (rate 1), 2 (rate 5); no difference shown by these runs."}},
		{"saturated, as predicted", outcome{growth: 0.5, predicted: 0.49, queueMax: 33}, outcome{}, []string{
			"**Queue of the machine with rate 1.** Predicted: saturated: 1.50/s arrive for 1.00 ticks/s, so the queue grows by 0.49/s. " +
				"Observed: 0.500 ± 0.020/s: it grows, and the prediction lies inside the interval. Longest: 33.",
			"**Queue of the machine with rate 5.** Predicted: keeps up: 1.50/s arrive for 5.00 ticks/s, so the queue grows by 0.00/s. " +
				"Observed: 0.000 ± 0.020/s: less than one message per run, and the prediction lies inside the interval.",
		}},
		{"saturated, not as predicted", outcome{growth: 0.5, predicted: 0.8}, outcome{}, []string{
			"Predicted: saturated: 1.50/s arrive for 1.00 ticks/s, so the queue grows by 0.80/s. " +
				"Observed: 0.500 ± 0.020/s: it grows, and the prediction lies OUTSIDE the interval: observed minus predicted is -0.300 ± 0.020.",
		}},
		{"predicted to grow, but does not", outcome{growth: 0, predicted: 0.5}, outcome{}, []string{
			"Observed: 0.000 ± 0.020/s: less than one message per run, and the prediction lies OUTSIDE the interval: observed minus predicted is -0.500 ± 0.020.",
		}},
		{"grows against the prediction", outcome{}, outcome{growth: 0.3}, []string{
			"**Queue of the machine with rate 5.** Predicted: keeps up: 1.50/s arrive for 5.00 ticks/s, so the queue grows by 0.00/s. " +
				"Observed: 0.300 ± 0.020/s: it grows, and the prediction lies OUTSIDE the interval",
		}},
		{"grows by next to nothing", outcome{growth: 0.015}, outcome{}, []string{"Observed: 0.015 ± 0.020/s: less than one message per run, and the prediction lies inside"}},
		{"strays", outcome{growth: 0.019}, outcome{}, []string{"Observed: 0.019 ± 0.020/s: no growth is shown, and the prediction lies inside"}},
		{"left behind", outcome{jump: 5, missing: 120}, outcome{jump: 1}, []string{"and reached 60 % of that: the gap kept growing."}},
		{"perhaps left behind", outcome{jump: 5, missing: 15}, outcome{jump: 1}, []string{"and reached 95 % of that.\n"}},
		{"shrinks", outcome{growth: -0.3}, outcome{}, []string{"Observed: -0.300 ± 0.020/s: it shrinks, and the prediction lies OUTSIDE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := of(c.low, c.high)
			for _, want := range c.want {
				assert.Contains(t, text, want)
			}
		})
	}
}

// Many machines of one rate are one class; with three rates their order is said
// only where each step shows it.
func TestFindingsOfClasses(t *testing.T) {
	g := lists(5, []string{"1,1,3,5"}, 10)
	jumps := func(rate1, rate3, rate5 float64) string {
		return invent(t, g, func(r *Run, id int) outcome {
			return outcome{jump: []float64{rate1, rate1 + 0.2, rate3, rate5}[id] + stray(r, 0.05)*float64(id)}
		}).findings()
	}
	text := jumps(4, 2, 1)
	assert.Contains(t, text, "The jumps are largest on the 2 machines with rate 1: per event, the clock advances by 4.1")
	assert.Contains(t, text, "The faster the machine, the smaller its jumps: every step from slow to fast shows it.")
	assert.NotContains(t, jumps(4, 1, 2), "The faster the machine")
	assert.NotContains(t, jumps(4, 1, 1), "The faster the machine")

	text = invent(t, lists(5, []string{"3,3"}, 10), func(r *Run, _ int) outcome { return outcome{jump: 1 + stray(r, 0.1)} }).findings()
	assert.Contains(t, text, "All machines have the same rate. Their clocks advance by 1.00 ± 0.20 per event on average, and by 0 at most.")
	assert.NotContains(t, text, "largest on")
}

// Drawn rates differ from trial to trial: there the slowest and the fastest of each
// are looked at.
func TestFindingsOfDrawnRates(t *testing.T) {
	g := lists(15, []string{"random"}, 10)
	g.Machines = []int{2}
	text := invent(t, g, func(r *Run, id int) outcome {
		x := outcome{jump: 2, growth: 0.1}
		if r.Rates[id] == slices.Min(r.Rates) {
			x = outcome{jump: 6 + stray(r, 0.1), growth: 0.4, predicted: 0.4 + stray(r, 0.01)}
			if r.Trial == 3 {
				x.predicted = 0
			}
		}
		return x
	}).findings()
	assert.Contains(t, text, "The jumps are largest on the slowest: per event, the clock advances by 6.000 ± 0.081 (slowest), ")
	assert.Contains(t, text, "**Queue of the slowest.** Predicted: saturated in 14 of 15 runs: ")
	assert.Contains(t, text, ", as predicted: observed minus predicted is ")
	assert.Contains(t, text, "**Queue of the fastest.** Predicted: ")
	assert.NotContains(t, text, "rate 1")
}

// What changes along a parameter is said only where intervals show it.
func TestTrends(t *testing.T) {
	g := lists(5, []string{"1,5"}, 10, 5, 3)
	trendOf := func(a, b, c, by float64) string {
		text := invent(t, g, func(r *Run, _ int) outcome {
			x := map[int]float64{10: a, 5: b, 3: c}[r.Point.Die]
			// Each point strays in its own way, or pairs would show anything.
			return outcome{jump: x + by*float64((r.Trial*r.Point.Number)%5-2)}
		}).findings()
		require.Contains(t, text, "## Along die: 10 → 5 → 3\n")
		_, rest, ok := strings.Cut(text, "\n- mean jump: ")
		require.True(t, ok, text)
		what, _, _ := strings.Cut(rest, ": ")
		return what
	}
	assert.Equal(t, "rises at every step", trendOf(1, 2, 3, 0.1))
	assert.Equal(t, "falls at every step", trendOf(3, 2, 1, 0.1))
	assert.Equal(t, "no difference shown by these runs", trendOf(2, 2, 2, 0.1))
	assert.Equal(t, "no difference shown by these runs", trendOf(1, 2, 3, 3), "noise hides it")
	assert.Equal(t, "rises from end to end, but not every step shows it", trendOf(1, 1, 3, 0.1))
	assert.Equal(t, "rises from 10 to 5, falls from 5 to 3; the ends show no difference", trendOf(1, 3, 1, 0.1))
	assert.Equal(t, "rises from end to end, but rises from 10 to 5, falls from 5 to 3", trendOf(1, 3, 2, 0.1))
	assert.Equal(t, "falls from end to end, but falls from 10 to 5, rises from 5 to 3", trendOf(3, 1, 2, 0.1))
}

// A change that every trial shows is shown, however far the trials are apart: they
// are compared pair by pair.
func TestTrendsCompareTrialsWithEachOther(t *testing.T) {
	g := lists(5, []string{"1,5"}, 10, 5)
	text := invent(t, g, func(r *Run, _ int) outcome {
		return outcome{jump: 10 + stray(r, 3) + float64(r.Point.Number) + stray(r, 0.01)*float64(r.Point.Number)}
	}).findings()
	assert.Contains(t, text, "- mean jump: rises: 11.0 ± 5.9 → 12.0 ± 5.9.\n")
}

// With two parameters, each is looked at with the other held.
func TestTrendsOfTwoParameters(t *testing.T) {
	text := invent(t, lists(5, []string{"1,5", "3,3"}, 10, 5), func(r *Run, _ int) outcome {
		x := outcome{jump: stray(r, 0.01)}
		if r.Point.Rates == "3,3" && r.Point.Die == 5 {
			x.jump += 4
		}
		return x
	}).findings()
	for section, want := range map[string]string{
		"## Along rates: 1,5 → 3,3 (die 10)\n":     NoDifference,
		"## Along rates: 1,5 → 3,3 (die 5)\n":      "rises",
		"## Along die: 10 → 5 (rates 1,5)\n":       NoDifference,
		"## Along die: 10 → 5 (rates 3,3)\n":       "rises",
		"- The fastest rate is 5 → 1 times the sl": "",
	} {
		_, rest, ok := strings.Cut(text, section)
		require.True(t, ok, section)
		if want != "" {
			_, rest, _ = strings.Cut(rest, "- mean jump: ")
			assert.True(t, strings.HasPrefix(rest, want+": "), "%s: %.60s", section, rest)
		}
	}
}

func TestFindingsOfOneTrial(t *testing.T) {
	text := invent(t, lists(1, []string{"1,5"}, 10, 5), func(r *Run, id int) outcome { return outcome{jump: float64(id + r.Point.Die)} }).findings()
	assert.Contains(t, text, "There is only one run, and so no intervals")
	assert.Contains(t, text, "No class of machines is shown to jump more than all the others")
	assert.Contains(t, text, "one run, no interval")
	assert.Contains(t, text, "- mean jump: no difference shown by these runs: 10.50 → 5.50.")
	assert.NotContains(t, text, "by chance")
}

// A run that is not correct is named, and its figures are left out.
func TestFindingsOfBrokenRuns(t *testing.T) {
	m := invent(t, lists(5, []string{"1,5"}, 10), func(r *Run, _ int) outcome {
		if r.Trial == 2 {
			return outcome{jump: 1e6}
		}
		return outcome{jump: 3}
	})
	assert.Contains(t, m.findings(), "All 5 runs are correct: each was checked against its own logs, and every law holds for 1,000 events.")
	assert.Empty(t, m.report().NotCorrect())
	v := m.results[1].Stats.Verdict
	v.State, v.Broken = trace.Broken, map[trace.Law]uint64{trace.LawFIFO: 3}
	text := m.findings()
	assert.Contains(t, text, "4 of 5 runs passed the check against their own logs. The figures of the others are left out:\n"+
		"- p0001-t0002 is BROKEN: 3 violations among 200 events on 2 machines: fifo (3)\n")
	assert.Contains(t, text, "3 (rate 1)")
	assert.NotContains(t, text, "All 5 runs")
	assert.Equal(t, []string{"p0001-t0002 is BROKEN: 3 violations among 200 events on 2 machines: fifo (3)"}, m.report().NotCorrect())
	assert.Contains(t, string(m.report().Text(terminal.Screen{})), "\nruns   4 of 5 are correct; NOT: p0001-t0002 is BROKEN: ")
	assert.Contains(t, string(written(t, m.report().CSV)), "p0001-t0002,1,2,", "the table has them all")

	v.State, v.Broken = trace.Incomplete, nil
	assert.Contains(t, m.findings(), "- p0001-t0002 is incomplete: no law is broken by")
}

func TestFindingsOfFaults(t *testing.T) {
	g := lists(5, []string{"1,5"}, 10)
	g.Faults = []string{"", "at 1s kill 1 for 1s"}
	m := invent(t, g, func(*Run, int) outcome { return outcome{jump: 1} })
	for i, r := range m.results {
		if m.runs[i].Point.Faults != "" {
			r.Struck = map[string]int{"kill": 1, "cut": 2}
			r.Stats.Machines[1].Resumes = 1
		}
	}
	text := m.findings()
	assert.Contains(t, text, "- faults A: at 1s kill 1 for 1s\n")
	assert.Contains(t, text, "Faults struck 15 times in 5 runs: cut 10, kill 5. Machines recovered from their own logs 5 times.")
	assert.Contains(t, text, "Every run survived them: ")
	assert.Contains(t, text, "## With faults A, against none\n")
	m.results[1].Stats.Verdict.State = trace.Incomplete
	text = m.findings()
	assert.Contains(t, text, "Not every run survived them: of 5 runs with faults, 1 did not pass the check.")
	assert.NotContains(t, text, "Every run survived")
}

// Plans are held against the first, which is most often none.
func TestFaultsAgainstNone(t *testing.T) {
	g := lists(5, []string{"1,5"}, 10)
	g.Faults = []string{"", "at 1s kill 1 for 1s", "at 1s kill 0 for 1s"}
	text := invent(t, g, func(r *Run, _ int) outcome {
		x := float64(r.Point.Number)
		return outcome{jump: 5 + x + stray(r, 0.1)*x, drift: 5 - x + stray(r, 0.1)*x, growth: []float64{0, 2, 1, 2}[r.Point.Number] + stray(r, 0.1)*x}
	}).findings()
	assert.Contains(t, text, "## With faults A, B, against none\n")
	assert.Contains(t, text, "- mean jump: larger with A, larger with B: 6.00 ± 0.20 (none), 7.00 ± 0.39 (A), 8.00 ± 0.59 (B).\n")
	assert.Contains(t, text, "- mean drift: smaller with A, smaller with B: ")
	assert.Contains(t, text, "- growth of the queue, messages/s: smaller with A: 2.00 ")
	assert.Contains(t, text, "- gaps, % of the events: no difference shown by these runs: 0 (none), ")
}

func TestPace(t *testing.T) {
	m := invent(t, lists(2, []string{"1,5"}, 10), func(*Run, int) outcome { return outcome{} })
	assert.NotContains(t, m.findings(), "Pace", "nothing is timed in virtual time")
	late := func(rate clock.Rate, p99 time.Duration, missed uint64) summary.Machine {
		return summary.Machine{ID: 1, Rate: rate, Missed: missed, Lateness: summary.Lateness{Ticks: 100, P99: p99}}
	}
	for _, c := range []struct {
		machine  summary.Machine
		suffered int
	}{
		{late(5*clock.Hertz, 100*time.Millisecond, 0), 0}, // half a period
		{late(5*clock.Hertz, 101*time.Millisecond, 0), 1},
		{late(1000*clock.Hertz, 5*time.Millisecond, 0), 0}, // what is always tolerated
		{late(1000*clock.Hertz, 6*time.Millisecond, 0), 1},
		{late(5*clock.Hertz, 0, 1), 1},
		{late(clock.Unpaced, time.Hour, 0), 0},
		{summary.Machine{Rate: clock.Hertz}, 0}, // not timed
	} {
		r := &Result{Paces: Paces([]summary.Machine{c.machine})}
		assert.Equal(t, c.suffered, r.Suffered(), c.machine)
	}

	m.results[0].Paces = Paces([]summary.Machine{late(5*clock.Hertz, 30*time.Millisecond, 0), late(clock.Hertz, 31*time.Millisecond, 0)})
	assert.Contains(t, m.findings(), "- Pace: kept in every run; in the worst, 99 % of the ticks of a machine with rate 5 were at most 30.0 ms late.\n")
	m.results[1].Paces = Paces([]summary.Machine{late(5*clock.Hertz, 130*time.Millisecond, 7)})
	assert.Contains(t, m.findings(), "- Pace: SUFFERED in 1 run: p0001-t0002 (vm-1: p99 130 ms late, 7 ticks missed); fewer runs side by side or a quieter host would help.\n")
	rows := rowsOf(t, written(t, m.report().CSV))
	column := slices.Index(rows[0], "pace_kept")
	assert.Equal(t, []string{"true", "true", "true", "false"}, []string{rows[1][column], rows[2][column], rows[3][column], rows[4][column]})
}

// written returns what is written for a program.
func written(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, write(&b))
	return b.Bytes()
}

func rowsOf(t *testing.T, b []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	require.NoError(t, err)
	return rows
}

func TestCSV(t *testing.T) {
	m := invent(t, lists(2, []string{"1,5", "3,3"}, 10), func(r *Run, id int) outcome {
		return outcome{jump: 0.1 + float64(id), jumpMax: r.Trial}
	})
	rows := rowsOf(t, written(t, m.report().CSV))
	require.Len(t, rows, 1+2*2*2)
	column := make(map[string]int)
	for i, name := range rows[0] {
		_, twice := column[name]
		assert.False(t, twice, name)
		column[name] = i
	}
	last := rows[len(rows)-1]
	for name, want := range map[string]string{
		"run": "p0002-t0002", "point": "2", "trial": "2", "seed": fmt.Sprint(Seeds(7, 2)[1]), "virtual": "true", "rates": "3,3", "machines": "2", "die": "10",
		"latency": "1ms", "faults": "", "duration_s": "60", "verdict": "correct", "machine": "1", "rate": "3", "jump_mean": "1.1", "jump_max": "2",
	} {
		assert.Equal(t, want, last[column[name]], name)
	}
}

// The page is a function of the results: not of the order in which they came, nor of
// whether they came from a file.
func TestReportDoesNotDependOnTheOrder(t *testing.T) {
	m := invent(t, lists(5, []string{"1,5", "random"}, 10, 5), func(r *Run, id int) outcome {
		x := 1 / float64(3+r.Trial+id)
		return outcome{jump: x, drift: x * 7, growth: x / 9, predicted: x / 11, gaps: uint64(r.Trial)}
	})
	all := func(r *Report) string {
		return string(slices.Concat(r.Text(terminal.Screen{}), r.Markdown(), written(t, r.CSV), written(t, r.ClassesCSV), r.Findings()))
	}
	want := all(m.report())
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		r.Shuffle(len(m.results), func(i, j int) { m.results[i], m.results[j] = m.results[j], m.results[i] })
		for i, result := range m.results {
			b, err := json.Marshal(result)
			require.NoError(t, err)
			m.results[i] = new(Result)
			require.NoError(t, json.Unmarshal(b, m.results[i]))
		}
		require.Equal(t, want, all(m.report()))
	}
}

// Of a sweep that is not finished there is what there is.
func TestReportOfAPart(t *testing.T) {
	m := invent(t, lists(5, []string{"1,5"}, 10, 5), func(*Run, int) outcome { return outcome{jump: 1} })
	m.results = m.results[:3] // both points, and one once more
	text := m.findings()
	assert.Contains(t, text, "The sweep is incomplete: 3 of 10 runs are done.")
	assert.Contains(t, string(m.report().Text(terminal.Screen{})), "\nruns   3 of 10 are done; all 3 are correct")
	m.results = m.results[:1]
	text = m.findings()
	assert.Contains(t, text, "- The run is correct: it was checked against its own logs, and every law holds for 200 events.\n")
	assert.Contains(t, text, "## Point 2: die 5\n\n- No run is correct, so there is nothing to report.\n")
	m.results = nil
	assert.Contains(t, m.findings(), "0 of 10 runs are done")
	assert.Contains(t, string(m.report().Markdown()), "none of 10 is done")
}

// More rates than anyone reads are summed up as drawn ones are.
func TestManyRates(t *testing.T) {
	text := invent(t, lists(3, []string{"1,2,3,4,5,6,7"}, 10), func(*Run, int) outcome { return outcome{jump: 1} }).findings()
	assert.Contains(t, text, "(slowest), 1 (between), 1 (fastest)")
	assert.Contains(t, text, "**Queue of the machines between.**")
}

// A machine of which something is not known has no such figure, and no run without
// one stops the sweep from being summed up.
func TestFiguresThatAreNotKnown(t *testing.T) {
	m := invent(t, lists(2, []string{"1,5,4"}, 10), func(*Run, int) outcome { return outcome{jump: 2, drift: 3, growth: 1} })
	for i := range m.results[0].Stats.Machines {
		x := &m.results[0].Stats.Machines[i]
		x.Drift, x.Arrivals, x.QueueGrowth, x.Predicted, x.NotKnown = nil, nil, nil, nil, "its times are not"
	}
	assert.NotEmpty(t, m.findings())
	f := figuresOf([]*trace.MachineStats{&m.results[0].Stats.Machines[0]})
	for _, k := range []int{driftMean, growth, arrivals, growthPredicted, arrivalsPredicted} {
		assert.True(t, math.IsNaN(f.value[k]), allMeasures[k].name)
	}
	assert.InDelta(t, 2, f.value[jumpMean], 0)
}
