package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// inLink is the receiving end of a link. Its life is in the lower half of the
// table [phases].
type inLink struct {
	from int
	line

	// turn holds a token while one connection takes the link over. line.mu is taken
	// meanwhile, and not the other way round.
	turn chan struct{}

	// All of the following is guarded by line.mu.
	inState

	// The peer, whatever the connection.
	peer  sender
	start proposal // when its newest process would start; zero: it is not ready
	// proposal is the newest instant that any process of it has proposed, 0 for none. The
	// next one hears it: somebody else may have agreed on it already.
	proposal int64
	met      bool    // it has said something: so it does not contradict what it was told in WELCOME
	next     *waiter // the newest connection that wants the link; nil: none
	// word is what the peer's newest FIN says of this machine's messages.
	word word

	inSession // what there is to know of the newest connection
}

// inSession is the receiver's side of a session. Each begins with a new one.
type inSession struct {
	welcomed time.Duration // when, as Node.now
	acked    uint64        // told to the peer. Invariant: acked ≤ consumed
	since    time.Duration // when the first message was consumed of which it is not told, as Node.now
	theirs   uint64        // the most that it has unconsumed on its part
	more     bool          // the rest of a frame is on its way
	pinged   uint64        // what the newest PING says
	got      int64         // when it came, by the system clock, in Unix ns
	gotAt    time.Duration // the same, as Node.now
	asked    time.Duration // when the peer was first asked and has not been heard since; 0: it was not
}

func newInLink(n *Node, from int) *inLink {
	l := &inLink{
		line: line{n: n}, from: from, turn: make(chan struct{}, 1),
		inState: inState{phase: phaseReceiving, window: uint64(n.cfg.Window)},
	}
	l.work.L = &l.mu
	return l
}

