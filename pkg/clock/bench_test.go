package clock_test

import (
	"sync/atomic"
	"testing"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Each table holds, in one run, the clock against what is known to be slower (its
// twin with a mutex) and against what cannot be beaten: one atomic addition for
// a clock that is shared, the plain value for one that is not.

var sink clock.Time

func BenchmarkTick(b *testing.B) {
	b.Run("value", func(b *testing.B) {
		var now clock.Time
		for b.Loop() {
			now, _ = now.Tick()
		}
		sink = now
	})
	b.Run("lamport", func(b *testing.B) {
		var l clock.Lamport
		b.ReportAllocs()
		for b.Loop() {
			_, _ = l.Tick()
		}
	})
	b.Run("mutex", func(b *testing.B) {
		var c mutexClock
		for b.Loop() {
			_, _ = c.Tick()
		}
	})
	b.Run("atomic-add", func(b *testing.B) {
		var n atomic.Uint64
		for b.Loop() {
			n.Add(1)
		}
	})
}

// Half of the messages are ahead of the receiver, half behind.
func BenchmarkReceive(b *testing.B) {
	b.Run("value", func(b *testing.B) {
		var now, sent clock.Time
		for b.Loop() {
			sent ^= 1 << 20
			now, _ = now.Receive(sent)
		}
		sink = now
	})
	b.Run("lamport", func(b *testing.B) {
		var l clock.Lamport
		var sent clock.Time
		b.ReportAllocs()
		for b.Loop() {
			sent += 2
			_, _ = l.Receive(sent & 0xfffffff)
		}
	})
	b.Run("mutex", func(b *testing.B) {
		var c mutexClock
		var sent clock.Time
		for b.Loop() {
			sent += 2
			_, _ = c.Receive(sent & 0xfffffff)
		}
	})
	b.Run("atomic-add", func(b *testing.B) {
		var n atomic.Uint64
		for b.Loop() {
			n.Add(1)
		}
	})
}

// A send and the receipt of a message: what a process does for each message that
// passes through it.
func BenchmarkTickReceive(b *testing.B) {
	b.Run("value", func(b *testing.B) {
		var now clock.Time
		for b.Loop() {
			sent, _ := now.Tick()
			now, _ = sent.Receive(now)
		}
		sink = now
	})
	b.Run("lamport", func(b *testing.B) {
		var l clock.Lamport
		b.ReportAllocs()
		for b.Loop() {
			sent, _ := l.Tick()
			_, _ = l.Receive(sent)
		}
	})
	b.Run("mutex", func(b *testing.B) {
		var c mutexClock
		for b.Loop() {
			sent, _ := c.Tick()
			_, _ = c.Receive(sent)
		}
	})
}

// All processors on one clock.
func BenchmarkParallel(b *testing.B) {
	b.Run("lamport", func(b *testing.B) {
		var l clock.Lamport
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = l.Receive(1)
			}
		})
	})
	b.Run("mutex", func(b *testing.B) {
		var c mutexClock
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = c.Receive(1)
			}
		})
	})
	b.Run("atomic-add", func(b *testing.B) {
		var n atomic.Uint64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				n.Add(1)
			}
		})
	})
}

func BenchmarkRate(b *testing.B) {
	b.Run("due", func(b *testing.B) {
		var k uint64
		var ns int64
		for b.Loop() {
			k++
			ns ^= (5 * clock.Hertz).Due(k)
		}
		sink = clock.Time(ns)
	})
	b.Run("ticks", func(b *testing.B) {
		var ns int64
		var k uint64
		for b.Loop() {
			ns += 1_000_003
			k ^= (5 * clock.Hertz).Ticks(ns)
		}
		sink = clock.Time(k)
	})
}
