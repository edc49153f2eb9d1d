package vm

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
)

var paceFor = flag.Duration("pace", time.Second, "how long BenchmarkPace keeps each rate")

// BenchmarkPace shows how well machines keep their rates, beside the two ways in
// which one would first write a clock down: time.Ticker, and time.Sleep to the
// instant of the next tick. Every tick writes a line to a log. Figures that
// mean something take a host with nothing else to do:
//
//	go test -run '^$' -bench Pace -benchtime 1x -pace 60s -timeout 30m ./pkg/vm
//
// Of several machines, the worst counts for each figure.
func BenchmarkPace(b *testing.B) {
	ways := []struct {
		name string
		keep func(b *testing.B, rates []clock.Rate) []summary.Machine
	}{
		{"vm", paceOfMachines},
		{"Ticker", func(b *testing.B, rates []clock.Rate) []summary.Machine { return paceOfTwins(b, rates, newTicker) }},
		{"Sleep", func(b *testing.B, rates []clock.Rate) []summary.Machine { return paceOfTwins(b, rates, newSleeper) }},
	}
	for _, list := range []string{"1,5,4", "100", "1000"} {
		var rates []clock.Rate
		for text := range strings.SplitSeq(list, ",") {
			rates = append(rates, parseRate(b, text))
		}
		for _, way := range ways {
			b.Run("rates="+list+"/"+way.name, func(b *testing.B) {
				for range b.N {
					reportPace(b, way.keep(b, rates))
				}
			})
		}
	}
}

func reportPace(b *testing.B, machines []summary.Machine) {
	var ppm float64
	var end, p50, p99, latest time.Duration
	var missed uint64
	for _, m := range machines {
		if e := m.RateError(); max(e, -e) > max(ppm, -ppm) {
			ppm = e
		}
		if phase, ok := m.EndPhase(); ok {
			end = max(end, phase)
		}
		p50, p99, latest = max(p50, m.Lateness.P50), max(p99, m.Lateness.P99), max(latest, m.Lateness.Max)
		missed = max(missed, m.Rate.Ticks(int64(*paceFor))-m.Steps)
	}
	micro := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ppm, "ppm")
	b.ReportMetric(micro(end), "end-µs")
	b.ReportMetric(micro(p50), "p50-µs")
	b.ReportMetric(micro(p99), "p99-µs")
	b.ReportMetric(micro(latest), "max-µs")
	b.ReportMetric(float64(missed), "missed")
}

// paceOfMachines runs a cluster.
func paceOfMachines(b *testing.B, rates []clock.Rate) []summary.Machine {
	var texts []string
	for _, r := range rates {
		texts = append(texts, r.String())
	}
	f := newFleet(b, texts, func(_ int, cfg *Config) { cfg.Duration = *paceFor })
	f.run()
	var machines []summary.Machine
	for _, m := range f.results {
		machines = append(machines, *m)
	}
	return machines
}

// paceOfTwins does what a machine does on its ticks, paced in another way.
func paceOfTwins(b *testing.B, rates []clock.Rate, newClock func(clock.Rate) func()) []summary.Machine {
	machines := make([]summary.Machine, len(rates))
	dir := b.TempDir()
	var wg sync.WaitGroup
	for id, rate := range rates {
		file, err := os.Create(filepath.Join(dir, logging.FileName(id, rate)))
		require.NoError(b, err)
		wg.Go(func() {
			defer file.Close()
			log := logging.NewWriter(file, id)
			var figures summary.Collector
			start := time.Now()
			tick := newClock(rate)
			for k := uint64(1); rate.Due(k) <= int64(*paceFor); k++ {
				tick()
				now := time.Now()
				if now.Sub(start) > *paceFor+5*time.Millisecond {
					break // the ticks that are left were lost
				}
				figures.Tick(now.Sub(start) - time.Duration(rate.Due(k)))
				ev := event.Event{Step: k, Clock: clock.Time(k), Kind: event.Internal}
				figures.Observe(&ev)
				log.Event(now, &ev)
				if log.Flush() != nil {
					break
				}
			}
			machines[id] = figures.Machine(id, rate, 0)
		})
	}
	wg.Wait()
	return machines
}

// newTicker returns a function that waits for a time.Ticker.
func newTicker(rate clock.Rate) func() {
	t := time.NewTicker(time.Duration(rate.Due(1)))
	return func() { <-t.C }
}

// newSleeper returns a function that sleeps until the next tick is due.
func newSleeper(rate clock.Rate) func() {
	start, k := time.Now(), uint64(0)
	return func() {
		k++
		time.Sleep(time.Duration(rate.Due(k)) - time.Since(start))
	}
}

// BenchmarkLogBeforeSend shows what it costs that nothing leaves a machine before its
// log has it: three machines run as fast as they can, with logs, without (no line is
// written, and all is sent at once), and with a wait for the disk at each commit.
func BenchmarkLogBeforeSend(b *testing.B) {
	for _, way := range []struct {
		name          string
		without, sync bool
	}{{"log", false, false}, {"no-log", true, false}, {"sync", false, true}} {
		b.Run(way.name, func(b *testing.B) {
			events := uint64(0)
			var ran time.Duration
			for range b.N {
				f := newFleet(b, []string{"max", "max", "max"}, func(_ int, cfg *Config) {
					cfg.Sync, cfg.Duration = way.sync, 2*time.Second
				})
				var wg sync.WaitGroup
				for id := range f.cfgs {
					r, err := newRunner(f.cfgs[id], f.lns[id])
					require.NoError(b, err)
					if way.without {
						r.steps.journal.log = logging.NewWriter(io.Discard, id)
					}
					wg.Go(func() { f.results[id], f.errs[id] = r.run(f.ctxs[id]) })
				}
				wg.Wait()
				for id, m := range f.results {
					require.NoError(b, f.errs[id])
					events += m.Steps
				}
				ran += f.cfgs[0].Duration
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(events)/ran.Seconds()/1e6, "Mevents/s")
		})
	}
}
