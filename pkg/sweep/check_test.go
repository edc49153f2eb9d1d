package sweep

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// various is a grid with runs of many kinds, and all that a grid can have.
func various() *Grid {
	g := grid()
	g.Rates, g.Machines, g.Die = []string{"1,5,4", "uniform:1,9", "0.1"}, []int{3}, []int{10, 1, 4}
	g.Latency, g.Phase, g.Duration = []string{"0s", "exp:2s"}, "random", 20*time.Second
	g.Faults = []string{"", "random kill every 5s for 1s; at 3s reset *", "at 5s partition 0 | 1,2 for 9s", "at 2s pause 1 for 17s"}
	g.Trials, g.Seeds = 1, Seeds(7, 1)
	return g
}

// What a sweep has written is read back, whatever the run was.
func TestResultsOfRunsPass(t *testing.T) {
	g := various()
	require.NoError(t, g.Check())
	runs, err := g.Runs()
	require.NoError(t, err)
	states := make(map[trace.State]int)
	for i := range runs {
		run := &runs[i]
		result := simulate(t, t.TempDir(), run)
		states[result.Stats.Verdict.State]++
		b, err := json.MarshalIndent(result, "", "  ")
		require.NoError(t, err)
		require.Less(t, int64(len(b)), maxResult(len(run.Rates)))
		back, err := readResult(b, run)
		require.NoError(t, err, "%s: %+v", run.Name, run.Point)
		require.Equal(t, result, back)
	}
	require.Positive(t, states[trace.Correct])
}

