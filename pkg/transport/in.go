package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// inLink is the receiving end of a link.
type inLink struct {
	n    *Node
	from int

	// attaching lets one connection at a time take the link over.
	attaching sync.Mutex

	// Guarded by n.mu.
	session  *inSession // the live connection, nil: none
	readyAt  int64      // the start that the peer proposes, Unix ns; 0: not ready
	finished bool       // the peer sends nothing more, and we hold everything
	closing  bool       // we take nothing more
	gone     bool       // the peer knows that

	mu   sync.Mutex
	work sync.Cond // on mu: there may be something for the writer
	conn net.Conn  // of the live connection
	// Invariant: acked ≤ consumed ≤ held ≤ consumed + window.
	acked       uint64 // told to the peer, on this connection
	consumed    uint64
	held        uint64
	incarnation uint64 // of the peer's newest process
	closed      bool   // nothing is taken past held
	urgent      []byte // control frames, sent before acknowledgements
	stats       Stats
}

// inSession is one connection of an inLink.
type inSession struct {
	conn  net.Conn
	heard atomic.Int64  // when the peer was last heard, as Node.now
	ended chan struct{} // closed when no goroutine of it is left
}

func newInLink(n *Node, from int) *inLink {
	l := &inLink{n: n, from: from}
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
			if evicted == conn {
				continue
			}
		}
		n.wg.Go(func() { n.receive(conn) })
	}
}

// receive finds out who is on a new connection and serves it.
func (n *Node) receive(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(helloTimeout))
	frames := newFrameReader(conn, maxHello)
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
	frames.limit = maxFrame
	l := n.in[h.from]
	s, err := l.attach(conn, h.incarnation)
	if err != nil {
		n.turnAway(conn, err)
		return
	}
	l.serve(s, frames)
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
func (n *Node) turnAway(conn net.Conn, why error) {
	defer conn.Close()
	if n.ctx.Err() != nil {
		return
	}
	count := n.refused.Add(1)
	var refused *RefusedError
	if errors.As(why, &refused) {
		_ = conn.SetWriteDeadline(time.Now().Add(errorTimeout))
		_, _ = conn.Write(appendError(nil, refused))
	}
	// A flood must not fill the log: past the tenth, one line per doubling.
	if count <= 10 || bits.OnesCount64(count) == 1 {
		n.log.Warn("connection refused", "from", conn.RemoteAddr(), "reason", why, "so-far", count)
	}
}

// admit decides whether a machine that introduces itself so belongs here.
func (n *Node) admit(h hello) error {
	me, machines := n.cfg.ID, len(n.in)
	switch {
	case h.run != n.cfg.Run:
		return refuse(CodeRun, "run %q meets run %q: give both machines the same --run", h.run, n.cfg.Run)
	case int(h.from) == me && h.incarnation == n.cfg.Incarnation:
		return refuse(CodeSelf, "machine %d has its own address among its peers", me)
	case int(h.from) == me:
		return refuse(CodeDuplicate, "two machines with id %d: give each its own --id", me)
	case int(h.machines) != machines:
		return refuse(CodeMachines, "machine %d is in a run of %d machines, machine %d in one of %d: each needs all the others as peers", h.from, h.machines, me, machines)
	case int(h.from) >= machines:
		return refuse(CodeMachines, "machine id %d in a run of %d machines: ids are 0 to %d", h.from, machines, machines-1)
	case h.to != anyID && int(h.to) != me:
		return refuse(CodeDestination, "this is machine %d, not machine %d", me, h.to)
	}
	return nil
}

