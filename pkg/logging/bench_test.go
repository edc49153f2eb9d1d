package logging_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// benchStart is where the benchmarks' time begins.
var benchStart = time.Date(2026, 11, 22, 17, 13, 40, 66633000, time.UTC)

// benchEvents returns events of machine 0 as the default cluster writes them
// after a while: 70 % internal, 20 % receives, 10 % sends.
func benchEvents() []event.Event {
	events := make([]event.Event, 1000)
	for i := range events {
		e := &events[i]
		*e = event.Event{Step: 1_234_567 + uint64(i), Clock: 2_345_678 + clock.Time(3*i), Queue: i % 13}
		switch i % 10 {
		case 1, 6:
			e.Kind = event.Receive
			e.SetMessages(event.Message{From: 1, To: 0, Seq: 123_456 + uint64(i), Sent: e.Clock - 1})
		case 3:
			e.Kind = event.Send
			e.SetMessages(event.Message{From: 0, To: 1, Seq: 234_567 + uint64(i), Sent: e.Clock})
			if i%3 == 0 {
				e.SetMessages(event.Message{From: 0, To: 1, Seq: 234_567 + uint64(i), Sent: e.Clock},
					event.Message{From: 0, To: 2, Seq: 345_678 + uint64(i), Sent: e.Clock})
			}
		default:
			e.Kind = event.Internal
		}
	}
	return events
}

// BenchmarkWriterEvent writes events a tenth of a millisecond apart, the same
// ones with this package and with hclog.
func BenchmarkWriterEvent(b *testing.B) {
	events := benchEvents()
	b.Run("logging", func(b *testing.B) {
		b.ReportAllocs()
		w := logging.NewWriter(io.Discard, 0)
		t, n := benchStart, 0
		for b.Loop() {
			t = t.Add(100 * time.Microsecond)
			w.Event(t, &events[n%len(events)])
			if n++; w.Buffered() > 64<<10 {
				_ = w.Flush()
			}
		}
	})
	b.Run("logging/second", func(b *testing.B) { // as at 1 Hz, every event in a new second
		b.ReportAllocs()
		w := logging.NewWriter(io.Discard, 0)
		t, n := benchStart, 0
		for b.Loop() {
			t = t.Add(1000001 * time.Microsecond)
			w.Event(t, &events[n%len(events)])
			if n++; w.Buffered() > 64<<10 {
				_ = w.Flush()
			}
		}
	})
	b.Run("hclog", func(b *testing.B) {
		b.ReportAllocs()
		t, n := benchStart, 0
		l := hclog.New(&hclog.LoggerOptions{
			Name: "vm-0", Output: io.Discard, TimeFormat: logging.TimeFormat,
			TimeFn: func() time.Time { return t },
		})
		for b.Loop() {
			t = t.Add(100 * time.Microsecond)
			hclogEvent(l, &events[n%len(events)])
			n++
		}
	})
}

// BenchmarkReader reads a log from memory; one operation is one line.
func BenchmarkReader(b *testing.B) {
	for _, bm := range []struct {
		name string
		step time.Duration
	}{
		{"event", 100 * time.Microsecond},
		{"event/second", 1000001 * time.Microsecond},
	} {
		b.Run(bm.name, func(b *testing.B) {
			events := benchEvents()
			var log bytes.Buffer
			w := logging.NewWriter(&log, 0)
			t := benchStart
			for range 100 {
				for i := range events {
					t = t.Add(bm.step)
					w.Event(t, &events[i])
				}
			}
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
			lines := 100 * len(events)
			b.SetBytes(int64(log.Len() / lines))
			b.ReportAllocs()
			var rec logging.Record
			r := logging.NewReader(bytes.NewReader(log.Bytes()), "bench")
			n := 0
			for b.Loop() {
				if n == lines {
					r, n = logging.NewReader(bytes.NewReader(log.Bytes()), "bench"), 0
				}
				if err := r.Next(&rec); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlines/s")
		})
	}
}

// BenchmarkReaderStart reads start lines with many peers.
func BenchmarkReaderStart(b *testing.B) {
	for _, peers := range []int{2, 1000} {
		b.Run(fmt.Sprintf("peers=%d", peers), func(b *testing.B) {
			line := startLine(b, peers)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			var rec logging.Record
			for b.Loop() {
				if err := logging.NewReader(bytes.NewReader(line), "bench").Next(&rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// startLine is the start line of machine 0 with so many peers.
func startLine(t testing.TB, peers int) []byte {
	s := logging.Start{Run: "q7f3k2", Machines: peers + 1, Rate: clock.Hertz, Seed: 42, Die: 10}
	for p := range peers {
		s.Peers = append(s.Peers, p+1)
	}
	var log bytes.Buffer
	w := logging.NewWriter(&log, 0)
	w.Start(benchStart, s)
	require.NoError(t, w.Flush())
	return log.Bytes()
}
