package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/sweep"
)

// small is a sweep in virtual time with faults and rates that are drawn.
var small = []string{"sweep", "--virtual", "--rates", "1,5,4;uniform:1,6", "--die", "10,4", "--latency", "exp:200ms",
	"--faults", "none", "--faults", "at 2s kill 1 for 1s; random partition every 5s for 500ms", "--duration", "10s", "--trials", "2", "--seed", "3"}

func sweepFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, name := range []string{sweep.CSVName, sweep.ClassesName, sweep.FigureName, sweep.TableName, sweep.FindingsName, sweep.GridName} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		files[name] = string(b)
	}
	return files
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	code, out, talk := inProcess(append(small, "--out", dir)...)
	require.Zero(t, code, talk)
	assert.Contains(t, talk, "sweep of 16 runs of 10s in virtual time: 8 points × 2 trials, seed 3; in "+dir+"\n")
	assert.Contains(t, talk, "(16 of 16)\nwhat this shows: "+filepath.Join(dir, "findings.md")+"\n")
	assert.Contains(t, out, "\nruns   all 16 are correct: every law holds for ")
	assert.Equal(t, []string{"classes.csv", "findings.md", "report.html", "results.jsonl", "runs", "sweep.csv", "sweep.json", "sweep.md", "sweep.svg"}, names(t, dir))

	// Each run is one like any other.
	runs := names(t, filepath.Join(dir, "runs"))
	require.Len(t, runs, 16)
	run := filepath.Join(dir, "runs", "p0002-t0002")
	assert.Subset(t, names(t, run), []string{"run.json", "summary.json"})
	for _, args := range [][]string{{"check", run}, {"stats", run}, {"diagram", run}, {"export", "--format", "csv", run}, {"order", run}} {
		code, _, errs := inProcess(args...)
		assert.Zero(t, code, errs)
	}

	// The same in other words: the command that the findings name, on more cores.
	files := sweepFiles(t, dir)
	found := regexp.MustCompile("(?m)^launcher (sweep .*)$").FindStringSubmatch(files[sweep.FindingsName])
	require.NotNil(t, found)
	other := filepath.Join(t.TempDir(), "again")
	code, again, talk := inProcess(append(words(found[1]), "--out", other, "--jobs", "7", "--quiet")...)
	require.Zero(t, code, talk)
	assert.Empty(t, talk)
	assert.Equal(t, out, again)
	assert.Equal(t, files, sweepFiles(t, other))
}

// words splits a command line as a shell does, as far as it has single quotes only.
func words(line string) (list []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		list = append(list, m[1]+m[2])
	}
	return list
}

// counter ends a context after so many lines.
type counter struct {
	bytes.Buffer
	left   int
	cancel context.CancelFunc
}

func (c *counter) Write(p []byte) (int, error) {
	if c.left -= bytes.Count(p, []byte("\n")); c.left <= 0 {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

// A sweep that is stopped keeps what is done, and what goes on comes to the same as
// one that was never stopped.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "whole")
	code, want, talk := inProcess(append(small, "--out", whole)...)
	require.Zero(t, code, talk)

	dir := filepath.Join(t.TempDir(), "parts")
	ctx, cancel := context.WithCancel(context.Background())
	errs := &counter{left: 8, cancel: cancel}
	var out bytes.Buffer
	code = executeAlone(ctx, append(append([]string{"launcher"}, small...), "--jobs", "2", "--out", dir), &out, errs)
	assert.Equal(t, 130, code)
	assert.Contains(t, errs.String(), "stopped; to go on: launcher sweep --out "+dir+"\n")
	assert.Regexp(t, `\nruns   ([789]|1[0-5]) of 16 are done; all`, out.String())
	assert.Contains(t, readText(t, dir, "findings.md"), "The sweep is incomplete: ")
	runs := names(t, filepath.Join(dir, "runs"))
	require.Less(t, len(runs), 16)
	results := readText(t, dir, sweep.ResultsName)
	assert.Equal(t, len(runs), strings.Count(results, "\n"))
	for _, name := range runs {
		assert.Contains(t, results, `"`+name+`"`, "of what was not finished nothing is left")
	}

	// A kill leaves runs that are not finished, and tables that are not right.
	lines := strings.SplitAfter(results, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, `"`+runs[3]+`"`) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, sweep.ResultsName), []byte(strings.Join(lines, "")+`{"format":2,"na`), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, sweep.CSVName), []byte("run,poi"), 0o666))

	code, got, talk := inProcess("sweep", "--out", dir)
	require.Zero(t, code, talk)
	assert.Regexp(t, `^sweep of 16 runs of 10s in virtual time, ([6789]|1[0-4]) of them done already: `, talk)
	assert.Equal(t, want, got)
	assert.Equal(t, sweepFiles(t, whole), sweepFiles(t, dir))
	assert.Equal(t, names(t, filepath.Join(whole, "runs", runs[3])), names(t, filepath.Join(dir, "runs", runs[3])))

	// With nothing left to do, it says the same again, with the seed or without.
	code, got, _ = inProcess(append(small[:len(small)-2:len(small)-2], "--out", dir)...)
	assert.Zero(t, code)
	assert.Equal(t, want, got)

	code, got, talk = inProcess("sweep", "--virtual", "--trials", "2", "--out", dir)
	assert.Equal(t, 2, code)
	assert.Empty(t, got)
	assert.Equal(t, "launcher: "+dir+" holds another sweep (other rates, die, latency, faults, duration): "+
		"choose another --out, or leave all flags but --out away to go on with it\n", talk)
}