// attach makes conn the link's connection and answers it. A connection that it
// replaces has ended by then, so nothing of it can come after.
func (l *inLink) attach(conn net.Conn, incarnation uint64) (*inSession, error) {
	n := l.n
	l.attaching.Lock()
	defer l.attaching.Unlock()
	n.mu.Lock()
	old := l.session
	n.mu.Unlock()
	l.mu.Lock()
	known := l.incarnation
	l.mu.Unlock()
	switch {
	case incarnation < known:
		return nil, refuse(CodeStale, "machine %d was started again since: this process of it is not the newest", l.from)
	case incarnation > known && old != nil:
		return nil, refuse(CodeDuplicate, "a machine with id %d is connected already: give each its own --id", l.from)
	case old != nil: // the peer has given up that connection; so do we
		_ = old.conn.Close()
		<-old.ended
	}

	s := &inSession{conn: conn, ended: make(chan struct{})}
	s.heard.Store(int64(n.now()))
	l.mu.Lock()
	w := welcome{
		version:  Version,
		id:       uint32(n.cfg.ID),
		window:   uint32(n.cfg.Window),
		consumed: l.consumed,
		held:     l.held,
	}
	l.incarnation = incarnation
	l.acked = l.consumed
	l.urgent = l.urgent[:0]
	if l.closed {
		l.urgent = appendNumbers(l.urgent, frameClosed, l.held)
	}
	l.conn = conn
	l.mu.Unlock()
	_, err := conn.Write(w.append(nil))
	if err != nil {
		l.mu.Lock()
		l.conn = nil
		l.mu.Unlock()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	n.change(func() {
		if incarnation > known {
			l.readyAt = 0
		}
		l.session = s
	})
	return s, nil
}

// serve runs a session to its end.
func (l *inLink) serve(s *inSession, frames *frameReader) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		if l.write(s.conn) != nil {
			_ = s.conn.Close()
		}
	}()
	err := l.read(s, frames)
	var refused *RefusedError
	if errors.As(err, &refused) {
		l.n.log.Error("connection closed", "machine", l.from, "reason", refused.Text)
		l.mu.Lock()
		l.urgent = appendError(l.urgent, refused)
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.conn = nil
	l.mu.Unlock()
	l.work.Signal()
	if refused == nil {
		_ = s.conn.Close()
	} else {
		_ = s.conn.SetWriteDeadline(time.Now().Add(errorTimeout))
	}
	<-written
	_ = s.conn.Close()
	l.n.change(func() {
		l.session = nil
		if err == nil {
			l.gone = true
		}
	})
	close(s.ended)
}

// write sends acknowledgements and answers until the session ends. Whatever has
// come up since the last write goes into one.
func (l *inLink) write(conn net.Conn) error {
	var buf []byte
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.conn == conn && len(l.urgent) == 0 && l.consumed == l.acked {
			l.work.Wait()
		}
		if l.conn != conn && len(l.urgent) == 0 {
			return nil
		}
		buf = append(buf[:0], l.urgent...)
		l.urgent = l.urgent[:0]
		l.stats.Frames += uint64(countFrames(buf))
		if l.consumed > l.acked {
			buf = appendNumbers(buf, frameAck, l.consumed)
			l.acked = l.consumed
			l.stats.Frames++
			l.stats.Acks++
		}
		l.mu.Unlock()
		n, err := conn.Write(buf)
		l.mu.Lock()
		l.stats.Bytes += uint64(n)
		l.stats.Writes++
		if err != nil {
			return err
		}
	}
}

