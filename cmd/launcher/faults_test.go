//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// faultsLog returns the lines of what a run's fault plan has done.
func faultsLog(t *testing.T, dir string) []string {
	t.Helper()
	text := strings.TrimSuffix(readFile(t, filepath.Join(dir, rundir.FaultsName)), "\n")
	var acts []string
	for _, line := range strings.Split(text, "\n") {
		at, act, ok := strings.Cut(line, " [INFO]  faults: ")
		require.True(t, ok, line)
		_, err := time.Parse("2006-01-02T15:04:05.000000Z", at)
		require.NoError(t, err, line)
		acts = append(acts, act)
	}
	return acts
}

func restarts(t *testing.T, dir string) (n int) {
	t.Helper()
	for _, m := range summaryOf(t, dir) {
		n += m.Restarts
	}
	return n
}

// Whatever a plan can say is survived in one run.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	const plan = `
		at 500ms kill 1 for 300ms      # one by one
		at 1s pause 2 for 400ms
		at 1500ms partition 0 | 1,2 for 400ms
		at 2s cut 0->1 for 400ms
		from 2s delay 0-* 20ms 10ms for 2s
		at 2500ms stop-reading 2 for 400ms
		at 3s reset *
		at 3200ms kill all for 100ms   # at once, and in the middle of others
		at 3500ms cut 1->* for 1s
		at 3600ms kill 0 for 200ms
		at 3700ms pause 2 for 300ms
		random reset every 700ms
		random cut every 900ms for 100ms`
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plan.txt"), []byte(plan), 0o666))
	p := launcher(t, dir, "--ports", "auto", "--out", "run", "--rates", "300,200,250", "--die", "4", "--duration", "5500ms", "--seed", "9", "--faults", "plan.txt").start()
	run := filepath.Join(dir, "run")
	require.Equal(t, "0", p.wait())
	requireCorrect(t, run)
	assert.Contains(t, p.out.String(), "check        correct: ")
	// On a host that is busy enough the last kill finds machine 0 not back from the one before.
	n := restarts(t, run)
	assert.Contains(t, []int{4, 5}, n)
	assert.Contains(t, p.out.String(), fmt.Sprintf("restarted    %d times after a death on 3 machines", n))

	// What was done, and when, is written down, and so is how to do it again.
	acts := faultsLog(t, run)
	for _, want := range []string{
		"at 500ms kill 1 for 300ms", "at 800ms over: kill 1", "at 1s pause 2 for 400ms", "at 1.4s over: pause 2",
		"at 1.5s partition 0 | 1,2 for 400ms", "at 2s cut 0->1 for 400ms", "at 2.4s over: cut 0->1",
		"at 2.5s stop-reading 2 for 400ms", "at 3s reset *", "at 3.2s kill 0..2 for 100ms",
	} {
		assert.Contains(t, acts, want)
	}
	again, err := fault.Parse(recordOf(t, run).Faults.String(), 3)
	require.NoError(t, err)
	for a := range again.Actions(5 * time.Second) {
		assert.Contains(t, acts, a.String())
	}
}

// Machines are killed together, at their first instants and at their last, and
// for shorter than it takes to notice.
func TestPlannedKills(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
		plan  string
		want  int
	}{
		{"all at once", []string{"--rates", "200,300,100"}, "at 500ms kill all for 50ms; at 1s kill 0,2 for 200ms", 5},
		{"at the start", []string{"--rates", "200,300,100"}, "at 0s kill 1 for 100ms; at 1ms kill 2 for 1ms; at 20ms kill 0 for 10ms", 3},
		{"at the end", []string{"--rates", "200,300,100"}, "at 1450ms kill 1 for 50ms; at 1490ms kill 0,2 for 1ms", 3},
		{"for no time", []string{"--rates", "max,max,100", "--window", "100"}, "at 200ms kill 0 for 1ns; at 400ms kill 1 for 1us; at 600ms kill all for 1ms", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, dir := startRun(t, append(c.flags, "--die", "4", "--duration", "1500ms", "--faults", c.plan)...)
			require.Equal(t, "0", p.wait())
			requireCorrect(t, dir)
			// A busy host may come too late for those at the end.
			assert.True(t, restarts(t, dir) == c.want || c.name == "at the end", "%d restarts", restarts(t, dir))
		})
	}
}

// Hundreds of kills at random instants, at a few thousand ticks per second: nothing is
// lost or doubled, no clock turns back, and the run replays.
func TestHundredsOfKills(t *testing.T) {
	t.Parallel()
	duration, least := "12s", 100 // of 240 that are planned; on a busy host some fall together
	if testing.Short() {
		duration, least = "3s", 20
	}
	p, dir := startRun(t, "--rates", "2000,3000,4000", "--die", "5", "--duration", duration,
		"--faults", "random kill every 50ms for 5ms; random reset every 200ms")
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	n := restarts(t, dir)
	t.Logf("%d kills survived", n)
	assert.GreaterOrEqual(t, n, least)
	code, out, talk := inProcess("replay", dir)
	assert.Zero(t, code, talk)
	assert.Contains(t, out, ": the same again: 3 machines, ")
}

// Machines die before there is a run to speak of.
func TestKilledDuringTheStart(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "100,100,100", "--die", "4", "--duration", "2s", "--restart", "on-failure")
	kills := 0
	eventually(t, func() bool {
		for _, pid := range running(t, p) {
			if kills < 6 && syscall.Kill(pid, syscall.SIGKILL) == nil {
				kills++
			}
		}
		return kills == 6 || hasEnded(p)
	}, "six kills")
	require.Equal(t, "0", p.wait(), p.errors)
	requireCorrect(t, dir)
	assert.NotZero(t, restarts(t, dir))
}

// A machine stands still for long. Its peers keep its connections as long as they need nothing of
// it: it is not dead, and its host would say so.
func TestLongPause(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	p, dir := startRun(t, "--rates", "100,100,100", "--die", "4", "--duration", "9500ms", "--faults", "at 1s pause 1 for 7s")
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	machines := summaryOf(t, dir)
	for _, m := range machines {
		assert.Zero(t, m.Wire.Reconnects)
	}
	assert.Greater(t, machines[1].Missed, uint64(500))
	assert.Zero(t, restarts(t, dir))
}

func TestSoak(t *testing.T) {
	t.Parallel()
	duration, least := "6s", 6
	if testing.Short() {
		duration, least = "2s", 2
	}
	p, dir := startRun(t, "--rates", "max", "--machines", "3", "--window", "32", "--duration", duration, "--restart", "on-failure",
		"--faults", "random kill every 700ms for 100ms; random reset every 150ms; random stop-reading every 1s for 100ms")
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	assert.GreaterOrEqual(t, restarts(t, dir), least)
}

// A run that is stopped while a machine is down, or stands still, or is cut off,
// does not wait for the plan.
func TestInterruptAmidFaults(t *testing.T) {
	for _, c := range []struct{ plan, begun string }{
		{"at 200ms kill 1 for 1h", "kill 1 "},
		{"at 200ms kill all for 1h", "kill 0..2 "},
		{"at 200ms pause 1 for 1h", "pause 1 "},
		{"at 200ms pause all for 1h", "pause 0..2 "},
		{"at 200ms partition 0 | 1 | 2 for 1h", "partition 0 | 1 | 2 "},
		{"at 200ms stop-reading all for 1h", "stop-reading 0..2 "},
	} {
		t.Run(c.plan, func(t *testing.T) {
			t.Parallel()
			p, dir := startRun(t, "--rates", "100,200,300", "--die", "4", "--duration", "0", "--faults", c.plan)
			log := filepath.Join(dir, rundir.FaultsName)
			eventually(t, func() bool {
				b, err := os.ReadFile(log)
				return err == nil && strings.Contains(string(b), c.begun)
			}, "the fault begins")
			p.signal(os.Interrupt)
			require.Equal(t, "130", p.wait(), p.errors)
			requireCorrect(t, dir)
			for id, name := range logs(t, dir) {
				assert.True(t, isComplete(t, name), "machine %d", id)
			}
		})
	}
}

func TestBadPlansAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--faults", "at 1s kill 3 for 1s"}, "--faults: line 1, column 12: there is no machine 3: the run has machines 0 to 2"},
		{[]string{"--faults", "at 1s kill 1 for 1s; at 1s sulk"}, "--faults: line 1, column 28: "},
		{[]string{"--faults", "at 1s kill 1 for 5s; at 2s pause 1 for 1s"}, "--faults: line 1, column "},
		{[]string{"--duration", "10s", "--faults", "at 1s partition 0 | 1,2 for 9001ms"}, `--faults: line 1, column 1: "at 1s partition 0 | 1,2 for 9.001s" cannot be over by the end of the run, after 10s`},
		{[]string{"--duration", "10s", "--faults", "at 1s cut 0->1 for 1h"}, `--faults: line 1, column 1: "at 1s cut 0->1 for 1h" cannot be over by the end of the run, after 10s`},
		{[]string{"--faults", "no-such-file"}, "--faults: line 1, column 1: "},
		{[]string{"--restart", "sometimes"}, `--restart "sometimes": want never or on-failure`},
		{[]string{"--restart", ""}, `--restart "": want never or on-failure`},
	} {
		p := launcher(t, t.TempDir(), append([]string{"--ports", "auto", "--out", "run", "--machines", "3"}, c.flags...)...).start()
		assert.Equal(t, "2", p.wait(), c.flags)
		assert.Empty(t, p.out.String())
		assert.True(t, strings.HasPrefix(p.errors.String(), "launcher: "+c.want), p.errors)
		assert.Equal(t, 1, strings.Count(p.errors.String(), "\n"), p.errors)
		assert.Empty(t, files(t, p.cmd.Dir), "nothing is left behind")
	}

	// In a file, the place is one of the file.
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plan"), []byte("# quiet at first\nat 10s kill 7 for 1s\n"), 0o666))
	p := launcher(t, dir, "--ports", "auto", "--machines", "3", "--faults", "plan").start()
	assert.Equal(t, "2", p.wait())
	assert.Equal(t, "launcher: plan: line 2, column 13: there is no machine 7: the run has machines 0 to 2\n", p.errors.String())
	assert.Equal(t, []string{"plan"}, files(t, dir))
}