// Each figure is held against another, or against the grid.
func TestForgedResults(t *testing.T) {
	g := various()
	runs, err := g.Runs()
	require.NoError(t, err)
	run := &runs[0]
	require.Equal(t, []clock.Rate{clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz}, run.Rates)
	good := simulate(t, t.TempDir(), run)
	b, err := json.Marshal(good)
	require.NoError(t, err)

	machine := func(change func(*trace.MachineStats)) func(*Result) {
		return func(r *Result) { change(&r.Stats.Machines[1]) }
	}
	verdict := func(change func(*trace.Verdict)) func(*Result) {
		return func(r *Result) { change(r.Stats.Verdict) }
	}
	for i, c := range []struct {
		want   string
		change func(*Result)
	}{
		{"another run", func(r *Result) { r.Format = 1 }},
		{"another run", func(r *Result) { r.Name = "p1-t2" }},
		{"another run", func(r *Result) { r.Name = "\x1b[2J" }},
		{"another run", func(r *Result) { r.Point = 2 }},
		{"another run", func(r *Result) { r.Trial = 0 }},
		{"another run", func(r *Result) { r.Seed++ }},
		{"another run", func(r *Result) { r.Stats = nil }},
		{"another run", func(r *Result) { r.Stats.Verdict = nil }},
		{"0 machines: want 3", func(r *Result) { r.Stats.Machines = nil }},
		{"1 machine: want 3", func(r *Result) { r.Stats.Machines = r.Stats.Machines[:1] }},
		{"4 machines: want at most 3", func(r *Result) { r.Stats.Machines = append(r.Stats.Machines, trace.MachineStats{}) }},
		{"machine -7 stands in the place of machine 1", machine(func(m *trace.MachineStats) { m.ID = -7 })},
		{"stands in the place of machine 1", machine(func(m *trace.MachineStats) { m.Summary.ID = 2 })},
		{"rate 7: want 5", machine(func(m *trace.MachineStats) {
			m.Summary.Rate = 7 * clock.Hertz
			e := m.Summary.RateError()
			m.RateError = &e
		})},
		{"sum of internal", machine(func(m *trace.MachineStats) { m.Summary.Steps++ })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Summary.Receives -= 1 << 63; m.Summary.Sends -= 1 << 63 })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Summary.Steps = math.MaxUint64 })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Summary.Queue = -1 })},
		{"out of its range", machine(func(m *trace.MachineStats) { *m.QueueGrowth = math.MaxFloat64 })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Predicted.Takes = -1e300 })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Resumes = -1 })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.JumpHistogram[0] = math.MaxUint64 - 3 })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.JumpHistogram = make([]uint64, 100_000) })},
		{"jumps do not add up", machine(func(m *trace.MachineStats) { m.JumpHistogram[0]++ })},
		{"jumps do not add up", machine(func(m *trace.MachineStats) { m.Summary.Gaps++ })},
		{"jumps do not fit", machine(func(m *trace.MachineStats) { m.Jumps.Mean *= 2 })},
		{"jumps do not", machine(func(m *trace.MachineStats) { m.Jumps.Max++ })},
		{"sent so many", machine(func(m *trace.MachineStats) { m.Summary.Sent = 2*m.Summary.Sends + 1 })},
		{"quantile", machine(func(m *trace.MachineStats) { m.Drift.P99 = m.Drift.Max + 1 })},
		{"quantile", machine(func(m *trace.MachineStats) { m.Drift.Mean = -1 })},
		{"final drift", machine(func(m *trace.MachineStats) { *m.FinalDrift++ })},
		{"final drift", machine(func(m *trace.MachineStats) { m.FinalDrift = nil })},
		{"mean queue", machine(func(m *trace.MachineStats) { m.Summary.MeanQueue = 1e9 })},
		{"late", machine(func(m *trace.MachineStats) { m.Summary.Lateness.Late = m.Summary.Lateness.Ticks + 1 })},
		{"rate is not", machine(func(m *trace.MachineStats) { m.AchievedRate = nil })},
		{"rate is not", machine(func(m *trace.MachineStats) { x := 1e9; m.RateError = &x })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Summary.Undelivered = map[int]uint64{-1: 1} })},
		{"out of its range", machine(func(m *trace.MachineStats) { m.Summary.Pending = map[int]uint64{3: 1} })},
		{`verdict "": want`, verdict(func(v *trace.Verdict) { v.State = "" })},
		{`verdict "\x1b[2J": want`, verdict(func(v *trace.Verdict) { v.State = "\x1b[2J" })},
		{"called correct", verdict(func(v *trace.Verdict) { v.Broken = map[trace.Law]uint64{trace.LawFIFO: 1} })},
		{"called correct", verdict(func(v *trace.Verdict) { v.Open = []string{"something"} })},
		{"called correct", verdict(func(v *trace.Verdict) { v.Unmatched = 1 })},
		{"called incomplete", verdict(func(v *trace.Verdict) { v.State = trace.Incomplete })},
		{"called broken", verdict(func(v *trace.Verdict) { v.State = trace.Broken })},
		{"no such law", verdict(func(v *trace.Verdict) { v.State, v.Broken = trace.Broken, map[trace.Law]uint64{"gravity": 1} })},
		{"no such law", verdict(func(v *trace.Verdict) { v.State, v.Broken = trace.Broken, map[trace.Law]uint64{trace.LawRun: 0} })},
		{"violations: want at most", verdict(func(v *trace.Verdict) { v.Violations = make([]trace.Violation, 100) })},
		{"verdict on 2 machines", verdict(func(v *trace.Verdict) { v.Machines = 2 })},
		{"events are not", verdict(func(v *trace.Verdict) { v.Events++ })},
		{"events are not", func(r *Result) { r.Stats.Events++ }},
		{"messages are not", verdict(func(v *trace.Verdict) { v.Sent++ })},
		{"messages are not", verdict(func(v *trace.Verdict) { v.Pending++ })},
		{"do not add up", verdict(func(v *trace.Verdict) { v.Undelivered = math.MaxUint64 })},
		{"die 9: want 10", func(r *Result) { r.Stats.Die = 9 }},
		{"more pairs", func(r *Result) { r.Stats.Concurrency.Ordered = math.MaxUint64 }},
		{"pace in virtual time", func(r *Result) { r.Paces = []Pace{{0, clock.Hertz, 1, 0}} }},
		{"paces: want at most 3", func(r *Result) { r.Paces = make([]Pace, 4) }},
		{"other faults", func(r *Result) { r.Struck = map[string]int{"\x1b[31mmeteor": 1} }},
	} {
		var forged Result
		require.NoError(t, json.Unmarshal(b, &forged))
		c.change(&forged)
		text, err := json.Marshal(&forged)
		require.NoError(t, err)
		_, err = readResult(text, run)
		assert.ErrorContains(t, err, c.want, "case %d", i)
	}
	_, err = readResult(b, run)
	require.NoError(t, err)

	// Of a run that breaks a law the figures can be anything: it is named, and left out.
	var broken Result
	require.NoError(t, json.Unmarshal(b, &broken))
	broken.Stats.Verdict.State, broken.Stats.Verdict.Broken = trace.Broken, map[trace.Law]uint64{trace.LawIncrement: 1}
	broken.Stats.Machines[1].Summary.MaxJump = math.MaxUint64
	text, err := json.Marshal(&broken)
	require.NoError(t, err)
	_, err = readResult(text, run)
	require.NoError(t, err)
}

// The machines of processes are timed.
func TestForgedPaces(t *testing.T) {
	run := &Run{Spec: experiment.Spec{Rates: []clock.Rate{clock.Hertz, 5 * clock.Hertz}}}
	check := func(paces ...Pace) error { return (&Result{Paces: paces}).checkPaces(run) }
	require.NoError(t, check())
	require.NoError(t, check(Pace{1, 5 * clock.Hertz, time.Second, 9}))
	for _, bad := range [][]Pace{
		{{-1, clock.Hertz, 0, 0}}, {{2, clock.Hertz, 0, 0}}, {{0, clock.Hertz, 0, 0}, {0, clock.Hertz, 0, 0}},
		{{1, clock.Hertz, 0, 0}}, {{0, clock.Hertz, -1, 0}}, {{0, clock.Hertz, 0, math.MaxUint64}},
	} {
		assert.Error(t, check(bad...), "%v", bad)
	}
}

