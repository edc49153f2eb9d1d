package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// oneAtATime is held while a command line is executed in this process: the
// library keeps its help and version flags in variables of its own.
var oneAtATime sync.Mutex

// executeAlone is execute, one call at a time.
func executeAlone(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	return execute(ctx, args, stdout, stderr)
}

// inProcess executes a command line of the launcher, without a process of its own.
func inProcess(args ...string) (code int, stdout, stderr string) {
	var out, errors bytes.Buffer
	code = executeAlone(context.Background(), append([]string{"launcher"}, args...), &out, &errors)
	return code, out.String(), errors.String()
}

// recordedRun is a run of some machines, in virtual time.
func recordedRun(t testing.TB, cfg tracetest.Config) string {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, cfg))
	return dir
}

// smallRun is the run of docs/log-format.md.
func smallRun(t testing.TB) string {
	page, err := os.ReadFile("../../docs/log-format.md")
	require.NoError(t, err)
	dir := t.TempDir()
	for _, log := range regexp.MustCompile("(?s)`(vm_._.\\.log)`:\n\n```log\n(.*?)```").FindAllSubmatch(page, -1) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, string(log[1])), log[2], 0o666))
	}
	return dir
}

func TestOrder(t *testing.T) {
	dir := smallRun(t)
	code, out, errs := inProcess("order", dir)
	require.Zero(t, code, errs)
	assert.Empty(t, errs)
	assert.Equal(t, `      1= vm-0  2026-11-22T17:13:41.066670Z  internal  step=1 queue=0
      1= vm-1  2026-11-22T17:13:40.566784Z  internal  step=1 queue=0
      2  vm-1  2026-11-22T17:13:41.066785Z  internal  step=2 queue=0
      3  vm-1  2026-11-22T17:13:41.566786Z  send      step=3 queue=0 to=0:1
      4= vm-0  2026-11-22T17:13:42.066670Z  receive   step=2 queue=0 from=1 seq=1 sent=3
      4= vm-1  2026-11-22T17:13:42.066787Z  internal  step=4 queue=0
      5= vm-0  2026-11-22T17:13:43.066670Z  send      step=3 queue=0 to=1:1
      5= vm-1  2026-11-22T17:13:42.566788Z  internal  step=5 queue=0
      6= vm-0  2026-11-22T17:13:44.066670Z  send      step=4 queue=0 to=1:2
      6= vm-1  2026-11-22T17:13:43.066789Z  receive   step=6 queue=0 from=0 seq=1 sent=5
      7  vm-1  2026-11-22T17:13:43.566790Z  internal  step=7 queue=0
      8  vm-1  2026-11-22T17:13:44.066791Z  receive   step=8 queue=0 from=0 seq=2 sent=6
      9  vm-1  2026-11-22T17:13:44.566792Z  send      step=9 queue=0 to=0:2
     10= vm-0  2026-11-22T17:13:45.066670Z  receive   step=5 queue=0 from=1 seq=2 sent=9
     10= vm-1  2026-11-22T17:13:45.066793Z  send      step=10 queue=0 to=0:3
`, out)

	// What the help shows is true.
	_, help, _ := inProcess("order", "--help")
	lines := regexp.MustCompile(`(?m)^ +[34]=? +vm-.*$`).FindAllString(help, -1)
	require.Len(t, lines, 3)
	for _, line := range lines {
		assert.Contains(t, strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(line), " "))
	}
}

func TestOrderOfMachinesWithLongNames(t *testing.T) {
	dir := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), Duration: time.Second, Seed: 4})
	_, out, _ := inProcess("order", dir)
	assert.Contains(t, out, "1= vm-9   2026-11-22T17:13:41.000000Z")
	assert.Contains(t, out, "2= vm-10  2026-11-22T17:13:41.000000Z")
}

// steps returns machine.step of each line.
func steps(out string) string {
	var s []string
	for _, m := range regexp.MustCompile(`vm-(\d+) .* step=(\d+)`).FindAllStringSubmatch(out, -1) {
		s = append(s, m[1]+"."+m[2])
	}
	return strings.Join(s, " ")
}

func TestOrderFilters(t *testing.T) {
	dir := smallRun(t)
	for _, tt := range []struct{ flags, want string }{
		{"", "0.1 1.1 1.2 1.3 0.2 1.4 0.3 1.5 0.4 1.6 1.7 1.8 1.9 0.5 1.10"},
		{"--since 8", "1.8 1.9 0.5 1.10"},
		{"--until 3", "0.1 1.1 1.2 1.3"},
		{"--since 3 --until 4", "1.3 0.2 1.4"},
		{"--since 11", ""},
		{"--until 0", ""},
		{"--until 18446744073709551615 --since 10", "0.5 1.10"},
		{"--until 1s", "1.1"}, // 40.066633 is the start
		{"--until 1.000037s", "0.1 1.1"},
		{"--since 4s --until 4500160us", "0.4 1.8 1.9"},
		{"--since 2026-11-22T17:13:44.066791Z", "1.8 1.9 0.5 1.10"},
		{"--since 2026-11-22T18:13:44.066791+01:00 --until 2026-11-22T17:13:45Z", "1.8 1.9"},
		{"--since 4 --until 2.1s", "0.2 1.4"},
		{"--machine 0", "0.1 0.2 0.3 0.4 0.5"},
		{"--machine 0,1 --until 1", "0.1 1.1"},
		{"--machine 0 --machine vm-1 --until 1", "0.1 1.1"},
		{"--kind receive", "0.2 1.6 1.8 0.5"},
		{"--kind send,receive --machine 1 --since 7", "1.8 1.9 1.10"},
	} {
		code, out, errs := inProcess(append(append([]string{"order"}, strings.Fields(tt.flags)...), dir)...)
		require.Zero(t, code, errs)
		assert.Equal(t, tt.want, steps(out), tt.flags)
		assert.Empty(t, errs)
	}
	// A tie is one though the other event is not shown.
	_, out, _ := inProcess("order", "--machine", "1", "--until", "1", dir)
	assert.Contains(t, out, "1= vm-1")
}

