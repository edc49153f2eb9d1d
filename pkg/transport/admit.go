package transport

import (
	"time"
)

// Who may have a link is decided here: first by what all machines of the run know,
// then by what only the sender on this link knows. None of the reasons is told to
// whoever is refused.

// admit returns the link of a machine that introduces itself so, if it belongs here and
// is the one whose certificate it has shown, if it has shown one.
func (n *Node) admit(h hello, shown int) (*inLink, error) {
	me, machines := uint32(n.cfg.ID), uint32(len(n.in))
	switch {
	case n.isOver():
		return nil, errOver
	case shown != AnyID && h.from != uint32(shown):
		return nil, refuse(CodeCertificate, "it says that it is machine %d, with the certificate of machine %d", h.from, shown)
	case h.run != n.cfg.Run:
		return nil, refuse(CodeRun, "machine %d of %d in run %q meets machine %d of %d in run %q", h.from, h.machines, h.run, me, machines, n.cfg.Run)
	case h.from == me && n.meetsItself(h.secret):
		return nil, refuse(CodeSelf, "machine %d has its own address among its peers", me)
	case h.from == me:
		return nil, refuse(CodeDuplicate, "two machines with id %d", me)
	case h.machines != machines:
		return nil, refuse(CodeMachines, "machine %d is in a run of %s, machine %d in one of %d", h.from, plural(h.machines, "machine"), me, machines)
	case h.from >= machines:
		return nil, refuse(CodeMachines, "machine id %d in a run of %s: ids are 0 to %d", h.from, plural(machines, "machine"), machines-1)
	case h.to != anyID && h.to != me:
		return nil, refuse(CodeDestination, "machine %d wants machine %d, but this is machine %d", h.from, h.to, me)
	}
	l := n.in[h.from]
	_, err := l.judge(h)
	return l, err
}

// meet takes in what a machine that may have a link says of itself.
func (n *Node) meet(peer int, terms []byte) error {
	if err := n.cfg.Meet(peer, terms); err != nil {
		return refuse(CodeTerms, "%v", err)
	}
	return nil
}

// meetsItself notes on the link whose secret this is that this machine has dialled itself, and
// reports whether there is one. The dialling end hears only that it is refused.
func (n *Node) meetsItself(secret Secret) (met bool) {
	for _, l := range n.out {
		if l.secret.is(secret) {
			l.mu.Lock()
			l.self, met = true, true
			l.mu.Unlock()
		}
	}
	return met
}

// sender is who may send on a link, as far as its receiver knows.
type sender struct {
	secret Secret // zero: nobody has come yet
	life   uint64 // of its newest process that came
	// settled: it has said READY or STARTED, and so keeps the secret for good. Nobody
	// else is taken from then on. Until then nothing has been taken, either, and a
	// machine that was started afresh before the run began has a secret that is
	// not known here.
	settled bool
}

// entrance is how somebody may take a link over.
type entrance uint8

const (
	entranceClosed   entrance = iota
	entranceOpen              // at once: the connection that stands, if any, was its own
	entranceOnceFree          // when the connection that stands, if any, has ended
)

// admits decides about somebody who says that it is machine from, in this life, and
// comes with this secret. Its error is a [RefusedError].
func (s sender) admits(from int, secret Secret, life uint64) (entrance, error) {
	known := s.secret.is(secret)
	switch {
	case s.secret == Secret{}:
		return entranceOpen, nil
	case !known && s.settled:
		return entranceClosed, refuse(CodeStale, "machine %d does not know the secret of its link: it was started again without what it keeps beside its log, or somebody else takes its name", from)
	case !known:
		return entranceOnceFree, nil
	case life < s.life:
		return entranceClosed, refuse(CodeStale, "machine %d has been started again: this process of it is not the newest", from)
	case life > s.life:
		return entranceOnceFree, nil
	}
	return entranceOpen, nil
}

// succeeded returns what is known when a machine that was admitted has the link.
func (s sender) succeeded(secret Secret, life uint64) sender {
	if s.secret.is(secret) {
		return sender{secret, life, s.settled}
	}
	return sender{secret: secret, life: life}
}

// judge decides about somebody who claims to be the sender on this link.
func (l *inLink) judge(h hello) (entrance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.admits(l.from, h.secret, h.life)
}

// waiter is a connection that wants to become a link's.
type waiter struct {
	displaced chan struct{} // closed when a later one has come
	deadline  <-chan time.Time
}

// wait makes the caller the only one that may take the link over, and returns how it
// gives that up. Of those that wait the newest stays: a dialer that has come
// again has given up its connection before. So no more than two connections per
// link, the one whose turn it is and the next one, are in here for long.
func (l *inLink) wait() (w *waiter, release func(), err error) {
	timer := time.NewTimer(AttachTimeout)
	w = &waiter{displaced: make(chan struct{}), deadline: timer.C}
	l.mu.Lock()
	if l.next != nil {
		close(l.next.displaced)
	}
	l.next = w
	l.mu.Unlock()
	gone := func() {
		timer.Stop()
		l.mu.Lock()
		if l.next == w {
			l.next = nil
		}
		l.mu.Unlock()
	}
	select {
	case l.turn <- struct{}{}:
		return w, func() { gone(); <-l.turn }, nil
	case <-w.displaced:
		err = errDisplaced
	case <-w.deadline:
		err = errNotFree
	}
	gone()
	return nil, nil, err
}

// await waits for the end of the connection before.
func (w *waiter) await(ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-w.displaced:
		return errDisplaced
	case <-w.deadline:
		return errNotFree
	}
}

// holder returns the secret of whoever sends on the link.
func (l *inLink) holder() Secret {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.secret
}

// What those hear who may have the link, but not now. They come again.
var (
	errDisplaced = refuse(CodeProtocol, "another connection has come for this link meanwhile")
	errNotFree   = refuse(CodeProtocol, "the link's connection before this one has not ended yet")
)
