package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/standstill"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

func config(t *testing.T, machines int) Config {
	self, err := os.Executable()
	require.NoError(t, err)
	cfg := Config{
		Spec:    experiment.Spec{Common: experiment.Common{Run: "test", Die: 10, Seed: 42, Duration: time.Millisecond}},
		Ports:   make([]int, machines),
		Dir:     filepath.Join(t.TempDir(), "deep", "run"),
		VM:      self,
		Version: "v1.2.3",
	}
	for range machines {
		cfg.Rates = append(cfg.Rates, clock.Hertz)
	}
	return cfg
}

// newFakes prepares a run of three that all behave in one way, and has little
// patience with them. It cannot be used by tests in parallel.
func newFakes(t *testing.T, behaviour string) *Cluster {
	t.Helper()
	require.Contains(t, fakes, behaviour)
	t.Setenv(fakeEnv, behaviour)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each sleeps a second at its end
	c, err := New(config(t, 3))
	require.NoError(t, err)
	c.limits.shortLinger = 50 * time.Millisecond
	return c
}

// impatient makes limits that fakes will overstep. They are long enough for an
// innocent process to be started on a busy host.
func (c *Cluster) impatient() *Cluster {
	c.limits = limits{connect: 2 * time.Second, linger: 50 * time.Millisecond, shortLinger: 20 * time.Millisecond, patience: 100 * time.Millisecond}
	return c
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func death(t *testing.T, err error) *Death {
	t.Helper()
	d, ok := errors.AsType[*Death](err)
	require.True(t, ok, "%v", err)
	return d
}

// requireGone says that no process of a run is left.
func requireGone(t *testing.T, c *Cluster) {
	t.Helper()
	require.Len(t, c.processes, len(c.cfg.Rates))
	for _, p := range c.processes {
		require.NotNil(t, p.cmd.ProcessState, "machine %d was waited for", p.id)
	}
}

func TestRun(t *testing.T) {
	c := newFakes(t, "good")
	var mu sync.Mutex
	phases := make([][]summary.Phase, 3)
	results, err := c.Run(t.Context(), func(id int, s summary.Status) {
		if !mu.TryLock() {
			t.Error("two reports at a time")
		}
		phases[id] = append(phases[id], s.Phase)
		mu.Unlock()
	})
	require.NoError(t, err)
	require.Len(t, results, 3)
	for id, m := range results {
		require.NotNil(t, m)
		assert.Equal(t, id, m.ID)
		assert.Equal(t, []summary.Phase{summary.Connecting, summary.Running, summary.Done}, phases[id])
	}
	assert.Equal(t, []string{"run.json", "vm_0.stderr", "vm_1.stderr", "vm_2.stderr"}, files(t, c.cfg.Dir))
	requireGone(t, c)
	for _, port := range c.Ports() {
		ln, err := net.Listen("tcp", fmt.Sprintf("%s:%d", loopback, port))
		if assert.NoError(t, err, "the port is free again") {
			_ = ln.Close()
		}
	}
}

func TestRunIsStopped(t *testing.T) {
	c := newFakes(t, "patient")
	ctx, cancel := context.WithCancel(t.Context())
	running := 0
	results, err := c.Run(ctx, func(_ int, s summary.Status) {
		if s.Phase == summary.Running {
			if running++; running == 3 {
				cancel()
			}
		}
	})
	require.NoError(t, err)
	for id, m := range results {
		assert.NotNil(t, m, "machine %d", id)
		talk, err := os.ReadFile(filepath.Join(c.cfg.Dir, fmt.Sprintf("vm_%d.stderr", id)))
		require.NoError(t, err)
		assert.Equal(t, "told: \"10s\\n\"\n", string(talk), "it is told how long to wait for the others")
	}
	requireGone(t, c)
}

// The machines do not talk to each other before the last has come up.
func TestMachinesGoWhenAllAreThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	require.NoError(t, ln.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)))
	t.Setenv(releaseEnv, ln.Addr().String())
	c := newFakes(t, "goes when told")
	waiting := 0
	_, err = c.Run(t.Context(), func(_ int, s summary.Status) {
		if s.Phase != summary.Connecting {
			return
		}
		if waiting++; waiting == 2 { // the last one is only let up now
			held, err := ln.Accept()
			if assert.NoError(t, err) {
				_ = held.Close()
			}
		}
	})
	require.NoError(t, err)
	var up, told [3]int64
	for i, p := range c.processes {
		talk, err := os.ReadFile(p.stderr)
		require.NoError(t, err)
		_, err = fmt.Sscanf(string(talk), "up at %d, go at %d", &up[i], &told[i])
		require.NoError(t, err, "%s", talk)
		assert.Contains(t, p.cmd.Args, "--gated")
	}
	assert.Greater(t, slices.Min(told[:]), slices.Max(up[:]))
}

