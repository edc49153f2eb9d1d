package trace

import "github.com/scalemodel/lamport/pkg/logging"

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
	a, b := t.slot(), o.slot()
	return a.before(&b)
}

func (t *track) slot() slot { return slot{t.head.UnixMicro, t.id, t} }

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

// heap holds tracks, that with the earliest head by (global time, machine) on top. What it
// compares stands in the heap, so that to compare two needs neither track.
type heap []slot

type slot struct {
	key   int64 // global time of the head
	id    int
	track *track
}

func (s *slot) before(o *slot) bool { return s.key < o.key || s.key == o.key && s.id < o.id }

func (h *heap) push(t *track) {
	s := t.slot()
	*h = append(*h, s)
	slots := *h
	i := len(slots) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !s.before(&slots[parent]) {
			break
		}
		slots[i] = slots[parent]
		i = parent
	}
	slots[i] = s
}

// pop takes the earliest track out, nil if there is none.
func (h *heap) pop() *track {
	last := len(*h) - 1
	if last < 0 {
		return nil
	}
	s := (*h)[last]
	(*h)[last] = slot{}
	*h = (*h)[:last]
	if last == 0 {
		return s.track
	}
	return h.replace(s)
}

// isAfter reports whether all that is in the heap is after a track.
func (h heap) isAfter(t *track) bool {
	if len(h) == 0 {
		return true
	}
	at := t.head.UnixMicro
	return at < h[0].key || at == h[0].key && t.id < h[0].id
}

// exchange puts a track in and takes the earliest out, which may be the same: mostly, lines of
// one machine follow each other.
func (h heap) exchange(t *track) *track {
	if h.isAfter(t) {
		return t
	}
	return h.replace(t.slot())
}

// replace takes out the top, and puts another slot in.
func (h heap) replace(s slot) (top *track) {
	top = h[0].track
	i := 0
	for {
		least := 2*i + 1
		if least >= len(h) {
			break
		}
		if right := least + 1; right < len(h) && h[right].before(&h[least]) {
			least = right
		}
		if !h[least].before(&s) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = s
	return top
}
