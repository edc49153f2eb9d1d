package enginetest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Logs returns the event logs of a directory, one behind the other.
func Logs(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "vm_*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return string(all)
}

// Steps returns how many steps are in the logs of a directory.
func Steps(t testing.TB, dir string) (n int) {
	t.Helper()
	for line := range strings.Lines(Logs(t, dir)) {
		if strings.HasSuffix(line, "\n") && strings.Contains(line, ": step=") {
			n++
		}
	}
	return n
}

// RequireTicks requires that the machines of a run have had so many ticks in all. Those that a
// busy host has made them miss count, of which statistics see a few too many where machines came
// back, and which they may take for a clock that was set where all came at once.
func RequireTicks(t testing.TB, dir string, ticks uint64) {
	t.Helper()
	code, out := Launcher(t, dir, "stats", "--format", "json", ".")
	var stats struct {
		Machines []struct {
			Summary struct {
				ID            int
				Rate          clock.Rate
				Steps, Missed uint64
			} `json:"summary"`
		} `json:"machines"`
		ClockSteps []trace.ClockStep `json:"clock_steps"`
	}
	if err := json.Unmarshal([]byte(out), &stats); code != 0 || err != nil {
		t.Fatalf("launcher stats exits with %d: %v\n%s", code, err, out)
	}
	var steps, missed uint64
	for _, m := range stats.Machines {
		steps, missed = steps+m.Summary.Steps, missed+m.Summary.Missed
		for _, set := range stats.ClockSteps {
			if set.Machine == m.Summary.ID && set.By > 0 {
				missed += m.Summary.Rate.Ticks(int64(set.By)) + 1
			}
		}
	}
	if steps > ticks || steps+missed < ticks || missed > ticks/4 {
		t.Fatalf("the run had %d steps and missed %d: want %d in all", steps, missed, ticks)
	}
}

// RequireCorrect requires that a run is correct.
func RequireCorrect(t testing.TB, dir string) {
	t.Helper()
	if code, out := Launcher(t, dir, "check", "."); code != 0 {
		t.Fatalf("launcher check exits with %d: %s", code, out)
	}
}

// Machines returns the processes of vm, on all hosts that are made of this one, that have all
// these variables in their environment.
func Machines(t testing.TB, env ...string) (pids []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		process := filepath.Dir(name)
		comm, _ := os.ReadFile(filepath.Join(process, "comm")) // it may have ended
		environ, _ := os.ReadFile(name)
		has := bytes.Split(environ, []byte{0})
		if string(comm) != "vm\n" || slices.ContainsFunc(env, func(v string) bool {
			return !slices.ContainsFunc(has, func(h []byte) bool { return string(h) == v })
		}) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}
