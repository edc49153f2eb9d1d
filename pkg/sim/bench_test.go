package sim

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/sim/internal/naive"
	"github.com/scalemodel/lamport/pkg/summary"
)

// benchmark runs a configuration for so much virtual time as makes it last, and
// reports events per second of all cores together.
func benchmark(b *testing.B, cfg Config) {
	measure(b, func() uint64 {
		r, err := Run(context.Background(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		return r.Events()
	})
}

// measure reports how many events per second a run executes.
func measure(b *testing.B, run func() (events uint64)) {
	var events uint64
	before := processorTime()
	for b.Loop() {
		events += run()
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
		for _, phase := range []experiment.Phase{experiment.Together, experiment.Random} {
			for _, shards := range []int{1, 2} {
				b.Run(fmt.Sprintf("%d/phase=%d/shards=%d", n, phase, shards), func(b *testing.B) {
					cfg := random(n)
					cfg.Phase, cfg.shards = phase, shards
					cfg.Duration = max(time.Second*time.Duration(3_000_000/n), 3*time.Second)
					benchmark(b, cfg)
				})
			}
		}
	}
}

// BenchmarkNaive is the plainest simulator, with a heap of ticks and package
// machine's machines.
func BenchmarkNaive(b *testing.B) {
	for _, n := range []int{3, 1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			cfg := random(n)
			if n == 3 {
				cfg = lab(1)
			}
			end := max(int64(time.Second)*int64(1_000_000/n), int64(time.Second))
			measure(b, func() (events uint64) {
				var machines []naive.Machine
				for id := range cfg.Rates {
					m, err := machine.New(machine.Config{ID: id, Machines: n, Die: cfg.Die, Seed: cfg.Seed})
					if err != nil {
						b.Fatal(err)
					}
					machines = append(machines, m)
				}
				collectors := make([]summary.Collector, n)
				err := naive.Run(naive.Config{
					Machines: machines, Rates: cfg.Rates, Origins: make([]int64, n), End: end,
					Latency: func(int, int, uint64) int64 { return int64(time.Millisecond) },
				}, func(id int, _ int64, ev *event.Event) {
					collectors[id].Observe(ev)
					events++
				})
				if err != nil {
					b.Fatal(err)
				}
				return events
			})
		})
	}
}

// BenchmarkLogs writes logs to disk.
func BenchmarkLogs(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			cfg := random(n)
			cfg.Duration = time.Second * time.Duration(600_000/n)
			measure(b, func() uint64 {
				cfg.LogDir = b.TempDir()
				r, err := Run(context.Background(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				return r.Events()
			})
		})
	}
}

// Latencies that have no lower bound leave no windows: a heap orders the ticks.
func BenchmarkExponential(b *testing.B) {
	for _, n := range []int{3, 1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			cfg := random(n)
			cfg.Latency = parseLatency(b, "exp:2ms")
			cfg.Duration = max(time.Second*time.Duration(1_000_000/n), time.Second)
			benchmark(b, cfg)
		})
	}
}
