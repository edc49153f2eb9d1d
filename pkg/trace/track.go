package trace

import (
	"github.com/scalemodel/lamport/pkg/internal/tournament"
	"github.com/scalemodel/lamport/pkg/logging"
)

// track is one machine's way through its log.
type track struct {
	id    int
	index int // among the machines that are there
	log   *Log
	feed  *feed
	head  *logging.Entry // the next line
	ended bool

	waitsFor int // the machine whose send the head needs, -1: none
	waitsSeq uint64
	awaited  int    // by how many others
	mustGo   bool   // the head is to go without its send
	whole    *whole // nil: not known

	stopped bool // a stop line was there
	// vector is the machine's vector clock, if they are kept, and others the sum of the entries
	// of other machines.
	vector []uint64
	others uint64
}

// learn takes in the vector clock of a message. None knows more of a machine than that itself.
func (t *track) learn(vector []uint64) {
	known, learnt := t.vector[:len(vector)], uint64(0)
	for i, n := range vector {
		before := known[i]
		known[i] = max(before, n)
		learnt += max(before, n) - before
	}
	t.others += learnt
}

// before reports whether the head of a track is earlier than that of another.
func (t *track) before(o *track) bool {
	return t.turn() < o.turn() || t.turn() == o.turn() && t.index < o.index
}

// turn returns the key by which tracks take turns: when the head was written.
func (t *track) turn() uint64 {
	if t.ended {
		return tournament.Never
	}
	return tournament.Key(t.head.UnixMicro)
}

// whole is what is known of a log when it has been read to its end.
type whole struct {
	sent    map[int]*numbers // by recipient
	stopped bool
}

// sentTo returns the messages that are sent to a machine.
func (h *whole) sentTo(id int) *numbers {
	if h.sent[id] == nil {
		h.sent[id] = new(numbers)
	}
	return h.sent[id]
}

// neverSends reports whether a message that the log does not show can stand in no
// part of it that is missing either: nothing is missing before a stop line, nor
// before a message of a larger number.
func (t *track) neverSends(l *link, to int, seq uint64) bool {
	if t.stopped || seq < l.sent.largest() {
		return true
	}
	return t.whole != nil && (t.whole.stopped || seq < t.whole.sentTo(to).largest())
}
