package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the tests are made of: an inbox that checks what it gets, meshes of nodes
// over TCP or over a network in memory, and puppets, peers that a test plays
// frame by frame.

// deadline is how long a test waits for what must happen.
const deadline = 60 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, deadline, time.Millisecond, what)
}

// numbered is the payload of message seq: its number.
func numbered(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// inbox is a Handler that checks, for each link, that what comes is 1, 2, 3, …
// and holds its own number.
type inbox struct {
	mu   sync.Mutex
	last map[int]uint64
	errs []error
	room chan int // the last machine that has room again
	// refuse, if set, is what is wrong with all that comes.
	refuse error
	// onDeliver, if set, is called with the lock held.
	onDeliver func(from int, last uint64)
}

func newInbox() *inbox {
	return &inbox{last: map[int]uint64{}, room: make(chan int, 1)}
}

func (b *inbox) Deliver(from int, first uint64, payloads [][]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	for i, p := range payloads {
		seq := first + uint64(i)
		if seq != b.last[from]+1 || !bytes.Equal(p, numbered(seq)) {
			b.errs = append(b.errs, fmt.Errorf("from %d: message %d with payload %x after %d", from, seq, p, b.last[from]))
		}
		b.last[from] = seq
	}
	if b.onDeliver != nil {
		b.onDeliver(from, b.last[from])
	}
	return nil
}

func (b *inbox) Room(to int) {
	select {
	case b.room <- to:
	default:
	}
}

func (b *inbox) got(from int) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[from]
}

func (b *inbox) check(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.errs)
}

// diary is a log that can be asked what it says: lines such as "message: key=value".
type diary struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (d *diary) logger() *slog.Logger { return slog.New(d) }

func (*diary) Enabled(context.Context, slog.Level) bool { return true }

func (d *diary) Handle(_ context.Context, r slog.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buf.WriteString(r.Message + ":")
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&d.buf, " %s=%v", a.Key, a.Value)
		return true
	})
	d.buf.WriteString("\n")
	return nil
}

// The node uses neither.
func (*diary) WithAttrs([]slog.Attr) slog.Handler { panic("not expected") }
func (*diary) WithGroup(string) slog.Handler      { panic("not expected") }

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buf.String()
}

func (d *diary) contains(text string) bool { return d.count(text) > 0 }

func (d *diary) count(text string) int { return strings.Count(d.String(), text) }

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// mesh makes n nodes that know each other's addresses over TCP; edit, if not
// nil, may change each configuration.
func mesh(t testing.TB, n int, edit func(*Config)) ([]*Node, []*inbox) {
	t.Helper()
	lns := make([]net.Listener, n)
	for i := range lns {
		lns[i] = listen(t)
	}
	return nodesOn(t, lns, edit)
}

// nodesOn makes a node for each listener.
func nodesOn(t testing.TB, lns []net.Listener, edit func(*Config)) ([]*Node, []*inbox) {
	t.Helper()
	nodes, boxes := make([]*Node, len(lns)), make([]*inbox, len(lns))
	for i := range nodes {
		boxes[i] = newInbox()
		cfg := Config{ID: i, Run: "test", Handler: boxes[i], Life: 1}
		for j := range lns {
			if j != i {
				cfg.Peers = append(cfg.Peers, Peer{ID: j, Addr: lns[j].Addr().String()})
			}
		}
		if edit != nil {
			edit(&cfg)
		}
		var err error
		nodes[i], err = New(cfg, lns[i])
		require.NoError(t, err)
	}
	return nodes, boxes
}

// each runs f for all nodes at once and waits.
func each(nodes []*Node, f func(i int, n *Node)) {
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { f(i, n) })
	}
	wg.Wait()
}

// connect connects the nodes, and closes them when the test ends.
func connect(t testing.TB, nodes []*Node) {
	t.Helper()
	ctx := within(t)
	t.Cleanup(func() { each(nodes, func(_ int, n *Node) { n.Close(cancelled()) }) })
	each(nodes, func(_ int, n *Node) { assert.NoError(t, n.Connect(ctx)) })
	require.False(t, t.Failed())
}