// accept takes connections until the listener is closed.
func (n *Node) accept() {
	pause := time.Duration(0)
	var failures thinned
	for {
		conn, err := n.ln.Accept()
		switch {
		case err == nil:
			pause = 0
		case n.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, most likely: some may come free
			if n.lacksDescriptors(err) {
				return
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			if count, worth := failures.another(n.now()); worth {
				n.log.Error("cannot accept connections", "error", err, "again-in", pause, "so-far", count)
			}
			select {
			case <-n.ctx.Done():
				return
			case <-time.After(pause):
			}
			continue
		}
		if evicted := n.gate.enter(conn, source(conn.RemoteAddr())); evicted != nil {
			n.evict(evicted)
		}
		n.wg.Go(func() { n.receive(conn) })
	}
}

// receive finds out who is on a new connection and serves it.
func (n *Node) receive(conn net.Conn) {
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	defer stop()
	until := time.Now().Add(hundreds(len(n.in)) * HelloTimeout)
	_ = conn.SetDeadline(until)
	served, frames, l, h, err := n.meetCaller(conn, until)
	c := n.called(h)
	if errors.Is(err, errAsked) {
		defer conn.Close()
		n.answer(served, frames)
		return
	}
	if !n.gate.leave(conn) {
		_ = conn.Close() // it was turned away meanwhile
		return
	}
	if err != nil {
		defer conn.Close()
		n.turnAway(served, err)
		return
	}
	proved(served)
	n.answerOn(served, l.from)
	n.host(served, frames, l, c)
}

// host serves a machine that may have the link, on a connection, until it ends.
func (n *Node) host(served net.Conn, frames *frameReader, l *inLink, c call) {
	defer served.Close()
	frames.limit = MaxFrame
	if n.cfg.Accepted != nil {
		served = n.cfg.Accepted(served, l.from)
		defer served.Close()
	}
	n.received.Add(uint64(frames.end))
	frames.r = counted{served, &n.received}
	s := newSession(served, n.quiet(served, c.port))
	err := l.attach(s, c)
	switch {
	case err == nil:
		l.serve(s, frames)
	case unsaid(err) != nil:
		n.turnAway(served, err)
	}
}

// call is a HELLO, and when it was here.
type call struct {
	hello
	got   int64         // by the system clock, in Unix ns
	gotAt time.Duration // as Node.now
}

// called returns a HELLO that has come just now.
func (n *Node) called(h hello) call {
	return call{hello: h, got: n.cfg.Wall().UnixNano(), gotAt: n.now()}
}

// meetCaller hears who is on a new connection: by its address, by its certificate, where there
// is TLS, and by its HELLO. The connection has a deadline, until. It returns on what the two go
// on, and the caller's link.
func (n *Node) meetCaller(raw net.Conn, until time.Time) (conn net.Conn, frames *frameReader, l *inLink, h hello, err error) {
	elsewhere := n.judgeSource(raw)
	if elsewhere != nil && !n.mayAsk(raw) {
		return raw, nil, nil, h, elsewhere
	}
	conn, shown, err := n.secure(raw, false, until)
	if err != nil {
		return conn, nil, nil, h, err
	}
	frames = newFrameReader(conn, MaxHello)
	h, err = readHello(frames)
	switch {
	case err != nil && n.asks(frames):
		err = errAsked
	case elsewhere != nil:
		err = elsewhere
	case err == nil:
		l, err = n.admit(h, shown)
	}
	return conn, frames, l, h, err
}

func readHello(frames *frameReader) (hello, error) {
	t, body, err := frames.next()
	switch {
	case unsaid(err) != nil && looksLikeTLS(frames.buf[frames.start:frames.end]):
		return hello{}, errSealed
	case err != nil:
		return hello{}, err
	case t != frameHello:
		return hello{}, refuse(CodeProtocol, "%v, expected HELLO", t)
	}
	return parseHello(body)
}

// turnAway closes a connection, says to whoever is there as much of the reason as it
// may know, and counts it. The log has the whole reason.
//
// There is mostly no need to linger: after its HELLO, whoever keeps to this protocol
// sends nothing before it is answered.
func (n *Node) turnAway(conn net.Conn, why error) {
	defer conn.Close()
	e := unsaid(why)
	if !n.refuses(conn, why) || e == nil {
		return
	}
	// TLS has said what it says, or has not begun.
	if !e.passing && (n.cfg.TLS == nil || e.Code != CodeAddress) {
		sayError(conn, e.told())
	}
	switch e.Code {
	case CodeTLS, CodeCertificate, CodeAddress: // what it has said is not all read
		n.lingerBriefly(conn)
	}
}

// evict closes a connection that has to make room for another one.
func (n *Node) evict(conn net.Conn) {
	silent := refuse(CodeProtocol, "silent while others wait")
	if n.cfg.TLS == nil {
		n.turnAway(conn, silent)
		return
	}
	_ = conn.Close() // in the middle of its handshake
	n.refuses(conn, silent)
}

// refuses counts whoever is turned away, and notes it for people. Where the node is
// closed, nobody is turned away, and it reports false.
func (n *Node) refuses(conn net.Conn, why error) bool {
	if n.ctx.Err() != nil {
		return false
	}
	n.refused.Add(1)
	one := refusal{source: source(conn.RemoteAddr())}
	if e := unsaid(why); e != nil {
		one.code, one.text = e.Code, e.Text
		if e.Code != CodeProtocol { // who knows the protocol may be a peer
			n.callers.turnedAway(conn.RemoteAddr(), e)
		}
	}
	// Each reason for itself: a flood of one must not hide the others.
	if count, worth := n.refusals.another(one, n.now()); worth {
		n.log.Warn("connection refused", "from", conn.RemoteAddr(), "reason", why, "so-far", count)
	}
	return true
}

// maxLingering is how many that were turned away are heard out at one time.
const maxLingering = 32

// lingerBriefly lets somebody who was turned away before all that it says was read hear
// that, unless many others do at this time.
func (n *Node) lingerBriefly(conn net.Conn) {
	select {
	case n.lingering <- struct{}{}:
		defer func() { <-n.lingering }()
		linger(conn)
	default:
	}
}

// attach makes s the link's session and answers whoever calls. A session that it
// replaces has ended by then, so nothing of it can come after.
func (l *inLink) attach(s *session, c call) error {
	turn, release, err := l.wait()
	if err != nil {
		return err
	}
	defer release()
	way, err := l.judge(c.hello) // once more: somebody else may have taken the link meanwhile
	if err != nil {
		return err
	}
	if err := l.vacate(turn, way); err != nil {
		return err
	}
	n := l.n
	if err := n.meet(l.from, c.terms); err != nil {
		return err
	}
	l.mu.Lock()
	w := welcome{
		version:  Version,
		id:       uint32(n.cfg.ID),
		window:   uint32(n.cfg.Window),
		consumed: l.consumed,
		held:     l.held,
		life:     n.cfg.Life,
		got:      uint64(c.got),
		answered: uint64(c.got + int64(n.now()-c.gotAt)),
		quiet:    s.quiet,
		start:    uint64(l.proposal),
		terms:    n.cfg.Terms,
	}
	l.inSession = inSession{acked: l.consumed, welcomed: n.now(), theirs: uint64(c.window)}
	l.due = setOf(frameClosed)
	l.mu.Unlock()
	_ = s.conn.SetDeadline(time.Now().Add(hundreds(len(n.in)) * HelloTimeout))
	frame := w.frame()
	if _, err := s.conn.Write(frame); err != nil {
		return err
	}
	l.greeted(len(frame))
	_ = s.conn.SetDeadline(time.Time{})
	l.heard.Store(int64(n.now()))
	l.mu.Lock()
	l.session = s
	peer := l.peer.succeeded(c.secret, c.life)
	another := peer != l.peer // process of the machine
	if another {
		l.peer, l.start = peer, proposal{}
	}
	l.mu.Unlock()
	if out := n.to(l.from); out != nil && another {
		out.redial()
	}
	n.changes.notify()
	return nil
}

// vacate ends the link's connection, if there is one, for another that may have it in
// this way.
func (l *inLink) vacate(turn *waiter, way entrance) error {
	l.mu.Lock()
	old := l.session
	l.mu.Unlock()
	if old == nil {
		return nil
	}
	if way == entranceOnceFree {
		if err := l.outlive(old, turn); err != nil {
			return err
		}
	}
	_ = old.conn.Close() // the peer has given it up; so do we
	return turn.await(old.ended)
}

// outlive waits until the process at the other end of a session turns out to be
// dead, when another with its id has come. If it lives, it is heard again, as it is
// asked; what comes in the first moment does not count, as it may have been under way when
// the process died. If it does not, the session ends, by what its host says or
// because it is silent for too long.
func (l *inLink) outlive(s *session, turn *waiter) error {
	moment := time.NewTimer(underWay)
	defer moment.Stop()
	select {
	case <-s.ended:
		return nil
	case <-turn.displaced:
		return errDisplaced
	case <-moment.C:
	}
	since := l.heard.Load() // before it is asked: the answer may come at once
	l.ask()
	tick := time.NewTicker(underWay / 10)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return nil
		case <-turn.displaced:
			return errDisplaced
		case <-turn.deadline:
			return errNotFree
		case <-tick.C:
			if l.heard.Load() != since {
				return refuse(CodeDuplicate, "a machine with id %d is connected already, from %v", l.from, s.conn.RemoteAddr())
			}
		}
	}
}

