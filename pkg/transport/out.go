package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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
	ended  bool // run has returned

	line

	// Guarded by line.mu.
	box outbox
	// cur is what the writer sends next; the frames from inFlight on may
	// be in its hands. Invariant: inFlight ≤ cur.seq ≤ box.next.
	cur      cursor
	inFlight uint64
	idle     bool // the writer waits, and no send has woken it yet
	pingDue  bool
	readyDue bool
	fin      bool   // nothing follows
	finSent  bool   // on this connection
	closed   bool   // the peer takes nothing past held
	held     uint64 // the peer is known to hold all up to here
	window   uint64
	full     bool          // somebody was told that there is no room
	wrote    time.Duration // when the writer last began to write, as Node.now
	met      bool          // there was a connection before
	highest  uint64        // the last message that was ever given to a connection
	past     uint64        // the last message of an earlier process
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

func (l *outLink) send(payloads [][]byte) (first uint64) {
	l.mu.Lock()
	first = l.box.next
	if l.closed {
		l.box.next += uint64(len(payloads))
	} else {
		l.box.append(payloads)
	}
	wake := l.idle
	l.idle = false
	l.mu.Unlock()
	if wake {
		l.work.Signal()
	}
	return first
}

func (l *outLink) room() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return int(l.window)
	}
	if l.box.unconsumed() >= l.window {
		l.full = true
		return 0
	}
	return int(l.window - l.box.unconsumed())
}

// roomAgain reports whether somebody who was told that there is no room has to
// be told that there is some again; l.mu is held.
func (l *outLink) roomAgain() bool {
	again := l.full && (l.closed || l.box.unconsumed() < l.window)
	if again {
		l.full = false
	}
	return again
}

// ready sends READY on this connection. Each later one begins with it.
func (l *outLink) ready() {
	l.mu.Lock()
	l.readyDue = true
	l.mu.Unlock()
	l.work.Signal()
}

func (l *outLink) finish() {
	l.mu.Lock()
	l.fin = true
	l.mu.Unlock()
	l.work.Signal()
}

// restore puts back what an earlier process of this machine has sent.
func (l *outLink) restore(p Past) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.box.next = p.Sent - uint64(len(p.Unconsumed)) + 1
	l.box.acked = l.box.next - 1
	l.box.append(p.Unconsumed)
	l.highest, l.past = p.Sent, p.Sent
}

// undelivered returns how many messages the peer is not known to hold.
func (l *outLink) undelivered() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.box.next - 1 - max(l.held, l.box.acked)
}

