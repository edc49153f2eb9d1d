package report_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// kept are the lines of a run as a walk shows them, kept in memory.
func kept(b *testing.B, run *trace.Run) (steps []trace.Step) {
	_, err := run.Walk(trace.Options{Vectors: true}, trace.VisitorFunc(func(s *trace.Step) error {
		c := *s
		if s.Event != nil {
			e := *s.Event
			c.Event = &e
		} else {
			other := logging.Record(*s.Other)
			c.Other = &other
		}
		if s.Sent != nil {
			sent := *s.Sent
			c.Sent = &sent
		}
		c.Vector = append([]uint64(nil), s.Vector...)
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
