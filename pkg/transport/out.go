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
// peer has not consumed. Its life is in the upper half of the table [phases].
type outLink struct {
	addr   string
	secret Secret // what it proves itself with
	line
	again chan struct{} // a token: the peer has called, so it can be reached now
	offer offer         // of the peer, to use its connection
	own   bool          // this machine dials first

	// All of the following is guarded by line.mu.
	phase  phase
	self   bool // this machine has met itself behind the address
	behind bool // this machine leaves, and the peer goes on: its last word is not waited for

	// The peer. id is AnyID until it has said it. That changes in the goroutine of
	// run only, which may therefore read it without the lock.
	id       int
	clocks   clocks
	asking   asking
	proposed int64 // by an earlier process of this machine, as the peer has heard; 0: nothing

	// The messages, whatever the connection. Invariant: held < box.next.
	box     outbox
	held    uint64        // the peer is known to hold all up to here; it may lose what it has not consumed
	window  uint64        // the smaller of both ends' windows
	full    bool          // somebody was told that there is no room
	waits   time.Duration // since when messages are unconsumed, or since the last acknowledgement of some; 0: none is
	past    uint64        // the last message of an earlier process
	highest uint64        // the last message that was ever given to a connection

	holds    uint64        // of the peer's messages, as FIN says
	patience time.Duration // for how long HELD may wait, as FIN says

	// The connections. outSession is what there is to know of the newest.
	count uint64 // how many there were
	why   error  // why there is none
	outSession
}

// outSession is the sender's side of a session. Each begins with a new one.
type outSession struct {
	// cur is what the writer sends next; the frames from inFlight on may
	// be in its hands. Invariant: inFlight ≤ cur.seq ≤ box.next.
	cur      cursor
	inFlight uint64
	idle     bool          // the writer waits, and no send has woken it yet
	wrote    time.Duration // when the writer last began to write, as Node.now
	said     uint64        // what the newest PING says
	pinged   time.Duration // when it was sent, as Node.now
	asked    time.Duration // when the peer was first asked and has not been heard since; 0: it was not
	finned   bool          // FIN is said
	peerLife uint64        // of the process at the other end
}

func newOutLink(n *Node, p Peer, secret Secret) *outLink {
	if secret == (Secret{}) {
		secret = NewSecret()
	}
	l := &outLink{
		line: line{n: n}, again: make(chan struct{}, 1),
		addr: p.Addr, secret: secret, id: p.ID, box: newOutbox(), window: uint64(n.cfg.Window),
	}
	l.work.L = &l.mu
	return l
}

// name is how the peer is called in messages; l.mu is held.
func (l *outLink) name() string {
	if l.id == AnyID {
		return "peer " + l.addr
	}
	return fmt.Sprintf("machine %d (%s)", l.id, l.addr)
}

// peerID returns the peer's id, AnyID while it has not said it.
func (l *outLink) peerID() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// state is what a frame may change; l.mu is held.
func (l *outLink) state() outState {
	return outState{phase: l.phase, sent: l.cur.seq - 1, held: l.held, acked: l.box.acked}
}

// life returns the phase.
func (l *outLink) life() phase {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase
}

// peerClosed reports whether the peer takes nothing more; l.mu is held.
func (l *outLink) peerClosed() bool { return l.phase.closed() }

// identify notes which machine the peer is.
func (l *outLink) identify(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id = id
}

