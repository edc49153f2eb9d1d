package transport

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a message costs on the wire, from the first connection to the last: in a process and a
// network namespace of its own, so that the system counts nothing else.

var wireTime = flag.Duration("wire.time", 5*time.Second, "for how long BenchmarkWire sends at a rate; a run has a minute by default")

// wireVar tells the process what to do: a way, rates, and for how long.
const wireVar = "TRANSPORT_BENCH_WIRE"

// wireCost is what was counted. Frames, bytes and packets are counted where they are sent.
type wireCost struct {
	Messages, Frames, Bytes, Writes, Packets, Calls uint64
	Delay                                           time.Duration // one way, the median
}

// wireWay is a way to carry messages between three machines.
type wireWay interface {
	// send gives messages to the link from a machine to another one, and may wait for room.
	send(from, to int, payloads [][]byte)
	// consumed says that a machine needs no more of another's messages up to this one.
	consumed(at, from int, seq uint64)
	// end returns when all has come and nothing is open any more.
	end()
	// cost returns what was sent, in frames, bytes and writes.
	cost() (frames, bytes, writes uint64)
}

const wireMachines = 3

// wireLoad is a run of three machines: what they send, and what comes.
type wireLoad struct {
	way      wireWay
	epoch    time.Time // that of machines in other processes has no monotonic reading: it is the host's
	sent     atomic.Uint64
	got      atomic.Uint64
	mu       sync.Mutex
	queues   [wireMachines][]wireMessage
	delays   []time.Duration
	flooding bool // nobody has a queue: what comes is consumed
}

type wireMessage struct {
	from int
	seq  uint64
}

// deliver takes messages that have come to a machine. A payload is when it was sent.
func (w *wireLoad) deliver(at, from int, first uint64, payloads [][]byte) {
	now := time.Since(w.epoch)
	w.got.Add(uint64(len(payloads)))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range payloads {
		if w.flooding {
			continue
		}
		w.delays = append(w.delays, now-time.Duration(binary.BigEndian.Uint64(p)))
		w.queues[at] = append(w.queues[at], wireMessage{from, first + uint64(i)})
	}
}

// stamp is a payload.
func (w *wireLoad) stamp() []byte { return numbered(uint64(time.Since(w.epoch))) }

// step is that of the model: what has come first, else by the throw of a die of ten faces.
func (w *wireLoad) step(me int, rng *rand.Rand) {
	w.mu.Lock()
	if q := w.queues[me]; len(q) > 0 {
		m := q[0]
		w.queues[me] = q[1:]
		w.mu.Unlock()
		w.way.consumed(me, m.from, m.seq)
		return
	}
	w.mu.Unlock()
	die := rng.IntN(10)
	for i := range 2 {
		if die == i || die == 2 {
			w.sent.Add(1)
			w.way.send(me, (me+1+i)%wireMachines, [][]byte{w.stamp()})
		}
	}
}

// pace runs machine me at so many steps a second.
func (w *wireLoad) pace(me int, rate float64, duration time.Duration) {
	rng := rand.New(rand.NewPCG(7, uint64(me)))
	began := time.Now()
	for k := 1; ; k++ {
		due := time.Duration(float64(k) / rate * float64(time.Second))
		if due > duration {
			time.Sleep(time.Until(began.Add(duration)))
			return
		}
		time.Sleep(time.Until(began.Add(due)))
		w.step(me, rng)
	}
}

// flood sends as fast as that goes.
func (w *wireLoad) flood(me, to int, duration time.Duration) {
	payloads := make([][]byte, perCommit)
	for i := range payloads {
		payloads[i] = w.stamp()
	}
	for began := time.Now(); time.Since(began) < duration; {
		w.way.send(me, to, payloads)
		w.sent.Add(perCommit)
	}
}