// finish ends a run in which nothing may be missing.
func finish(t testing.TB, nodes []*Node) {
	t.Helper()
	ctx := within(t)
	each(nodes, func(_ int, n *Node) {
		assert.Empty(t, n.Finish(ctx))
		n.Close(ctx)
	})
	require.NoError(t, ctx.Err(), "nobody waits in vain at the end")
}

// network is a network in memory. With it, a test can run in virtual time.
type network struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener
	// onDial, if set, is called with each new connection.
	onDial func(c *cable)
	cables []*cable
}

func newNetwork() *network { return &network{listeners: map[string]*memoryListener{}} }

// nodes makes so many nodes, whose addresses are their ids.
func (w *network) nodes(t testing.TB, n int, edit func(*Config)) ([]*Node, []*inbox) {
	t.Helper()
	lns := make([]net.Listener, n)
	for i := range lns {
		lns[i] = w.listen(strconv.Itoa(i))
	}
	return nodesOn(t, lns, func(c *Config) {
		c.Dial = w.dialer(c.ID)
		if edit != nil {
			edit(c)
		}
	})
}

func (w *network) listen(addr string) *memoryListener {
	w.mu.Lock()
	defer w.mu.Unlock()
	ln := &memoryListener{addr: memoryAddr(addr), conns: make(chan net.Conn, 1000), closed: make(chan struct{})}
	w.listeners[addr] = ln
	return ln
}

// dialer returns how machine `from` dials.
func (w *network) dialer(from int) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, _, addr string) (net.Conn, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		near, a := net.Pipe()
		b, far := net.Pipe()
		if ln := w.listeners[addr]; ln == nil || !ln.offer(far) {
			return nil, &net.OpError{Op: "dial", Net: "memory", Addr: memoryAddr(addr), Err: syscall.ECONNREFUSED}
		}
		c := &cable{from: from, to: addr, ends: [2]net.Conn{a, b}}
		c.left[0].Store(1 << 40)
		c.left[1].Store(1 << 40)
		w.cables = append(w.cables, c)
		if w.onDial != nil {
			w.onDial(c)
		}
		go c.carry(0)
		go c.carry(1)
		return near, nil
	}
}

// every calls f for all connections that there have been.
func (w *network) every(f func(c *cable)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.cables {
		f(c)
	}
}

// cable is one connection of a network. It can be cut, after some bytes in
// either direction, or go dead without a sign, as a host does that loses power.
type cable struct {
	from int
	to   string
	ends [2]net.Conn     // the dialer's side, the acceptor's side
	left [2]atomic.Int64 // bytes until the cut: from the dialer, from the acceptor
	dead atomic.Bool
}

func (c *cable) cut() {
	_ = c.ends[0].Close()
	_ = c.ends[1].Close()
}

func (c *cable) carry(side int) {
	from, to := c.ends[side], c.ends[1-side]
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if c.dead.Load() {
			if err != nil {
				return // which the other side does not hear of
			}
			continue
		}
		if left := c.left[side].Add(-int64(n)); left <= 0 && n > 0 {
			_, _ = to.Write(buf[:max(int64(n)+left, 0)])
			c.cut()
			return
		}
		if n > 0 { // a side that does not read any more may still be sent to
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

type memoryListener struct {
	addr   memoryAddr
	conns  chan net.Conn
	mu     sync.Mutex // no connection is offered to a listener that is closed
	closed chan struct{}
}

// offer has a connection accepted, and reports whether anybody is there to do so.
func (l *memoryListener) offer(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return false
	}
	l.conns <- conn
	return true
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case c := <-l.conns:
		return c, nil
	}
}

func (l *memoryListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return nil
	}
	close(l.closed)
	for {
		select {
		case c := <-l.conns: // nobody will take it
			_ = c.Close()
		default:
			return nil
		}
	}
}

