//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

func TestDefaultCluster(t *testing.T) {
	for _, port := range []int{2050, 3050, 4050} {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Skipf("another program of this host has one of the default ports: %v", err)
		}
		_ = ln.Close()
	}
	dir := t.TempDir()
	p := launcher(t, dir, "--duration", "2s").start()
	require.Equal(t, "0", p.wait())

	latest, err := os.Readlink(filepath.Join(dir, "runs", "latest"))
	require.NoError(t, err)
	assert.Equal(t, []string{latest, "latest"}, files(t, filepath.Join(dir, "runs")))
	run := filepath.Join(dir, "runs", "latest")
	assert.Equal(t, []string{
		"report.html", "run.json", "summary.json", "summary.txt",
		"vm_0.stderr", "vm_0_1.links", "vm_0_1.log",
		"vm_1.stderr", "vm_1_5.links", "vm_1_5.log",
		"vm_2.stderr", "vm_2_4.links", "vm_2_4.log",
	}, files(t, run))

	record := recordOf(t, run)
	assert.Equal(t, []int{2050, 3050, 4050}, record.Ports)
	assert.Equal(t, []clock.Rate{clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz}, record.Rates)
	assert.Equal(t, 2*time.Second, record.Duration)
	assert.Equal(t, 10, record.Die)
	assert.Regexp(t, `^\d{8}-\d{6}-`+record.Run+`$`, latest)

	// One line of talk, plain; the table alone is the result.
	assert.Equal(t, fmt.Sprintf("run %s: 3 machines, rates 1,5,4, die 10, seed %d, 2s; logs in runs/%s\nreport       runs/latest/report.html\nnext         %s stats runs/latest\n",
		record.Run, record.Seed, latest, filepath.Join(bin, "launcher")), p.errors.String())
	out := p.out.String()
	assert.Equal(t, out, readFile(t, filepath.Join(run, "summary.txt")))
	assert.Regexp(t, `\ncheck        correct: all laws hold for \d+ events on 3 machines; `, out)
	events := uint64(0)
	for _, m := range summaryOf(t, run) {
		assert.Regexp(t, fmt.Sprintf(`(?m)^vm-%d +%v .* %d +%d `, m.ID, m.Rate, m.Steps, m.Clock), out)
		events += m.Steps
	}
	assert.Regexp(t, fmt.Sprintf(`(?m)^events +%d events on 3 machines`, events), out)
	assert.Contains(t, out, "all accounted for\n")
	assert.NotContains(t, out+p.errors.String(), "\x1b")

	requireAllTicks(t, run, 2*time.Second)
	requireOneStart(t, run)
	requireCorrect(t, run)
	for _, name := range logs(t, run) {
		start := records(t, name)[0].Start
		assert.Equal(t, record.Run, start.Run)
		assert.Equal(t, record.Seed, start.Seed)
	}
}

func TestShapesOfARun(t *testing.T) {
	const duration = 1500 * time.Millisecond
	for _, c := range []struct {
		name  string
		flags []string
		logs  string
	}{
		{"one machine", []string{"--machines", "1", "--rates", "20"}, "vm_0_20.log"},
		{"two machines", []string{"--rates", "20,7.5"}, "vm_0_20.log vm_1_7.5.log"},
		{"ten machines, random rates", []string{"--machines", "10", "--seed", "5"}, ""},
		{"three machines, random rates", []string{"--rates", "random", "--seed", "5"}, ""},
		{"fractions", []string{"--rates", "2.5,0.001,33.333333333"}, "vm_0_2.5.log vm_1_0.001.log vm_2_33.333333333.log"},
		{"one rate for all", []string{"--machines", "4", "--rates", "30"}, "vm_0_30.log vm_1_30.log vm_2_30.log vm_3_30.log"},
		{"a thousand ticks a second", []string{"--rates", "1000"}, "vm_0_1000.log vm_1_1000.log vm_2_1000.log"},
		{"a die that only sends", []string{"--rates", "50,50,50", "--die", "1"}, "vm_0_50.log vm_1_50.log vm_2_50.log"},
		{"a die that hardly sends", []string{"--rates", "50,50,50", "--die", "1000000000000"}, "vm_0_50.log vm_1_50.log vm_2_50.log"},
		{"a narrow window", []string{"--rates", "200,1,1", "--die", "3", "--window", "1"}, "vm_0_200.log vm_1_1.log vm_2_1.log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, dir := startRun(t, append([]string{"--duration", duration.String()}, c.flags...)...)
			require.Equal(t, "0", p.wait())
			requireCorrect(t, dir)
			requireOneStart(t, dir)
			if c.name != "a narrow window" { // which makes machines wait
				requireAllTicks(t, dir, duration)
			}
			record := recordOf(t, dir)
			if c.logs == "" {
				for id, r := range record.Rates {
					assert.GreaterOrEqual(t, r, clock.Hertz)
					assert.LessOrEqual(t, r, 6*clock.Hertz)
					c.logs += fmt.Sprintf(" vm_%d_%v.log", id, r)
				}
			}
			var names []string
			for _, name := range logs(t, dir) {
				names = append(names, filepath.Base(name))
			}
			assert.ElementsMatch(t, strings.Fields(c.logs), names)
			assert.Len(t, summaryOf(t, dir), len(record.Rates))
		})
	}
}

