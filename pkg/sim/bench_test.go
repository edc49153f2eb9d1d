package sim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/sim/internal/naive"
	"github.com/scalemodel/lamport/pkg/summary"
)

// versus runs ours and a rival by turns, and reports how many events (or lines) each has a
// second. Each returns how many it had, and how long that took without its preparations.
func versus(b *testing.B, ours, rival func() (events uint64, took time.Duration)) {
	var sums [2]struct {
		events uint64
		took   time.Duration
	}
	for b.Loop() {
		for i, run := range []func() (uint64, time.Duration){ours, rival} {
			runtime.GC() // of nobody's else garbage
			events, took := run()
			sums[i].events += events
			sums[i].took += took
		}
	}
	rate := func(i int) float64 { return float64(sums[i].events) / sums[i].took.Seconds() }
	b.ReportMetric(rate(0), "ours/s")
	b.ReportMetric(rate(1), "rival/s")
	b.ReportMetric(rate(0)/rate(1), "ratio")
}

// timed executes a configuration.
func timed(b *testing.B, cfg Config) (events uint64, took time.Duration) {
	began := time.Now()
	r, err := Run(context.Background(), cfg)
	require.NoError(b, err)
	return r.Events(), time.Since(began)
}

// plainly executes a configuration in the plainest way: one heap of ticks, and package
// machine's machines. Making these is not measured.
func plainly(b *testing.B, cfg Config) (events uint64, took time.Duration) {
	e, err := newEngine(cfg)
	require.NoError(b, err)
	n := len(cfg.Rates)
	plain := naive.Config{Rates: cfg.Rates, End: int64(cfg.Duration), Latency: func(from, to int, step uint64) int64 { return e.arrives(from, to, step, 0) }}
	for id := range cfg.Rates {
		m, err := machine.New(machine.Config{ID: id, Machines: n, Die: cfg.Die, Seed: cfg.Seed})
		require.NoError(b, err)
		plain.Machines, plain.Origins = append(plain.Machines, m), append(plain.Origins, e.origin(id))
	}
	collectors := make([]summary.Collector, n)
	began := time.Now()
	require.NoError(b, naive.Run(plain, func(id int, _ int64, ev *event.Event) {
		collectors[id].Observe(ev)
		events++
	}))
	return events, time.Since(began)
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

// lasting gives a configuration the duration in which it has so many events.
func lasting(cfg Config, events float64) Config {
	perSecond := 0.0
	for _, r := range cfg.Rates {
		perSecond += r.PerSecond()
	}
	cfg.Duration = time.Duration(events / perSecond * float64(time.Second))
	return cfg
}

// BenchmarkMachines executes events of machines without logs, start and all, on as many
// cores as pay. The rival is the plainest simulator, one heap and package machine's
// machines, for a fraction of the time.
func BenchmarkMachines(b *testing.B) {
	for _, c := range []struct {
		machines int
		latency  string
		events   float64
	}{
		{3, "1ms", 20e6},
		{1000, "1ms", 20e6},
		{100_000, "1ms", 20e6},
		{1_000_000, "1ms", 70e6},
		{1000, "exp:2ms", 5e6},
		{100_000, "exp:2ms", 5e6},
	} {
		for _, phase := range []experiment.Phase{experiment.Together, experiment.Random} {
			name := map[experiment.Phase]string{experiment.Together: "together", experiment.Random: "random"}[phase]
			b.Run(fmt.Sprintf("machines=%d/latency=%s/phase=%s", c.machines, c.latency, name), func(b *testing.B) {
				cfg := random(c.machines)
				if c.machines == 3 {
					cfg = lab(1)
				}
				cfg.Phase, cfg.Latency = phase, parseLatency(b, c.latency)
				versus(b,
					func() (uint64, time.Duration) { return timed(b, lasting(cfg, c.events)) },
					func() (uint64, time.Duration) { return plainly(b, lasting(cfg, c.events/20)) })
			})
		}
	}
}

// BenchmarkWorkers executes events of a million machines on one core and on two.
func BenchmarkWorkers(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("machines=1000000/workers=%d", workers), func(b *testing.B) {
			cfg := lasting(random(1_000_000), 35e6)
			cfg.Workers = workers
			var events uint64
			for b.Loop() {
				n, _ := timed(b, cfg)
				events += n
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkLogs writes logs to disk. The rival only writes as many bytes, to as many
// files, 64 KiB at a time.
func BenchmarkLogs(b *testing.B) {
	for _, n := range []int{3, 1000} {
		b.Run(fmt.Sprintf("machines=%d", n), func(b *testing.B) {
			cfg := lasting(random(n), 5e6)
			var events uint64
			var sizes []int64
			versus(b, func() (uint64, time.Duration) {
				cfg.LogDir = filepath.Join(b.TempDir(), "logs")
				require.NoError(b, os.Mkdir(cfg.LogDir, 0o700))
				var took time.Duration
				events, took = timed(b, cfg)
				sizes = take(b, cfg.LogDir)
				return events, took
			}, func() (uint64, time.Duration) {
				dir := filepath.Join(b.TempDir(), "plain")
				require.NoError(b, os.Mkdir(dir, 0o700))
				took := write(b, dir, sizes)
				take(b, dir)
				return events, took
			})
		})
	}
}

// take removes a directory, and returns how long its files were.
func take(b *testing.B, dir string) (sizes []int64) {
	files, err := os.ReadDir(dir)
	require.NoError(b, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(b, err)
		sizes = append(sizes, info.Size())
	}
	require.NoError(b, os.RemoveAll(dir))
	return sizes
}

// write writes files of some sizes, and returns how long it takes.
func write(b *testing.B, dir string, sizes []int64) time.Duration {
	text := make([]byte, 64<<10)
	for i := range text {
		text[i] = byte(i)
	}
	began := time.Now()
	for i, size := range sizes {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		require.NoError(b, err)
		for size > 0 {
			n, err := f.Write(text[:min(size, int64(len(text)))])
			require.NoError(b, err)
			size -= int64(n)
		}
		require.NoError(b, f.Close())
	}
	return time.Since(began)
}
