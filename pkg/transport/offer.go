package transport

import (
	"net"
	"sync"
	"time"
)

// Where one connection can carry both links between two machines, one of them dials, and
// the other one answers on it. Which one dials first follows from the ids, so
// that the two do not dial each other at the same time; each machine dials half of
// the others. The other one waits, but not for long: it may be that it can dial, and
// its peer cannot.

// callTime is for how long a machine waits at least for a peer that is to dial.
const callTime = 250 * time.Millisecond

// offer is the stream of a peer's connection on which a link can be made.
type offer struct {
	mu   sync.Mutex
	made *stream // nil: none
}

// make replaces what was offered before.
func (o *offer) make(s *stream) {
	o.mu.Lock()
	old := o.made
	o.made = s
	o.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// take returns what is offered, nil for nothing. It is the taker's from then on.
func (o *offer) take() *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.made
	o.made = nil
	return s
}

// decline lets the peer know that its offer is not needed.
func (o *offer) decline() {
	if s := o.take(); s != nil {
		_ = s.Close()
	}
}

// stands reports whether there is an offer.
func (o *offer) stands() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.made != nil
}

// answerOn has the link to a machine made on the connection on which that has called, if
// it is not made yet.
func (n *Node) answerOn(conn net.Conn, from int) {
	s, ok := conn.(*stream)
	if !ok {
		return
	}
	l := n.to(from)
	if l == nil || !l.wanted() {
		_ = s.other().Close()
		return
	}
	l.offer.make(s.other())
	l.redial()
}

// wanted reports whether the link is to be made.
func (l *outLink) wanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session == nil && !l.peerClosed()
}

// hearOn serves the link from a machine, if that makes it on the connection that this one
// has dialled.
func (n *Node) hearOn(conn net.Conn, shown int) {
	s, ok := conn.(*stream)
	if !ok {
		return
	}
	n.wg.Go(func() {
		s := s.other()
		defer func() { _ = s.Close() }()
		_ = s.SetDeadline(time.Now().Add(hundreds(len(n.in)) * HelloTimeout))
		frames := newFrameReader(s, MaxHello)
		h, err := readHello(frames)
		c := n.called(h)
		var l *inLink
		if err == nil {
			l, err = n.admit(h, shown)
		}
		switch {
		case err == nil:
			n.host(s, frames, l, c)
		case unsaid(err) != nil:
			n.turnAway(s, err)
		}
	})
}

// dialsFirst reports whether of two machines that can share a connection it is this one
// that dials, and not the other.
func dialsFirst(me, peer, machines int) bool {
	ahead := (peer - me + machines) % machines
	return 2*ahead < machines || 2*ahead == machines && me < peer
}

// ownHalf is those of the peers that a machine dials first.
type ownHalf struct {
	mu    sync.Mutex
	left  int           // have not been tried yet
	began time.Duration // when the first could be, as Node.now
	took  time.Duration // from then on, until all were
	done  chan struct{} // closed when all were
}

// begin notes that they are tried from now on.
func (h *ownHalf) begin(now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.began = now; h.left == 0 {
		close(h.done)
	}
}

// tried notes that one of them has been tried for the first time.
func (h *ownHalf) tried(now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left--; h.left == 0 {
		h.took = now - h.began
		close(h.done)
	}
}

// leaves reports whether this end leaves it to the peer to dial first.
func (l *outLink) leaves() bool {
	return !l.n.cfg.Apart && l.id != AnyID && !dialsFirst(l.n.cfg.ID, l.id, len(l.n.in))
}

// awaitCall waits for a peer that is to dial first. While this machine dials its own half
// of them, so do the others at the start of a run, and may take a little longer.
func (l *outLink) awaitCall() {
	if !l.leaves() || l.offer.stands() {
		return
	}
	n, wait := l.n, callTime
	if n.starting() {
		select {
		case <-n.half.done:
			wait += n.half.took / 2
		case <-l.again:
			return
		case <-n.ctx.Done():
			return
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-l.again:
	case <-n.ctx.Done():
	case <-timer.C:
	}
}
