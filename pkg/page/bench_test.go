package page

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/trace"
)

// What a page costs beside the walk that its figures need, and how large it is.
func BenchmarkPage(b *testing.B) {
	for _, shape := range []struct {
		name             string
		machines, events int
	}{{"600 events", 3, 600}, {"1M events", 3, 1_000_000}, {"1M events of 100 machines", 100, 1_000_000}} {
		const perSecond = 3_000
		spec := experiment.Spec{
			Common:  experiment.Common{Run: "bench", Die: 10, Seed: 1, Duration: time.Duration(shape.events) * time.Second / perSecond},
			Virtual: &experiment.Virtual{Phase: experiment.Random},
		}
		var err error
		spec.Latency, err = experiment.ParseLatency("lognormal:2ms,0.5") // so that the times are of no pattern
		require.NoError(b, err)
		for i := range shape.machines {
			spec.Rates = append(spec.Rates, perSecond*clock.Hertz/clock.Rate(shape.machines)-clock.Rate(i))
		}
		dir := b.TempDir()
		_, err = sim.Run(b.Context(), sim.Config{Spec: spec, LogDir: dir})
		require.NoError(b, err)
		run, err := trace.Open(dir)
		require.NoError(b, err)
		b.Run(shape.name+"/figures alone", func(b *testing.B) {
			for b.Loop() {
				_, err := run.Stats()
				require.NoError(b, err)
			}
		})
		b.Run(shape.name+"/with a page", func(b *testing.B) {
			var size counter
			for b.Loop() {
				size = 0
				c := NewCollector(run, Options{})
				stats, err := run.Stats(c.Visitors()...)
				require.NoError(b, err)
				head, data := c.Run(stats)
				p := &Page{Head: NewHead(KindRun, "launcher", "bench"), Data: [][]byte{data}}
				p.Head.Runs = append(p.Head.Runs, *head)
				require.NoError(b, p.Write(&size))
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}

// counter counts what is written.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