// read takes the peer's frames until the connection ends, or returns nil when
// the peer has read our CLOSED.
func (l *inLink) read(s *inSession, frames *frameReader) error {
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	var payloads [][]byte // messages held+1 … held+len(payloads)
	var duplicates uint64
	deliver := func() error {
		err := l.deliver(held, payloads, duplicates)
		held += uint64(len(payloads))
		payloads, duplicates = payloads[:0], 0
		return err
	}
	for {
		t, body, err := frames.buffered()
		if t == frameData && err == nil {
			if len(body) < 8 {
				return refuse(CodeProtocol, "DATA of %d bytes", len(body))
			}
			seq, next := binary.BigEndian.Uint64(body), held+uint64(len(payloads))+1
			switch {
			case seq < next:
				duplicates++
			case seq > next:
				return refuse(CodeProtocol, "message %d follows message %d", seq, next-1)
			default:
				payloads = append(payloads, body[8:])
			}
			continue
		}
		// Anything else comes after the messages before it.
		if len(payloads) > 0 || duplicates > 0 {
			if err := deliver(); err != nil {
				return err
			}
		}
		if errors.Is(err, errNoFrame) {
			if err := frames.fill(); err != nil {
				return err
			}
			s.heard.Store(int64(l.n.now()))
			continue
		}
		if err != nil {
			return err
		}
		if bye, err := l.controlFrame(t, body); bye || err != nil {
			return err
		}
	}
}

// deliver hands over the messages held+1 … held+len(payloads). The lock is held
// meanwhile, so that after close nothing more comes.
func (l *inLink) deliver(held uint64, payloads [][]byte, duplicates uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Duplicates += duplicates
	switch {
	case l.closed || len(payloads) == 0:
		return nil
	case held+uint64(len(payloads))-l.consumed > uint64(l.n.cfg.Window):
		return refuse(CodeProtocol, "more than %d messages unconsumed", l.n.cfg.Window)
	}
	l.n.cfg.Handler.Deliver(l.from, held+1, payloads)
	l.held = held + uint64(len(payloads))
	return nil
}

func (l *inLink) controlFrame(t frameType, body []byte) (bye bool, err error) {
	switch t {
	case framePing:
		var sent uint64
		if err := parseNumbers(t, body, &sent); err != nil {
			return false, err
		}
		now := uint64(time.Now().UnixNano())
		l.control(appendNumbers(nil, framePong, sent, now, now))
	case frameReady:
		var at uint64
		if err := parseNumbers(t, body, &at); err != nil {
			return false, err
		}
		l.n.change(func() { l.readyAt = int64(at) })
	case frameFin:
		var last uint64
		if err := parseNumbers(t, body, &last); err != nil {
			return false, err
		}
		return false, l.finAt(last)
	case frameBye:
		return true, nil
	case frameError:
		return false, parseError(body)
	default:
		return false, refuse(CodeProtocol, "unexpected %v on a link", t)
	}
	return false, nil
}

// finAt takes a FIN: the peer has sent `last` messages and sends no more.
func (l *inLink) finAt(last uint64) error {
	l.mu.Lock()
	if l.closed { // our CLOSED is on its way
		l.mu.Unlock()
		return nil
	}
	if last != l.held {
		l.mu.Unlock()
		return refuse(CodeProtocol, "FIN after %d messages, but %d are here", last, l.held)
	}
	l.mu.Unlock()
	l.close()
	l.n.change(func() { l.finished = true })
	return nil
}

// close takes nothing more on the link and tells the peer how far it has come.
func (l *inLink) close() {
	l.mu.Lock()
	already := l.closed
	if !already {
		l.closed = true
		l.urgent = appendNumbers(l.urgent, frameClosed, l.held)
	}
	l.mu.Unlock()
	l.work.Signal()
	if !already {
		l.n.change(func() { l.closing = true })
	}
}

func (l *inLink) consume(seq uint64) {
	l.mu.Lock()
	l.consumed = max(l.consumed, seq)
	l.mu.Unlock()
	l.work.Signal()
}

func (l *inLink) control(frames []byte) {
	l.mu.Lock()
	l.urgent = append(l.urgent, frames...)
	l.mu.Unlock()
	l.work.Signal()
}

// keep closes a connection on which the peer was last heard before oldest.
func (l *inLink) keep(oldest time.Duration) {
	l.n.mu.Lock()
	s := l.session
	l.n.mu.Unlock()
	if s != nil && time.Duration(s.heard.Load()) < oldest {
		_ = s.conn.Close()
	}
}

func (l *inLink) addStats(s *Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.add(&l.stats)
}
