package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
)

// damaged is the run of docs/log-format.md, with one thing changed in a log.
func damaged(t *testing.T, log, old, fresh string) string {
	dir := smallRun(t)
	change(t, filepath.Join(dir, log), old, fresh)
	return dir
}

const goodVerdict = "correct: all laws hold for 15 events on 2 machines; 5 messages sent = 4 received + 1 pending\n"

func TestCheckOfACorrectRun(t *testing.T) {
	dir := smallRun(t)
	for _, flags := range [][]string{nil, {"--all"}, {"--allow-incomplete"}, {"--format", "text"}} {
		code, out, errs := inProcess(append(append([]string{"check"}, flags...), dir)...)
		assert.Zero(t, code)
		assert.Equal(t, dir+": "+goodVerdict, out)
		assert.Empty(t, errs)
	}
}

func TestCheckOfABrokenRun(t *testing.T) {
	dir := damaged(t, "vm_1_2.log", "internal: step=5 clock=5", "internal: step=5 clock=6")
	log := filepath.Join(dir, "vm_1_2.log")
	for _, flag := range []string{"--all", "--all=false", "--allow-incomplete"} { // which excuses nothing
		code, out, errs := inProcess("check", flag, dir)
		assert.Equal(t, 1, code)
		assert.Empty(t, errs)
		assert.Equal(t, log+`:6: increment: clock 6 after clock 4, expected 5
    `+log+`:6: 2026-11-22T17:13:42.566788Z [INFO]  vm-1: internal: step=5 clock=6 queue=0
    `+log+`:5: 2026-11-22T17:13:42.066787Z [INFO]  vm-1: internal: step=4 clock=4 queue=0

`+log+`:7: receive: clock 6, expected max(previous 6, sent 5) + 1 = 7
    `+log+`:7: 2026-11-22T17:13:43.066789Z [INFO]  vm-1: receive: step=6 clock=6 queue=0 from=0 seq=1 sent=5
    `+log+`:6: 2026-11-22T17:13:42.566788Z [INFO]  vm-1: internal: step=5 clock=6 queue=0

`+dir+`: BROKEN: 2 violations among 15 events on 2 machines: increment (1), receive (1)
`, out)
	}
}

// Of each law only the first violation is shown, and --all shows the rest.
func TestCheckAll(t *testing.T) {
	dir := damaged(t, "vm_1_2.log", "internal: step=5 ", "internal: step=4 ")
	code, out, _ := inProcess("check", dir)
	assert.Equal(t, 1, code)
	assert.Equal(t, 1, strings.Count(out, ": step: "))
	assert.True(t, strings.HasSuffix(out, dir+`: BROKEN: 2 violations among 15 events on 2 machines: step (2)
  shown: 1 of 2, the first of each law; --all shows more
`), out)
	code, out, _ = inProcess("check", "--all", dir)
	assert.Equal(t, 1, code)
	assert.Equal(t, 2, strings.Count(out, ": step: "))
	assert.True(t, strings.HasSuffix(out, ": step (2)\n"), out)
}

func TestCheckOfAnIncompleteRun(t *testing.T) {
	dir := smallRun(t)
	log := filepath.Join(dir, "vm_0_1.log")
	content, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(log, content[:len(content)-1], 0o666))
	want := dir + `: incomplete: no law is broken by 15 events on 2 machines, but not all can be said
  ` + log + `:7: the last line is torn: what machine 0 did after step 5 is not known
  whether messages were lost can be said for 0 of 2 links, those between machines that stopped
`
	code, out, errs := inProcess("check", dir)
	assert.Equal(t, 1, code)
	assert.Equal(t, want, out)
	assert.Empty(t, errs)
	code, out, _ = inProcess("check", "--allow-incomplete", dir)
	assert.Zero(t, code)
	assert.Equal(t, want, out)
}

func TestCheckAsJSON(t *testing.T) {
	good, broken := smallRun(t), damaged(t, "vm_1_2.log", "sent=5", "sent=4")
	code, out, errs := inProcess("check", "--format", "json", good, broken)
	assert.Equal(t, 1, code)
	assert.Empty(t, errs)
	lines := strings.SplitAfter(out, "\n")
	require.Len(t, lines, 3, "one object a line")

	var first, second struct {
		Dir string
		trace.Verdict
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &second))
	assert.Equal(t, good, first.Dir)
	assert.Equal(t, trace.Verdict{State: trace.Correct, Machines: 2, Events: 15, Sent: 5, Received: 4, Pending: 1}, first.Verdict)
	assert.Equal(t, broken, second.Dir)
	assert.Equal(t, trace.Verdict{
		State: trace.Broken, Machines: 2, Events: 15, Sent: 5, Received: 4, Pending: 1,
		Broken: map[trace.Law]uint64{trace.LawMatch: 1},
		Violations: []trace.Violation{{
			Law: trace.LawMatch, What: "the receive says sent=4, but this message was sent at clock 5",
			Events: []trace.Ref{
				{File: filepath.Join(broken, "vm_1_2.log"), Line: 7, Text: "2026-11-22T17:13:43.066789Z [INFO]  vm-1: receive: step=6 clock=6 queue=0 from=0 seq=1 sent=4"},
				{File: filepath.Join(broken, "vm_0_1.log"), Line: 4, Text: "2026-11-22T17:13:43.066670Z [INFO]  vm-0: send: step=3 clock=5 queue=0 to=1:1"},
			},
		}},
	}, second.Verdict)
}

