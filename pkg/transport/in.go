package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"sync"
	"time"
)

// inLink is the receiving end of a link. Its life is in the lower half of the
// table [phases].
type inLink struct {
	from int
	line

	// attaching lets one connection at a time take the link over. It is held
	// while line.mu is taken, and not the other way round.
	attaching sync.Mutex

	// All of the following is guarded by line.mu.
	inState

	// The peer, whatever the connection.
	incarnation uint64   // of its newest process
	start       proposal // when that would start; zero: it is not ready
	met         bool     // it has said something: so it does not contradict what it was told in WELCOME

	inSession // what there is to know of the newest connection
}

// inSession is the receiver's side of a session. Each begins with a new one.
type inSession struct {
	acked    uint64    // told to the peer. Invariant: acked ≤ consumed
	more     bool      // the rest of a frame is on its way
	pinged   uint64    // what the newest PING says
	pingedAt time.Time // when it came
}

func newInLink(n *Node, from int) *inLink {
	l := &inLink{line: line{n: n}, from: from, inState: inState{phase: phaseReceiving, window: uint64(n.cfg.Window)}}
	l.work.L = &l.mu
	return l
}

// accept takes connections until the listener is closed.
func (n *Node) accept() {
	pause := time.Duration(0)
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
			n.log.Error("cannot accept connections", "error", err, "again-in", pause)
			select {
			case <-n.ctx.Done():
				return
			case <-time.After(pause):
			}
			continue
		}
		if evicted := n.gate.enter(conn); evicted != nil {
			n.turnAway(evicted, refuse(CodeProtocol, "silent while others wait"))
		}
		n.wg.Go(func() { n.receive(conn) })
	}
}

// receive finds out who is on a new connection and serves it.
func (n *Node) receive(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(hundreds(len(n.in)) * HelloTimeout))
	frames := newFrameReader(conn, MaxHello)
	h, err := readHello(frames)
	if !n.gate.leave(conn) {
		return // it was turned away meanwhile
	}
	if err == nil {
		err = n.admit(h)
	}
	if err != nil {
		n.turnAway(conn, err)
		return
	}
	frames.limit = MaxFrame
	l := n.in[h.from]
	served := conn
	if n.cfg.Accepted != nil {
		served = n.cfg.Accepted(conn, l.from)
		defer served.Close()
		frames.r = served
	}
	s, err := l.attach(served, h.incarnation)
	switch {
	case err == nil:
		l.serve(s, frames)
	case unsaid(err) != nil:
		n.turnAway(served, err)
	}
}

func readHello(frames *frameReader) (hello, error) {
	t, body, err := frames.next()
	switch {
	case err != nil:
		return hello{}, err
	case t != frameHello:
		return hello{}, refuse(CodeProtocol, "%v, expected HELLO", t)
	}
	return parseHello(body)
}

// turnAway closes a connection, says why to whoever is there, and counts it.
//
// There is no need to linger: after its HELLO, whoever keeps to this protocol
// sends nothing before it is answered.
func (n *Node) turnAway(conn net.Conn, why error) {
	defer conn.Close()
	if n.ctx.Err() != nil {
		return
	}
	count := n.refused.Add(1)
	if e := unsaid(why); e != nil {
		sayError(conn, e)
	}
	// A flood must not fill the log: past the tenth, one line per doubling.
	if count <= 10 || bits.OnesCount64(count) == 1 {
		n.log.Warn("connection refused", "from", conn.RemoteAddr(), "reason", why, "so-far", count)
	}
}

// admit decides whether a machine that introduces itself so belongs here.
func (n *Node) admit(h hello) error {
	me, machines := uint32(n.cfg.ID), uint32(len(n.in))
	switch {
	case h.run != n.cfg.Run:
		return refuse(CodeRun, "run %q meets run %q", h.run, n.cfg.Run)
	case h.from == me && h.incarnation == n.cfg.Incarnation:
		return refuse(CodeSelf, "machine %d has its own address among its peers", me)
	case h.from == me:
		return refuse(CodeDuplicate, "two machines with id %d", me)
	case h.machines != machines:
		return refuse(CodeMachines, "machine %d is in a run of %d machines, machine %d in one of %d", h.from, h.machines, me, machines)
	case h.from >= machines:
		return refuse(CodeMachines, "machine id %d in a run of %d machines: ids are 0 to %d", h.from, machines, machines-1)
	case h.to != anyID && h.to != me:
		return refuse(CodeDestination, "machine %d wants machine %d, but this is machine %d", h.from, h.to, me)
	}
	return nil
}

