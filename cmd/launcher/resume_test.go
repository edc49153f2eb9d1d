//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/procs"
)

// Machines are killed with no warning, again and again, some of them while they
// recover from the last time, and go on from their logs. Nothing is lost, nothing
// comes twice, no clock goes back: the logs show it.
func TestKilledMachinesResume(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 6
	}
	for _, c := range []struct {
		name  string
		named bool
		flags []string
	}{
		{"paced", true, []string{"--rate", "400"}},
		{"unpaced, small window", true, []string{"--rate", "max", "--window", "50"}},
		{"peers without ids", false, []string{"--rate", "200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, 11))
			h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 3), named: c.named,
				flags: append([]string{"--run", "kills", "--die", "4", "--duration", "6s", "--seed", "3", "--linger", "10s"}, c.flags...)}
			machines := []*program{h.start(0), h.start(1), h.start(2)}
			eventually(t, func() bool { return len(logs(t, h.dir)) == 3 && size(t, logs(t, h.dir)[0]) > 1000 }, "the run begins")
			for range kills {
				victim := rng.IntN(3)
				before := size(t, logs(t, h.dir)[victim])
				require.NoError(t, machines[victim].cmd.Process.Kill())
				machines[victim].wait()
				machines[victim] = h.start(victim, "--resume")
				if rng.IntN(3) > 0 { // else the next kill may come while it recovers
					log := logs(t, h.dir)[victim]
					eventually(t, func() bool { return size(t, log) > before || hasEnded(machines[victim]) }, "machine %d goes on", victim)
				}
			}
			resumed := 0
			for id, p := range machines {
				assert.Equal(t, "0", p.wait(), "machine %d: %s", id, p.errors)
				b, err := os.ReadFile(logs(t, h.dir)[id])
				require.NoError(t, err)
				resumed += bytes.Count(b, []byte(": resume: "))
			}
			assert.GreaterOrEqual(t, resumed, kills/3)
			requireCorrect(t, h.dir)
		})
	}
}

// The launcher starts machines again that die, until it is told to stop.
func TestLauncherRestartsMachines(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "300,100,200", "--die", "4", "--duration", "0", "--restart", "on-failure")
	waitForEvents(t, dir, 3, 20)
	rng := rand.New(rand.NewPCG(5, 6))
	const kills = 8
	for i := range kills {
		victim := rng.IntN(3)
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT}[i%2] // the second looks like a crash
		log := logs(t, dir)[victim]
		require.NoError(t, syscall.Kill(processes(t, p, 3)[victim], signal))
		eventually(t, func() bool { return strings.Count(readFile(t, log), ": resume: ") > 0 && len(running(t, p)) == 3 }, "machine %d comes back", victim)
		before := size(t, log)
		eventually(t, func() bool { return size(t, log) > before }, "machine %d goes on", victim)
	}
	p.signal(os.Interrupt)
	require.Equal(t, "130", p.wait(), p.errors)
	restarts := 0
	for _, m := range summaryOf(t, dir) {
		restarts += m.Restarts
		assert.Equal(t, m.Restarts > 0, m.Down > 0)
	}
	assert.Equal(t, kills, restarts)
	assert.Contains(t, p.out.String(), "restarted ")
	code, verdict := checked(t, dir)
	require.Equal(t, "0", code, verdict)
}

// A machine whose log does not fit any more is not started again and again.
func TestLauncherGivesUpAMachine(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "100,100", "--duration", "0", "--restart", "on-failure")
	waitForEvents(t, dir, 2, 20)
	log := logs(t, dir)[1]
	machines := processes(t, p, 2)
	require.NoError(t, procs.Hold(machines[1])) // so that it writes nothing below
	b := []byte(readFile(t, log))
	b = bytes.Replace(b, []byte("step=5 "), []byte("step=6 "), 1)
	require.NoError(t, os.WriteFile(log, b, 0o644))
	require.NoError(t, syscall.Kill(machines[1], syscall.SIGKILL))
	require.Equal(t, "3", p.wait(), p.errors)
	assert.Contains(t, p.errors.String(), "vm_1_100.log:6: ")
	assert.Contains(t, p.errors.String(), "nothing is guessed")
}

// running returns the processes of a launcher's machines that are there now.
func running(t *testing.T, launcher *program) (pids []int) {
	t.Helper()
	for _, p := range children(t, launcher) {
		if p.Runs() && strings.Contains(p.Args, "--supervised") {
			pids = append(pids, p.ID)
		}
	}
	return pids
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// A log that does not fit is refused, by the machine itself or by what its peers
// remember, and is not touched.
func TestResumeRefusesWhatDoesNotFit(t *testing.T) {
	begin := func(t *testing.T) (*byHand, []*program) {
		h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), named: true,
			flags: []string{"--run", "refused", "--rate", "300", "--die", "3", "--duration", "30s", "--seed", "3", "--linger", "100ms"}}
		machines := []*program{h.start(0), h.start(1)}
		eventually(t, func() bool { return len(logs(t, h.dir)) == 2 && size(t, logs(t, h.dir)[1]) > 20_000 }, "the run goes on")
		return h, machines
	}
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
		want   string
	}{
		{"a line lost in the middle", func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(append(lines[:10:10], lines[11:]...), nil)
		}, "vm_1_300.log:11: "},
		{"a figure changed", func(b []byte) []byte {
			return bytes.Replace(b, []byte("step=20 clock="), []byte("step=20 clock=9"), 1)
		}, "vm_1_300.log:21: "},
		{"its end cut off", func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(lines[:30], nil)
		}, "was started again without its log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, machines := begin(t)
			require.NoError(t, machines[1].cmd.Process.Kill())
			machines[1].wait()
			path := filepath.Join(h.dir, "vm_1_300.log")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			b = c.damage(b)
			require.NoError(t, os.WriteFile(path, b, 0o644))
			again := h.start(1, "--resume")
			assert.Contains(t, []string{"2", "3"}, again.wait(), again.errors)
			assert.Contains(t, again.errors.String(), c.want)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.True(t, bytes.HasPrefix(after, b), "what was there stays")
			require.NoError(t, machines[0].cmd.Process.Signal(syscall.SIGINT))
			machines[0].wait()
		})
	}
	t.Run("a machine that lives", func(t *testing.T) {
		t.Parallel()
		h, machines := begin(t)
		h.ports[1] = freePorts(t, 1)[0]
		twin := h.start(1, "--resume")
		assert.Equal(t, "75", twin.wait(), "it may end")
		assert.Contains(t, twin.errors.String(), "another process is writing this log")
		for _, p := range machines {
			require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
		}
		for _, p := range machines {
			p.wait()
		}
	})
}