// serve runs a session to its end.
func (l *inLink) serve(s *session, frames *frameReader) {
	err := l.converse(s, l.write, func() error { return l.read(frames) })
	var refused *RefusedError
	if errors.As(err, &refused) {
		by := "peer"
		if !refused.heard {
			by = "this machine"
			l.n.refused.Add(1)
		}
		l.n.log.Error("connection closed", "machine", l.from, "by", by, "reason", refused)
		if refused.heard && refused.Code == CodeStale {
			l.n.fail(refused, l.answered())
		}
	}
}

// write sends acknowledgements and answers until the session ends. Whatever has
// come up since the last write goes into one.
func (l *inLink) write(s *session) error {
	var buf []byte
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for !s.over && !l.ackDue() && l.dueNow() == 0 {
			l.work.Wait()
		}
		if s.over {
			return l.putLast(s)
		}
		var frames uint64
		buf, frames = l.answers(buf[:0])
		if err := l.put(s, frames, [][]byte{buf}); err != nil {
			return err
		}
	}
}

// ackDue reports whether what is consumed is to be acknowledged now; l.mu is held.
func (l *inLink) ackDue() bool { return l.owed().due() }

// owed returns what the sender is to be told, but for its age; l.mu is held.
func (l *inLink) owed() owed {
	return owed{
		count: l.consumed - l.acked, open: l.held - l.acked, window: min(l.window, l.theirs),
		more: l.more, ending: l.phase.finished(),
	}
}

// ask has the peer say something, whatever that is.
func (l *inLink) ask() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.n.now(); l.asked <= l.lastHeard() {
		l.asked = now
	}
	l.due |= setOf(framePing)
	l.work.Signal()
}