// measureWire does what it is told, and writes down what was counted.
func measureWire(spec string) error {
	f := strings.Fields(spec)
	duration, err := time.ParseDuration(f[2])
	if err != nil {
		return err
	}
	w := &wireLoad{epoch: time.Now(), flooding: f[1] == "max"}
	packets, calls := packetsSent(), systemCalls()
	switch f[0] {
	case "ours":
		w.way, err = newWireLinks(w)
	case "original":
		w.way, err = newWirePlain(w)
	default:
		w.way, err = newWirePairs(w)
	}
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for me := range wireMachines {
		if w.flooding {
			for i := 1; i < wireMachines; i++ {
				wg.Go(func() { w.flood(me, (me+i)%wireMachines, duration) })
			}
			continue
		}
		rate, err := strconv.ParseFloat(strings.Split(f[1], ",")[me], 64)
		if err != nil {
			return err
		}
		wg.Go(func() { w.pace(me, rate, duration) })
	}
	wg.Wait()
	w.way.end()
	c := wireCost{Messages: w.sent.Load(), Packets: packetsSent() - packets, Calls: systemCalls() - calls}
	c.Frames, c.Bytes, c.Writes = w.way.cost()
	if got := w.got.Load(); got != c.Messages {
		return fmt.Errorf("%d messages sent, %d have come", c.Messages, got)
	}
	if slices.Sort(w.delays); len(w.delays) > 0 {
		c.Delay = w.delays[len(w.delays)/2]
	}
	return json.NewEncoder(os.Stdout).Encode(c)
}

// packetsSent returns how many TCP segments the network namespace has sent, 0 where that is not
// said.
func packetsSent() uint64 {
	b, _ := os.ReadFile("/proc/self/net/snmp")
	var names, values []string
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "Tcp:") {
			continue
		}
		if names == nil {
			names = strings.Fields(line)
			continue
		}
		values = strings.Fields(line)
	}
	if i := slices.Index(names, "OutSegs"); i >= 0 && i < len(values) {
		n, _ := strconv.ParseUint(values[i], 10, 64)
		return n
	}
	return 0
}

// systemCalls returns how often the process has read and written, 0 where that is not said.
func systemCalls() (n uint64) {
	b, _ := os.ReadFile("/proc/self/io")
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "syscr" || name == "syscw" {
			v, _ := strconv.ParseUint(value, 10, 64)
			n += v
		}
	}
	return n
}

// wireLinks are three nodes.
type wireLinks struct {
	nodes []*Node
	ends  []*wireEnd
}

// wireEnd is the Handler of one.
type wireEnd struct {
	load *wireLoad
	me   int
	node *Node
	last [wireMachines]atomic.Uint64
	wake chan struct{}
	room chan struct{}
}

func (e *wireEnd) Deliver(from int, first uint64, payloads [][]byte) error {
	e.load.deliver(e.me, from, first, payloads)
	if e.load.flooding {
		e.last[from].Store(first + uint64(len(payloads)) - 1)
		poke(e.wake)
	}
	return nil
}

func (e *wireEnd) Room(int) { poke(e.room) }

