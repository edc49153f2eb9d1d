package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// outLink is the sending end of a link: it dials, sends, and keeps what the
// peer has not consumed.
type outLink struct {
	n    *Node
	addr string

	// Guarded by n.mu.
	id     int // AnyID until the peer has said it
	up     bool
	why    error // why not up
	synced bool  // offset and rtt are measured
	offset time.Duration
	rtt    time.Duration
	left   bool // the peer took no more before we had finished
	done   bool // the peer takes no more, and has said what it holds

	heard atomic.Int64 // when the peer was last heard, as Node.now

	mu   sync.Mutex
	work sync.Cond // on mu: there may be something for the writer
	conn net.Conn  // nil: no session
	box  outbox
	// cur is what the writer sends next; the frames from inFlight on may
	// be in its hands. Invariant: inFlight ≤ cur.seq ≤ box.next.
	cur      cursor
	inFlight uint64
	urgent   []byte // control frames, sent before anything else
	fin      bool   // nothing follows
	finSent  bool   // on this connection
	closed   bool   // the peer takes nothing past held
	held     uint64 // the peer is known to hold all up to here
	window   uint64
	full     bool          // somebody was told that there is no room
	wrote    time.Duration // when the writer last began to write, as Node.now
	met      bool          // there was a connection before
	highest  uint64        // the last message that was ever given to a connection
	stats    Stats
}

func newOutLink(n *Node, p Peer) *outLink {
	l := &outLink{n: n, addr: p.Addr, id: p.ID, box: newOutbox(), window: uint64(n.cfg.Window)}
	l.work.L = &l.mu
	return l
}

// name is how the peer is called in messages; n.mu is held.
func (l *outLink) name() string {
	if l.id == AnyID {
		return "peer " + l.addr
	}
	return fmt.Sprintf("machine %d (%s)", l.id, l.addr)
}

// clockOffset returns how far the peer's clock is ahead of ours; n.mu is held.
// An offset that the measurement cannot tell from none is none: two processes
// on one host share a clock, however busy the host is.
func (l *outLink) clockOffset() time.Duration {
	if l.offset.Abs() <= l.rtt/2 {
		return 0
	}
	return l.offset
}

func (l *outLink) send(payload []byte) uint64 {
	l.mu.Lock()
	l.stats.Messages++
	var seq uint64
	if l.closed {
		seq = l.box.next
		l.box.next++
	} else {
		seq = l.box.append(payload)
	}
	l.mu.Unlock()
	l.work.Signal()
	return seq
}

func (l *outLink) room() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return int(l.window)
	}
	room := int(l.window) - int(l.box.unconsumed())
	if room <= 0 {
		l.full = true
		return 0
	}
	return room
}

func (l *outLink) control(frames []byte) {
	l.mu.Lock()
	if l.conn != nil {
		l.urgent = append(l.urgent, frames...)
	}
	l.mu.Unlock()
	l.work.Signal()
}

func (l *outLink) finish() {
	l.mu.Lock()
	l.fin = true
	l.mu.Unlock()
	l.work.Signal()
}

func (l *outLink) undelivered() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.box.next - 1 - max(l.held, l.box.acked)
}

// keep tries the connection where either end has been silent for an interval, or
// closes it where the peer was last heard before oldest.
func (l *outLink) keep(oldest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return
	}
	heard := time.Duration(l.heard.Load())
	if heard < oldest {
		_ = l.conn.Close()
		return
	}
	if min(heard, l.wrote) > l.n.now()-l.n.cfg.PingInterval {
		return
	}
	l.urgent = appendNumbers(l.urgent, framePing, uint64(time.Now().UnixNano()))
	l.work.Signal()
}

func (l *outLink) addStats(s *Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.add(&l.stats)
}

func (s *Stats) add(o *Stats) {
	s.Messages += o.Messages
	s.Frames += o.Frames
	s.Bytes += o.Bytes
	s.Writes += o.Writes
	s.Acks += o.Acks
	s.Resent += o.Resent
	s.Duplicates += o.Duplicates
	s.Reconnects += o.Reconnects
}

// run keeps the link connected until the peer has said its last word or the
// node is closed.
func (l *outLink) run() {
	pause := redialFirst
	for {
		established, err := l.connect()
		if err == nil || l.n.ctx.Err() != nil {
			return
		}
		l.n.change(func() { l.up, l.why = false, plainDialError(err) })
		var refused *RefusedError
		if errors.As(err, &refused) && refused.Code != CodeProtocol && !established {
			if l.n.fail(refused) {
				return
			}
			l.n.log.Warn("refused by peer", "addr", l.addr, "reason", refused.Text)
		} else if established {
			l.n.log.Warn("connection lost", "to", l.addr, "reason", err)
		}
		if established {
			pause = redialFirst
		}
		// Full jitter: machines that lost each other at one instant
		// should not come back at one instant.
		timer := time.NewTimer(rand.N(pause) + time.Millisecond)
		select {
		case <-l.n.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, redialMost)
	}
}

