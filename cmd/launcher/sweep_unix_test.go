//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Processes give runs like any others, and what they took is seen.
func TestSweepOfProcesses(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "sweep", "--rates", "10,50,40;30,30", "--trials", "2", "--duration", "500ms", "--seed", "4", "--out", "sweep").start()
	require.Equal(t, "0", p.wait())
	assert.Contains(t, p.errors.String(), "sweep of 4 runs of 500ms as processes: 2 points × 2 trials, seed 4; in sweep\n")
	assert.Contains(t, p.out.String(), "\nruns   all 4 are correct: every law holds for ")
	assert.Regexp(t, `\npace   (kept in every run|SUFFERED in \d runs?: )`, p.out.String())
	dir := filepath.Join(p.cmd.Dir, "sweep")
	runs := files(t, filepath.Join(dir, "runs"))
	require.Equal(t, []string{"p0001-t0001", "p0001-t0002", "p0002-t0001", "p0002-t0002"}, runs)
	for _, name := range runs {
		requireCorrect(t, filepath.Join(dir, "runs", name))
		requireAllTicks(t, filepath.Join(dir, "runs", name), 500*time.Millisecond)
	}
	assert.Equal(t, recordOf(t, filepath.Join(dir, "runs", "p0001-t0002")).Seed, recordOf(t, filepath.Join(dir, "runs", "p0002-t0002")).Seed)
	again := regexp.MustCompile("(?m)^launcher (sweep .*)$").FindStringSubmatch(readFile(t, filepath.Join(dir, "findings.md")))
	require.NotNil(t, again)
	assert.Equal(t, "sweep --rates '10,50,40;30,30' --die 10 --duration 500ms --trials 2 --seed 4", again[1])
}

// Faults strike processes as they do in virtual time, and are survived.
func TestSweepOfProcessesWithFaults(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "sweep", "--rates", "20,50,40", "--trials", "1", "--duration", "2s", "--seed", "4", "--out", "sweep",
		"--faults", "at 500ms kill 1 for 200ms; at 1s partition 0 | 1,2 for 300ms", "--quiet").start()
	require.Equal(t, "0", p.wait())
	assert.Empty(t, p.errors.String())
	findings := readFile(t, filepath.Join(p.cmd.Dir, "sweep", "findings.md"))
	assert.Contains(t, findings, "Faults struck 2 times in 1 run: kill 1, partition 1. Machines recovered from their own logs 1 time.")
	assert.Contains(t, findings, "Every run survived them")
	assert.NotContains(t, findings, "Pace", "a machine that is down keeps none")
}

// Ctrl-C stops the runs under way and leaves only those that are done; the
// second start does the others.
func TestSweepOfProcessesIsStopped(t *testing.T) {
	t.Parallel()
	args := []string{"sweep", "--rates", "20,30", "--trials", "4", "--duration", "1s", "--seed", "4", "--out", "sweep", "--jobs", "1"}
	p := launcher(t, t.TempDir(), args...).start()
	dir := filepath.Join(p.cmd.Dir, "sweep", "runs")
	eventually(t, func() bool { return strings.Contains(p.errors.String(), "(1 of 4)") }, "the first run is done")
	waitForEvents(t, filepath.Join(dir, "p0001-t0002"), 2, 3)
	p.signal(syscall.SIGINT)
	require.Equal(t, "130", p.wait())
	done := files(t, dir)
	assert.Regexp(t, fmt.Sprintf(`\nruns   %d of 4 (is|are) done; `, len(done)), p.out.String())
	assert.Equal(t, []string{"p0001-t0001", "p0001-t0002", "p0001-t0003", "p0001-t0004"}[:len(done)], done)
	results := filepath.Join(p.cmd.Dir, "sweep", "results.jsonl")
	first := readFile(t, results)

	p = launcher(t, p.cmd.Dir, "sweep", "--out", "sweep").start()
	require.Equal(t, "0", p.wait())
	assert.Contains(t, p.errors.String(), fmt.Sprintf("sweep of 4 runs of 1s as processes, %d of them done already: 1 point × 4 trials, seed 4; in sweep\n", len(done)))
	assert.Equal(t, []string{"p0001-t0001", "p0001-t0002", "p0001-t0003", "p0001-t0004"}, files(t, dir))
	assert.True(t, strings.HasPrefix(readFile(t, results), first), "what was done was not done again")
	assert.Contains(t, p.out.String(), "\nruns   all 4 are correct")
}

// Of processes too only figures are kept, if nobody wants more.
func TestSweepOfProcessesWithoutLogs(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "sweep", "--rates", "20,50", "--trials", "2", "--duration", "300ms", "--seed", "4", "--logs=false", "--out", "sweep").start()
	require.Equal(t, "0", p.wait())
	assert.Contains(t, p.out.String(), "\nruns   all 2 are correct")
	assert.Empty(t, files(t, filepath.Join(p.cmd.Dir, "sweep", "runs")))
	p = launcher(t, p.cmd.Dir, "sweep", "--out", "sweep").start()
	require.Equal(t, "0", p.wait())
	assert.Contains(t, p.errors.String(), "2 of them done already")
}

// A second process in one directory is refused, and the first is none the worse
// for it. A second Ctrl-C ends the processes at once.
func TestSweepIsAlone(t *testing.T) {
	t.Parallel()
	args := []string{"sweep", "--rates", "20,30", "--trials", "2", "--duration", "5m", "--seed", "4", "--out", "sweep"}
	p := launcher(t, t.TempDir(), args...).start()
	waitForEvents(t, filepath.Join(p.cmd.Dir, "sweep", "runs", "p0001-t0001"), 2, 3)
	second := launcher(t, p.cmd.Dir, args...).start()
	assert.Equal(t, "2", second.wait())
	assert.Equal(t, "launcher: sweep: another process is at work on this sweep\n", second.errors.String())
	p.signal(syscall.SIGINT)
	p.signal(syscall.SIGINT)
	require.Equal(t, "130", p.wait())
	assert.Empty(t, p.out.String())
}

