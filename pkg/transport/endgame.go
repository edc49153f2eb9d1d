package transport

// When the end of a run is settled is decided here, from what is known of each
// link, by functions that touch nothing. [Node.Drain] carries it out.

// ends are a machine's two links with a peer, as they stand at the end.
type ends struct {
	peer int
	in   phase // of the link from the peer
	out  outEnd
}

// outEnd is what is known of the messages to a peer.
// Invariant: acked ≤ sent, held ≤ sent.
type outEnd struct {
	phase phase
	sent  uint64 // the last message
	acked uint64 // the peer's log says that it has consumed all up to here
	held  uint64 // the peer's process at the other end of the connection has all up to here
	// standing says that there is that connection. Without it, the process may have
	// died since, and what it had not consumed is gone.
	standing bool
	// life is that of the process there.
	life uint64
	// met says that the peer has told what it has of this machine's messages, which
	// may contradict the log of one that was started again.
	met bool
}

// word is what a peer has said with its FIN, on the other link: a process of this life holds all
// messages up to held.
type word struct{ life, held uint64 }

// told returns what is known with the peer's word: if it is of the process at the other end of the
// connection. An earlier one may have died since with what it held.
func (e outEnd) told(w word) outEnd {
	if e.standing && !e.phase.closed() && w.life == e.life && w.held <= e.sent {
		e.held = max(e.held, w.held)
	}
	return e
}

// undelivered returns how many messages the peer is not known to have: no fewer than
// it lacks, and exactly these where it has said CLOSED.
func (e outEnd) undelivered() uint64 {
	known := e.acked
	if e.standing || e.phase.closed() {
		known = max(known, e.held)
	}
	return e.sent - known
}

// unconsumed returns how many messages the peer may still lose, if it dies and nobody is
// there to send them again.
func (e outEnd) unconsumed() uint64 {
	if e.phase.closed() {
		return e.undelivered()
	}
	return e.sent - e.acked
}

// answered reports whether the peer has heard of this machine's messages, and has nothing
// against what it heard.
func (e outEnd) answered() bool { return e.met || e.phase.closed() }

// settled reports whether there is nothing to wait for: the peer has all, or takes no
// more.
func (e outEnd) settled() bool {
	return e.met && e.undelivered() == 0 || e.phase.closed()
}

// settled reports whether both directions are. That the one is says nothing of the
// other: a peer's FIN may be here, and the peer wait in vain for messages of a
// link that will never stand again.
func (e ends) settled() bool { return e.in.finished() && e.out.settled() }

// goesOn reports whether the peer had not finished when this machine last took messages.
func (e ends) goesOn() bool { return e.in == phaseReceiving || e.in == phaseCut }

// leavable reports whether the peer can do without this machine: it lives and goes on, and
// has said that everything is there. What it sends from now on is its loss, and CLOSED
// tells it so; what it has not consumed nobody will send again, so that counts as
// undelivered.
func (e ends) leavable() bool {
	return e.goesOn() && (e.out.standing || e.out.phase.closed()) && e.out.settled()
}

// settle decides about the end of a machine that has these links: whether it waits
// on, and if not, how many messages to each peer it takes for lost. One that is leaving
// does not wait for the ends of those that go on; one that has waited for long
// enough does not wait.
func settle(links []ends, leaving, enough bool) (wait bool, undelivered map[int]uint64) {
	undelivered = make(map[int]uint64)
	for _, e := range links {
		left := leaving && e.leavable()
		if !enough && !e.settled() && !left {
			return true, nil
		}
		lost := e.out.undelivered()
		if left {
			lost = e.out.unconsumed()
		}
		if lost > 0 {
			undelivered[e.peer] = lost
		}
	}
	return false, undelivered
}