// keep says what has waited for long enough, and closes the connection where the peer, which was
// last heard before oldest, or does not answer, is given up.
func (l *inLink) keep(oldest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil {
		return
	}
	now, heard := l.n.now(), l.lastHeard()
	over := heard < oldest
	if l.session.quiet {
		over = unanswered(l.asked, heard, now, l.n.cfg.PingInterval)
	}
	owed := l.owed()
	owed.age = now - l.since
	switch {
	case over:
		l.giveUp()
	case owed.due():
		l.due |= setOf(frameAck)
		l.work.Signal()
	}
}

// dueNow returns the control frames that are due and may go out; l.mu is held.
func (l *inLink) dueNow() frameSet { return l.due & phases[l.phase].sends }

// answers appends the frames that are to be sent, and counts them.
func (l *inLink) answers(b []byte) (_ []byte, frames uint64) {
	now := l.dueNow()
	l.due &^= now
	if now.has(framePing) {
		b = appendNumbers(b, framePing, uint64(l.n.cfg.Wall().UnixNano()))
		frames++
	}
	if now.has(framePong) {
		b = appendNumbers(b, framePong, l.pinged, uint64(l.got), uint64(l.got+int64(l.n.now()-l.gotAt)))
		frames++
	}
	consumed := l.consumed > l.acked
	l.acked = l.consumed
	if now.has(frameClosed) { // which says more than these
		consumed, now = false, now&^setOf(frameHeld)
	}
	if consumed {
		b = appendNumbers(b, frameAck, l.consumed)
		l.stats.Acks++
		frames++
	}
	// Behind the ACK: who leaves goes at HELD, and loses what it has not heard to be consumed.
	if now.has(frameHeld) {
		b = appendNumbers(b, frameHeld, l.held)
		frames++
	}
	if now.has(frameClosed) {
		b = appendNumbers(b, frameClosed, l.held)
		frames++
	}
	return b, frames
}

// arrivals are messages of one link that have come and are not yet delivered.
type arrivals struct {
	next       uint64   // number of the first
	payloads   [][]byte // valid until the reader's next fill
	duplicates uint64   // that came between them
	more       bool     // inLink.more, for the reader to see without the lock
}

// maxDeliver is how many messages are delivered at once, at most.
const maxDeliver = 1024

// take adds the messages that are buffered, up to maxDeliver. It returns the
// frame that follows them, or an error in its place, or a DATA frame that it has
// dealt with.
func (a *arrivals) take(frames *frameReader) (frameType, []byte, error) {
	for {
		a.payloads = frames.messages(a.payloads, a.next+uint64(len(a.payloads)), maxDeliver)
		if len(a.payloads) == maxDeliver {
			return frameData, nil, nil
		}
		t, body, err := frames.buffered()
		if err != nil || t != frameData {
			return t, body, err
		}
		// It is not the one that was expected.
		if len(body) < 8 {
			return t, nil, refuse(CodeProtocol, "DATA of %s", plural(len(body), "byte"))
		}
		last := a.next + uint64(len(a.payloads)) - 1
		if seq := binary.BigEndian.Uint64(body); seq > last {
			return t, nil, refuse(CodeProtocol, "message %d follows message %d", seq, last)
		}
		a.duplicates++
	}
}

// read takes the peer's frames until the connection ends, or returns nil when
// the peer has read our CLOSED.
func (l *inLink) read(frames *frameReader) error {
	l.mu.Lock()
	a := arrivals{next: l.held + 1}
	l.mu.Unlock()
	for {
		t, body, err := a.take(frames)
		// What follows them comes after them.
		if err := l.deliver(&a, frames.start < frames.end); err != nil {
			return err
		}
		switch {
		case errors.Is(err, errNoFrame):
			if err := frames.fill(); err != nil {
				return err
			}
			l.heard.Store(int64(l.n.now()))
		case err != nil:
			return err
		case t != frameData:
			if bye, err := l.take(t, body); bye || err != nil {
				return err
			}
		}
	}
}

