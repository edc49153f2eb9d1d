package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

// A run in virtual time leaves what a run of processes leaves, and the commands
// that read runs take it.
func TestSim(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	code, out, talk := inProcess("sim", "--seed", "42", "--out", dir)
	require.Zero(t, code, talk)
	assert.Contains(t, out, "all accounted for")
	assert.Contains(t, talk, "run sim in virtual time: 3 machines, rates 1,5,4, die 10, seed 42, latency 1ms, 1m; logs in "+dir)

	code, out, _ = inProcess("check", dir)
	assert.Zero(t, code)
	assert.Contains(t, out, "correct: all laws hold for 600 events on 3 machines")
	code, out, _ = inProcess("stats", dir)
	assert.Zero(t, code)
	assert.Contains(t, out, "its queue should grow by 0.50/s")
	code, out, _ = inProcess("order", dir)
	assert.Zero(t, code)
	assert.Contains(t, out, "2000-01-01T00:00:00.200000Z")

	r, err := rundir.ReadRecord(dir)
	require.NoError(t, err)
	assert.EqualValues(t, 42, r.Seed)
	assert.Equal(t, time.Minute, r.Duration)
	assert.Equal(t, &experiment.Virtual{Latency: experiment.Constant(time.Millisecond)}, r.Virtual)

	b, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	require.NoError(t, err)
	var machines []summary.Machine
	require.NoError(t, json.Unmarshal(b, &machines))
	again, err := json.MarshalIndent(machines, "", "  ")
	require.NoError(t, err)
	assert.Equal(t, string(again)+"\n", string(b), "the bytes that run would write")
}

func TestSimTwice(t *testing.T) {
	t.Parallel()
	dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	for i, dir := range dirs {
		code, _, talk := inProcess("sim", "--seed", "7", "--machines", "20", "--rates", "lognormal:3,0.5", "--latency", "exp:50ms",
			"--phase", "random", "--faults", "random kill every 5s for 1s; at 3s reset *", "--workers", []string{"1", "2"}[i], "--out", dir)
		require.Zero(t, code, talk)
		code, out, _ := inProcess("check", dir)
		require.Zero(t, code, out)
	}
	names, err := filepath.Glob(filepath.Join(dirs[0], "*.log"))
	require.NoError(t, err)
	require.Len(t, names, 20)
	for _, name := range names {
		a, err := os.ReadFile(name)
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(dirs[1], filepath.Base(name)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b), name)
	}
}

func TestSimWithoutLogs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	code, out, talk := inProcess("sim", "--machines", "20000", "--duration", "2s", "--logs=false")
	require.Zero(t, code, talk)
	assert.Contains(t, out, "20,000 machines")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestSimUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{`--machines 0: want 1 to 134217728`, []string{"--machines", "0"}},
		{`--machines 20000: at most 10000 can have logs, and more with --logs=false`, []string{"--machines", "20000"}},
		{`--die 0: a die has at least 1 face`, []string{"--die", "0"}},
		{`--duration -1s: a duration cannot be negative`, []string{"--duration", "-1s"}},
		{`--phase "late": want together or random`, []string{"--phase", "late"}},
		{`--latency "uniform:5ms,1ms": 5ms is above 1ms; want "1ms", "uniform:1ms,5ms", "exp:2ms" (the mean) or "lognormal:2ms,0.5" (the median and the sigma)`, []string{"--latency", "uniform:5ms,1ms"}},
		{`--rates: "zipf:1,2": there is no "zipf"; want "uniform:1,6" or "lognormal:3,0.5" (the median and the sigma)`, []string{"--rates", "zipf:1,2"}},
		{`--rates: machine 0 has the rate max: virtual time has no fastest rate, so want up to 1000000 ticks per second`, []string{"--rates", "max"}},
		{`--workers 0: want at least 1`, []string{"--workers", "0"}},
		{`--out is empty: want the name of a directory`, []string{"--out", ""}},
		{`--faults: line 1, column 13: there is no machine 3: the run has machines 0 to 2`, []string{"--faults", "at 10s kill 3 for 2s"}},
		{`--faults: line 1, column 1: "at 1m30s kill 1 for 2s" cannot be over by the end of the run, after 1m`, []string{"--faults", "at 90s kill 1 for 2s"}},
		{`unexpected argument "fast": everything is said by flags; "launcher sim --help" lists them`, []string{"fast"}},
		{`--bug is for a hunt: want --hunt NUMBER as well`, []string{"--bug", "two-sends"}},
		{`--bug: there is no mistake "typo": want stamp-early, no-plus-one, two-sends, lost-on-reset`, []string{"--hunt", "5", "--bug", "typo"}},
		{`--rates with --hunt: a hunt draws its runs itself, from --seed`, []string{"--hunt", "5", "--rates", "1"}},
	} {
		code, out, errs := inProcess(append([]string{"sim"}, c.flags...)...)
		assert.Equal(t, 2, code, c.flags)
		assert.Empty(t, out)
		assert.Equal(t, "launcher: "+c.want+"\n", errs)
	}
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestSimIsInterrupted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	code := executeAlone(ctx, []string{"launcher", "sim", "--duration", "0", "--seed", "1", "--out", dir}, &out, &errs)
	assert.Equal(t, 130, code, errs.String())
	code, text, _ := inProcess("check", dir)
	assert.Zero(t, code, text)
}