func (l *memoryListener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// puppet is one end of a connection that the test plays by hand.
type puppet struct {
	t      testing.TB
	conn   net.Conn
	frames *frameReader
}

func newPuppet(t testing.TB, conn net.Conn) *puppet {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	t.Cleanup(func() { _ = conn.Close() })
	return &puppet{t: t, conn: conn, frames: newFrameReader(conn, MaxFrame)}
}

// call connects a puppet to a listener of the network.
func (w *network) call(t testing.TB, addr string) *puppet {
	t.Helper()
	conn, err := w.dialer(-1)(t.Context(), "", addr)
	require.NoError(t, err)
	return newPuppet(t, conn)
}

func (p *puppet) send(bytes []byte) {
	p.t.Helper()
	_, err := p.conn.Write(bytes)
	require.NoError(p.t, err)
}

func (p *puppet) say(t frameType, v ...uint64) {
	p.t.Helper()
	p.send(appendNumbers(nil, t, v...))
}

func (p *puppet) data(first, last uint64) {
	p.t.Helper()
	var b []byte
	for seq := first; seq <= last; seq++ {
		b = appendData(b, seq, numbered(seq))
	}
	p.send(b)
}

func appendData(b []byte, seq uint64, payload []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, dataHeaderLen+len(payload))...)
	putData(b[at:], seq, payload)
	return b
}

// next returns the next frame.
func (p *puppet) next() (frameType, []byte) {
	p.t.Helper()
	t, body, err := p.frames.next()
	require.NoError(p.t, err)
	return t, body
}

// hear returns the body of the next frame, which has to be of this type. PINGs
// are passed over.
func (p *puppet) hear(want frameType) []byte {
	p.t.Helper()
	for {
		t, body := p.next()
		if t == framePing && want != framePing {
			continue
		}
		if t == frameError && want != frameError {
			require.FailNow(p.t, "unexpected ERROR", parseError(body).Text)
		}
		require.Equal(p.t, want, t)
		return body
	}
}

// hearNumber is hear for a frame of numbers, of which it returns the first.
func (p *puppet) hearNumber(want frameType) uint64 {
	p.t.Helper()
	v, err := parseControl(want, p.hear(want))
	require.NoError(p.t, err)
	return v[0]
}

// hearData hears that messages first … last come, and nothing else.
func (p *puppet) hearData(first, last uint64) {
	p.t.Helper()
	for seq := first; seq <= last; seq++ {
		require.Equal(p.t, append(numbered(seq), numbered(seq)...), p.hear(frameData))
	}
}

// hearNothing hears that no frame comes for a moment, but for PINGs.
func (p *puppet) hearNothing() {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	t, _, err := p.frames.next()
	for err == nil && t == framePing {
		t, _, err = p.frames.next()
	}
	require.ErrorIs(p.t, err, os.ErrDeadlineExceeded)
	_ = p.conn.SetReadDeadline(time.Now().Add(deadline))
}

// hearEnd hears that the other end closes, and nothing before that.
func (p *puppet) hearEnd() {
	p.t.Helper()
	_, _, err := p.frames.next()
	require.Truef(p.t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe), "%v", err)
}

// puppetSecret is that of the link from a puppet.
var puppetSecret = Secret{15: 1}

// puppetWindow is how many messages a puppet has unconsumed: so few that each is acknowledged at once.
const puppetWindow = 10

// hello introduces machine 1 to machine 0 of a run of two.
func (p *puppet) hello(edit func(*hello)) {
	p.t.Helper()
	h := hello{version: Version, machines: 2, from: 1, to: 0, life: 1, secret: puppetSecret, window: puppetWindow, run: "test"}
	if edit != nil {
		edit(&h)
	}
	p.send(h.frame())
}

func (p *puppet) hearWelcome() welcome {
	p.t.Helper()
	w, err := parseWelcome(p.hear(frameWelcome))
	require.NoError(p.t, err)
	return w
}

func (p *puppet) hearError() *RefusedError {
	p.t.Helper()
	return parseError(p.hear(frameError))
}

// duet is machine 0 of two, a node, and machine 1, a puppet with its two
// connections.
type duet struct {
	*Node
	box *inbox
	net *network
	ln  *memoryListener // machine 1's
	out *puppet         // where machine 1 sends
	in  *puppet         // where machine 0 sends
}

// newDuet connects the two. Machine 1 allows this window.
func newDuet(t testing.TB, window int, edit func(*Config)) *duet {
	t.Helper()
	return newDuetAhead(t, 0, window, edit)
}