func readText(t *testing.T, elements ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elements...))
	require.NoError(t, err)
	return string(b)
}

func TestSweepIsStoppedBeforeItBegins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := filepath.Join(t.TempDir(), "sweep")
	var out, errs bytes.Buffer
	assert.Equal(t, 130, executeAlone(ctx, append(append([]string{"launcher"}, small...), "--out", dir), &out, &errs))
	assert.Empty(t, out.String())
	assert.Equal(t, []string{"results.jsonl", "runs", "sweep.json"}, names(t, dir))
}

// A run that is not correct by its logs is named, and so is the way to look at it.
func TestSweepWithABrokenRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	args := []string{"sweep", "--virtual", "--duration", "5s", "--trials", "3", "--seed", "1", "--out", dir, "--quiet"}
	code, _, talk := inProcess(args...)
	require.Zero(t, code, talk)
	results := filepath.Join(dir, sweep.ResultsName)
	before, after, _ := strings.Cut(readText(t, results), `"p0001-t0002"`) // in the order in which they were done
	after = strings.Replace(after, `"state":"correct"`, `"state":"incomplete","open":["something"]`, 1)
	require.NoError(t, os.WriteFile(results, []byte(before+`"p0001-t0002"`+after), 0o666))
	code, out, talk := inProcess(args...)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "\nruns   2 of 3 are correct; NOT: p0001-t0002 is incomplete: no law is broken")
	assert.Equal(t, "launcher: not correct: p0001-t0002 is incomplete: no law is broken by 50 events on 3 machines, but not all can be said; "+
		"\"launcher check "+filepath.Join(dir, "runs", "p0001-t0002")+"\" shows where\n", talk)

	change(t, results, `"trial":2`, `"trial":1`)
	code, _, talk = inProcess(args...)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "not the result of p0001-t0002: the result of another run (remove the line to do the run again)\n")
}

func TestSweepUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("plan", []byte("at 1s kill 9 for 1s\n"), 0o666))
	require.NoError(t, os.Mkdir("full", 0o777))
	require.NoError(t, os.WriteFile("full/thesis", nil, 0o666))
	before := names(t, ".")
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{`--rates: 2 rates for 3 machines: give one each, one for all, or random`, []string{"--rates", "1,5", "--machines", "3"}},
		{`--rates "1,5;;2": a value is empty; want values with ; between them, such as '1,5,4;random'`, []string{"--rates", "1,5;;2"}},
		{`--rates "": a value is empty; want values with ; between them, such as '1,5,4;random'`, []string{"--rates", ""}},
		{`--rates "1,5; 1,5": 1,5 is given twice`, []string{"--rates", "1,5; 1,5"}},
		{`--rates: rate "0": must be above 0`, []string{"--rates", "1,5;0,1"}},
		{`--rates: "zipf:1,2": there is no "zipf"; want "uniform:1,6" or "lognormal:3,0.5" (the median and the sigma)`, []string{"--rates", "zipf:1,2"}},
		{`--rates: machine 0 has the rate max: virtual time has no fastest rate, so want up to 1000000 ticks per second`, []string{"--rates", "max"}},
		{`--die "0": want whole numbers above 0 with commas between them, such as 10,5,3`, []string{"--die", "0"}},
		{`--die "10;5": want whole numbers above 0 with commas between them, such as 10,5,3`, []string{"--die", "10;5"}},
		{`--die "10,10": 10 is given twice`, []string{"--die", "10,10"}},
		{`--machines "three": want whole numbers above 0 with commas between them, such as 3,10,100`, []string{"--machines", "three"}},
		{`--machines 501: want at most 500; a run with logs is checked, and all its logs are read at once; with --virtual and --logs=false more`, []string{"--machines", "501"}},
		{`--trials 0: want at least 1, and 5 for intervals that say something`, []string{"--trials", "0"}},
		{`1 point with 1,000,000 trials each: want at most 100,000 runs`, []string{"--trials", "1000000"}},
		{`--duration 0s: each run of a sweep needs an end, so want more than 0`, []string{"--duration", "0"}},
		{`--duration -5s: each run of a sweep needs an end, so want more than 0`, []string{"--duration", "-5s"}},
		{`--seed "lucky": want a whole number from 0 to 18446744073709551615`, []string{"--seed", "lucky"}},
		{`--ports with --virtual: in virtual time there are none`, []string{"--ports", "2050,3050,4050"}},
		{`--latency "slow": "slow" is not a duration; want "1ms", "uniform:1ms,5ms", "exp:2ms" (the mean) or "lognormal:2ms,0.5" (the median and the sigma)`, []string{"--latency", "1ms;slow"}},
		{`--phase "late": want together or random`, []string{"--phase", "late"}},
		{`--faults: line 1, column 12: there is no machine 9: the run has machines 0 to 2`, []string{"--faults", "plan"}},
		{`--faults: "none" is given twice`, []string{"--faults", "none", "--faults", ""}},
		{`--faults: line 1, column 1: "at 58s kill 1 for 5s" cannot be over by the end of the run, after 1m`, []string{"--faults", "at 58s kill 1 for 5s"}},
		{`--jobs 0: want at least 1`, []string{"--jobs", "0"}},
		{`--out is empty: want the name of a directory`, []string{"--out", ""}},
		{`full holds something other than a sweep: choose another --out`, []string{"--out", "full"}},
		{`the sweep's directory plan cannot be written: not a directory (choose another --out)`, []string{"--out", "plan"}},
		{`unexpected argument "fast": everything is said by flags; "launcher sweep --help" lists them`, []string{"fast"}},
		{`unknown flag -bogus; "launcher sweep --help" lists the flags`, []string{"--bogus"}},
	} {
		code, out, errs := inProcess(append([]string{"sweep", "--virtual"}, c.flags...)...)
		assert.Equal(t, 2, code, c.flags)
		assert.Empty(t, out)
		assert.Equal(t, "launcher: "+c.want+"\n", errs)
	}
	assert.Equal(t, before, names(t, "."), "nothing is left behind")
}

// Exit code 0 although nobody reads the tables: they are in the directory.
func TestSweepWithoutAReader(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	dir := filepath.Join(t.TempDir(), "sweep")
	var errs strings.Builder
	assert.Zero(t, executeAlone(context.Background(), []string{"launcher", "sweep", "--virtual", "--duration", "2s", "--trials", "2", "--seed", "1", "--quiet", "--out", dir}, w, &errs))
	assert.Empty(t, errs.String())
	require.NoError(t, w.Close())
	assert.Contains(t, names(t, dir), "findings.md")
}

// A machine that is alone is not compared with itself.
func TestSweepOfOneMachine(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	code, out, talk := inProcess("sweep", "--virtual", "--machines", "1", "--duration", "5s", "--trials", "2", "--seed", "1", "--out", dir)
	require.Zero(t, code, talk)
	assert.Contains(t, out, "all alike")
	for _, text := range []string{out, sweepFiles(t, dir)[sweep.FindingsName]} {
		assert.NotContains(t, text, "slowest")
		assert.NotContains(t, text, "fastest")
	}
}

// Without logs a sweep has one file of results, and its figures are those with logs, to
// the last digit: faults, drawn rates and latencies included.
func TestSweepWithoutLogs(t *testing.T) {
	t.Parallel()
	with, without := filepath.Join(t.TempDir(), "sweep"), filepath.Join(t.TempDir(), "sweep")
	code, want, talk := inProcess(append(small, "--quiet", "--out", with)...)
	require.Zero(t, code, talk)
	code, got, talk := inProcess(append(small, "--logs=false", "--out", without)...)
	require.Zero(t, code, talk)
	assert.Contains(t, talk, "sweep of 16 runs of 10s in virtual time, without logs: ")
	assert.Equal(t, want, got)
	assert.NotContains(t, talk, "cannot be read", "runs without logs have no pages")
	assert.Equal(t, []string{"classes.csv", "findings.md", "report.html", "results.jsonl", "sweep.csv", "sweep.json", "sweep.md", "sweep.svg"}, names(t, without))
	files, others := sweepFiles(t, with), sweepFiles(t, without)
	for _, name := range []string{sweep.CSVName, sweep.ClassesName, sweep.FigureName} {
		assert.Equal(t, files[name], others[name])
	}
	for _, name := range []string{sweep.TableName, sweep.FindingsName} {
		assert.Equal(t, files[name], strings.ReplaceAll(others[name], " --logs=false", ""))
	}
	// Nothing is done again, and the logs are not asked for.
	code, got, talk = inProcess("sweep", "--out", without)
	assert.Zero(t, code)
	assert.Contains(t, talk, "16 of them done already")
	assert.Equal(t, want, got)
}