func (l *outLink) send(payloads [][]byte) (first uint64) {
	l.mu.Lock()
	first = l.box.next
	if l.peerClosed() {
		l.box.next += uint64(len(payloads))
	} else {
		if l.box.unconsumed() == 0 {
			l.waits = l.n.now()
		}
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
	if l.peerClosed() {
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
	again := l.full && (l.peerClosed() || l.box.unconsumed() < l.window)
	if again {
		l.full = false
	}
	return again
}

// ready sends READY on this connection. Each later one begins with it.
func (l *outLink) ready() {
	l.mu.Lock()
	l.due |= setOf(frameReady)
	l.mu.Unlock()
	l.work.Signal()
}

// ping measures the peer's clock once more.
func (l *outLink) ping() {
	l.mu.Lock()
	l.due |= setOf(framePing)
	l.mu.Unlock()
	l.work.Signal()
}

// finish sends FIN behind the last message, on this connection and on each later
// one. It also says how many of the peer's messages are here, and for how long its answer may
// wait.
func (l *outLink) finish(holds uint64, patience time.Duration) {
	l.mu.Lock()
	l.phase = l.phase.moved(moveFinish)
	l.holds, l.patience = max(l.holds, holds), patience
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
	if l.box.unconsumed() > 0 {
		l.waits = l.n.now()
	}
}

// end returns what is known of the messages of the link.
func (l *outLink) end() outEnd {
	l.mu.Lock()
	defer l.mu.Unlock()
	return outEnd{
		phase:    l.phase,
		sent:     l.box.next - 1,
		acked:    l.box.acked,
		held:     l.held,
		standing: l.session != nil,
		life:     l.peerLife,
		met:      l.count > 0,
	}
}

// leaveBehind does not wait for the peer's last word.
func (l *outLink) leaveBehind() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind = true
}

// isOver reports whether nothing is waited for any more: the peer has said its last word, or
// goes on without this machine.
func (l *outLink) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peerClosed() || l.behind
}

// stands reports whether the link is connected, or needs not be any more.
func (l *outLink) stands() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil || l.peerClosed()
}

// measured returns what is known of the peer's clock.
func (l *outLink) measured() clocks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clocks
}

// proposedBefore returns what an earlier process of this machine has proposed to the peer,
// 0 for nothing.
func (l *outLink) proposedBefore() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proposed
}

// byeDue reports whether the peer has said CLOSED and the connection on which it
// is answered has not ended.
func (l *outLink) byeDue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil && l.peerClosed()
}

// missing says why the link does not stand, "" if it does, and returns the reason, if one is
// known.
func (l *outLink) missing() (text string, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil || l.peerClosed() {
		return "", nil
	}
	why := "no answer"
	if l.why != nil {
		why = l.why.Error()
	}
	return l.name() + " cannot be reached: " + why, l.why
}