// newDuetAhead is newDuet with a clock of machine 1 that is ahead by so much.
func newDuetAhead(t testing.TB, ahead time.Duration, window int, edit func(*Config)) *duet {
	t.Helper()
	d := startDuet(t, edit)
	connected := make(chan error, 1)
	go func() { connected <- d.Connect(t.Context()) }()
	there := uint64(time.Now().Add(ahead).UnixNano())
	d.accept(t, welcome{window: uint32(window), got: there, answered: there})
	d.call(t, 1)
	require.NoError(t, <-connected)
	return d
}

// startDuet leaves it to the test to connect the two.
func startDuet(t testing.TB, edit func(*Config)) *duet {
	t.Helper()
	d := &duet{net: newNetwork(), box: newInbox()}
	ln := d.net.listen("0")
	d.ln = d.net.listen("1")
	cfg := Config{ID: 0, Run: "test", Peers: []Peer{{ID: 1, Addr: "1"}}, Handler: d.box, Life: 1, Dial: d.net.dialer(0)}
	if edit != nil {
		edit(&cfg)
	}
	var err error
	d.Node, err = New(cfg, ln)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close(cancelled()); _ = d.ln.Close() })
	return d
}

// accept takes machine 0's next connection and welcomes it.
func (d *duet) accept(t testing.TB, w welcome) {
	t.Helper()
	conn, err := d.ln.Accept()
	require.NoError(t, err)
	d.in = newPuppet(t, conn)
	d.in.hear(frameHello)
	w.version, w.id = Version, 1
	if w.got == 0 {
		w.got = uint64(time.Now().UnixNano())
		w.answered = w.got
	}
	d.in.send(w.frame())
}

// call connects machine 1 to machine 0.
func (d *duet) call(t testing.TB, life uint64) welcome {
	t.Helper()
	d.out = d.net.call(t, "0")
	d.out.hello(func(h *hello) {
		h.life = life
		if w := d.cfg.Window; w != DefaultWindow {
			h.window = uint32(w)
		}
	})
	return d.out.hearWelcome()
}

// tape is a connection whose other end says what is on the tape and then
// closes.
type tape struct {
	net.Conn // for the methods that nobody calls
	r        io.Reader
	mu       sync.Mutex
	w        bytes.Buffer
}

func (c *tape) Read(b []byte) (int, error) { return c.r.Read(b) }

func (c *tape) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w.Write(b)
}

func (c *tape) written() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w.Bytes()
}

func (c *tape) LocalAddr() net.Addr              { return nil }
func (c *tape) RemoteAddr() net.Addr             { return nil }
func (c *tape) Close() error                     { return nil }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }

// fuzzNode returns a node of two machines that has not connected, and where it
// notes the last message that it was delivered.
func fuzzNode(t testing.TB) (_ *Node, last *uint64) {
	t.Helper()
	h := &counter{t: t}
	n, err := New(Config{ID: 0, Run: "fuzz", Peers: []Peer{{ID: 1, Addr: "1"}}, Handler: h, Window: 1000}, nil)
	require.NoError(t, err)
	return n, &h.last
}

// counter is a Handler that checks that numbers are consecutive.
type counter struct {
	t    testing.TB
	last uint64
}

func (c *counter) Deliver(_ int, first uint64, payloads [][]byte) error {
	assert.Equal(c.t, c.last+1, first)
	c.last += uint64(len(payloads))
	return nil
}

func (*counter) Room(int) {}

// Finish is a machine's end where nothing is noted in between.
func (n *Node) Finish(ctx context.Context) map[int]uint64 {
	undelivered := n.Drain(ctx)
	n.Settle(ctx)
	return undelivered
}

// rejoin comes back to a run that began at start, without hearing what the peers say.
func (n *Node) rejoin(ctx context.Context, start time.Time) error {
	if _, err := n.Rejoin(ctx, cancelled(), nil); err != nil {
		return err
	}
	n.Resume(start, time.Since(start))
	return nil
}

// hearStarted hears that the run began so long ago, and returns at which instant.
func (p *puppet) hearStarted(elapsed time.Duration) (start uint64) {
	p.t.Helper()
	var ago uint64
	require.NoError(p.t, parseNumbers(frameStarted, p.hear(frameStarted), &start, &ago))
	require.InDelta(p.t, elapsed, time.Duration(ago), float64(time.Second))
	return start
}
