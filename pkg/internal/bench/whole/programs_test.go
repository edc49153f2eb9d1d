// Package whole measures the commands as people start them: what a run costs from its
// first process to its last line.
package whole

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/bench/build"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

var scratch string // of this process, removed at its end

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if scratch, err = os.MkdirTemp("", "lamport-bench-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// commands builds the launcher and vm, and returns where they are.
var commands = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "commands")
	return dir, build.Commands(dir)
})

// program is a command that has run.
type program struct {
	took         time.Duration
	user, system time.Duration // of all its processes
	out          string
	peak         float64 // MB, of its largest process; 0 where the system does not say
}

// launcher runs the launcher to its end; what it prints goes to out, nil to keep it.
func launcher(b testing.TB, out io.Writer, args ...string) program {
	b.Helper()
	dir, err := commands()
	require.NoError(b, err)
	return start(b, out, nil, filepath.Join(dir, "launcher"), args...)
}

// start runs a command to its end; while it runs, watch is told its process.
func start(b testing.TB, out io.Writer, watch func(pid int), name string, args ...string) (p program) {
	b.Helper()
	cmd := exec.Command(name, args...)
	var kept, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &errs
	if out == nil {
		cmd.Stdout = &kept
	}
	began := time.Now()
	require.NoError(b, cmd.Start())
	var wg sync.WaitGroup
	if watch != nil {
		wg.Go(func() { watch(cmd.Process.Pid) })
	}
	err := cmd.Wait()
	p.took = time.Since(began)
	wg.Wait()
	require.NoError(b, err, "%s\n%s%s", cmd, &kept, &errs)
	p.user, p.system, p.out = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime(), kept.String()
	p.peak = peakOf(cmd.ProcessState)
	return p
}

// machines returns what the machines of a run did.
func machines(b testing.TB, dir string) (all []summary.Machine, events uint64) {
	b.Helper()
	all, err := rundir.ReadSummary(dir)
	require.NoError(b, err)
	for _, m := range all {
		events += m.Steps
	}
	return all, events
}

// newDir returns a directory for a run, and what removes it: a benchmark's own directories
// stay until the last of its runs.
func newDir(b testing.TB) (dir string, remove func()) {
	b.Helper()
	dir, err := os.MkdirTemp(scratch, "run-") //nolint:usetesting // see above
	require.NoError(b, err)
	return dir, func() { _ = os.RemoveAll(dir) }
}

// logsOf returns the event logs of a run, and their size.
func logsOf(b testing.TB, dir string) (names []string, size int64) {
	b.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "vm_*.log"))
	require.NoError(b, err)
	for _, name := range names {
		info, err := os.Stat(name)
		require.NoError(b, err)
		size += info.Size()
	}
	return names, size
}

// counts returns how often each benchmark is to be repeated (-count).
func counts() int {
	n, err := strconv.Atoi(flag.Lookup("test.count").Value.String())
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// resident returns the memory of a process in MB by a line of its status, 0 where the
// system does not tell.
func resident(pid int, line string) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\n"+line+":")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseFloat(kb, 64)
	return n * 1024 / 1e6
}

// children returns the processes that a process has started, none where /proc is not.
func children(pid int) (all []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		_, rest, ok := strings.Cut(string(stat), ") ") // the name may hold anything
		if f := strings.Fields(rest); ok && len(f) > 1 && f[1] == strconv.Itoa(pid) {
			all = append(all, id)
		}
	}
	return all
}

func needsTool(b *testing.B, name string) {
	b.Helper()
	if _, err := exec.LookPath(name); err != nil {
		b.Skipf("%s is missing (coreutils; this is %s)", name, runtime.GOOS)
	}
}