// A few bytes of a file take no more memory than a few bytes do.
func TestManyMachinesInASmallFile(t *testing.T) {
	run := &Run{Spec: experiment.Spec{Rates: make([]clock.Rate, 3)}}
	text := []byte(`{"stats":{"machines":[` + strings.TrimSuffix(strings.Repeat("{},", 300_000), ",") + `]}}`)
	require.Less(t, int64(len(text)), maxResult(3))
	_, err := readResult(text, run)
	require.EqualError(t, err, "300,000 machines: want at most 3")
	for _, text := range []string{`{"stats":` + strings.Repeat("[", 1<<19), "null", "7", "", `{"stats":7}`} {
		_, err := readResult([]byte(text), run)
		require.Error(t, err)
	}
}

// A correct result has the logs that it is from.
func TestResultWithoutLogs(t *testing.T) {
	d, err := Open(t.TempDir(), grid())
	require.NoError(t, err)
	defer func() { _ = d.Close() }()
	runs, err := grid().Runs()
	require.NoError(t, err)
	run := &runs[0]
	require.NoError(t, d.Save(simulate(t, d.RunDir(run), run)))
	_, err = saved(d, runs, run)
	require.NoError(t, err)
	log := filepath.Join(d.RunDir(run), logging.FileName(1, run.Rates[1]))
	for _, damage := range []func() error{
		func() error { return os.Truncate(log, 0) },
		func() error { return os.Remove(log) },
		func() error { return os.Mkdir(log, 0o777) },
	} {
		require.NoError(t, damage())
		_, err = saved(d, runs, run)
		require.ErrorContains(t, err, "not the result of p0001-t0001: the log vm_1_5.log that it is from")
		require.ErrorContains(t, err, "(remove the line to do the run again)")
	}
}

// What is read as a grid is what a sweep writes down.
func TestForgedGrids(t *testing.T) {
	path := t.TempDir()
	name := filepath.Join(path, GridName)
	for i, c := range []struct {
		want   string
		change func(*Grid)
	}{
		{"seeds: they are not those", func(g *Grid) { g.Seeds[1]++ }},
		{"seeds: they are not those", func(g *Grid) { g.Seeds = nil }},
		{"seeds: they are not those", func(g *Grid) { g.Seed++ }},
		{"trials -1: want at least 1", func(g *Grid) { g.Trials = -1 }},
		{"want at most 100,000 runs", func(g *Grid) { g.Trials = math.MaxInt }},
		{"there is nothing to vary", func(g *Grid) { g.Rates = nil }},
		{"machines -3: want at least 1", func(g *Grid) { g.Machines = []int{-3} }},
		{"machines 134217728: want at most 500; a run with logs is checked", func(g *Grid) { g.Machines, g.Rates = []int{1 << 27}, []string{"1"} }},
		{`rates "1"`, func(g *Grid) { g.Machines, g.Rates = []int{1}, []string{"1", "1"} }},
		{"machines 2,2: a number is there twice", func(g *Grid) { g.Machines = []int{2, 2} }},
		{"die 3,5,3: a number is there twice", func(g *Grid) { g.Die = []int{3, 5, 3} }},
		{"die -5", func(g *Grid) { g.Die = []int{-5} }},
		{"duration -1s", func(g *Grid) { g.Duration = -time.Second }},
		{"duration", func(g *Grid) { g.Duration = math.MaxInt64 }},
		{"faults", func(g *Grid) { g.Faults = []string{"at 1s kill 1 for 1s # \x1b[2J"} }},
		{"faults", func(g *Grid) { g.Faults = []string{"at 1s kill 1 for 1s\nat 2s kill 1 for 1s"} }},
		{"faults", func(g *Grid) { g.Faults = []string{"", ""} }},
		{"version of 65537 bytes", func(g *Grid) { g.Version = strings.Repeat("v", 1<<16+1) }},
		{"in virtual time there are no ports", func(g *Grid) { g.Ports = "1,2" }},
		{"latency and phase are for virtual time", func(g *Grid) { g.Virtual = false }},
		{"ports", func(g *Grid) { g.Ports = "`\n```" }},
	} {
		g := grid()
		c.change(g)
		b, err := json.Marshal(g)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, b, 0o666))
		_, err = ReadGrid(path)
		require.ErrorContains(t, err, name+": not the grid of a sweep: ", "case %d", i)
		assert.ErrorContains(t, err, c.want, "case %d", i)
	}
	require.NoError(t, os.WriteFile(name, []byte(`{"format": 3, "version": "\u001b[2J`+strings.Repeat("v", 1<<20)+`"}`), 0o666))
	_, err := ReadGrid(path)
	require.ErrorContains(t, err, `format 3 of another release (\x1b[2Jvvv`)
	require.Less(t, len(err.Error()), 1000)
	require.NoError(t, os.Truncate(name, MaxGrid+1))
	_, err = ReadGrid(path)
	require.ErrorContains(t, err, fmt.Sprintf("want at most %d bytes", MaxGrid))
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.Mkdir(name, 0o777))
	_, err = ReadGrid(path)
	require.ErrorContains(t, err, "not a regular file")
	_, err = Open(path, grid())
	require.ErrorContains(t, err, "not a regular file")
}

