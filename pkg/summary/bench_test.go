package summary_test

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/summary"
)

// mixed returns n events in an order that no branch predictor learns.
func mixed(n int) []event.Event {
	r := rand.New(rand.NewPCG(1, 2))
	events := make([]event.Event, n)
	now := clock.Time(0)
	for i := range events {
		ev := &events[i]
		ev.Step, ev.Queue, ev.Kind = uint64(i+1), r.IntN(5), event.Internal
		now++
		switch r.IntN(10) {
		case 0, 1:
			ev.Kind = event.Send
			ev.SetMessages(event.Message{To: 1})
		case 2:
			ev.Kind = event.Send
			ev.SetMessages(event.Message{To: 1}, event.Message{To: 2})
		case 3, 4, 5, 6:
			ev.Kind = event.Receive
			ev.SetMessages(event.Message{From: 1})
			now += clock.Time(r.IntN(3))
		}
		ev.Clock = now
	}
	return events
}

func BenchmarkObserve(b *testing.B) {
	events := mixed(1 << 12)
	var c summary.Collector
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Observe(&events[i&(1<<12-1)])
	}
}

func BenchmarkTick(b *testing.B) {
	var c summary.Collector
	c.Tick(0) // makes the histogram
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Tick(time.Duration(i&0xffff) * 16)
	}
}

func BenchmarkMachine(b *testing.B) {
	var c summary.Collector
	for i, ev := range mixed(1 << 12) {
		c.Observe(&ev)
		c.Tick(time.Duration(i) * time.Microsecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Machine(0, clock.Hertz, 0)
	}
}

// A run in virtual time has up to a million collectors.
func TestCollectorIsSmallAndDoesNotAllocate(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(summary.Collector{}), uintptr(150))
	events := mixed(1)
	var c summary.Collector
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Observe(&events[0]) }))
	c.Tick(0)
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Tick(time.Second) }))
}
