package causal_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/trace"
)

// record does a run in virtual time of about a number of events.
func record(b *testing.B, machines, events int) *trace.Run {
	rates := make([]clock.Rate, machines)
	const perSecond = 30_000
	for i := range rates {
		rates[i] = clock.Rate(perSecond/machines) * clock.Hertz
	}
	spec := experiment.Spec{
		Common:  experiment.Common{Run: "bench", Die: 10, Seed: 1, Duration: time.Duration(events) * time.Second / perSecond},
		Rates:   rates,
		Virtual: &experiment.Virtual{Latency: experiment.Constant(time.Millisecond), Phase: experiment.Random},
	}
	dir := b.TempDir()
	_, err := sim.Run(b.Context(), sim.Config{Spec: spec, LogDir: dir})
	require.NoError(b, err)
	run, err := trace.Open(dir)
	require.NoError(b, err)
	return run
}

func build(b *testing.B, run *trace.Run) *causal.Index {
	builder := causal.NewBuilder(run, causal.Options{})
	_, err := run.Walk(trace.Options{Unchecked: true}, builder)
	require.NoError(b, err)
	x, err := builder.Index()
	require.NoError(b, err)
	return x
}

// What an index costs beside the walk that builds it.
func BenchmarkBuild(b *testing.B) {
	run := record(b, 3, 300_000)
	b.Run("walk alone", func(b *testing.B) {
		for b.Loop() {
			events := 0
			_, err := run.Walk(trace.Options{Unchecked: true, Vectors: true}, trace.VisitorFunc(func(*trace.Step) error {
				events++
				return nil
			}))
			require.NoError(b, err)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300_000, "ns/event")
	})
	b.Run("with an index", func(b *testing.B) {
		for b.Loop() {
			build(b, run)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300_000, "ns/event")
	})
}

// Pasts, futures and chains of any of a million events.
func BenchmarkCones(b *testing.B) {
	for _, shape := range []struct {
		name     string
		machines int
	}{{"3 machines", 3}, {"100 machines", 100}} {
		x := build(b, record(b, shape.machines, 1_000_000))
		rng := rand.New(rand.NewPCG(1, 2))
		places := make([]causal.Place, 1024)
		for i := range places {
			m := rng.IntN(x.Machines())
			places[i] = causal.Place{Machine: m, Position: rng.IntN(x.End(m))}
		}
		n := 0
		next := func() causal.Place {
			n++
			return places[n%len(places)]
		}
		b.Run(shape.name+"/past", func(b *testing.B) {
			for b.Loop() {
				x.Past(next())
			}
		})
		b.Run(shape.name+"/future", func(b *testing.B) {
			for b.Loop() {
				x.Future(next())
			}
		})
		b.Run(shape.name+"/shortest", func(b *testing.B) {
			x.Shortest(next(), next()) // sorts the messages by link
			for b.Loop() {
				x.Shortest(next(), next())
			}
		})
		b.Run(shape.name+"/carried", func(b *testing.B) {
			for b.Loop() {
				x.Carried(next())
			}
		})
	}
}
