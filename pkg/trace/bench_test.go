package trace_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// BenchmarkCheck checks a run of the laboratory's cluster, and beside it counts the
// newlines of the same files. With LAMPORT_LARGE set there are 10 million events
// too, about 1 GB of logs.
func BenchmarkCheck(b *testing.B) {
	sizes := []int{100_000, 1_000_000}
	if os.Getenv("LAMPORT_LARGE") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, events := range sizes {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			dir := b.TempDir()
			require.NoError(b, tracetest.Record(dir, tracetest.Config{
				Rates:    tracetest.Hertz(1000, 5000, 4000),
				Duration: time.Duration(events) * 100 * time.Microsecond,
				Seed:     7, Delay: time.Millisecond,
			}))
			b.Run("walk", func(b *testing.B) { benchmarkWalk(b, dir, events, trace.Options{}) })
			b.Run("vectors", func(b *testing.B) { benchmarkWalk(b, dir, events, trace.Options{Vectors: true}) })
			b.Run("newlines", func(b *testing.B) { benchmarkNewlines(b, dir, events) })
		})
	}
}

func benchmarkWalk(b *testing.B, dir string, events int, o trace.Options) {
	peak := peakMemory()
	for b.Loop() {
		run, err := trace.Open(dir)
		require.NoError(b, err)
		v, err := run.Walk(o)
		require.NoError(b, err)
		require.Equal(b, trace.Correct, v.State)
		require.EqualValues(b, events, v.Events)
	}
	b.ReportMetric(peak(), "MB-peak")
	b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}

func benchmarkNewlines(b *testing.B, dir string, events int) {
	buf := make([]byte, 64<<10)
	for b.Loop() {
		run, err := trace.Open(dir)
		require.NoError(b, err)
		lines := 0
		for _, l := range run.Logs {
			f, err := os.Open(l.Name)
			require.NoError(b, err)
			for {
				n, err := f.Read(buf)
				lines += bytes.Count(buf[:n], []byte{'\n'})
				if err == io.EOF {
					break
				}
				require.NoError(b, err)
			}
			require.NoError(b, f.Close())
		}
		require.Equal(b, events+2*len(run.Logs), lines)
	}
	b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
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