// A run that has not begun leaves nothing, not even the directories above it.
func TestRunIsStoppedBeforeItBegins(t *testing.T) {
	c := newFakes(t, "patient before the run")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := c.Run(ctx, nil)
	require.ErrorIs(t, err, ErrNotBegun)
	assert.Nil(t, results)
	assert.NoDirExists(t, filepath.Dir(c.cfg.Dir))
	requireGone(t, c)
}

func TestMachineCrashes(t *testing.T) {
	c := newFakes(t, "1 crashes")
	results, err := c.Run(t.Context(), nil)
	d := death(t, err)
	assert.Equal(t, 1, d.ID)
	talk := filepath.Join(c.cfg.Dir, "vm_1.stderr")
	assert.Equal(t, "machine 1 died: exit status 2. Its last words, from "+talk+
		": panic: oh no |  | goroutine 1 [running]: | main.f() | main.f()", d.Error())
	require.Len(t, results, 3)
	assert.NotNil(t, results[0], "the others have ended in order")
	assert.Nil(t, results[1])
	assert.NotNil(t, results[2])
	requireGone(t, c)
}

func TestMachineCrashesBeforeTheRun(t *testing.T) {
	c := newFakes(t, "1 crashes before the run")
	results, err := c.Run(t.Context(), nil)
	assert.Regexp(t, `^machine 1 died: exit status 2 before its first report \(is .* the vm program of this release\?\)\. Its last words, from .*vm_1.stderr: no port for me$`, death(t, err).Error())
	assert.Nil(t, results)
	assert.Equal(t, []string{"vm_1.stderr"}, files(t, c.cfg.Dir), "what it said stays")
	requireGone(t, c)
}

// Whoever ends wrongly after its result has still given it.
func TestMachineCrashesInTheEnd(t *testing.T) {
	c := newFakes(t, "1 crashes in the end")
	results, err := c.Run(t.Context(), nil)
	assert.Equal(t, "machine 1 died: exit status 66", death(t, err).Error())
	for id, m := range results {
		assert.NotNil(t, m, "machine %d", id)
	}
}

func TestMachineLeavesWithoutAResult(t *testing.T) {
	c := newFakes(t, "leaves without a result")
	results, err := c.Run(t.Context(), nil)
	assert.Equal(t, "exit status 0 without a result", death(t, err).State)
	assert.Len(t, results, 3)
}

// What a machine prints beside its reports is passed over, however long.
func TestMachineBabbles(t *testing.T) {
	c := newFakes(t, "babbles")
	results, err := c.Run(t.Context(), nil)
	require.NoError(t, err)
	for id, m := range results {
		require.NotNil(t, m, "machine %d", id)
		assert.Equal(t, uint64(7), m.Steps)
	}
}

// Nobody waits for ever for one that hangs, wherever it does.
func TestMachineHangs(t *testing.T) {
	for _, c := range []struct {
		behaviour, want string
		begins          bool
	}{
		{"never begins", `, by the launcher: it had not begun within 2\.1s`, false},
		{"waits for nothing", `, by the launcher: it had not begun within 2\.1s`, false},
		{"never ends", `, by the launcher: it had not ended 150ms after its time`, true},
		{"ends, but does not go", `, by the launcher: it had not ended 150ms after its time`, true},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			cluster := newFakes(t, c.behaviour).impatient()
			results, err := cluster.Run(t.Context(), nil)
			assert.Regexp(t, `^machine \d died: .*kill.*`+c.want, death(t, err).Error())
			assert.Equal(t, c.begins, results != nil)
			if c.behaviour == "ends, but does not go" {
				for id, m := range results {
					assert.NotNil(t, m, "machine %d", id)
				}
			}
			requireGone(t, cluster)
		})
	}
}

// The same where the end is one that was asked for.
func TestMachineHangsWhenStopped(t *testing.T) {
	c := newFakes(t, "never ends").impatient()
	c.cfg.Duration = 0
	ctx, cancel := context.WithCancel(t.Context())
	running := 0
	_, err := c.Run(ctx, func(_ int, s summary.Status) {
		if s.Phase == summary.Running {
			if running++; running == 3 {
				cancel()
			}
		}
	})
	assert.Regexp(t, `, by the launcher: it had not stopped 150ms after it was told to`, death(t, err).Error())
	requireGone(t, c)
}

// Kill may come at any time, from anywhere.
func TestKill(t *testing.T) {
	c := newFakes(t, "never ends")
	c.Kill() // nobody is there yet
	_, err := c.Run(t.Context(), func(_ int, s summary.Status) {
		if s.Phase == summary.Running {
			c.Kill()
		}
	})
	assert.Contains(t, death(t, err).State, "kill")
	c.Kill() // nobody is there any more
	requireGone(t, c)
}

