package report_test

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// BenchmarkExport exports a run of 300,000 events from disk; one operation is the
// whole run. "walk" is what all formats share: reading the logs and holding them against
// the laws.
func BenchmarkExport(b *testing.B) {
	for _, machines := range []int{3, 100} {
		run := recorded(b, tracetest.Config{
			Rates: slices.Repeat(tracetest.Hertz(30_000/uint64(machines)), machines), Duration: 10 * time.Second, Seed: 1, Delay: time.Millisecond,
		})
		bench := func(name string, export func(w io.Writer) error) {
			b.Run(fmt.Sprintf("%s/machines=%d", name, machines), func(b *testing.B) {
				var size counter
				b.ReportAllocs()
				for b.Loop() {
					require.NoError(b, export(&size))
				}
				b.ReportMetric(300_000*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
				b.ReportMetric(float64(size)/300_000/float64(b.N), "bytes/event")
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
		bench("walk", func(io.Writer) error {
			_, err := run.Walk(trace.Options{})
			return err
		})
	}
}

// counter counts what is written.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
