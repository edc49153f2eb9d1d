package fault_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
)

// plans are those that decisions are measured with, each with an instant.
var plans = []struct {
	name     string
	machines int
	text     func(b *strings.Builder)
	at       time.Duration
}{
	{"none", 3, func(*strings.Builder) {}, time.Minute},
	{"few", 3, func(b *strings.Builder) {
		b.WriteString("at 10s kill 1 for 2s; at 30s partition 0 | 1,2 for 10s; at 40s cut 0->1 for 5s; from 0s delay 0->1 200ms 50ms; at 55s stop-reading 0 for 5s")
	}, 42 * time.Second},
	// Seven thousand random faults of each kind lie behind this instant.
	{"soak", 3, func(b *strings.Builder) {
		b.WriteString("random kill every 5s; random partition every 5s; random cut every 5s for 500ms; random stop-reading every 5s; from 0s delay * 20ms 5ms")
	}, 10 * time.Hour},
	{"crowded", 3, func(b *strings.Builder) {
		b.WriteString("random partition every 1s for 99s; random stop-reading every 1s for 99s")
	}, 10 * time.Hour},
	// A delay for each of 9,900 links, and 10,000 cuts with times of their own.
	{"large", 100, func(b *strings.Builder) {
		for from := range 100 {
			for to := range 100 {
				if from != to {
					fmt.Fprintf(b, "from 0s delay %d->%d 20ms 5ms\n", from, to)
				}
			}
		}
		for i := range 10_000 {
			fmt.Fprintf(b, "at %ds cut 0->1 for 500ms; at %ds stop-reading 0 for 500ms\n", i, i)
		}
	}, 5000 * time.Second},
}

func benchmark(b *testing.B, decide func(p *fault.Plan, at time.Duration, n uint64)) {
	for _, c := range plans {
		b.Run(c.name, func(b *testing.B) {
			var text strings.Builder
			c.text(&text)
			p := mustParseFor(b, text.String(), c.machines)
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				n++
				decide(p, c.at+time.Duration(n), n)
			}
		})
	}
}

func BenchmarkBlocked(b *testing.B) {
	benchmark(b, func(p *fault.Plan, at time.Duration, _ uint64) { p.Blocked(0, 1, at) })
}

func BenchmarkDelay(b *testing.B) {
	benchmark(b, func(p *fault.Plan, at time.Duration, n uint64) { p.Delay(0, 1, at, n) })
}

func BenchmarkNotReading(b *testing.B) {
	benchmark(b, func(p *fault.Plan, at time.Duration, _ uint64) { p.NotReading(0, at) })
}

// BenchmarkActions measures one action of a soak of three machines.
func BenchmarkActions(b *testing.B) {
	p := mustParse(b, "random kill every 5s; random partition every 7s; random reset every 3s")
	b.ReportAllocs()
	n := 0
	for range p.Actions(fault.Forever) {
		if n++; n >= b.N {
			break
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	plans[4].text(&text)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		_, err := fault.Parse(text.String(), 100)
		require.NoError(b, err)
	}
}

// Decisions are made for every write, and so leave nothing to collect.
func TestDecisionsDoNotAllocate(t *testing.T) {
	for _, c := range plans {
		var text strings.Builder
		c.text(&text)
		p := mustParseFor(t, text.String(), c.machines)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			p.Blocked(0, 1, c.at)
			p.Delay(0, 1, c.at, 7)
			p.NotReading(0, c.at)
		}), c.name)
	}
}