// whenBack returns a watch that calls then when machine 1 reports after a restart.
func whenBack(c *Cluster, then func()) func(id int, s summary.Status) {
	return func(id int, _ summary.Status) {
		if id == 1 && slices.Contains(c.newest(1).cmd.Args, "--resume") {
			then()
		}
	}
}

func TestMachineIsStartedAgain(t *testing.T) {
	c := newFakes(t, "1 crashes once")
	c.cfg.Duration, c.cfg.Restart = 0, true
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results, err := c.Run(ctx, whenBack(c, cancel))
	require.NoError(t, err)
	for id, m := range results {
		require.NotNil(t, m, "machine %d", id)
		assert.Equal(t, id == 1, m.Restarts == 1 && m.Down > 0, "machine %d", id)
	}
	args := c.processes[1].cmd.Args
	assert.Contains(t, args, "--resume")
	assert.NotContains(t, args, "--gated", "the gate is open already")
	requireGone(t, c)
}

func TestMachineCannotBeStartedAgain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("listeners are not handed down on this system")
	}
	c := newFakes(t, "1 crashes once")
	c.cfg.Duration, c.cfg.Restart = 0, true
	results, err := c.Run(t.Context(), func(id int, s summary.Status) {
		if id == 1 && s.Phase == summary.Running {
			_ = c.listeners[1].Close() // so it cannot be handed down once more
		}
	})
	d := death(t, err)
	assert.Equal(t, 1, d.ID)
	assert.Contains(t, d.State, "machine 1 cannot be started: ")
	assert.Nil(t, results[1])
	assert.NotNil(t, results[0], "the others have ended in order")
	requireGone(t, c)
}

// What the plan does to processes is done, in its order, and noted.
func TestFaultPlan(t *testing.T) {
	if !standstill.Can {
		t.Skip("this system cannot pause a process")
	}
	c := newFakes(t, "patient")
	c.cfg.Duration = 0
	var err error
	c.cfg.Faults, err = fault.Parse("at 1ms pause 2 for 1ms\nat 5ms reset *\nat 10ms kill 1 for 1ms", 3)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results, err := c.Run(ctx, whenBack(c, cancel))
	require.NoError(t, err)
	assert.Equal(t, 1, results[1].Restarts)
	log, err := os.ReadFile(filepath.Join(c.cfg.Dir, rundir.FaultsName))
	require.NoError(t, err)
	var notes []string
	for line := range strings.Lines(string(log)) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "faults: ")
		notes = append(notes, text)
	}
	var want []string
	for a := range c.cfg.Faults.Actions(fault.Forever) {
		want = append(want, a.String())
	}
	assert.Equal(t, want, notes)
	requireGone(t, c)
}

// Where one cannot be started, none is left of those before it.
func TestSecondMachineCannotBeStarted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("listeners are not handed down on this system")
	}
	c := newFakes(t, "never begins")
	require.NoError(t, c.listeners[1].Close())
	results, err := c.Run(t.Context(), nil)
	require.ErrorContains(t, err, "machine 1 cannot be started: ")
	assert.Nil(t, results)
	require.NotNil(t, c.processes[0].cmd.ProcessState, "machine 0 was waited for")
	assert.NoDirExists(t, filepath.Dir(c.cfg.Dir))
}

// What is not a program is seen only when it is started.
func TestMachineCannotBeStarted(t *testing.T) {
	cfg := config(t, 3)
	cfg.VM = filepath.Join(t.TempDir(), "vm.exe")
	require.NoError(t, os.WriteFile(cfg.VM, []byte("\x00 is no program"), 0o777))
	c, err := New(cfg)
	require.NoError(t, err)
	results, err := c.Run(t.Context(), nil)
	require.ErrorContains(t, err, "machine 0 cannot be started: ")
	assert.Nil(t, results)
	assert.NoDirExists(t, filepath.Dir(cfg.Dir))
}

