package transport

import (
	"encoding/json"
	"fmt"
	"io"
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
	Bare     bool // without links
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
	if m.Bare {
		if load.way, err = newBare(load, m.ID, ln, m.Addrs); err != nil {
			return err
		}
	} else {
		end, err := newWireEnd(load, m.ID, ln, m.Addrs)
		if err != nil {
			return err
		}
		load.way = alone{end}
		end.begin()
	}
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

// bare is the wireWay of such a machine without links: the least that carries a message. Each
// is as long as a frame of ours, is written at once by whoever sends it, and is taken by a
// goroutine that waits for it.
type bare struct {
	load    *wireLoad
	me      int
	to      [wireMachines]net.Conn
	reading sync.WaitGroup
	written uint64
}

// newBare returns when the machine is connected with all others.
func newBare(load *wireLoad, me int, ln net.Listener, addrs []string) (*bare, error) {
	b := &bare{load: load, me: me}
	for to, addr := range addrs {
		if to == me {
			continue
		}
		conn, err := net.Dial("tcp", addr)
		for until := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(until); {
			time.Sleep(time.Millisecond) // it does not listen yet
			conn, err = net.Dial("tcp", addr)
		}
		if err != nil {
			return nil, err
		}
		if _, err := conn.Write([]byte{byte(me)}); err != nil {
			return nil, err
		}
		b.to[to] = conn
	}
	for range wireMachines - 1 {
		conn, err := ln.Accept()
		if err != nil {
			return nil, err
		}
		b.reading.Go(func() { b.read(conn) })
	}
	return b, nil
}

// bareLen is how long a message is.
const bareLen = dataHeaderLen + 8

// read takes what one other machine sends.
func (b *bare) read(conn net.Conn) {
	defer conn.Close()
	var from [1]byte
	_, err := io.ReadFull(conn, from[:])
	for err == nil {
		var m [bareLen]byte
		if _, err = io.ReadFull(conn, m[:]); err == nil {
			b.load.deliver(b.me, int(from[0]), 0, [][]byte{m[dataHeaderLen:]})
		}
	}
}

func (b *bare) send(_, to int, payloads [][]byte) {
	for _, p := range payloads {
		n, _ := b.to[to].Write(append(make([]byte, dataHeaderLen, bareLen), p...)) // what fails is not among the delays
		b.written += uint64(n)
	}
}

func (b *bare) consumed(int, int, uint64) {}

func (b *bare) end() {
	for _, conn := range b.to {
		if conn != nil {
			_ = conn.Close()
		}
	}
	b.reading.Wait()
}

func (b *bare) cost() (frames, bytes, writes uint64) {
	return b.written / bareLen, b.written, b.written / bareLen
}

// oneWayTurns is how often links and what goes without take turns.
const oneWayTurns = 2

// BenchmarkOneWay measures how long a message is under way between three processes with
// the rates of the laboratory: from before it is given to the link until the handler of
// the other end has it, both by the host's clock. In turns with that, how long it
// is without links: most of it is how long the host takes to wake up who waits. One
// operation is all turns, half of the time for each side.
func BenchmarkOneWay(b *testing.B) {
	var ours, others []time.Duration
	for range b.N * oneWayTurns {
		ours = append(ours, oneWayRun(b, false)...)
		others = append(others, oneWayRun(b, true)...)
	}
	slices.Sort(ours)
	slices.Sort(others)
	nano := func(all []time.Duration, percent int) float64 {
		return float64(all[len(all)*percent/100].Nanoseconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(nano(ours, 50), "ns-delay")
	b.ReportMetric(nano(others, 50), "bare-ns-delay")
	b.ReportMetric(nano(ours, 50)/1e3, "µs-delay")
	b.ReportMetric(nano(ours, 99)/1e3, "µs-p99")
	b.ReportMetric(nano(others, 99)/1e3, "bare-µs-p99")
}

// oneWayRun returns how long the messages of one turn were under way.
func oneWayRun(b *testing.B, bare bool) (delays []time.Duration) {
	exe, err := os.Executable()
	require.NoError(b, err)
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
		spec, err := json.Marshal(oneWay{id, rate, addrs, epoch, *wireTime / (2 * oneWayTurns), bare})
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
	require.NotEmpty(b, delays)
	return delays
}
