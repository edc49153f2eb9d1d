package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
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
	for _, name := range []string{sweep.CSVName, sweep.TableName, sweep.FindingsName, sweep.GridName} {
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
	assert.Equal(t, []string{"findings.md", "report.html", "runs", "sweep.csv", "sweep.json", "sweep.md"}, names(t, dir))

	// Each run is one like any other.
	runs := names(t, filepath.Join(dir, "runs"))
	require.Len(t, runs, 16)
	run := filepath.Join(dir, "runs", "p2-t2")
	assert.Subset(t, names(t, run), []string{"result.json", "run.json", "summary.json"})
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
	for _, name := range runs {
		assert.Contains(t, names(t, filepath.Join(dir, "runs", name)), "result.json", "of what was not finished nothing is left")
	}

	// A kill leaves runs that are not finished, and tables that are not right.
	require.NoError(t, os.Remove(filepath.Join(dir, "runs", runs[3], "result.json")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "runs", runs[3], "result.json.part"), []byte("{"), 0o666))
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
	assert.Equal(t, []string{"runs", "sweep.json"}, names(t, dir))
}

// A run that is not correct by its logs is named, and so is the way to look at it.
func TestSweepWithABrokenRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	args := []string{"sweep", "--virtual", "--duration", "5s", "--trials", "3", "--seed", "1", "--out", dir, "--quiet"}
	code, _, talk := inProcess(args...)
	require.Zero(t, code, talk)
	change(t, filepath.Join(dir, "runs", "p1-t2", "result.json"), `"state": "correct"`, `"state": "incomplete", "open": ["something"]`)
	code, out, talk := inProcess(args...)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "\nruns   2 of 3 are correct; NOT: p1-t2 is incomplete: no law is broken")
	assert.Equal(t, "launcher: not correct: p1-t2 is incomplete: no law is broken by 50 events on 3 machines, but not all can be said; "+
		"\"launcher check "+filepath.Join(dir, "runs", "p1-t2")+"\" shows where\n", talk)

	change(t, filepath.Join(dir, "runs", "p1-t2", "result.json"), `"trial": 2`, `"trial": 3`)
	code, _, talk = inProcess(args...)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "result.json: the result of another run than p1-t2 (remove the file to do the run again)\n")
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
		{`--machines 501: want at most 500; a sweep checks every run, and reads all logs of one at once`, []string{"--machines", "501"}},
		{`--trials 0: want at least 1, and 5 for intervals that say something`, []string{"--trials", "0"}},
		{`1 point with 1000000 trials each: want at most 100000 runs`, []string{"--trials", "1000000"}},
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