// A machine has its lifeline, its reports, its talk and its own listener, and
// nothing of the others.
func TestFilesOfAMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	inherited := make(map[string]bool)
	for _, name := range files(t, "/proc/self/fd") {
		if target, err := os.Readlink("/proc/self/fd/" + name); err == nil {
			inherited[target] = true
		}
	}
	c := newFakes(t, "lists its files")
	ctx, cancel := context.WithCancel(t.Context())
	running := 0
	_, err := c.Run(ctx, func(_ int, s summary.Status) {
		if s.Phase == summary.Running {
			if running++; running == 3 {
				cancel()
			}
		}
	})
	require.NoError(t, err)
	for id, p := range c.processes {
		talk, err := os.ReadFile(p.stderr)
		require.NoError(t, err)
		var kinds []string
		for line := range strings.Lines(string(talk)) {
			target := strings.Fields(line)[1]
			// Neither what this process was started with itself, nor what
			// the runtime opens.
			if inherited[target] || strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "/sys/") || strings.HasPrefix(target, "/proc/") {
				continue
			}
			kind, _, _ := strings.Cut(line, "[")
			kinds = append(kinds, strings.TrimSpace(kind))
		}
		assert.Equal(t, []string{"0 pipe:", "1 pipe:", "2 " + p.stderr, "3 socket:"}, kinds, "machine %d:\n%s", id, talk)
	}
}

// The machines' environment does not set the machines' flags.
func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("VM_RATE", "7")
	t.Setenv("VMWARE", "stays")
	c := newFakes(t, "good")
	_, err := c.Run(t.Context(), nil)
	require.NoError(t, err)
	env := strings.Join(c.processes[0].cmd.Env, "\n")
	assert.NotContains(t, env, "VM_RATE")
	assert.Contains(t, env, "VMWARE=stays")
}

func TestArguments(t *testing.T) {
	c := newFakes(t, "good")
	c.cfg.Window, c.cfg.LogLevel = 5, "trace"
	_, err := c.Run(t.Context(), nil)
	require.NoError(t, err)
	ports := c.Ports()
	args := strings.Join(c.processes[1].cmd.Args[1:], " ")
	assert.Contains(t, args, fmt.Sprintf("--id 1 --rate 1 --duration 1ms --seed 42 --die 10 --run test --peers 0=127.0.0.1:%d,2=127.0.0.1:%d --bind 127.0.0.1 --log-dir %s ", ports[0], ports[2], c.cfg.Dir))
	assert.Contains(t, args, " --window 5 --log-level trace ")
	assert.Contains(t, args, " --supervised")

	c.cfg.Replay = []string{"a.log", "b.log", "c.log"}
	assert.Equal(t, []string{"--replay", "b.log"}, c.model(1))
	c.cfg.AtPace = true
	assert.Equal(t, []string{"--replay", "b.log", "--pace", "recorded"}, c.model(1))
}

// A machine that comes back at the end has all of its log to read; the others wait.
func TestLinger(t *testing.T) {
	plan, err := fault.Parse("at 1s kill 0 for 1s", 3)
	require.NoError(t, err)
	other, err := fault.Parse("at 1s reset *", 3)
	require.NoError(t, err)
	for _, c := range []struct {
		want     time.Duration
		duration time.Duration
		faults   *fault.Plan
		restart  bool
	}{
		{10 * time.Second, time.Hour, other, false},
		{70 * time.Second, time.Minute, nil, true},
		{15 * time.Second, 5 * time.Second, plan, false},
	} {
		cfg := Config{Restart: c.restart}
		cfg.Duration, cfg.Faults = c.duration, c.faults
		assert.Equal(t, c.want, limitsOf(&cfg).linger)
	}
}

func TestDeath(t *testing.T) {
	for _, c := range []struct {
		death Death
		want  string
	}{
		{Death{ID: 3, State: "signal: killed"}, "machine 3 died: signal: killed"},
		{Death{ID: 0, State: "exit status 2", Stderr: "runs/x/vm_0.stderr", Last: []string{"one", "two"}}, "machine 0 died: exit status 2. Its last words, from runs/x/vm_0.stderr: one | two"},
	} {
		assert.EqualError(t, &c.death, c.want)
	}
}

func TestLastLines(t *testing.T) {
	name := filepath.Join(t.TempDir(), "talk")
	long := strings.Repeat("a line of talk\n", 100_000)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"\n \n", nil},
		{"one", []string{"one"}},
		{"one\ntwo\n", []string{"one", "two"}},
		{"1\n2\n3\n4\n\n", []string{"2", "3", "4"}},
		{long + "end\n", []string{"a line of talk", "a line of talk", "end"}},
		{"talk\npanic: no\n\ngoroutine 1 [running]:\nmain.main()\n", []string{"panic: no", "", "goroutine 1 [running]:"}},
		{"talk\nfatal error: all asleep\n", []string{"fatal error: all asleep"}},
		{"SIGQUIT: quit\nPC=0x1\n", []string{"SIGQUIT: quit", "PC=0x1"}},
		{"a panic: is not\n", []string{"a panic: is not"}},
	} {
		require.NoError(t, os.WriteFile(name, []byte(c.text), 0o666))
		assert.Equal(t, c.want, lastLines(name, 3))
	}
	assert.Nil(t, lastLines(filepath.Join(t.TempDir(), "nothing"), 3))
}
