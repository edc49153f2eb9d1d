//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/procs"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

// The tests of this package run the real programs. What they have in common is
// in this file.

// bin is where TestMain has built both programs, with the race detector if the
// test has it.
var bin string

// atTheEnd ends what the tests share.
var atTheEnd []func()

func TestMain(m *testing.M) {
	flag.Parse()
	if signal.Ignored(os.Interrupt) { // as a shell has it for what is in the background; the scripts are to hear it
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "lamport-e2e-"); err != nil {
			panic(err)
		}
		defer func() {
			for _, end := range atTheEnd {
				end()
			}
			_ = os.RemoveAll(bin)
		}()
		// By no profile, as "make test" has it: all would be compiled once more.
		args := []string{"build", "-pgo=off", "-o", bin + "/"}
		if raceEnabled() {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, ".", "../vm")...).CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v: %s", err, out))
		}
		// Another user is to run them too.
		if err := os.Chmod(bin, 0o755); err != nil {
			panic(err)
		}
		// These tests mostly wait, so more of them than there are processors
		// can run at a time.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// deadline is how long a test waits for what must happen.
const deadline = 3 * time.Minute

// eventually polls until ok.
func eventually(t *testing.T, ok func() bool, what string, args ...any) {
	t.Helper()
	eventuallyWithin(t, deadline, ok, what, args...)
}

func eventuallyWithin(t *testing.T, limit time.Duration, ok func() bool, what string, args ...any) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			require.Fail(t, "did not happen: "+fmt.Sprintf(what, args...))
		}
	}
}

// program is a process of one of our programs.
type program struct {
	t           *testing.T
	cmd         *exec.Cmd
	out, errors *text
	ended       chan struct{}
}

// text is what a process writes.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// prepare sets a program up to be run in dir.
func prepare(t *testing.T, dir, name string, args ...string) *program {
	p := &program{t: t, cmd: exec.Command(name, args...), out: &text{}, errors: &text{}, ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "LAUNCHER_") || strings.HasPrefix(v, "VM_") || strings.HasPrefix(v, "TMUX") ||
			strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "CLICOLOR") ||
			// What tells of an engine, if one runs the tests.
			strings.HasPrefix(v, "SLURM_") || strings.HasPrefix(v, "PM") || strings.HasPrefix(v, "OMPI_") ||
			strings.HasPrefix(v, "PBS_") || strings.HasPrefix(v, "KUBERNETES_")
	})
	// A program under the race detector otherwise sleeps a second at its end.
	p.cmd.Env = append(p.cmd.Env, "GORACE=atexit_sleep_ms=0")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.errors
	p.cmd.WaitDelay = 10 * time.Second
	return p
}

func (p *program) start() *program {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if p.t.Failed() {
			p.t.Logf("%s\nstdout:\n%s\nstderr:\n%s", strings.Join(p.cmd.Args, " "), p.out, p.errors)
		}
	})
	return p
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// wait returns how the program ended: "0", "130", "signal: killed", ….
func (p *program) wait() string {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(deadline):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // where does it hang?
		require.Fail(p.t, "the program did not end")
	}
	return strings.TrimPrefix(p.cmd.ProcessState.String(), "exit status ")
}

func launcher(t *testing.T, dir string, args ...string) *program {
	return prepare(t, dir, filepath.Join(bin, "launcher"), args...)
}

// startRun starts a run on free ports and returns its directory too.
func startRun(t *testing.T, args ...string) (*program, string) {
	t.Helper()
	dir := t.TempDir()
	p := launcher(t, dir, append([]string{"--ports", "auto", "--out", "run"}, args...)...)
	return p.start(), filepath.Join(dir, "run")
}

// checked holds a run against the laws and returns the exit code and the verdict.
func checked(t *testing.T, dir string, flags ...string) (string, string) {
	t.Helper()
	p := launcher(t, dir, slices.Concat([]string{"check"}, flags, []string{dir})...).start()
	code := p.wait()
	return code, p.out.String() + p.errors.String()
}

// requireCorrect says that the run is correct, and that no process of it has
// anything to be ashamed of.
func requireCorrect(t *testing.T, dir string) {
	t.Helper()
	code, verdict := checked(t, dir)
	require.Equal(t, "0", code, verdict)
	require.Contains(t, verdict, ": correct")
	requireSound(t, dir)
}

// requireSound says that no process of a run has raced or crashed.
func requireSound(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "vm_*.stderr"))
	require.NoError(t, err)
	for _, name := range names {
		assert.NotRegexp(t, `DATA RACE|panic:|goroutine \d`, readFile(t, name), name)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
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

// logs returns the event logs of a run by machine.
func logs(t *testing.T, dir string) map[int]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "vm_*.log"))
	require.NoError(t, err)
	byID := make(map[int]string)
	for _, name := range names {
		id, err := strconv.Atoi(strings.Split(filepath.Base(name), "_")[1])
		require.NoError(t, err)
		byID[id] = name
	}
	return byID
}