func TestUnpacedMachines(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "max,max,max", "--duration", "300ms", "--window", "5000")
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	for _, m := range summaryOf(t, dir) {
		assert.Greater(t, m.Steps, uint64(100), "machine %d", m.ID)
	}
	assert.Contains(t, files(t, dir), "vm_2_max.log")
}

// The shortest run that there is.
func TestRunOfNoTime(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--duration", "1ns")
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	for _, m := range summaryOf(t, dir) {
		assert.Zero(t, m.Steps)
	}
}

// The same seed throws the same dice: a machine to which nobody sends does the same
// at each step.
func TestSeed(t *testing.T) {
	t.Parallel()
	var kinds [2][]event.Kind
	for i := range kinds {
		// Machine 1 has nothing to say within the time.
		p, dir := startRun(t, "--rates", "50,0.001", "--die", "4", "--seed", "11", "--duration", "500ms")
		require.Equal(t, "0", p.wait())
		assert.Equal(t, uint64(11), recordOf(t, dir).Seed)
		assert.Contains(t, p.errors.String(), "seed 11,")
		for _, r := range records(t, logs(t, dir)[0]) {
			if r.Kind == logging.EventRecord {
				kinds[i] = append(kinds[i], r.Event.Kind)
			}
		}
	}
	steps := min(len(kinds[0]), len(kinds[1]))
	require.Greater(t, steps, 5)
	assert.Equal(t, kinds[0][:steps], kinds[1][:steps])
	assert.Contains(t, kinds[0], event.Send)
	assert.Contains(t, kinds[0], event.Internal)
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--duration", "100ms", "--quiet")
	require.Equal(t, "0", p.wait())
	assert.Empty(t, p.errors.String())
	assert.NotEmpty(t, p.out.String())
	requireCorrect(t, dir)
}

func TestLogLevelReachesTheMachines(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--duration", "100ms", "--log-level", "off")
	require.Equal(t, "0", p.wait())
	assert.Empty(t, readFile(t, filepath.Join(dir, "vm_0.stderr")))
	requireCorrect(t, dir)
}

// Runs that begin in one second in one place do not meet.
func TestRunsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all []*program
	for range 4 {
		all = append(all, launcher(t, dir, "--ports", "auto", "--duration", "300ms", "--rates", "20", "--machines", "2").start())
	}
	for _, p := range all {
		require.Equal(t, "0", p.wait())
	}
	names := files(t, filepath.Join(dir, "runs"))
	require.Len(t, names, 5, "four runs and latest: %v", names)
	for _, name := range names {
		requireCorrect(t, filepath.Join(dir, "runs", name))
	}
}

// The environment stands for flags, and that of the machines is not mixed up
// with it.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run")
	p.cmd.Env = append(p.cmd.Env, "LAUNCHER_DURATION=200ms", "LAUNCHER_RATES=10,20", "VM_ID=7", "VM_RATE=3", "VM_DURATION=1h")
	p.start()
	require.Equal(t, "0", p.wait())
	dir := filepath.Join(p.cmd.Dir, "run")
	assert.Len(t, logs(t, dir), 2)
	requireCorrect(t, dir)
}

// A directory that is there already is taken, if no run is in it; others may have
// files in it.
func TestOutDirectoryThatExists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	odd := filepath.Join(dir, "a [b] *?")
	require.NoError(t, os.Mkdir(odd, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(odd, "notes.txt"), nil, 0o666))
	p := launcher(t, dir, "--duration", "100ms", "--ports", "auto", "--out", odd+"/").start()
	require.Equal(t, "0", p.wait())
	requireCorrect(t, odd)
	assert.NoDirExists(t, filepath.Join(dir, "runs"))

	again := launcher(t, dir, "--duration", "100ms", "--ports", "auto", "--out", odd).start()
	require.Equal(t, "2", again.wait())
	assert.Contains(t, again.errors.String(), "is of an earlier run, which is not overwritten")
	requireCorrect(t, odd)
}

// Whoever reads the result has gone: the run is whole all the same, and so is its
// result, in its directory.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "200ms")
	p.cmd.Stdout = w
	p.start()
	require.NoError(t, w.Close())
	assert.Equal(t, "0", p.wait())
	dir := filepath.Join(p.cmd.Dir, "run")
	assert.Contains(t, readFile(t, filepath.Join(dir, "summary.txt")), "check        correct: ")
	assert.Len(t, summaryOf(t, dir), 3)
	requireCorrect(t, dir)
}

// A full disk under the result is said, with where the result is to be had.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "100ms", "--quiet")
	p.cmd.Stdout = full
	p.start()
	assert.Equal(t, "3", p.wait())
	assert.Equal(t, "launcher: the result cannot be printed (it is in run/summary.txt): write /dev/stdout: no space left on device\n", p.errors.String())
	requireCorrect(t, filepath.Join(p.cmd.Dir, "run"))
	assert.Regexp(t, `(?s)\nevents .*\ncheck        correct: `, readFile(t, filepath.Join(p.cmd.Dir, "run", "summary.txt")))
}

func TestVersion(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--version").start()
	require.Equal(t, "0", p.wait())
	assert.Regexp(t, `^launcher version \S+\n$`, p.out.String())
	assert.Empty(t, p.errors.String())
}
