package sim

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// benchmark runs a configuration for so much virtual time as makes it last, and
// reports events per second of all cores together.
func benchmark(b *testing.B, cfg Config) {
	var events uint64
	before := processorTime()
	for b.Loop() {
		r, err := Run(context.Background(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		events += r.Events()
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
	if used := processorTime() - before; used > 0 {
		b.ReportMetric(float64(events)/used.Seconds()/1e6, "Mevents/cpu-s")
	}
}

func BenchmarkLab(b *testing.B) {
	cfg := lab(1)
	cfg.Duration = 1_000_000 * time.Second
	benchmark(b, cfg)
}

// random returns so many machines with whole rates from 1 to 6.
func random(machines int) Config {
	cfg := lab(1)
	cfg.Rates = make([]clock.Rate, machines)
	for i := range cfg.Rates {
		cfg.Rates[i] = clock.Rate(1+below(uint64(i), 6)) * clock.Hertz
	}
	return cfg
}

func BenchmarkMachines(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		for _, phase := range []Phase{Together, Scattered} {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("%d/phase=%d/workers=%d", n, phase, workers), func(b *testing.B) {
					cfg := random(n)
					cfg.Phase, cfg.Workers = phase, workers
					cfg.Duration = max(time.Second*time.Duration(3_000_000/n), 3*time.Second)
					benchmark(b, cfg)
				})
			}
		}
	}
}
