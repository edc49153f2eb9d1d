package trace_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// largeEvents is how many events the runs of benchmarks have: a million, or 10 million with
// LAMPORT_LARGE set, about 1 GB of logs.
func largeEvents() int {
	if os.Getenv("LAMPORT_LARGE") != "" {
		return 10_000_000
	}
	return 1_000_000
}

// benchRun makes a run of so many machines and about as many events, of which few messages are
// pending at any time.
func benchRun(b *testing.B, machines, events int) (dir string, recorded int) {
	dir = b.TempDir()
	const perSecond = 10_000
	rates := make([]clock.Rate, machines)
	for i := range rates {
		rates[i] = clock.Rate(perSecond/machines) * clock.Hertz
	}
	require.NoError(b, tracetest.Record(dir, tracetest.Config{
		Rates: rates, Duration: time.Duration(events) * time.Second / perSecond, Seed: 7, Delay: time.Millisecond,
	}))
	run, err := trace.Open(dir)
	require.NoError(b, err)
	v, err := run.Walk(trace.Options{})
	require.NoError(b, err)
	require.Equal(b, trace.Correct, v.State)
	return dir, int(v.Events)
}

// BenchmarkCheck checks runs; the rival counts the newlines of the same files.
func BenchmarkCheck(b *testing.B) {
	for _, machines := range []int{3, 100} {
		b.Run(fmt.Sprintf("machines=%d", machines), func(b *testing.B) {
			benchmarkReading(b, machines, func(run *trace.Run) {
				_, err := run.Walk(trace.Options{})
				require.NoError(b, err)
			})
		})
	}
}

// BenchmarkStats gathers the figures of runs; the rival counts the newlines of the same files.
func BenchmarkStats(b *testing.B) {
	for _, machines := range []int{3, 100} {
		b.Run(fmt.Sprintf("machines=%d", machines), func(b *testing.B) {
			benchmarkReading(b, machines, func(run *trace.Run) {
				_, err := run.Stats()
				require.NoError(b, err)
			})
		})
	}
}

func benchmarkReading(b *testing.B, machines int, read func(*trace.Run)) {
	dir, events := benchRun(b, machines, largeEvents())
	var ours, rival time.Duration
	peak := peakMemory()
	for b.Loop() {
		run, err := trace.Open(dir)
		require.NoError(b, err)
		start := time.Now()
		read(run)
		ours += time.Since(start)
		start = time.Now()
		lines := countNewlines(b, run)
		rival += time.Since(start)
		require.Equal(b, events+2*len(run.Logs), lines)
	}
	each := float64(b.N) * float64(events)
	b.ReportMetric(each/ours.Seconds(), "ours/s")
	b.ReportMetric(each/rival.Seconds(), "rival/s")
	b.ReportMetric(rival.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(peak(), "MB-peak")
}

// countNewlines counts the newlines in the logs of a run, with wc where there is one.
func countNewlines(b *testing.B, run *trace.Run) (lines int) {
	names := []string{"-l", "--"}
	for _, l := range run.Logs {
		names = append(names, l.Name)
	}
	if wc, err := exec.LookPath("wc"); err == nil {
		out, err := exec.Command(wc, names...).Output()
		require.NoError(b, err)
		last := slices.Collect(strings.Lines(string(out)))
		lines, err = strconv.Atoi(strings.Fields(last[len(last)-1])[0])
		require.NoError(b, err)
		return lines
	}
	lines, err := tracetest.Newlines(names[2:])
	require.NoError(b, err)
	return lines
}

// peakMemory starts to watch the largest resident memory of this process, in MB,
// and returns what reads it: 0 where Linux is not there to ask.
func peakMemory() func() float64 {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) // begins a new peak
	return func() float64 {
		status, _ := os.ReadFile("/proc/self/status")
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, _ := strconv.ParseFloat(kb, 64)
		return n / 1000
	}
}