// A run that cannot be done ends the sweep with a line that names it.
func TestSweepOfProcessesFails(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "sweep", "--vm", "true", "--trials", "2", "--jobs", "1", "--duration", "1s", "--out", "sweep", "--quiet").start()
	assert.Equal(t, "3", p.wait())
	assert.Empty(t, p.out.String())
	assert.Regexp(t, `^launcher: p0001-t0001: machine \d died: exit status 0 before its first report \(is \S*true the vm program of this release\?\)\n$`, p.errors.String())
	for _, c := range []struct {
		args, want string
	}{
		{"--vm /nowhere/vm", `the vm program "/nowhere/vm" cannot be run: no such file or directory (choose another --vm, or leave it out to take the one beside this program)`},
		{"--latency 1ms", `--latency is for --virtual: between processes messages take what they take (a fault plan can delay them)`},
		{"--phase random", `--phase is for --virtual: processes start together`},
		{"--ports 2050,3050", `--ports: 2 ports for 3 machines: give one each, or --ports auto`},
		{"--ports 2050,3050,2050", `--ports: machines 0 and 2 have one port, 2050: give each its own, or --ports auto`},
		{"--ports 2050,3050,4050 --jobs 2", `--jobs 2 with --ports: only one run at a time can have the ports`},
		{"--rates uniform:1,x", `--rates: "uniform:1,x": rate "x": want a number of ticks per second such as 5 or 0.25, or "max"; want "uniform:1,6" or "lognormal:3,0.5" (the median and the sigma)`},
	} {
		requireRefused(t, launcher(t, t.TempDir(), append([]string{"sweep"}, strings.Fields(c.args)...)...), c.want)
	}
}

// The numbers of docs/laboratory.md are those that its commands give, and each number
// in its sentences is one of them.
func TestLaboratoryPage(t *testing.T) {
	t.Parallel()
	page, rest, ok := strings.Cut(readFile(t, "../../docs/laboratory.md"), "## Real processes\n")
	require.True(t, ok)
	examples := regexp.MustCompile("(?s)```(sh|text)\n(.*?)```\n").FindAllStringSubmatch(page, -1)
	all, last := "", ""
	commands, excerpts := 0, 0
	dir := t.TempDir()
	for _, example := range examples {
		if example[1] == "text" {
			rest := last
			for line := range strings.Lines(example[2]) {
				_, after, found := strings.Cut(rest, "\n"+line)
				assert.True(t, found, "%s, in this order, is not in\n%s", line, last)
				if found {
					rest = "\n" + after
				}
				excerpts++
			}
			continue
		}
		command := strings.Fields(example[2])
		path, err := filepath.Abs(filepath.Join("..", "..", command[0]))
		require.NoError(t, err)
		p := prepare(t, dir, path, command[1:]...)
		// Nobody looks at the pages of all these runs here, which take most of the time.
		p.cmd.Env = append(p.cmd.Env, "BIN="+bin, "LAUNCHER_REPORT=false")
		p.start()
		require.Equal(t, "0", p.wait())
		last = "\n" + p.out.String() + "\n" + readFile(t, filepath.Join(dir, command[len(command)-1], "findings.md"))
		all += last
		commands++
	}
	assert.Equal(t, 6, commands)
	assert.Greater(t, excerpts, 40)
	for _, interval := range regexp.MustCompile(`-?[\d.]+ ± <?[\d.]*\d`).FindAllString(page, -1) {
		assert.Contains(t, all, interval)
	}

	_, own, ok := strings.Cut(rest, "```sh\nbin/launcher ")
	require.True(t, ok)
	own, _, _ = strings.Cut(own, "\n")
	code, _, talk := inProcess(append(words(own), "--virtual", "--duration", "1s", "--out", filepath.Join(dir, "own"))...)
	require.Zero(t, code, talk)
	header, _, _ := strings.Cut(readFile(t, filepath.Join(dir, "own", "sweep.csv")), "\n")
	for _, name := range []string{"rates", "die", "rate", "drift_final"} {
		assert.Contains(t, strings.Split(header, ","), name)
	}
}

// The commands of docs/sweeps.md are understood, and the columns are those that it lists.
func TestSweepsPage(t *testing.T) {
	t.Parallel()
	page := readFile(t, "../../docs/sweeps.md")
	commands := regexp.MustCompile(`(?m)^launcher (sweep .*?) *(?:#.*)?$`).FindAllStringSubmatch(page, -1)
	require.Len(t, commands, 9)
	dir := t.TempDir()
	for i, command := range commands[:3] {
		code, out, talk := inProcess(append(words(command[1]), "--virtual", "--duration", "30s", "--trials", "1", "--quiet", "--out", filepath.Join(dir, strconv.Itoa(i)))...)
		require.Zero(t, code, talk)
		assert.Contains(t, out, " are correct: ")
	}
	header, _, _ := strings.Cut(readFile(t, filepath.Join(dir, "0", "sweep.csv")), "\n")
	_, table, ok := strings.Cut(page, "| column | meaning |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	var columns []string
	for _, row := range strings.Split(table, "\n") {
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			columns = append(columns, m[1])
		}
	}
	assert.True(t, strings.HasPrefix(header, strings.Join(columns, ",")+","), "%s\n%s", header, columns)
}
