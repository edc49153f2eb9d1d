package transport

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"time"
)

// How far the system clocks of two hosts are apart is found out by asking, as by F.
// Cristian, Probabilistic clock synchronization, Distributed Computing 3(3), 1989: a
// question that is asked and answered within a round trip was answered in it, so what the
// peer's clock showed then is known to within half of it. Of several round trips in short
// order each gives such bounds, and all of them hold (K. Marzullo, S. Owicki, Maintaining
// the time in a distributed system, PODC 1983). Time that goes by is measured with
// monotonic clocks, so a system clock that is set meanwhile spoils nothing.

// Offset says how far the system clock of a peer's host is ahead of this host's.
type Offset struct {
	Peer   int
	Ahead  time.Duration // below 0: it is behind
	Within time.Duration // the truth is no further from Ahead than this
	RTT    time.Duration // the quickest of the round trips that say so
}

// The questions cost two frames of 13 and 29 bytes each. They are few, and each waits for
// the answer to the one before.
const (
	FirstQuestions = 8           // when the run begins, or goes on
	LaterQuestions = 1           // now and then
	LastQuestions  = 2           // at the end, which waits for no answer
	AskAgain       = time.Minute // after the round before
)

// MaxDrift is by how much a clock gains or loses on another at most while neither is set:
// each of two common crystals may be wrong by 100 ppm.
const MaxDrift = 200e-6

// latest is the last reading of a system clock that can be, in Unix ns: in the year 2116.
const latest = 1 << 62

// grain is by how much what clocks say may be off, in ns, since they count in whole ones.
const grain = 4

// wasSet is by how much a system clock is off the monotonic one at least when it was set,
// and not slewed.
const wasSet = 5 * time.Millisecond

// span is between which values something is, in ns.
type span struct{ least, most int64 }

func (s span) middle() int64 { return s.least + (s.most-s.least)/2 }

// question is one round trip: asked and heard by the monotonic clock of who asks, got by
// the system clock of who answers, which then held the answer back for a while.
type question struct {
	asked, heard time.Duration
	got          int64 // Unix ns
	held         time.Duration
}

// answer is what a round trip says: got − the instant in which it was read, which is the
// same at any later instant, but for drift. An answer that cannot be is none.
func (q question) answer() (s span, ok bool) {
	trip := q.heard - q.asked
	drift := int64(MaxDrift * float64(trip)) // the two measure time by clocks of their own
	if q.held < 0 || q.held > trip+time.Duration(drift+grain) || q.got < 0 || q.got > latest {
		return span{}, false
	}
	least, most := q.got-int64(q.heard-q.held)-drift, q.got-int64(q.asked)+drift
	return span{min(least, most), max(least, most)}, true
}

// round gathers the answers of questions in short order. The zero value has none.
type round struct {
	answers int
	at      time.Duration // of the last
	apart   span          // peer's system clock − own monotonic clock
	rtt     time.Duration // the shortest
}

// take takes in an answer. Bounds that cannot all hold say that the peer's clock was set
// in between: the newest counts.
func (r round) take(q question) round {
	s, ok := q.answer()
	if !ok {
		return r
	}
	next := round{r.answers + 1, q.heard, s, max(q.heard-q.asked-q.held, 0)}
	if r.answers == 0 {
		return next
	}
	drift := int64(MaxDrift * float64(q.heard-r.at))
	both := span{max(s.least, r.apart.least-drift), min(s.most, r.apart.most+drift)}
	switch {
	case both.least > both.most+grain:
		return next
	case both.least > both.most:
		both.least, both.most = both.most, both.least
	}
	next.apart, next.rtt = both, min(next.rtt, r.rtt)
	return next
}

// asking decides when a peer is asked, and keeps what it says. The zero value asks nothing.
type asking struct {
	left  int           // questions of this round that are not answered
	again time.Duration // when the next round begins; 0: never
	round round
	known round // the last whole round
	fresh bool  // nobody has been told of it
}

// begin begins a round of so many questions.
func (a asking) begin(questions int) asking {
	a.left, a.round = questions, round{}
	return a
}

// due reports whether a round is due: none is under way, and it is time for the next.
func (a asking) due(now time.Duration) bool { return a.left == 0 && a.again > 0 && now >= a.again }

// heard takes in an answer, and reports whether one more question is to be asked.
func (a asking) heard(q question) (_ asking, more bool) {
	if a.left == 0 {
		return a, false
	}
	a.round = a.round.take(q)
	if a.left--; a.left > 0 {
		return a, true
	}
	a.known, a.fresh = a.round, a.round.answers > 0
	a.again = q.heard + AskAgain
	return a, false
}

// ended ends the round under way with what there is.
func (a asking) ended() asking {
	if a.left > 0 && a.round.answers > 0 {
		a.known, a.fresh = a.round, true
	}
	a.left = 0
	return a
}

// offset returns how far the peer's system clock is ahead of a host's whose monotonic
// clock shows something between these, while its system clock shows wall.
func (r round) offset(mono span, wall int64) Offset {
	drift := int64(MaxDrift * float64(max(mono.most-int64(r.at), 0)))
	s := span{r.apart.least + mono.least - wall - drift, r.apart.most + mono.most - wall + drift}
	return Offset{
		Ahead:  time.Duration(s.middle()),
		Within: time.Duration((s.most-s.least)/2 + 1),
		RTT:    r.rtt,
	}
}