// plainDialError cuts what repeats the address off a dial's error.
func plainDialError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return op.Err
	}
	return err
}

// connect makes a connection and serves it until it ends. It returns nil when
// the peer has said its last word on this link.
func (l *outLink) connect() (established bool, err error) {
	ctx, cancel := context.WithTimeout(l.n.ctx, welcomeTimeout)
	conn, err := l.n.cfg.Dial(ctx, "tcp", l.addr)
	cancel()
	if err != nil {
		return false, err
	}
	defer conn.Close()
	// A node that is closed must not wait for a peer's WELCOME.
	stop := context.AfterFunc(l.n.ctx, func() { _ = conn.Close() })
	defer stop()
	frames := newFrameReader(conn, maxFrame)
	w, err := l.greet(conn, frames)
	if err != nil {
		return false, err
	}
	if err := l.attach(conn, w); err != nil {
		return false, err
	}
	l.heard.Store(int64(l.n.now()))
	written := make(chan struct{})
	go func() {
		defer close(written)
		// A write that fails is seen by the reader, as the end of the
		// connection.
		if l.write(conn) != nil {
			_ = conn.Close()
		}
	}()
	l.n.change(func() { l.up, l.why = true, nil })

	err = l.read(frames)
	if err == nil {
		<-written // the writer's last frame is the BYE
		lingerClose(conn)
	}
	// The writer must have ended before the next connection is attached, or
	// it could take frames that belong to that one.
	l.detach()
	_ = conn.Close()
	<-written
	return true, err
}

// lingerClose waits for the other end to close first, so that a reset caused
// by what it still sends does not destroy our last frame on its way.
func lingerClose(conn net.Conn) {
	if tcp, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(errorTimeout))
	var sink [256]byte
	for {
		if _, err := conn.Read(sink[:]); err != nil {
			return
		}
	}
}

// greet says HELLO and returns the peer's WELCOME.
func (l *outLink) greet(conn net.Conn, frames *frameReader) (welcome, error) {
	n := l.n
	_ = conn.SetDeadline(time.Now().Add(welcomeTimeout))
	defer conn.SetDeadline(time.Time{})
	n.mu.Lock()
	to := uint32(anyID)
	if l.id != AnyID {
		to = uint32(l.id)
	}
	n.mu.Unlock()
	h := hello{
		version:     Version,
		machines:    uint32(len(n.in)),
		from:        uint32(n.cfg.ID),
		to:          to,
		incarnation: n.cfg.Incarnation,
		run:         n.cfg.Run,
	}
	if _, err := conn.Write(h.append(nil)); err != nil {
		return welcome{}, err
	}
	t, body, err := frames.next()
	switch {
	case err != nil:
		return welcome{}, err
	case t == frameError:
		e := parseError(body)
		return welcome{}, &RefusedError{e.Code, fmt.Sprintf("%s refuses this machine: %s", l.addr, e.Text)}
	case t != frameWelcome:
		return welcome{}, refuse(CodeProtocol, "%v from %s, expected WELCOME", t, l.addr)
	}
	w, err := parseWelcome(body)
	if err != nil {
		return w, err
	}
	return w, n.learn(l, int(w.id))
}

// attach makes conn the link's connection, from the message on that the peer
// does not hold.
func (l *outLink) attach(conn net.Conn, w welcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.held >= l.box.next:
		return refuse(CodeStale, "machine %d holds %d messages of this machine, which has sent %d: it was started again without its log", w.id, w.held, l.box.next-1)
	case w.held < l.box.acked:
		return refuse(CodeStale, "machine %d holds %d messages of this machine but had consumed %d: it was started again without its log", w.id, w.held, l.box.acked)
	}
	l.box.ack(w.consumed, l.cur.seq)
	l.held = max(l.held, w.held)
	l.window = uint64(min(l.n.cfg.Window, int(w.window)))
	l.cur = cursor{seq: w.held + 1}
	l.inFlight = l.cur.seq
	if l.highest > w.held {
		l.stats.Resent += l.highest - w.held
	}
	l.finSent = false
	l.urgent = appendNumbers(l.urgent[:0], framePing, uint64(time.Now().UnixNano()))
	if at := l.n.readyAt.Load(); at != 0 {
		l.urgent = appendNumbers(l.urgent, frameReady, uint64(at))
	}
	l.conn = conn
	if l.met {
		l.stats.Reconnects++
	}
	l.met = true
	return nil
}

func (l *outLink) detach() {
	l.mu.Lock()
	l.conn = nil
	l.mu.Unlock()
	l.work.Signal()
}

// batch is about how many bytes one write may carry.
const batch = 512 << 10