// newWireEnd returns machine me, of those with these addresses.
func newWireEnd(load *wireLoad, me int, ln net.Listener, addrs []string) (e *wireEnd, err error) {
	e = &wireEnd{load: load, me: me, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	cfg := Config{ID: me, Run: "bench", Handler: e, Life: 1}
	for id, addr := range addrs {
		if id != me {
			cfg.Peers = append(cfg.Peers, Peer{id, addr})
		}
	}
	e.node, err = New(cfg, ln)
	return e, err
}

// begin returns when all machines have begun.
func (e *wireEnd) begin() {
	n := e.node
	_ = n.Connect(context.Background())
	_, _ = n.Barrier(context.Background())
	n.Begun()
}

// finish returns when all has come to where it goes.
func (e *wireEnd) finish() {
	e.node.Finish(context.Background())
	e.node.Close(context.Background())
}

func newWireLinks(load *wireLoad) (*wireLinks, error) {
	w := &wireLinks{}
	lns, err := wireListeners()
	if err != nil {
		return nil, err
	}
	var addrs []string
	for _, ln := range lns {
		addrs = append(addrs, ln.Addr().String())
	}
	for me, ln := range lns {
		e, err := newWireEnd(load, me, ln, addrs)
		if err != nil {
			return nil, err
		}
		w.nodes, w.ends = append(w.nodes, e.node), append(w.ends, e)
	}
	each(w.nodes, func(i int, _ *Node) { w.ends[i].begin() })
	for _, e := range w.ends {
		go func() {
			for range e.wake {
				for from := range e.last {
					if from != e.me {
						e.node.Consumed(from, e.last[from].Load())
					}
				}
			}
		}()
	}
	return w, nil
}

func (w *wireLinks) send(from, to int, payloads [][]byte) {
	for w.nodes[from].Room(to) < len(payloads) {
		select {
		case <-w.ends[from].room:
		case <-time.After(time.Millisecond): // it was the other link's
		}
	}
	w.nodes[from].SendAll(to, payloads)
}

func (w *wireLinks) consumed(at, from int, seq uint64) { w.nodes[at].Consumed(from, seq) }

func (w *wireLinks) end() {
	each(w.nodes, func(i int, _ *Node) { w.ends[i].finish() })
}

func (w *wireLinks) cost() (frames, bytes, writes uint64) {
	var s Stats
	for _, n := range w.nodes {
		s.Add(n.Stats())
	}
	return s.Frames, s.Bytes, s.Writes
}

func wireListeners() (lns []net.Listener, err error) {
	for range wireMachines {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		lns = append(lns, ln)
	}
	return lns, nil
}

// wireConns connects every two machines, in each direction or once, and reads what comes.
func wireConns(directions int, read func(at, from int, conn net.Conn)) (conns [wireMachines][wireMachines]net.Conn, wait func(), err error) {
	lns, err := wireListeners()
	if err != nil {
		return conns, nil, err
	}
	var wg sync.WaitGroup
	for i := range wireMachines {
		for j := range wireMachines {
			if i == j || directions == 1 && i > j {
				continue
			}
			near, err := net.Dial("tcp", lns[j].Addr().String())
			if err != nil {
				return conns, nil, err
			}
			far, err := lns[j].Accept()
			if err != nil {
				return conns, nil, err
			}
			conns[i][j] = near
			wg.Go(func() { read(j, i, far) })
			if directions == 1 {
				conns[j][i] = far
				wg.Go(func() { read(i, j, near) })
			}
		}
	}
	return conns, wg.Wait, nil
}

// wirePlain is the original's way: each message is sent by itself, on a connection for each
// direction, and nothing is said of it.
type wirePlain struct {
	conns [wireMachines][wireMachines]net.Conn
	wait  func()
	next  [wireMachines][wireMachines]uint64
	sent  atomic.Uint64
}

func newWirePlain(load *wireLoad) (*wirePlain, error) {
	w := &wirePlain{}
	var err error
	w.conns, w.wait, err = wireConns(2, func(at, from int, conn net.Conn) {
		frames := newFrameReader(conn, MaxFrame)
		for seq := uint64(1); ; seq++ {
			_, body, err := frames.next()
			if err != nil {
				_ = conn.Close()
				return
			}
			load.deliver(at, from, seq, [][]byte{body[8:]})
		}
	})
	return w, err
}

func (w *wirePlain) send(from, to int, payloads [][]byte) {
	var b [frameLen]byte
	for _, p := range payloads {
		w.next[from][to]++
		putData(b[:], w.next[from][to], p)
		_, _ = w.conns[from][to].Write(b[:])
		w.sent.Add(1)
	}
}

func (w *wirePlain) consumed(int, int, uint64) {}

func (w *wirePlain) end() {
	for _, row := range w.conns {
		for _, c := range row {
			if c != nil {
				_ = c.(*net.TCPConn).CloseWrite()
			}
		}
	}
	w.wait()
}

func (w *wirePlain) cost() (frames, bytes, writes uint64) {
	n := w.sent.Load()
	return n, n * frameLen, n
}

// wirePairs has one connection for two machines. Each message says besides what its sender has
// consumed; so an acknowledgement of its own is seldom needed. All that is pending goes in one
// write. It begins and ends with as many frames as such a protocol has to: who I am, I am ready, I
// have finished, and I have read that you have.
type wirePairs struct {
	ends  [wireMachines][wireMachines]*pairEnd // of the connection of i with j, at i
	wait  func()
	ready sync.WaitGroup
}

// pairEnd is one end of such a connection.
type pairEnd struct {
	mu       sync.Mutex
	work     sync.Cond // for the writer, and for who waits for room
	pending  []byte
	frames   uint64
	consumed uint64
	told     uint64 // of these, to the other end
	next     uint64 // message to send
	acked    uint64 // by the other end
	over     bool

	cost wireCost
}

const pairHeader = headerLen + 8 + 8

// put appends a frame; mu is held.
func (e *pairEnd) put(t frameType, payload []byte) {
	start := len(e.pending)
	e.pending = append(e.pending, make([]byte, pairHeader+len(payload))...)
	b := e.pending[start:]
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	b[4] = byte(t)
	binary.BigEndian.PutUint64(b[headerLen:], e.next)
	binary.BigEndian.PutUint64(b[headerLen+8:], e.consumed)
	copy(b[pairHeader:], payload)
	e.told = e.consumed
	e.frames++
	e.work.Broadcast()
}

func (e *pairEnd) say(t frameType) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.put(t, nil)
}