// waitForEvents waits until each of so many machines has logged so many events.
func waitForEvents(t *testing.T, dir string, machines, events int) {
	t.Helper()
	eventually(t, func() bool {
		byID := logs(t, dir)
		if len(byID) < machines {
			return false
		}
		for _, name := range byID {
			if strings.Count(readHead(t, name, 256*(events+1)), "\n") <= events {
				return false
			}
		}
		return true
	}, "%d events on each of %d machines", events, machines)
}

// readHead reads at most so many bytes of a file: a log may grow faster than it can be read.
func readHead(t *testing.T, name string, most int) string {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)))
	require.NoError(t, err)
	return string(b)
}

// isComplete reports whether a log ends with its stop line.
func isComplete(t *testing.T, name string) bool {
	t.Helper()
	lines := strings.Split(readFile(t, name), "\n")
	return len(lines) > 1 && lines[len(lines)-1] == "" && strings.Contains(lines[len(lines)-2], ": stop: ")
}

// records reads a log.
func records(t *testing.T, name string) []logging.Record {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	var all []logging.Record
	for r := logging.NewReader(f, name); ; {
		var rec logging.Record
		err := r.Next(&rec)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, rec)
	}
}

func summaryOf(t *testing.T, dir string) []summary.Machine {
	t.Helper()
	var machines []summary.Machine
	require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "summary.json"))), &machines))
	return machines
}

func recordOf(t *testing.T, dir string) *rundir.Record {
	t.Helper()
	r, err := rundir.ReadRecord(dir)
	require.NoError(t, err)
	return r
}

// requireAllTicks says that each machine has executed what its rate and the
// duration give, but for what it says that it has missed: the host of a test may
// be so busy.
func requireAllTicks(t *testing.T, dir string, duration time.Duration) {
	t.Helper()
	for _, m := range summaryOf(t, dir) {
		assert.Equal(t, m.Rate.Ticks(int64(duration)), m.Steps+m.Missed, "machine %d: %d steps, %d missed", m.ID, m.Steps, m.Missed)
		assert.Len(t, records(t, logs(t, dir)[m.ID]), int(m.Steps)+2, "machine %d: start, events, stop", m.ID)
	}
}

// requireOneStart says that all machines agreed on one instant, to the
// microsecond.
func requireOneStart(t *testing.T, dir string) {
	t.Helper()
	starts := make(map[int64]bool)
	for _, name := range logs(t, dir) {
		starts[records(t, name)[0].UnixMicro] = true
	}
	assert.Len(t, starts, 1)
}

// freePorts returns ports for processes that are started by hand. They are below
// those that systems give out on demand, and no two tests get the same.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for len(ports) < n {
		port := 15000 + int(nextPort.Add(1))%10000
		ln, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		_ = ln.Close()
		ports = append(ports, port)
	}
	return ports
}

var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(uint32(os.Getpid()) * 50) // beside another run of the tests
	return &n
}()

// byHand starts vm processes as a person would, each with --log-dir dir.
type byHand struct {
	t     *testing.T
	dir   string
	ports []int
	flags []string
	named bool // peers as id=host:port
}

func (h *byHand) peers(id int) string {
	var peers []string
	for other, port := range h.ports {
		switch {
		case other == id:
		case h.named:
			peers = append(peers, fmt.Sprintf("%d=127.0.0.1:%d", other, port))
		default:
			peers = append(peers, fmt.Sprintf("127.0.0.1:%d", port))
		}
	}
	return strings.Join(peers, ",")
}

func (h *byHand) start(id int, flags ...string) *program {
	h.t.Helper()
	return prepare(h.t, h.dir, filepath.Join(bin, "vm"), slices.Concat([]string{
		"--id", strconv.Itoa(id), "--port", strconv.Itoa(h.ports[id]), "--peers", h.peers(id),
	}, h.flags, flags)...).start()
}

// processes returns the processes of so many machines of a launcher, by machine.
func processes(t *testing.T, launcher *program, machines int) map[int]int {
	t.Helper()
	all := children(t, launcher)
	pids := make(map[int]int)
	withID := regexp.MustCompile(` --id (\d+) `)
	for _, p := range all {
		if m := withID.FindStringSubmatch(p.Args); m != nil {
			id, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			pids[id] = p.ID
		}
	}
	t.Cleanup(func() {
		for pid := range maps.Values(pids) {
			if isAlive(pid) { // only after a failure
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	require.Len(t, pids, machines, "%+v", all)
	return pids
}

// children returns the processes that a launcher has started, those among them that have ended and
// that it has not taken note of.
func children(t *testing.T, launcher *program) []procs.Process {
	t.Helper()
	all, err := procs.All()
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(p procs.Process) bool { return p.Parent != launcher.cmd.Process.Pid })
}

// isAlive reports whether the process of a machine has not ended.
func isAlive(pid int) bool {
	p, err := procs.Find(pid)
	return err == nil && p.Runs() && strings.Contains(p.Args, "--supervised")
}