// write sends whatever there is to send, all that is pending at once, until
// the session ends.
func (l *outLink) write(conn net.Conn) error {
	var bufs [][]byte
	var head, tail []byte
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		l.inFlight = l.cur.seq
		for l.conn == conn && !l.closed && len(l.urgent) == 0 && l.cur.seq == l.box.next && l.fin == l.finSent {
			l.work.Wait()
		}
		if l.conn != conn {
			return nil
		}
		if l.closed {
			l.stats.Frames++
			l.stats.Writes++
			_ = conn.SetWriteDeadline(time.Now().Add(errorTimeout))
			n, err := conn.Write(appendNumbers(nil, frameBye))
			l.stats.Bytes += uint64(n)
			return err
		}
		head, l.urgent = l.urgent, head[:0]
		bufs = append(bufs[:0], head)
		first := l.cur.seq
		bufs, l.cur = l.box.pending(bufs, l.cur, batch)
		l.stats.Frames += l.cur.seq - first + uint64(countFrames(head))
		l.highest = max(l.highest, l.cur.seq-1)
		if l.fin && !l.finSent && l.cur.seq == l.box.next {
			tail = appendNumbers(tail[:0], frameFin, l.box.next-1)
			bufs = append(bufs, tail)
			l.finSent = true
			l.stats.Frames++
		}
		l.wrote = l.n.now()
		l.mu.Unlock()
		n, err := writeAll(conn, bufs)
		l.mu.Lock()
		l.stats.Bytes += uint64(n)
		l.stats.Writes++
		if err != nil {
			return err
		}
	}
}

// writeAll sends the pieces with one system call where conn allows it.
func writeAll(conn net.Conn, bufs [][]byte) (int64, error) {
	if len(bufs) == 1 {
		n, err := conn.Write(bufs[0])
		return int64(n), err
	}
	v := net.Buffers(bufs)
	return v.WriteTo(conn)
}

// read takes the peer's frames until the connection breaks, or returns nil when
// the peer has said its last word.
func (l *outLink) read(frames *frameReader) error {
	for {
		t, body, err := frames.next()
		if err != nil {
			return err
		}
		l.heard.Store(int64(l.n.now()))
		switch t {
		case frameAck:
			var seq uint64
			if err := parseNumbers(t, body, &seq); err != nil {
				return err
			}
			if err := l.ack(seq); err != nil {
				return err
			}
		case framePong:
			if err := l.pong(body); err != nil {
				return err
			}
		case frameClosed:
			var held uint64
			if err := parseNumbers(t, body, &held); err != nil {
				return err
			}
			return l.peerClosed(held)
		case frameError:
			return parseError(body)
		default:
			return refuse(CodeProtocol, "unexpected %v on a link's way back", t)
		}
	}
}

func (l *outLink) ack(seq uint64) error {
	l.mu.Lock()
	if seq >= l.cur.seq {
		l.mu.Unlock()
		return refuse(CodeProtocol, "message %d is acknowledged before it was sent", seq)
	}
	l.box.ack(seq, l.inFlight)
	room := l.full && l.box.unconsumed() < l.window
	if room {
		l.full = false
	}
	l.mu.Unlock()
	if room {
		l.n.cfg.Handler.Room(l.id)
	}
	return nil
}

// pong measures the round trip and the difference of the clocks, as in the
// Network Time Protocol (RFC 5905, section 8). The quickest round trip counts:
// it had the least room for an error.
func (l *outLink) pong(body []byte) error {
	t3 := time.Now().UnixNano()
	var sent, got, answered uint64
	if err := parseNumbers(framePong, body, &sent, &got, &answered); err != nil {
		return err
	}
	t0, t1, t2 := int64(sent), int64(got), int64(answered)
	rtt := time.Duration((t3 - t0) - (t2 - t1))
	offset := time.Duration((t1-t0)+(t2-t3)) / 2
	l.n.mu.Lock()
	first := !l.synced
	if first || rtt < l.rtt {
		l.rtt, l.offset = max(rtt, 0), offset
	}
	l.n.mu.Unlock()
	if first {
		l.n.change(func() { l.synced = true })
	}
	return nil
}

// peerClosed notes that the peer holds all messages up to held, and takes none
// after.
func (l *outLink) peerClosed(held uint64) error {
	l.mu.Lock()
	if held >= l.box.next || held < l.box.acked {
		l.mu.Unlock()
		return refuse(CodeProtocol, "CLOSED at message %d of %d", held, l.box.next-1)
	}
	early := !l.fin
	l.closed = true
	l.held = held
	l.box.chunks, l.box.spare = nil, nil
	full := l.full
	l.full = false
	l.mu.Unlock()
	l.work.Signal()
	l.n.change(func() { l.done, l.left = true, early })
	if early {
		l.n.log.Warn("a machine has left the run; what is sent to it from now on is counted as undelivered", "machine", l.id)
	}
	if full {
		l.n.cfg.Handler.Room(l.id)
	}
	return nil
}

func countFrames(b []byte) int {
	count := 0
	f := frameReader{buf: b, end: len(b), limit: maxFrame}
	for {
		if _, _, err := f.buffered(); err != nil {
			return count
		}
		count++
	}
}
