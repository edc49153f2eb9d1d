package machine

import (
	"testing"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

func benchmarkStep(b *testing.B, cfg Config) {
	m, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	var ev event.Event
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Step(&ev); err != nil {
			b.Fatal(err)
		}
	}
}

// Idle steps: the die of the laboratory, one that always sends, one that hardly
// ever does, and runs large enough to draw the recipients.
func BenchmarkStep(b *testing.B) {
	b.Run("mixed", func(b *testing.B) { benchmarkStep(b, Config{Machines: 3, Die: DefaultDie}) })
	b.Run("send", func(b *testing.B) { benchmarkStep(b, Config{Machines: 3, Die: 1}) })
	b.Run("internal", func(b *testing.B) { benchmarkStep(b, Config{Machines: 3, Die: 1 << 30}) })
	b.Run("send-of-1000", func(b *testing.B) { benchmarkStep(b, Config{Machines: 1000, Die: 1}) })
	b.Run("send-of-100000", func(b *testing.B) { benchmarkStep(b, Config{Machines: 100_000, Die: 1}) })
}

// One message in, one step that receives it, with as many waiting before it.
func BenchmarkDeliverReceive(b *testing.B) {
	for _, c := range []struct {
		name    string
		waiting int
	}{{"queue-of-1", 0}, {"queue-of-1000", 999}} {
		b.Run(c.name, func(b *testing.B) {
			m, err := New(Config{Machines: 3, Die: DefaultDie})
			if err != nil {
				b.Fatal(err)
			}
			msg := event.Message{From: 1, Sent: 1}
			for range c.waiting {
				m.Deliver(msg)
			}
			var ev event.Event
			b.ReportAllocs()
			for b.Loop() {
				msg.Sent += clock.Time(msg.Seq & 3)
				msg.Seq++
				m.Deliver(msg)
				if err := m.Step(&ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A step of a shell that asks first whether a link is full.
func BenchmarkNextRecipients(b *testing.B) {
	m, err := New(Config{Machines: 3, Die: DefaultDie})
	if err != nil {
		b.Fatal(err)
	}
	var ev event.Event
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		next := m.NextRecipients()
		for i := range next.Len() {
			n += next.At(i)
		}
		if err := m.Step(&ev); err != nil {
			b.Fatal(err)
		}
	}
}