// Each of several runs has its line, in order, and a table counts them.
func TestCheckOfSeveralRuns(t *testing.T) {
	good, broken := smallRun(t), damaged(t, "vm_1_2.log", "sent=5", "sent=4")
	unreadable, missing := damaged(t, "vm_1_2.log", "send: ", "sent: "), filepath.Join(good, "missing")
	lines := map[string]string{
		good:       goodVerdict,
		broken:     "BROKEN: 1 violation among 15 events on 2 machines: match (1)\n",
		unreadable: "unreadable: vm_1_2.log:4: expected \"start: \", \"internal: \", \"send: \", \"receive: \", \"pause: \", \"resume: \", \"stop: \" or \"offset: \", found \"sent: step=3 clock=3 queue=0 to=0:1\"\n",
		missing:    "unreadable: cannot be read: no such file or directory; want the directory of a run\n",
	}
	for _, c := range []struct {
		dirs  []string
		code  int
		table string
	}{
		{[]string{good, good}, 0, `
            runs  events  sent  received  violations
────────────────────────────────────────────────────
correct        2      30    10         8           0
incomplete     0       0     0         0           0
broken         0       0     0         0           0
unreadable     0       -     -         -           -
────────────────────────────────────────────────────
all            2      30    10         8           0
`},
		{[]string{unreadable, broken, good, missing}, 2, `
            runs  events  sent  received  violations
────────────────────────────────────────────────────
correct        1      15     5         4           0
incomplete     0       0     0         0           0
broken         1      15     5         4           1
unreadable     2       -     -         -           -
────────────────────────────────────────────────────
all            4      30    10         8           1
broken: ` + broken + `
unreadable: ` + unreadable + ", " + missing + "\n"},
		{[]string{broken, good}, 1, ""},
	} {
		code, out, errs := inProcess(append([]string{"check"}, c.dirs...)...)
		assert.Equal(t, c.code, code, c.dirs)
		assert.Empty(t, errs)
		want := ""
		for _, dir := range c.dirs {
			want += dir + ": " + lines[dir]
		}
		assert.True(t, strings.HasPrefix(out, want+c.table), out)

		code, out, errs = inProcess(append([]string{"check", "--format", "json"}, c.dirs...)...)
		assert.Equal(t, c.code, code)
		assert.Empty(t, errs)
		objects := strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
		require.Len(t, objects, len(c.dirs))
		for i, dir := range c.dirs {
			var o struct{ Dir, State, Error string }
			require.NoError(t, json.Unmarshal([]byte(objects[i]), &o))
			assert.Equal(t, dir, o.Dir)
			state, _, _ := strings.Cut(lines[dir], ":")
			assert.Equal(t, strings.ToLower(state), o.State)
			assert.Equal(t, state == "unreadable", o.Error != "")
		}
	}
	code, out, _ := inProcess("check", "--all", good, broken)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "vm_1_2.log:7: match: the receive says sent=4, but this message was sent at clock 5\n", "--all shows what is wrong")

	code, out, _ = inProcess("check", "--format", "csv", good, broken, missing)
	assert.Equal(t, 2, code)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	for i, dir := range []string{"run", good, broken, missing} {
		assert.Equal(t, dir, rows[i][0])
	}
	assert.Equal(t, []string{"correct", "2", "15", "5", "4", "1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", ""}, rows[1][1:])
	assert.Equal(t, "law_match", rows[0][14])
	assert.Equal(t, "1", rows[2][14])
	assert.Equal(t, broken+"/vm_1_2.log:7: match: the receive says sent=4, but this message was sent at clock 5", rows[2][19])
	assert.Equal(t, missing+" cannot be read: no such file or directory; want the directory of a run", rows[3][19])
}