func (l *outLink) addStats(s *Stats) {
	l.line.addStats(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Messages += l.box.next - 1 - l.past
}

// keep tries the connection where either end has been silent for about an
// interval, and closes it where the peer was last heard before oldest.
func (l *outLink) keep(oldest time.Duration) {
	if l.silent(oldest) {
		return
	}
	l.mu.Lock()
	if min(time.Duration(l.heard.Load()), l.wrote) <= l.n.now()-l.n.cfg.PingInterval/2 {
		l.pingDue = true
	}
	l.mu.Unlock()
	l.work.Signal()
}

// run keeps the link connected until the peer has said its last word or the
// node is closed.
func (l *outLink) run() {
	defer l.n.change(func() { l.ended = true })
	pause := redialFirst
	for {
		established, err := l.connect()
		if err == nil || l.n.ctx.Err() != nil {
			return
		}
		l.n.change(func() { l.up, l.why = false, plainDialError(err) })
		var refused *RefusedError
		switch isRefused := errors.As(err, &refused); {
		case established:
			l.n.log.Warn("connection lost", "to", l.addr, "reason", err)
			if !isRefused { // else it would end the next one as well
				pause = redialFirst
			}
		case isRefused && refused.Code != CodeProtocol:
			if l.n.fail(refused, l) {
				return
			}
			l.n.log.Warn("refused by peer", "addr", l.addr, "reason", refused)
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
	ctx, cancel := context.WithTimeout(l.n.ctx, WelcomeTimeout)
	conn, err := l.n.cfg.Dial(ctx, "tcp", l.addr)
	cancel()
	if err != nil {
		return false, err
	}
	defer conn.Close()
	// A node that is closed must not wait for a peer's WELCOME.
	stop := context.AfterFunc(l.n.ctx, func() { _ = conn.Close() })
	defer stop()
	frames := newFrameReader(conn, MaxFrame)
	w, err := l.greet(conn, frames)
	if err == nil {
		err = l.attach(conn, w)
	}
	if err != nil {
		if e := unsaid(err); e != nil {
			sayError(conn, e)
			linger(conn)
		}
		return false, err
	}
	l.n.change(func() { l.up, l.why = true, nil })
	return true, l.converse(conn, l.write, func() error { return l.read(frames) })
}

// greet says HELLO and returns the peer's WELCOME.
func (l *outLink) greet(conn net.Conn, frames *frameReader) (welcome, error) {
	n := l.n
	_ = conn.SetDeadline(time.Now().Add(WelcomeTimeout))
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
	if _, err := conn.Write(h.frame()); err != nil {
		return welcome{}, err
	}
	t, body, err := frames.next()
	switch {
	case errors.Is(err, io.EOF):
		return welcome{}, errors.New("whoever is there closes the connection without a word")
	case unsaid(err) != nil:
		return welcome{}, refuse(CodeProtocol, "what answers at %s is no machine of a run (%v)", l.addr, err)
	case err != nil:
		return welcome{}, err
	case t == frameError:
		e := parseError(body)
		e.Text = fmt.Sprintf("%s refuses this machine: %s", l.addr, e.Text)
		return welcome{}, e
	case t != frameWelcome:
		return welcome{}, refuse(CodeProtocol, "%v from %s, expected WELCOME", t, l.addr)
	}
	w, err := parseWelcome(body)
	if err != nil {
		return w, err
	}
	return w, n.learn(l, w.id)
}

// attach makes conn the link's connection, from the message on that the peer
// does not hold.
func (l *outLink) attach(conn net.Conn, w welcome) error {
	l.mu.Lock()
	switch me := l.n.cfg.ID; {
	case w.held >= l.box.next:
		l.mu.Unlock()
		return refuse(CodeStale, "machine %d holds %d messages of machine %d, which has sent %d: machine %d was started again without its log", w.id, w.held, me, l.box.next-1, me)
	case w.held < l.box.acked:
		l.mu.Unlock()
		return refuse(CodeStale, "machine %d holds %d messages of machine %d but had consumed %d: machine %d was started again without its log", w.id, w.held, me, l.box.acked, w.id)
	}
	l.held = w.held // less than before, if the peer has died with its queue
	l.window = min(uint64(l.n.cfg.Window), uint64(w.window))
	l.cur = cursor{seq: w.held + 1}
	l.inFlight = l.cur.seq
	l.box.ack(w.consumed)
	l.box.free(l.inFlight)
	room := l.roomAgain()
	if l.highest > w.held {
		l.stats.Resent += l.highest - w.held
	}
	if l.met {
		l.stats.Reconnects++
	}
	l.met = true
	l.finSent = false
	l.pingDue = true
	l.readyDue = l.n.readyAt.Load() != 0
	l.last = nil
	l.wrote = l.n.now()
	l.heard.Store(int64(l.wrote))
	l.conn = conn
	l.mu.Unlock()
	if room {
		l.n.cfg.Handler.Room(l.id)
	}
	return nil
}

// batch is about how many bytes one write may carry.
const batch = 512 << 10

// write sends whatever there is to send, all that is pending at once, until
// the session ends.
func (l *outLink) write(conn net.Conn) error {
	var head []byte
	var bufs [][]byte
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.conn == conn && !l.pingDue && !l.readyDue && l.cur.seq > l.sendable() && !l.finDue() {
			l.idle = true
			l.work.Wait()
			l.idle = false
		}
		if l.conn != conn {
			return l.putLast(conn)
		}
		l.wrote = l.n.now()
		var frames uint64
		head, frames = l.controls(head[:0])
		bufs = bufs[:0]
		if len(head) > 0 {
			bufs = append(bufs, head)
		}
		from := l.cur.seq
		bufs, l.cur = l.box.pending(bufs, l.cur, l.sendable(), batch)
		l.highest = max(l.highest, l.cur.seq-1)
		if err := l.put(conn, frames+l.cur.seq-from, bufs); err != nil {
			return err
		}
		l.inFlight = l.cur.seq
		l.box.free(l.inFlight)
	}
}

// sendable returns the last message that the window allows to be sent.
func (l *outLink) sendable() uint64 { return min(l.box.next-1, l.box.acked+l.window) }

func (l *outLink) finDue() bool { return l.fin && !l.finSent && l.cur.seq == l.box.next }

// controls appends the control frames that are due, and counts them.
func (l *outLink) controls(b []byte) (_ []byte, frames uint64) {
	if l.pingDue {
		l.pingDue = false
		b = appendNumbers(b, framePing, uint64(time.Now().UnixNano()))
		frames++
	}
	if l.readyDue {
		l.readyDue = false
		t := frameReady
		if l.n.agreed.Load() {
			t = frameStarted
		}
		b = appendNumbers(b, t, uint64(l.n.readyAt.Load()))
		frames++
	}
	if l.finDue() { // so no message is to be sent before it
		l.finSent = true
		b = appendNumbers(b, frameFin, l.box.next-1)
		frames++
	}
	return b, frames
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
		case frameHeld:
			var seq uint64
			if err := parseNumbers(t, body, &seq); err != nil {
				return err
			}
			if err := l.holds(seq); err != nil {
				return err
			}
		case framePong:
			var sent, got, answered uint64
			if err := parseNumbers(t, body, &sent, &got, &answered); err != nil {
				return err
			}
			l.pong(int64(sent), int64(got), int64(answered), time.Now().UnixNano())
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

// holds takes in that the peer holds all messages up to seq. It may still lose
// those that it has not consumed, so they are kept.
func (l *outLink) holds(seq uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= l.cur.seq {
		return refuse(CodeProtocol, "message %d is held before it was sent", seq)
	}
	l.held = max(l.held, seq)
	return nil
}

func (l *outLink) ack(seq uint64) error {
	l.mu.Lock()
	if seq >= l.cur.seq {
		l.mu.Unlock()
		return refuse(CodeProtocol, "message %d is acknowledged before it was sent", seq)
	}
	l.box.ack(seq)
	l.box.free(l.inFlight)
	room := l.roomAgain()
	if l.cur.seq < l.box.next { // the window may have kept it back
		l.work.Signal()
	}
	l.mu.Unlock()
	if room {
		l.n.cfg.Handler.Room(l.id)
	}
	return nil
}

// pong measures the round trip and the difference of the clocks, as in the
// Network Time Protocol (RFC 5905, section 8): the PING was sent at t0 and got
// at t1, the PONG sent at t2 and got at t3. The quickest round trip counts: it
// had the least room for an error.
func (l *outLink) pong(t0, t1, t2, t3 int64) {
	rtt := max(time.Duration((t3-t0)-(t2-t1)), 0)
	offset := time.Duration((t1-t0)+(t2-t3)) / 2
	l.n.change(func() {
		if !l.synced || rtt < l.rtt {
			l.synced, l.rtt, l.offset = true, rtt, offset
		}
	})
}

// peerClosed notes that the peer holds all messages up to held, and takes none
// after.
func (l *outLink) peerClosed(held uint64) error {
	l.mu.Lock()
	if held >= l.cur.seq || held < l.box.acked {
		defer l.mu.Unlock()
		return refuse(CodeProtocol, "CLOSED at message %d, with %d sent and %d consumed", held, l.cur.seq-1, l.box.acked)
	}
	early := !l.fin
	l.closed = true
	l.held = held
	l.box.chunks = nil
	l.last = appendNumbers(nil, frameBye)
	room := l.roomAgain()
	l.mu.Unlock()
	l.n.change(func() { l.done, l.left = true, early })
	if early {
		l.n.in[l.id].peerLeft()
		l.n.log.Warn("a machine has left the run; what is sent to it from now on is counted as undelivered", "machine", l.id)
	}
	if room {
		l.n.cfg.Handler.Room(l.id)
	}
	return nil
}