// More trials are added to a sweep that is done, whose first runs are not done again; it
// comes to what a sweep with so many trials comes to.
func TestSweepIsExtended(t *testing.T) {
	t.Parallel()
	args := []string{"sweep", "--virtual", "--rates", "1,5,4;uniform:1,6", "--machines", "3", "--duration", "5s", "--seed", "3", "--logs=false"}
	dir, whole := filepath.Join(t.TempDir(), "sweep"), filepath.Join(t.TempDir(), "sweep")
	code, _, talk := inProcess(append(args, "--trials", "2", "--out", dir)...)
	require.Zero(t, code, talk)
	first := readText(t, dir, sweep.ResultsName)
	for trials, done := range map[string]string{"3": "4", "12": "[46]"} {
		code, _, talk = inProcess("sweep", "--trials", trials, "--out", dir)
		if code == 2 { // it has 12 already
			assert.Contains(t, talk, "holds another sweep (other trials)")
			continue
		}
		require.Zero(t, code, talk)
		assert.Regexp(t, ", without logs, "+done+" of them done already", talk)
	}
	assert.True(t, strings.HasPrefix(readText(t, dir, sweep.ResultsName), first))
	code, _, talk = inProcess(append(args, "--trials", "12", "--out", whole)...)
	require.Zero(t, code, talk)
	assert.Equal(t, sweepFiles(t, whole), sweepFiles(t, dir))
	// On many cores they come in any order, and are named in that of the runs.
	var order []string
	for _, m := range regexp.MustCompile(`(?m)^(p\d+-t\d+)  correct`).FindAllStringSubmatch(talk, -1) {
		order = append(order, m[1][6:]+m[1][:5])
	}
	assert.Len(t, order, 24)
	assert.True(t, slices.IsSorted(order), order)

	code, _, talk = inProcess("sweep", "--trials", "0", "--out", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "--trials 0: want at least 1")
}

// Runs of more machines than can have logs are summed up by class, beside those that are
// checked.
func TestSweepOfManyMachines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	args := []string{"sweep", "--virtual", "--machines", "20,2000", "--rates", "1-6;uniform:1,6", "--duration", "20s", "--trials", "3", "--seed", "1", "--logs=false"}
	code, out, talk := inProcess(append(args, "--out", dir)...)
	require.Zero(t, code, talk)
	assert.Contains(t, talk, "\np0002-t0001  not checked: ")
	assert.Contains(t, strings.Join(strings.Fields(out), " "), "6 runs of more than 500 machines not checked against the laws; all 6 are correct")
	assert.Contains(t, out, "Machines by drift at the end, % of them")
	files := sweepFiles(t, dir)
	assert.Contains(t, files[sweep.FindingsName], "6 runs had more than 500 machines")
	assert.Contains(t, files[sweep.FindingsName], "**Drift** behind the largest clock at the end, on average: ")
	assert.NotContains(t, files[sweep.FindingsName], "NaN")
	assert.NotContains(t, files[sweep.TableName], "NaN")
	assert.Equal(t, 1+2*3*20, strings.Count(files[sweep.CSVName], "\n"), "no row for each of thousands")
	// Of a small run the slowest, those between, the fastest and all; of a large one six
	// rates or twelve ranges, and all.
	assert.Equal(t, 1+2*3*4+3*7+3*13, strings.Count(files[sweep.ClassesName], "\n"))
	assert.Regexp(t, `(?m)^p0002-t0003,2,3,\d+,true,1-6,2000,10,1ms,,20,unchecked,rate 6,6,6,\d+,0,`, files[sweep.ClassesName])

	code, again, talk := inProcess("sweep", "--out", dir)
	assert.Zero(t, code, talk)
	assert.Equal(t, out, again, "what is read back says the same")
	assert.Equal(t, files, sweepFiles(t, dir))
}