func (l *outLink) addStats(s *Stats) {
	l.line.addStats(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Messages += l.box.next - 1 - l.past
}

// keep tries the connection where that is due, and closes it where the peer is given up; see
// [vigil.look].
func (l *outLink) keep(oldest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil || l.peerClosed() {
		return
	}
	v := l.vigil(oldest)
	ask, over := v.look()
	switch {
	case over:
		l.giveUp()
	case ask:
		if l.asked <= v.heard {
			l.asked = v.now
		}
		l.due |= setOf(framePing)
		l.work.Signal()
	}
}

// vigil returns what is known of the peer's life, which is silent if it was last heard before
// oldest; l.mu is held, and there is a session.
func (l *outLink) vigil(oldest time.Duration) vigil {
	v := vigil{
		now: l.n.now(), interval: l.n.cfg.PingInterval, oldest: oldest,
		heard: l.lastHeard(), wrote: l.wrote, asked: l.asked,
		quiet:  l.session.quiet,
		wanted: l.finned && max(l.held, l.box.acked) < l.box.next-1 || l.box.unconsumed() >= l.window,
	}
	if l.box.unconsumed() > 0 {
		v.waits = l.waits
	}
	return v
}

// run keeps the link connected until the peer has said its last word or the
// node is closed.
func (l *outLink) run() {
	pause := redialFirst
	var refusals thinned
	var distrusts repeated
	for first, mayCall := true, true; ; first = false {
		if mayCall {
			l.awaitCall()
		}
		established, err := l.connect(first)
		if err == nil || l.n.ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		l.why = plainDialError(err)
		met := l.count > 0
		l.mu.Unlock()
		if l.n.lacksDescriptors(err) {
			return
		}
		var refused *RefusedError
		switch isRefused := errors.As(err, &refused); {
		case established:
			l.n.log.Warn("connection lost", "to", l.addr, "reason", err)
			if !isRefused { // else it would end the next one as well
				pause = redialFirst
			}
		case isRefused && refused.Code != CodeProtocol:
			if refused.final() && l.n.fail(refused, met) {
				return
			}
			count, worth := refusals.another(l.n.now())
			if refused.passing { // it is not this machine that is refused
				if distrusts.another(refused.Text, l.n.now()) {
					l.n.log.Warn("no connection", "addr", l.addr, "reason", refused, "so-far", count)
				}
			} else if worth {
				l.n.log.Warn("refused by peer", "addr", l.addr, "reason", refused, "so-far", count)
			}
		}
		called, closed := l.rest(pause)
		mayCall = established && !called
		if closed {
			return
		}
		if called {
			pause = redialFirst
		}
		pause = min(2*pause, redialMax)
	}
}

// rest pauses before the next dial, for no longer than that and a moment. It reports
// whether the peer has called meanwhile, so that the pause was short, and whether the
// node was closed.
func (l *outLink) rest(pause time.Duration) (called, closed bool) {
	// Full jitter: machines that lost each other at one instant
	// should not come back at one instant.
	timer := time.NewTimer(rand.N(pause) + time.Millisecond)
	defer timer.Stop()
	for {
		select {
		case <-l.n.ctx.Done():
			return called, true
		case <-l.again:
			called = true
			timer.Reset(time.Millisecond)
		case <-timer.C:
			return called, false
		}
	}
}

// redial cuts the pause before the next dial short, if there is one.
func (l *outLink) redial() {
	if l.connected() {
		return
	}
	select {
	case l.again <- struct{}{}:
	default:
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
func (l *outLink) connect(first bool) (established bool, err error) {
	var s *session
	var frames *frameReader
	err = l.n.paced(func() error {
		s, frames, err = l.open()
		return err
	})
	if first && l.own {
		l.n.half.tried(l.n.now())
	}
	if err != nil {
		return false, err
	}
	defer s.conn.Close()
	// A node that is closed must not wait for what a peer says.
	stop := context.AfterFunc(l.n.ctx, func() { _ = s.conn.Close() })
	defer stop()
	return true, l.converse(s, l.write, func() error { return l.read(s, frames) })
}

// open makes a connection, and makes it the link's by HELLO and WELCOME.
func (l *outLink) open() (*session, *frameReader, error) {
	n := l.n
	conn, shown, err := l.reach()
	if err != nil {
		return nil, nil, err
	}
	// A node that is closed must not wait for a peer's WELCOME.
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	defer stop()
	frames := newFrameReader(counted{conn, &n.received}, MaxFrame)
	var s *session
	w, err := l.greet(conn, frames, shown)
	if err == nil {
		s, err = l.attach(newSession(conn, w.quiet), w)
	}
	if err != nil {
		if e := unsaid(err); e != nil {
			sayError(conn, e)
			linger(conn)
		}
		_ = conn.Close()
		return nil, nil, err
	}
	return s, frames, nil
}

// reach returns a connection to the peer, and the machine whose certificate it has
// shown on it: the peer's own, if it has called on one that can carry this link as well.
func (l *outLink) reach() (conn net.Conn, shown int, err error) {
	if s := l.offer.take(); s != nil {
		return s, l.id, nil
	}
	n := l.n
	ctx, cancel := context.WithTimeout(n.ctx, hundreds(len(n.in))*WelcomeTimeout)
	raw, err := n.cfg.Dial(ctx, "tcp", l.addr)
	cancel()
	if err != nil {
		return nil, AnyID, err
	}
	stop := context.AfterFunc(n.ctx, func() { _ = raw.Close() })
	defer stop()
	if conn, shown, err = l.prove(raw); err != nil {
		_ = raw.Close()
	}
	return conn, shown, err
}

// prove puts TLS on a connection, where there is to be TLS. It returns the machine whose
// certificate the peer has, which may be on this link; nobody else hears of its secret.
func (l *outLink) prove(raw net.Conn) (conn net.Conn, shown int, err error) {
	n := l.n
	until := time.Now().Add(hundreds(len(n.in)) * WelcomeTimeout)
	_ = raw.SetDeadline(until)
	if conn, shown, err = n.secure(raw, true, until); err != nil {
		return nil, shown, err
	}
	proved(conn) // it has shown what it has to show
	if shown != AnyID {
		err = n.learn(l, uint32(shown))
	}
	if err == nil {
		n.hearOn(conn, shown)
	}
	return conn, shown, err
}

// greeting is a WELCOME, and when the HELLO that it answers was sent and it was heard, by this
// host's system clock, in Unix ns.
type greeting struct {
	welcome
	asked, heard int64
}

// greet says HELLO and returns the peer's WELCOME. It must be from the machine that was
// shown, if one was.
func (l *outLink) greet(conn net.Conn, frames *frameReader, shown int) (greeting, error) {
	n := l.n
	_ = conn.SetDeadline(time.Now().Add(hundreds(len(n.in)) * WelcomeTimeout))
	defer conn.SetDeadline(time.Time{})
	to := uint32(anyID)
	if l.id != AnyID {
		to = uint32(l.id)
	}
	h := hello{
		version:  Version,
		machines: uint32(len(n.in)),
		from:     uint32(n.cfg.ID),
		to:       to,
		life:     n.cfg.Life,
		secret:   l.secret,
		window:   uint32(n.cfg.Window),
		port:     n.watchedPort(conn),
		run:      n.cfg.Run,
		terms:    n.cfg.Terms,
	}
	frame := h.frame()
	began, asked := n.now(), n.cfg.Wall().UnixNano()
	if _, err := conn.Write(frame); err != nil {
		return greeting{}, err
	}
	l.greeted(len(frame))
	t, body, err := frames.next()
	heard := n.cfg.Wall().UnixNano()
	asked = unset(asked, heard, n.now()-began)
	switch {
	case errors.Is(err, io.EOF):
		return greeting{}, errors.New("the connection was closed without a reply")
	case shown != AnyID && remoteAlert(err) != nil:
		// In TLS 1.3, the end that dials has done its part of the handshake before it hears this.
		return greeting{}, &RefusedError{
			Code: CodeCertificate, heard: true, cause: err,
			Text: fmt.Sprintf("%s does not take the certificate of this machine (%v): its diagnostics say why", l.addr, remoteAlert(err)),
		}
	case unsaid(err) != nil:
		return greeting{}, refuse(CodeProtocol, "what answers at %s is not a machine of a run (%v)", l.addr, err)
	case err != nil:
		return greeting{}, err
	case t == frameError:
		return greeting{}, l.refusedBy(parseError(body))
	case t != frameWelcome:
		return greeting{}, refuse(CodeProtocol, "%v from %s, expected WELCOME", t, l.addr)
	}
	w, err := parseWelcome(body)
	g := greeting{w, asked, heard}
	if err != nil {
		return g, err
	}
	if shown != AnyID && w.id != uint32(shown) {
		return g, refuse(CodeCertificate, "%s says that it is machine %d, with the certificate of machine %d", l.addr, w.id, shown)
	}
	if err := n.learn(l, w.id); err != nil {
		return g, err
	}
	return g, n.meet(int(w.id), w.terms)
}

// refusedBy says what it means here that the peer has answered with an ERROR. Why it
// takes this machine for a stranger stands in the peer's log only; but whether the
// peer is this machine itself shows here.
func (l *outLink) refusedBy(e *RefusedError) *RefusedError {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Code != CodeStranger:
		e.Text = fmt.Sprintf("%s refuses this machine: %s", l.addr, e.Text)
	case l.self:
		*e = RefusedError{Code: CodeSelf, Text: fmt.Sprintf("machine %d has its own address among its peers: %s", l.n.cfg.ID, l.addr), heard: true}
	default:
		e.Text = fmt.Sprintf("%s does not take this machine for one of its run: this is machine %d of %d in run %q", l.addr, l.n.cfg.ID, len(l.n.in), l.n.cfg.Run)
	}
	return e
}

// attach makes s the link's session, from the message on that the peer
// does not hold.
func (l *outLink) attach(s *session, w greeting) (*session, error) {
	l.mu.Lock()
	switch me := l.n.cfg.ID; {
	case w.held >= l.box.next:
		l.mu.Unlock()
		return nil, refuse(CodeStale, "machine %d holds %s of machine %d, which has sent %d: machine %d was started again without its log", w.id, plural(w.held, "message"), me, l.box.next-1, me)
	case w.held < l.box.acked:
		l.mu.Unlock()
		return nil, refuse(CodeStale, "machine %d holds %s of machine %d but had consumed %d: machine %d was started again without its log", w.id, plural(w.held, "message"), me, l.box.acked, w.id)
	}
	l.proposed = max(l.proposed, int64(w.start))
	l.held = w.held // less than before, if the peer has died with its queue
	l.window = min(uint64(l.n.cfg.Window), uint64(w.window))
	l.outSession = outSession{cur: cursor{seq: w.held + 1}, inFlight: w.held + 1, wrote: l.n.now(), peerLife: w.life}
	l.clocks.sample(w.asked, int64(w.got), int64(w.answered), w.heard)
	l.box.ack(w.consumed)
	l.box.free(l.inFlight)
	room := l.roomAgain()
	if l.highest > w.held {
		l.stats.Resent += l.highest - w.held
	}
	if l.count > 0 {
		l.stats.Reconnects++
	}
	l.count++
	l.why = nil
	l.asking.left = 0 // what was asked on the connection before is not answered any more
	l.due = setOf(frameFin)
	if w.life > 1 {
		l.due |= setOf(framePing) // it waits to hear that its log is not contradicted
	}
	if l.n.start.Load() != nil {
		l.due |= setOf(frameReady)
		if l.n.cfg.ID < l.id {
			l.asking.again = max(l.n.now(), 1) // another process of it may be on another host
		}
	}
	l.heard.Store(int64(l.wrote))
	l.session = s
	l.mu.Unlock()
	l.offer.decline()
	if room {
		l.n.cfg.Handler.Room(l.id)
	}
	l.n.changes.notify()
	return s, nil
}

// batch is about how many bytes one write may carry.
const batch = 512 << 10

// write sends whatever there is to send, all that is pending at once, until
// the session ends.
func (l *outLink) write(s *session) error {
	var head []byte
	var bufs [][]byte
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for !s.over && l.dueNow() == 0 && l.cur.seq > l.sendable() {
			l.idle = true
			l.work.Wait()
			l.idle = false
		}
		if s.over {
			return l.putLast(s)
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
		if err := l.put(s, frames+l.cur.seq-from, bufs); err != nil {
			return err
		}
		l.inFlight = l.cur.seq
		l.box.free(l.inFlight)
	}
}

// sendable returns the last message that may be sent now.
func (l *outLink) sendable() uint64 {
	if l.peerClosed() {
		return 0
	}
	return min(l.box.next-1, l.box.acked+l.window)
}

// dueNow returns the control frames that are due and may go out. FIN follows the
// last message.
func (l *outLink) dueNow() frameSet {
	now := l.due & phases[l.phase].sends
	if l.cur.seq < l.box.next {
		now &^= setOf(frameFin)
	}
	return now
}

// controls appends the control frames that are due, and counts them.
func (l *outLink) controls(b []byte) (_ []byte, frames uint64) {
	now := l.dueNow()
	l.due &^= now
	// It goes first: whoever comes back to the run has heard of its time with the
	// first frame.
	if now.has(frameReady) {
		b = l.n.start.Load().append(b, l.n.now())
		frames++
	}
	if now.has(framePing) {
		b = appendNumbers(b, framePing, l.pinging())
		frames++
	}
	if now.has(frameFin) {
		b = appendNumbers(b, frameFin, l.box.next-1, l.holds, uint64(l.patience))
		l.finned = true
		frames++
	}
	return b, frames
}

// read takes the peer's frames until the connection breaks, or returns nil when
// the peer has said its last word.
func (l *outLink) read(s *session, frames *frameReader) error {
	for {
		t, body, err := frames.next()
		if err != nil {
			return err
		}
		l.heard.Store(int64(l.n.now()))
		over, err := l.take(s, t, body)
		if over || err != nil {
			return err
		}
	}
}

// take takes one frame, and reports whether it is the last one.
func (l *outLink) take(s *session, t frameType, body []byte) (over bool, err error) {
	l.mu.Lock()
	step, err := l.state().take(t, body)
	if err != nil {
		l.mu.Unlock()
		return false, err
	}
	was := l.phase
	l.phase, l.held = step.phase, step.held
	room := false
	switch t {
	case framePing: // an answer to it says nothing that this does not
		l.due |= setOf(framePing)
		l.work.Signal()
	case frameAck:
		l.waits = l.n.now()
		l.box.ack(step.acked)
		l.box.free(l.inFlight)
		room = l.roomAgain()
		if l.cur.seq < l.box.next { // the window may have kept it back
			l.work.Signal()
		}
	case frameClosed:
		l.box.chunks = nil
		s.last = appendNumbers(nil, frameBye)
		room = l.roomAgain()
	}
	l.mu.Unlock()
	switch {
	case t == framePong:
		l.pong(int64(step.says[0]), int64(step.says[1]), int64(step.says[2]))
	case step.phase != was, step.phase == phaseFinishing && (t == frameHeld || t == frameAck): // Node.Drain waits for these
		l.n.changes.notify()
	}
	if step.phase == phaseLeft {
		// The peer may have heard the FIN of an earlier process of this machine, and
		// have come to its end: then it has to be here for one more.
		if !l.n.rejoined() {
			l.n.in[l.id].left()
		}
		l.n.log.Warn("a machine has left the run; what is sent to it from now on is counted as undelivered", "machine", l.id)
	}
	if room {
		l.n.cfg.Handler.Room(l.id)
	}
	return t == frameClosed, nil
}

// clocks compares this host's clock with a peer's.
type clocks struct {
	synced  bool          // there is a sample
	samples uint64        // how many there were
	rtt     time.Duration // of the quickest round trip
	offset  time.Duration // how far the peer's clock was ahead in it
}

// sample takes in a round trip, as in the Network Time Protocol (RFC 5905, section
// 8): asked at t0, got at t1, answered at t2, heard at t3. The quickest counts: it
// had the least room for an error.
func (c *clocks) sample(t0, t1, t2, t3 int64) {
	rtt := max(time.Duration((t3-t0)-(t2-t1)), 0)
	offset := time.Duration((t1-t0)+(t2-t3)) / 2
	if !c.synced || rtt < c.rtt {
		c.rtt, c.offset = rtt, offset
	}
	c.synced = true
	c.samples++
}

// ahead returns how far the peer's clock is ahead of ours. An offset that the
// measurement cannot tell from none is none: two processes on one host share a
// clock, however busy the host is.
func (c clocks) ahead() time.Duration {
	if c.offset.Abs() <= c.rtt/2 {
		return 0
	}
	return c.offset
}