// write sends all that is pending at once, until nothing follows.
func (e *pairEnd) write(conn net.Conn) {
	var b []byte
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		for len(e.pending) == 0 && !e.over {
			e.work.Wait()
		}
		if len(e.pending) == 0 {
			_ = conn.(*net.TCPConn).CloseWrite()
			return
		}
		b, e.pending = e.pending, b[:0]
		e.cost.Frames += e.frames
		e.cost.Bytes += uint64(len(b))
		e.cost.Writes++
		e.frames = 0
		e.mu.Unlock()
		_, _ = conn.Write(b)
		e.mu.Lock()
	}
}

func newWirePairs(load *wireLoad) (*wirePairs, error) {
	w := &wirePairs{}
	for i := range w.ends {
		for j := range w.ends[i] {
			e := &pairEnd{}
			e.work.L = &e.mu
			w.ends[i][j] = e
		}
	}
	pairs := wireMachines * (wireMachines - 1)
	w.ready.Add(pairs)
	var err error
	conns, wait, err := wireConns(1, func(at, from int, conn net.Conn) { w.read(load, at, from, conn) })
	if err != nil {
		return nil, err
	}
	w.wait = wait
	for i, row := range conns {
		for j, conn := range row {
			if conn == nil {
				continue
			}
			go w.ends[i][j].write(conn)
			w.ends[i][j].say(frameHello)
			w.ends[i][j].say(frameReady)
		}
	}
	w.ready.Wait()
	return w, nil
}

// read takes what comes at one end.
func (w *wirePairs) read(load *wireLoad, at, from int, conn net.Conn) {
	e := w.ends[at][from]
	frames := newFrameReader(conn, MaxFrame)
	for {
		t, body, err := frames.next()
		if err != nil {
			_ = conn.Close()
			return
		}
		e.mu.Lock()
		e.acked = binary.BigEndian.Uint64(body[8:])
		e.work.Broadcast()
		e.mu.Unlock()
		switch t {
		case frameData:
			seq := binary.BigEndian.Uint64(body)
			load.deliver(at, from, seq, [][]byte{body[16:]})
			if load.flooding {
				w.consumed(at, from, seq)
			}
		case frameReady:
			w.ready.Done()
		case frameFin:
			e.mu.Lock()
			e.put(frameClosed, nil)
			e.over = true
			e.mu.Unlock()
		}
	}
}

