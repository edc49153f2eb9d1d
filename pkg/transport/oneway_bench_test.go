package transport

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oneWayVar tells a process which machine of three it is: a oneWay.
const oneWayVar = "TRANSPORT_BENCH_ONE_WAY"

// oneWay is a machine that notes how long messages are under way to it.
type oneWay struct {
	ID       int
	Rate     float64
	Addrs    []string // of all, by id
	Epoch    time.Time
	Duration time.Duration
}

// oneWayMachine is such a machine. It prints the times.
func oneWayMachine(spec string) error {
	var m oneWay
	if err := json.Unmarshal([]byte(spec), &m); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", m.Addrs[m.ID])
	if err != nil {
		return err
	}
	load := &wireLoad{epoch: m.Epoch}
	end, err := newWireEnd(load, m.ID, ln, m.Addrs)
	if err != nil {
		return err
	}
	load.way = alone{end}
	end.begin()
	load.pace(m.ID, m.Rate, m.Duration)
	load.way.end()
	return json.NewEncoder(os.Stdout).Encode(load.delays)
}

// alone is the wireWay of a machine in a process of its own.
type alone struct{ *wireEnd }

func (a alone) send(_, to int, payloads [][]byte) { a.node.SendAll(to, payloads) }
func (a alone) consumed(_, from int, seq uint64)  { a.node.Consumed(from, seq) }
func (a alone) end()                              { a.finish() }
func (a alone) cost() (frames, bytes, writes uint64) {
	s := a.node.Stats()
	return s.Frames, s.Bytes, s.Writes
}

// BenchmarkOneWay measures how long a message is under way between three processes with
// the rates of the laboratory: from before it is given to the link until the handler of
// the other end has it, both by the host's clock. One operation is one run.
func BenchmarkOneWay(b *testing.B) {
	exe, err := os.Executable()
	require.NoError(b, err)
	var delays []time.Duration
	for range b.N {
		lns, err := wireListeners()
		require.NoError(b, err)
		var addrs []string
		for _, ln := range lns {
			addrs = append(addrs, ln.Addr().String())
			require.NoError(b, ln.Close())
		}
		var all [wireMachines][]time.Duration
		var failed [wireMachines]error
		var wg sync.WaitGroup
		epoch := time.Now()
		for id, rate := range []float64{1, 5, 4} {
			spec, err := json.Marshal(oneWay{id, rate, addrs, epoch, *wireTime})
			require.NoError(b, err)
			wg.Go(func() {
				cmd := exec.Command(exe)
				cmd.Env = append(os.Environ(), oneWayVar+"="+string(spec))
				cmd.Stderr = os.Stderr
				out, err := cmd.Output()
				if err == nil {
					err = json.Unmarshal(out, &all[id])
				}
				if err != nil {
					failed[id] = fmt.Errorf("machine %d: %w", id, err)
				}
			})
		}
		wg.Wait()
		for id := range all {
			require.NoError(b, failed[id])
			delays = append(delays, all[id]...)
		}
	}
	require.NotEmpty(b, delays)
	slices.Sort(delays)
	micro := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(micro(delays[len(delays)/2]), "µs-delay")
	b.ReportMetric(micro(delays[len(delays)*99/100]), "µs-p99")
}
