package whole

import (
	"errors"
	"io"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
)

// BenchmarkRecovery kills the slowest of three machines, which has a queue after some seconds,
// and starts it again from its log. It counts the messages that the others send it again, and
// those that they may: what had been sent to it when it came back, and it had not consumed
// (docs/reliability.md). The run is checked: it is not done if a message is lost or comes twice.
func BenchmarkRecovery(b *testing.B) {
	const kills = 3
	for _, c := range []struct{ name, rates string }{{"default", "1,5,4"}, {"1kHz", "200,1000,800"}} {
		b.Run("rates="+c.name, func(b *testing.B) {
			var again, due float64
			for range b.N {
				dir, remove := newDir(b)
				launcher(b, nil, "run", "--quiet", "--report=false", "--rates", c.rates, "--ports", "auto", "--duration", "30s", "--out", dir,
					"--faults", "at 15s kill 0 for 200ms; at 20s kill 0 for 200ms; at 25s kill 0 for 200ms")
				all, _ := machines(b, dir)
				for _, m := range all[1:] { // which count from the beginning
					again += float64(m.Wire.Resent)
				}
				died, n := unconsumed(b, dir)
				require.Equal(b, kills, died, "it came back")
				due += float64(n)
				remove()
			}
			require.LessOrEqual(b, again, due, "more is sent again than was not consumed")
			n := float64(kills * b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(again/n, "resent/kill")
			b.ReportMetric(due/n, "unconsumed/kill")
		})
	}
}

// unconsumed returns how often the machines of a run came back from their logs, and how many
// messages had by then been sent to them that they had not consumed.
func unconsumed(b *testing.B, dir string) (times int, messages int) {
	b.Helper()
	type link struct{ from, to int32 }
	type back struct {
		at       int64
		machine  int32
		consumed map[int32]int
	}
	sent := make(map[link][]int64) // when
	var backs []back
	names, _ := logsOf(b, dir)
	for _, name := range names {
		f, err := logging.Open(name)
		require.NoError(b, err)
		consumed := make(map[int32]int)
		for r := logging.NewReader(f, name); ; {
			var rec logging.Record
			err := r.Next(&rec)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(b, err)
			switch rec.Kind {
			case logging.EventRecord:
				for _, m := range rec.Event.Messages() {
					if m.From == int32(rec.ID) {
						sent[link{m.From, m.To}] = append(sent[link{m.From, m.To}], rec.UnixMicro)
					} else {
						consumed[m.From]++
					}
				}
			case logging.ResumeRecord:
				backs = append(backs, back{rec.UnixMicro, int32(rec.ID), maps.Clone(consumed)})
			}
		}
		require.NoError(b, f.Close())
	}
	for _, x := range backs {
		for l, when := range sent {
			if l.to != x.machine {
				continue
			}
			for _, at := range when[x.consumed[l.from]:] {
				if at <= x.at {
					messages++
				}
			}
		}
	}
	return len(backs), messages
}