// deliver hands over what has come; more says whether there is a part of a frame
// behind it. The lock is held meanwhile, so that after freeze nothing more is
// delivered.
func (l *inLink) deliver(a *arrivals, more bool) error {
	if len(a.payloads) == 0 && a.duplicates == 0 && more == a.more {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more = more; l.ackDue() {
		l.work.Signal()
	}
	l.stats.Duplicates += a.duplicates
	last := a.next + uint64(len(a.payloads)) - 1
	if len(a.payloads) > 0 {
		taken, err := l.takeData(last)
		if err != nil {
			return err
		}
		if taken {
			if err := l.n.cfg.Handler.Deliver(l.from, a.next, a.payloads); err != nil {
				return refuse(CodeProtocol, "%v", err)
			}
			l.held = last
		}
	}
	*a = arrivals{next: last + 1, payloads: a.payloads[:0], more: more}
	return nil
}

// take takes one frame that is no message, and reports whether it is the last one.
// Of several PINGs only the newest is answered: so a peer that asks and does not
// read costs no memory.
func (l *inLink) take(t frameType, body []byte) (over bool, err error) {
	l.mu.Lock()
	step, err := l.inState.take(t, body)
	if err != nil {
		l.mu.Unlock()
		return false, err
	}
	changed := step.phase != l.phase || !l.met || t == frameFin
	l.inState, l.met = step.inState, true
	l.due |= step.due
	switch t {
	case frameFin:
		l.word = word{l.peer.life, step.says[1]}
		if s, wait := l.session, min(step.says[2], uint64(heldAfter)); wait > 0 && step.due.has(frameHeld) {
			l.due &^= setOf(frameHeld)
			time.AfterFunc(time.Duration(wait), func() { l.hold(s) })
		}
	case framePing:
		l.pinged, l.got = step.says[0], l.n.cfg.Wall().UnixNano()
		l.gotAt = l.n.now() // afterwards, so that it was held for as long at least
	case frameReady, frameStarted:
		l.start = heardProposal(t, step.says, l.n.now(), l.welcomed)
		l.proposal = l.start.at
		l.peer.settled = true
		changed = true
	}
	l.mu.Unlock()
	l.work.Signal()
	if changed {
		l.n.changes.notify()
	}
	return t == frameBye, nil
}

// hold answers a FIN that came in session s, unless more is said already, or the peer waits for
// that no more.
func (l *inLink) hold(s *session) {
	if out := l.n.to(l.from); out != nil && out.life().closed() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == s && l.due.has(frameClosed) {
		l.due |= setOf(frameHeld)
		l.work.Signal()
	}
}

// holds returns how many of the peer's messages are here.
func (l *inLink) holds() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// told returns what the peer's FIN says of this machine's messages.
func (l *inLink) told() word {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.word
}

// change changes what the life of the link depends on, and lets a peer go that has
// nothing to wait for any more.
func (l *inLink) change(f func(s *inState)) {
	l.mu.Lock()
	was := l.phase
	f(&l.inState)
	l.inState = l.released()
	now := l.phase
	l.mu.Unlock()
	if now != was {
		l.work.Signal()
		l.n.changes.notify()
	}
}

// freeze takes nothing more on the link.
func (l *inLink) freeze() {
	l.change(func(s *inState) { s.phase = s.phase.moved(moveFreeze) })
}

// close takes nothing more on the link and tells the peer how far it has come.
// The peer then forgets what it sent, so all of it must be safe: consumed, or
// noted by whoever uses the node.
func (l *inLink) close() {
	l.change(func(s *inState) { s.phase = s.phase.moved(moveClose) })
}

// left notes that the peer has left the run, and waits only for its messages to
// be consumed.
func (l *inLink) left() {
	l.change(func(s *inState) { s.peerLeft = true })
}

func (l *inLink) consume(seq uint64) {
	l.mu.Lock()
	if seq > l.held {
		l.mu.Unlock()
		panic(fmt.Sprintf("transport: message %d of machine %d is consumed before it was delivered", seq, l.from))
	}
	was := l.phase
	if l.consumed == l.acked {
		l.since = l.n.now()
	}
	l.consumed = max(l.consumed, seq)
	l.inState = l.released()
	released, due := l.phase != was, l.ackDue()
	l.mu.Unlock()
	if due || released {
		l.work.Signal()
	}
	if released {
		l.n.changes.notify()
	}
}

// life returns the phase.
func (l *inLink) life() phase {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase
}

// awaitsBye reports whether the peer has still to be told CLOSED, or to answer it.
// One that has left waits for no word any more.
func (l *inLink) awaitsBye() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == phaseClosed && !l.peerLeft
}

// answered reports whether the peer has heard what this process has of its messages, and
// goes on.
func (l *inLink) answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.met
}

// proposed returns when the peer would start.
func (l *inLink) proposed() proposal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start
}