// attach makes conn the link's connection and answers it. A connection that it
// replaces has ended by then, so nothing of it can come after.
func (l *inLink) attach(conn net.Conn, incarnation uint64) (*session, error) {
	n := l.n
	l.attaching.Lock()
	defer l.attaching.Unlock()
	l.mu.Lock()
	old, known := l.session, l.incarnation
	l.mu.Unlock()
	switch {
	case incarnation < known:
		return nil, refuse(CodeStale, "machine %d has been started again: this process of it is not the newest", l.from)
	case old == nil:
	case incarnation > known && l.alive(old):
		return nil, refuse(CodeDuplicate, "a machine with id %d is connected already", l.from)
	default: // the peer has given up that connection; so do we
		_ = old.conn.Close()
		<-old.ended
	}

	l.mu.Lock()
	w := welcome{
		version:  Version,
		id:       uint32(n.cfg.ID),
		window:   uint32(n.cfg.Window),
		consumed: l.consumed,
		held:     l.held,
	}
	l.inSession = inSession{acked: l.consumed}
	l.due = setOf(frameClosed)
	l.mu.Unlock()
	_ = conn.SetDeadline(time.Now().Add(hundreds(len(n.in)) * HelloTimeout))
	if _, err := conn.Write(w.frame()); err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	l.heard.Store(int64(n.now()))
	s := newSession(conn)
	l.mu.Lock()
	l.session = s
	if incarnation > known {
		l.start = proposal{}
	}
	l.incarnation = incarnation
	l.mu.Unlock()
	if out := n.to(l.from); out != nil && incarnation > known {
		out.redial()
	}
	n.changes.notify()
	return s, nil
}

// alive finds out whether the process at the other end of a session still
// lives, when another with its id has come. If it does, it is heard again; what
// comes in the first moment does not count, as it may have been under way when
// the process died. If it does not, the session ends, by what its host says or
// because it is silent for too long.
func (l *inLink) alive(s *session) bool {
	moment := time.NewTimer(underWay)
	defer moment.Stop()
	select {
	case <-s.ended:
		return false
	case <-moment.C:
	}
	since := l.heard.Load()
	tick := time.NewTicker(underWay / 10)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return false
		case <-tick.C:
			if l.heard.Load() != since {
				return true
			}
		}
	}
}

// serve runs a session to its end.
func (l *inLink) serve(s *session, frames *frameReader) {
	err := l.converse(s, l.write, func() error { return l.read(frames) })
	var refused *RefusedError
	if errors.As(err, &refused) {
		by := "this machine"
		if refused.heard {
			by = "peer"
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

// ackDue reports whether what is consumed is to be acknowledged now; l.mu is held. On
// a busy link that waits until it is worth a write, but only while the rest of a
// frame is on its way: so the reader is sure to come by again, whatever the
// sender's window is.
func (l *inLink) ackDue() bool {
	return l.consumed > l.acked && (!l.more || l.consumed-l.acked > l.window/acksPerWindow)
}

// acksPerWindow is about how many acknowledgements a sender gets for a window of
// messages, if it never pauses.
const acksPerWindow = 16

// dueNow returns the control frames that are due and may go out; l.mu is held.
func (l *inLink) dueNow() frameSet { return l.due & phases[l.phase].sends }

// answers appends the frames that are to be sent, and counts them.
func (l *inLink) answers(b []byte) (_ []byte, frames uint64) {
	now := l.dueNow()
	l.due &^= now
	if now.has(framePong) {
		b = appendNumbers(b, framePong, l.pinged, uint64(l.pingedAt.UnixNano()), uint64(time.Now().UnixNano()))
		frames++
	}
	if now.has(frameHeld) {
		b = appendNumbers(b, frameHeld, l.held)
		frames++
	}
	if l.consumed > l.acked {
		l.acked = l.consumed
		b = appendNumbers(b, frameAck, l.consumed)
		l.stats.Acks++
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
			return t, nil, refuse(CodeProtocol, "DATA of %d bytes", len(body))
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
				l.n.refused.Add(1)
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
	changed := step.phase != l.phase
	changed = changed || !l.met
	l.inState, l.met = step.inState, true
	l.due |= step.due
	switch t {
	case framePing:
		l.pinged, l.pingedAt = step.says[0], time.Now()
	case frameReady, frameStarted:
		l.start = proposal{at: int64(step.says[0])}
		if t == frameStarted {
			l.start.agreed, l.start.began = true, l.n.now()-time.Duration(step.says[1])
		}
		changed = true
	}
	l.mu.Unlock()
	l.work.Signal()
	if changed {
		l.n.changes.notify()
	}
	return t == frameBye, nil
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