func TestHunt(t *testing.T) {
	t.Parallel()
	code, out, _ := inProcess("sim", "--hunt", "50", "--seed", "1")
	assert.Zero(t, code)
	assert.Contains(t, out, "no law is broken in 50 runs with seed 1")
	dir := filepath.Join(t.TempDir(), "found")
	code, out, _ = inProcess("sim", "--hunt", "50", "--seed", "1", "--bug", "stamp-early", "--out", dir)
	assert.Equal(t, 1, code)
	assert.Regexp(t, `(?m)^run 1 breaks a law, found in .*:\n`+regexp.QuoteMeta(dir)+`/vm_.*: match: the receive says sent=`, out)
	assert.Contains(t, out, "again: launcher sim --hunt 1 --seed 1 --bug stamp-early\nkept:  "+dir+"\nshow:  launcher check --all "+dir+"\n")

	// What was found stays, and is shown by what shows any run.
	code, out, _ = inProcess("check", dir)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, ": match: the receive says sent=")
	code, out, _ = inProcess("diagram", dir)
	assert.Zero(t, code)
	assert.Contains(t, out, "<svg")
	code, out, errs := inProcess("sim", "--hunt", "1", "--out", dir)
	assert.Equal(t, 2, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, " of an earlier run, which is not overwritten: choose another --out")
}

// Without --out, what is found stands beside other runs; what breaks no law leaves nothing.
func TestHuntKeepsWhatItFinds(t *testing.T) {
	t.Chdir(t.TempDir())
	code, _, _ := inProcess("sim", "--hunt", "3", "--seed", "1")
	assert.Zero(t, code)
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Empty(t, left)
	code, out, _ := inProcess("sim", "--hunt", "3", "--seed", "1", "--bug", "no-plus-one")
	assert.Equal(t, 1, code)
	kept, err := filepath.Glob("runs/hunt-*/run.json")
	require.NoError(t, err)
	require.Len(t, kept, 1)
	assert.Contains(t, out, "\nkept:  "+filepath.Dir(kept[0])+"\n")
}

// Of many machines the summary has classes, which stats reads; each one's figures are
// written where they are asked for.
func TestSimOfManyMachines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	each := filepath.Join(t.TempDir(), "each.csv")
	args := []string{"sim", "--machines", "3000", "--duration", "5s", "--seed", "1", "--logs=false", "--out", dir}
	code, out, talk := inProcess(append(args, "--per-machine", each)...)
	require.Zero(t, code, talk)
	assert.Contains(t, out, "3,000 machines: ")
	assert.Contains(t, talk, "stats "+dir)
	assert.Equal(t, 3001, strings.Count(readText(t, each), "\n"))
	assert.Less(t, len(readText(t, dir, "summary.json")), 20_000)

	code, out, talk = inProcess("stats", dir)
	require.Zero(t, code, talk)
	assert.Contains(t, strings.Join(strings.Fields(out), " "), "on 3,000 machines in 5.00 s. There are no logs, so nothing was checked against the laws. ")
	assert.Contains(t, out, "Machines by drift at the end, % of them")
	code, out, _ = inProcess("stats", "--format", "csv", dir)
	require.Zero(t, code)
	assert.Equal(t, 7, strings.Count(out, "\n"), "a class for each rate")

	code, _, talk = inProcess("check", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "holds no event log")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "summary.json"), []byte("{}"), 0o666))
	code, _, talk = inProcess("stats", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "summary.json: not the summary of a run: 0 classes: want 1 to 12\n")
	require.NoError(t, os.Remove(filepath.Join(dir, "summary.json")))
	code, _, talk = inProcess("stats", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "holds no event log")

	code, _, talk = inProcess(append(args, "--per-machine", filepath.Join(dir, "nowhere", "x"))...)
	assert.NotZero(t, code, talk)
}