func TestOrderUsage(t *testing.T) {
	dir := smallRun(t)
	const points = "want a clock value such as 100, a time after the start such as 2.5s, or a global time such as 2006-01-02T15:04:05Z\n"
	for _, tt := range []struct{ args, want string }{
		{"", "launcher: order: which run? Name its directory, for example runs/latest\n"},
		{"DIR DIR", "launcher: order takes one run at a time, and here are 2\n"},
		{"DIR --since soon", "launcher: --since \"soon\": " + points},
		{"DIR/nowhere", "launcher: DIR/nowhere cannot be read: no such file or directory; want the directory of a run\n"},
		{"--since soon DIR", "launcher: --since \"soon\": " + points},
		{"--since -1s DIR", "launcher: --since \"-1s\": " + points},
		{"--until 1.5 DIR", "launcher: --until \"1.5\": " + points},
		{"--until 18446744073709551616 DIR", "launcher: --until \"18446744073709551616\": " + points},
		{"--until= DIR", "launcher: --until \"\": " + points},
		{"--since 5 --until 4 DIR", "launcher: --since 5 is after --until 4: nothing lies between them\n"},
		{"--since 5s --until 4s DIR", "launcher: --since 5s is after --until 4s: nothing lies between them\n"},
		{"--machine 2 DIR", "launcher: --machine 2: want ids from 0 to 1\n"},
		{"--machine x DIR", "launcher: --machine \"x\": want ids such as 0 or 2\n"},
		{"--kind sends DIR", "launcher: --kind \"sends\": want internal, send or receive\n"},
		{"--machines 1 DIR", "launcher: unknown flag -machines: did you mean --machine? \"launcher order --help\" lists the flags\n"},
		{"--nonsense DIR", "launcher: unknown flag -nonsense; \"launcher order --help\" lists the flags\n"},
	} {
		code, out, errs := inProcess(append([]string{"order"}, strings.Fields(strings.ReplaceAll(tt.args, "DIR", dir))...)...)
		assert.Equal(t, 2, code, tt.args)
		assert.Empty(t, out, tt.args)
		assert.Equal(t, strings.ReplaceAll(tt.want, "DIR", dir), errs, tt.args)
	}
}

// change replaces text in a log of a run.
func change(t *testing.T, path, old, fresh string) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(b), old)
	require.NoError(t, os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(fresh), 1), 0o666))
}

// What a log lacks is said, and what there is of it is shown.
func TestOrderOfAnIncompleteRun(t *testing.T) {
	dir := smallRun(t)
	log := filepath.Join(dir, "vm_1_2.log")
	change(t, log, "pending=\"\"\n", "pend")
	code, out, errs := inProcess("order", dir)
	assert.Zero(t, code)
	assert.Equal(t, 15, strings.Count(out, "\n"))
	assert.Equal(t, "launcher: "+dir+": "+log+" breaks off\n", errs)

	require.NoError(t, os.Remove(log))
	code, out, errs = inProcess("order", dir)
	assert.Zero(t, code)
	assert.Equal(t, 5, strings.Count(out, "\n"))
	assert.Equal(t, "launcher: "+dir+": the log of machine 1 is missing\n", errs)
}

func TestOrderOfABrokenRun(t *testing.T) {
	dir := smallRun(t)
	log := filepath.Join(dir, "vm_1_2.log")
	change(t, log, "step=4 clock=4", "step=4 clock=3")
	code, out, errs := inProcess("order", dir)
	assert.Equal(t, 1, code)
	assert.Equal(t, "0.1 1.1 1.2 1.3", steps(out))
	assert.Equal(t, "launcher: "+log+":5: increment: clock 3 after clock 3; the order ends here, \"launcher check\" says more\n", errs)

	// Nobody looks at what comes after the last event that is wanted.
	code, out, errs = inProcess("order", "--until", "2", dir)
	assert.Zero(t, code)
	assert.Equal(t, "0.1 1.1 1.2", steps(out))
	assert.Empty(t, errs)

	change(t, log, "step=4 clock=3", "step=4 clock=x")
	code, _, errs = inProcess("order", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, log+":5: expected clock, a whole number")
}

func BenchmarkOrder(b *testing.B) {
	dir := recordedRun(b, tracetest.Config{Rates: tracetest.Hertz(10_000, 12_000, 11_000), Duration: 10 * time.Second, Delay: time.Millisecond})
	for b.Loop() {
		require.Zero(b, execute(context.Background(), []string{"launcher", "order", dir}, io.Discard, io.Discard))
	}
	b.ReportMetric(330_000*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