// Runs are found in directories of directories, each once, whatever links lead where.
func TestRunsInDirectories(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"b", "a/x", "a/y"} {
		require.NoError(t, os.MkdirAll(filepath.Join(parent, filepath.Dir(name)), 0o777))
		require.NoError(t, os.Rename(smallRun(t), filepath.Join(parent, name)))
	}
	change(t, filepath.Join(parent, "a/y/vm_1_2.log"), "sent=5", "sent=4")
	require.NoError(t, os.Symlink("b", filepath.Join(parent, "aa")))
	require.NoError(t, os.Symlink("..", filepath.Join(parent, "a", "loop")))
	code, out, errs := inProcess("check", "-r", parent)
	assert.Equal(t, 1, code)
	assert.Empty(t, errs)
	names := regexp.MustCompile(`(?m)^(.*): (correct|BROKEN): `).FindAllStringSubmatch(out, -1)
	require.Len(t, names, 3)
	for i, name := range []string{"a/x", "a/y", "b"} {
		assert.Equal(t, filepath.Join(parent, name), names[i][1])
	}

	code, out, errs = inProcess("stats", "--recursive", parent)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "a law is broken")
	out = strings.ReplaceAll(out, parent, "runs")
	assert.Contains(t, out, "\nruns/a/x  correct ")
	assert.Contains(t, out, "\nruns/a/y  broken ")
	assert.Contains(t, out, "\nOf the machines of a run, the largest. Over the 2 runs that break no law:\n")
	assert.Regexp(t, `(?m)^smallest .*\nmedian .*\nlargest .*$`, out)
	assert.Contains(t, out, "\nall            3 ")

	code, out, _ = inProcess("stats", "-r", "--format", "csv", parent)
	assert.Equal(t, 1, code)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+3*2, "a row for each machine of each run")
	assert.Equal(t, []string{"run", "state", "machine", "rate"}, rows[0][:4])
	assert.Equal(t, []string{filepath.Join(parent, "b"), "correct", "1", "2"}, rows[6][:4])

	code, _, errs = inProcess("check", filepath.Join(parent, "aa"), filepath.Join(parent, "b"))
	assert.Zero(t, code)
	assert.Equal(t, fmt.Sprintf("%s/aa is %s/b, which counts once\n", parent, parent), errs)

	code, _, errs = inProcess("check", "-r", t.TempDir())
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, ": there is no run: want a directory with event logs")
}

func TestCheckUsage(t *testing.T) {
	good := smallRun(t)
	file := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.WriteFile(file, []byte("buy milk\n"), 0o666))
	nameless := t.TempDir()
	directory := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(directory, "vm_0_1.log"), 0o777))
	unreadable := damaged(t, "vm_1_2.log", "send: step=9", "sent: step=9")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing":                {nil, "check: which run? Name its directory, for example runs/latest"},
		"a flag without a value": {[]string{good, "--format"}, "flag needs an argument: -format"},
		"an unknown flag":        {[]string{"--every", good}, `every; "launcher check --help" lists the flags`},
		"an unknown format":      {[]string{"--format", "xml", good}, `--format "xml": want text, csv or json`},
		"a missing directory":    {[]string{nameless + "/x"}, nameless + "/x cannot be read: no such file or directory; want the directory of a run"},
		"a file":                 {[]string{file}, file + ": no line of an event log in 1 line: want what machines wrote, their logs or the output of vm --log-to stdout"},
		"no logs":                {[]string{nameless}, nameless + " holds no event log (vm_<id>_<rate>.log): want the directory of a run"},
		"a directory as a log":   {[]string{directory}, directory + "/vm_0_1.log: expected an event log, found no regular file"},
		"a log that is not one":  {[]string{unreadable}, unreadable + `/vm_1_2.log:10: expected "start: ", "internal: ", "send: ", "receive: ", "pause: ", "resume: ", "stop: " or "offset: ", found "sent: step=9 clock=9 queue=0 to=0:2"`},
		"an empty directory too": {[]string{""}, `cannot be read: no such file or directory; want the directory of a run`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "csv", "json"} {
				args := append([]string{"check", "--format", format}, c.args...)
				code, out, errs := inProcess(args...)
				assert.Equal(t, 2, code)
				assert.Empty(t, out)
				assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
				assert.True(t, strings.HasPrefix(errs, "launcher: "), errs)
				assert.Contains(t, errs, c.want)
			}
		})
	}
}

// A log that may not be read is no empty one.
func TestCheckOfALogThatMayNotBeRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := smallRun(t)
	log := filepath.Join(dir, "vm_0_1.log")
	require.NoError(t, os.Chmod(log, 0))
	code, out, errs := inProcess("check", dir)
	assert.Equal(t, 2, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, log+": permission denied")
}

// A figure of a run is written where it is asked for, and of one run only.
func TestStatsPlot(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	code, _, talk := inProcess("sim", "--duration", "10s", "--seed", "1", "--out", dir, "--quiet")
	require.Zero(t, code, talk)
	figure := filepath.Join(t.TempDir(), "run.svg")
	code, out, talk := inProcess("stats", "--plot", figure, dir)
	require.Zero(t, code, talk)
	assert.Contains(t, out, "What this shows")
	svg := readText(t, figure)
	assert.Contains(t, svg, "Drift behind the largest clock")
	code, _, _ = inProcess("stats", "--plot", figure, dir)
	require.Zero(t, code)
	assert.Equal(t, svg, readText(t, figure), "the same bytes")

	code, _, talk = inProcess("stats", "--plot", figure, dir, dir)
	assert.Equal(t, 2, code)
	assert.Equal(t, "launcher: --plot with several runs: a figure is of one\n", talk)
	code, _, talk = inProcess("stats", "--plot", filepath.Join(dir, "vm_0_1.log"), dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, talk, "is a file of the run itself")
}