// oneHost reports whether both ends of a connection seem to be on one host: a tunnel from
// another one looks the same.
func oneHost(conn net.Conn) bool {
	remote, ok := ipOf(conn.RemoteAddr())
	if !ok {
		return false
	}
	local, ok := ipOf(conn.LocalAddr())
	return remote.IsLoopback() || ok && remote == local
}

func ipOf(addr net.Addr) (netip.Addr, bool) {
	if addr == nil {
		return netip.Addr{}, false
	}
	ap, err := netip.ParseAddrPort(addr.String())
	return ap.Addr().Unmap().WithZone(""), err == nil
}

// What follows carries it out.

// ask begins a round, if the peer is on another host as far as is known. One that cannot
// be reached is asked when it can.
func (l *outLink) ask(questions int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.session == nil:
		l.asking.again = max(l.n.now(), 1)
	case l.session.oneHost && l.clocks.ahead() == 0:
		l.asking.again = 0 // they share one clock
	case !l.phase.closed():
		l.asking = l.asking.begin(questions)
		l.due |= setOf(framePing)
		l.work.Signal()
	}
}

// pinging notes that a PING goes out now, and returns what it says; l.mu is held.
func (l *outLink) pinging() uint64 {
	l.pinged = l.n.now()
	l.said = uint64(l.n.cfg.Wall().UnixNano())
	return l.said
}

// pong takes in what a PONG says: the PING was sent at t0 and got at t1, the PONG
// sent at t2.
func (l *outLink) pong(t0, t1, t2 int64) {
	t3 := l.n.cfg.Wall().UnixNano()
	heard := l.n.now() // afterwards, so that the round trip took no longer
	l.mu.Lock()
	if uint64(t0) == l.said { // else a later PING is under way
		t0 = unset(t0, t3, heard-l.pinged)
		l.answered(question{l.pinged, heard, t1, time.Duration(t2 - t1)})
	}
	l.clocks.sample(t0, t1, t2, t3)
	l.mu.Unlock()
	l.n.changes.notify()
}

// unset returns what the system clock would have shown at the beginning of a round trip that took so
// long, from t0 to t3 by that clock, had it not been set meanwhile.
func unset(t0, t3 int64, trip time.Duration) int64 {
	if (time.Duration(t3-t0) - trip).Abs() > wasSet {
		return t3 - int64(trip)
	}
	return t0
}

// answered takes in an answer; l.mu is held.
func (l *outLink) answered(q question) {
	var more bool
	l.asking, more = l.asking.heard(q)
	if more {
		l.due |= setOf(framePing)
		l.work.Signal()
	}
	if l.asking.fresh {
		l.n.fresh.Store(true)
	}
	if l.n.cfg.ID > l.id { // it was asked because this host's clock was set; else it asks
		l.asking.again = 0
	}
}

// told returns what was found out since it was last asked; with last, what a round under
// way has found out so far, too.
func (l *outLink) told(last bool) (r round, peer int, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last {
		l.asking = l.asking.ended()
	}
	fresh, l.asking.fresh = l.asking.fresh, false
	return l.asking.known, l.id, fresh
}

// askAll begins a round with the peers that it is for this machine to ask: of two, the one
// with the lower id does.
func (n *Node) askAll(questions int) {
	for _, l := range n.out {
		if n.cfg.ID < l.peerID() {
			l.ask(questions)
		}
	}
}

// askAgain begins the rounds that are due. Where this host's own clock was set, that is
// all of them, with each peer: nobody else need know of it.
func (n *Node) askAgain() {
	mono := n.now()
	lead := time.Duration(n.cfg.Wall().UnixNano()) - mono
	set := n.lead != 0 && (lead-n.lead).Abs() > wasSet
	n.lead = lead
	for _, l := range n.out {
		l.mu.Lock()
		due := l.asking.due(mono) || set && n.start.Load() != nil
		l.mu.Unlock()
		if due {
			l.ask(LaterQuestions)
		}
	}
}

// Offsets returns how far the system clocks of peers on other hosts are ahead of this
// host's now, as far as that was found out since the call before, by the peers' ids. With
// last, a round of questions that is not over counts as far as it goes.
//
// Between two calls, Fresh tells whether there may be any.
func (n *Node) Offsets(last bool) (offsets []Offset) {
	if !n.fresh.Swap(false) && !last {
		return nil
	}
	for _, l := range n.out {
		r, peer, fresh := l.told(last)
		if !fresh {
			continue
		}
		o := r.offset(n.clocksNow())
		o.Peer = peer
		offsets = append(offsets, o)
	}
	slices.SortFunc(offsets, func(a, b Offset) int { return cmp.Compare(a.Peer, b.Peer) })
	return offsets
}

// Fresh reports whether [Node.Offsets] may have something to say. It costs next to nothing.
func (n *Node) Fresh() bool { return n.fresh.Load() }

// clocksNow reads both of this host's clocks. They cannot be read at one instant, so the
// monotonic one is read twice; once more where something came in between.
func (n *Node) clocksNow() (mono span, wall int64) {
	for range 3 {
		before := n.now()
		w := n.cfg.Wall().UnixNano()
		after := n.now()
		if mono.most == 0 || int64(after-before) < mono.most-mono.least {
			mono, wall = span{int64(before), int64(after)}, w
		}
	}
	return mono, wall
}
