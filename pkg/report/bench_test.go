package report_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// BenchmarkExport exports a run of 600,000 events from disk into a file; one operation
// is the whole run. Its rival copies the run's logs into the same file, in blocks of
// 64 KiB, in turn with it: an export reads as many bytes and writes about as many.
func BenchmarkExport(b *testing.B) {
	const events = 600_000
	for _, machines := range []int{3, 100} {
		run := recorded(b, tracetest.Config{
			Rates: slices.Repeat(tracetest.Hertz(60_000/uint64(machines)), machines), Duration: 10 * time.Second, Seed: 1, Delay: time.Millisecond,
		})
		into, err := os.Create(filepath.Join(b.TempDir(), "export"))
		require.NoError(b, err)
		empty := func() {
			_, err := into.Seek(0, io.SeekStart)
			require.NoError(b, err)
			require.NoError(b, into.Truncate(0))
		}
		bench := func(name string, export func(w io.Writer) error) {
			b.Run(fmt.Sprintf("%s/machines=%d", name, machines), func(b *testing.B) {
				var ours, rival time.Duration
				var size int64
				b.ReportAllocs()
				for b.Loop() {
					empty()
					start := time.Now()
					require.NoError(b, export(into))
					ours += time.Since(start)
					size, err = into.Seek(0, io.SeekCurrent)
					require.NoError(b, err)

					empty()
					start = time.Now()
					for _, l := range run.Logs {
						appendFile(b, into, l.Name)
					}
					rival += time.Since(start)
				}
				n := events * float64(b.N)
				b.ReportMetric(n/ours.Seconds(), "ours/s")
				b.ReportMetric(n/rival.Seconds(), "rival/s")
				b.ReportMetric(rival.Seconds()/ours.Seconds(), "ratio")
				b.ReportMetric(float64(size)/events, "bytes/event")
			})
		}
		for _, f := range report.Formats {
			bench(string(f), func(w io.Writer) error {
				_, err := report.Export(w, run, f, report.Options{})
				return err
			})
		}
		bench("csv,vectors", func(w io.Writer) error {
			_, err := report.Export(w, run, report.CSV, report.Options{Vectors: true})
			return err
		})
		bench("order", func(w io.Writer) error {
			_, err := report.Order(b.Context(), w, run, report.OrderOptions{})
			return err
		})
		require.NoError(b, into.Close())
	}
}

// appendFile copies a file as cat does where the kernel has no shorter way.
func appendFile(b *testing.B, to io.Writer, name string) {
	from, err := os.Open(name)
	require.NoError(b, err)
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64<<10))
	require.NoError(b, err)
	require.NoError(b, from.Close())
}

// kept are the lines of a run as a walk shows them, kept in memory.
func kept(b *testing.B, run *trace.Run) (steps []trace.Step) {
	_, err := run.Walk(trace.Options{Vectors: true}, trace.VisitorFunc(func(s *trace.Step) error {
		c := *s
		if s.Event != nil {
			e := *s.Event
			c.Event = &e
		} else {
			other := *s.Other
			c.Other = &other
		}
		if s.Sent != nil {
			sent := *s.Sent
			c.Sent = &sent
		}
		c.Vector = slices.Clone(s.Vector)
		steps = append(steps, c)
		return nil
	}))
	require.NoError(b, err)
	return steps
}

// BenchmarkVisit is what an export costs besides the walk: its visitor, shown lines
// from memory.
func BenchmarkVisit(b *testing.B) {
	run := recorded(b, tracetest.Config{
		Rates: tracetest.Hertz(10_000, 10_000, 10_000), Duration: 100 * time.Millisecond, Seed: 1, Delay: time.Millisecond,
	})
	steps := kept(b, run)
	for _, f := range report.Formats {
		b.Run(string(f), func(b *testing.B) {
			e, err := report.NewExporter(io.Discard, run, f, report.Options{})
			require.NoError(b, err)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := e.Visit(&steps[n]); err != nil {
					b.Fatal(err)
				}
				if n++; n == len(steps) {
					n = 0
				}
			}
			_, err = e.End(nil)
			require.NoError(b, err)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