func (w *wirePairs) send(from, to int, payloads [][]byte) {
	e := w.ends[from][to]
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.next-e.acked+uint64(len(payloads)) > DefaultWindow {
		e.work.Wait()
	}
	for _, p := range payloads {
		e.next++
		e.put(frameData, p)
	}
}

func (w *wirePairs) consumed(at, from int, seq uint64) {
	e := w.ends[at][from]
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.consumed = seq; e.consumed-e.told >= ackCount {
		e.put(frameAck, nil)
	}
}

func (w *wirePairs) end() {
	for i, row := range w.ends {
		for j, e := range row {
			if i != j {
				e.say(frameFin)
			}
		}
	}
	w.wait()
}

func (w *wirePairs) cost() (frames, bytes, writes uint64) {
	for _, row := range w.ends {
		for _, e := range row {
			e.mu.Lock()
			frames, bytes, writes = frames+e.cost.Frames, bytes+e.cost.Bytes, writes+e.cost.Writes
			e.mu.Unlock()
		}
	}
	return frames, bytes, writes
}

// startWire has a process measure one way.
func startWire(b *testing.B, way, rates string, duration time.Duration) (result func() wireCost) {
	b.Helper()
	exe, err := os.Executable()
	require.NoError(b, err)
	// A network of its own, so that nobody else's packets count, where that may be made.
	alone := exec.Command("unshare", "-n", "sh", "-c", `ip link set lo up && exec "$0"`, exe)
	if exec.Command("unshare", "-n", "ip", "link", "set", "lo", "up").Run() != nil {
		b.Log("packets are those of the whole host: no network namespace can be made here")
		alone = exec.Command(exe)
	}
	alone.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %v", wireVar, way, rates, duration))
	alone.Stderr = os.Stderr
	out, err := alone.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, alone.Start())
	return func() (c wireCost) {
		err := json.NewDecoder(bufio.NewReader(out)).Decode(&c)
		_, _ = io.Copy(io.Discard, out)
		require.NoError(b, alone.Wait())
		require.NoError(b, err)
		return c
	}
}

// BenchmarkWire counts what a message costs, handshake and end included: as links carry it, each by
// itself as the original program sends it, and over one connection for each two machines, by a
// small protocol of its own. One operation is one run of three machines. The three ways are run side
// by side at a rate, and one after the other as fast as they can.
func BenchmarkWire(b *testing.B) {
	ways := []string{"ours", "original", "pair"}
	for _, c := range []struct {
		name, rates string
		duration    time.Duration
	}{
		{"default", "1,5,4", *wireTime},
		{"1kHz", "1000,1000,1000", min(*wireTime, 10*time.Second)},
		{"max", "max", min(*wireTime, 2*time.Second)},
	} {
		results := make(map[string]func() wireCost)
		for _, way := range ways {
			b.Run("rates="+c.name+"/way="+way, func(b *testing.B) {
				if c.rates == "max" {
					results[way] = startWire(b, way, c.rates, c.duration)
				}
				for _, other := range ways {
					if results[other] == nil && c.rates != "max" {
						results[other] = startWire(b, other, c.rates, c.duration)
					}
				}
				cost := results[way]()
				for what, n := range map[string]uint64{
					"frames": cost.Frames, "bytes": cost.Bytes, "writes": cost.Writes, "packets": cost.Packets, "calls": cost.Calls,
				} {
					b.ReportMetric(float64(n)/float64(cost.Messages), what+"/message")
				}
				b.ReportMetric(float64(cost.Messages)/c.duration.Seconds(), "messages/s")
				b.ReportMetric(float64(cost.Delay.Nanoseconds())/1e3, "µs-delay")
			})
		}
	}
}