func TestOnePlan(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"none":                                "",
		"# nothing\n\n;":                      "",
		"at 1s kill 1 for 1s":                 "at 1s kill 1 for 1s",
		"at 1s\tkill  1 for 1s; # why\r\n\nb": "at 1s kill 1 for 1s; b",
	} {
		assert.Equal(t, want, OnePlan(text))
		assert.Equal(t, want, OnePlan(want))
	}
}

// Wherever the links in a sweep's directory lead, nothing is written or removed there.
func TestNothingOutsideIsTouched(t *testing.T) {
	outside := t.TempDir()
	precious := filepath.Join(outside, "p0001-t0001", "vm_0_1.log")
	require.NoError(t, os.Mkdir(filepath.Dir(precious), 0o777))
	untouched := func(path string) func() {
		require.NoError(t, os.WriteFile(path, []byte("precious"), 0o666))
		return func() {
			t.Helper()
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, "precious", string(b))
			for dir, want := range map[string]string{outside: "p0001-t0001", filepath.Dir(path): "vm_0_1.log"} {
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Len(t, entries, 1)
				assert.Equal(t, want, entries[0].Name())
			}
		}
	}(precious)
	link := func(target, name string) {
		if err := os.Symlink(target, name); err != nil {
			t.Skip("no links can be made here")
		}
	}
	runs, err := grid().Runs()
	require.NoError(t, err)
	run := &runs[0]
	require.Equal(t, "p0001-t0001", run.Name)

	// All of the runs are elsewhere.
	path := t.TempDir()
	d, err := Open(path, grid())
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.NoError(t, os.Remove(filepath.Join(path, RunsName)))
	link(outside, filepath.Join(path, RunsName))
	_, err = Open(path, grid())
	require.ErrorContains(t, err, RunsName)
	untouched()

	// They are in the sweep's directory, but under another name.
	path = t.TempDir()
	d, err = Open(path, grid())
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.NoError(t, os.Rename(filepath.Join(path, RunsName), filepath.Join(path, "others")))
	link("others", filepath.Join(path, RunsName))
	_, err = Open(path, grid())
	require.ErrorContains(t, err, "is no directory of the sweep's own")

	// They are put elsewhere while the sweep goes on.
	path = t.TempDir()
	d, err = Open(path, grid())
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(path, RunsName)))
	link(outside, filepath.Join(path, RunsName))
	require.Error(t, d.Clear(run))
	require.Error(t, d.Prepare(run))
	require.NoError(t, d.Close())
	untouched()

	// One run is elsewhere.
	path = t.TempDir()
	d, err = Open(path, grid())
	require.NoError(t, err)
	defer func() { _ = d.Close() }()
	link(filepath.Dir(precious), d.RunDir(run))
	require.ErrorContains(t, d.hasLogs(run), "escapes")
	untouched()
	require.NoError(t, d.Clear(run))
	untouched()
	assert.NoDirExists(t, d.RunDir(run))

	// A file is elsewhere, or what becomes one.
	for _, name := range []string{CSVName, CSVName + ".part"} {
		link(precious, filepath.Join(path, name))
		require.NoError(t, d.Write(CSVName, func(w io.Writer) error {
			_, err := io.WriteString(w, "new")
			return err
		}))
		untouched()
		require.NoError(t, os.Remove(filepath.Join(path, CSVName)))
	}

	// The results would be.
	for _, target := range []string{precious, GridName} {
		path = t.TempDir()
		d, err = Open(path, grid())
		require.NoError(t, err)
		require.NoError(t, d.Close())
		require.NoError(t, os.Remove(filepath.Join(path, ResultsName)))
		link(target, filepath.Join(path, ResultsName))
		_, err = Open(path, grid())
		require.ErrorContains(t, err, "not a regular file")
		untouched()
	}

	// The grid would be.
	path = t.TempDir()
	require.NoError(t, os.WriteFile(precious, nil, 0o666)) // as if it were about to be written
	link(precious, filepath.Join(path, GridName))
	_, err = Open(path, grid())
	require.Error(t, err)
	b, err := os.ReadFile(precious)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(nil, b))
}
