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
	key   int64 // global time of the head
	place int   // in the heap, from 1; 0: not there

	waitsFor int // the machine whose send the head needs, -1: none
	waitsSeq uint64
	awaited  int    // by how many others
	mustGo   bool   // the head is to go without its send
	whole    *whole // nil: not known

	stopped bool // a stop line was there
	// vector is the machine's vector clock, if they are kept.
	vector []uint64
}

func (t *track) before(o *track) bool { return t.key < o.key || t.key == o.key && t.id < o.id }

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

// heap holds the tracks that may go, the earliest by (global time, machine) on
// top. A track's key stands in the heap, so that to compare two needs neither.
type heap struct {
	slots []slot
}

type slot struct {
	key   int64
	id    int
	track *track
}

func (s *slot) before(o *slot) bool { return s.key < o.key || s.key == o.key && s.id < o.id }

func (h *heap) min() *track {
	if len(h.slots) == 0 {
		return nil
	}
	return h.slots[0].track
}

// stays reports whether a track that is on top is the earliest with its new key too. Mostly,
// lines of one machine follow each other.
func (h *heap) stays(t *track) bool {
	if t.place != 1 {
		return false
	}
	s := slot{t.key, t.id, t}
	if n := len(h.slots); n > 2 && h.slots[2].before(&s) || n > 1 && h.slots[1].before(&s) {
		return false
	}
	h.slots[0].key = t.key
	return true
}

// fix puts a track where its key belongs, adding it if it is not there.
func (h *heap) fix(t *track) {
	s := slot{t.key, t.id, t}
	if t.place == 0 {
		h.slots = append(h.slots, s)
		t.place = len(h.slots)
	}
	h.settle(t.place-1, s)
}

func (h *heap) remove(t *track) {
	if t.place == 0 {
		return
	}
	i, last := t.place-1, len(h.slots)-1
	s := h.slots[last]
	h.slots[last] = slot{}
	h.slots = h.slots[:last]
	if t.place = 0; i < last {
		h.settle(i, s)
	}
}

// settle puts a slot into a place that is free, or into one above or below.
func (h *heap) settle(i int, s slot) {
	slots := h.slots
	for i > 0 {
		parent := (i - 1) / 2
		if !s.before(&slots[parent]) {
			break
		}
		h.put(i, slots[parent])
		i = parent
	}
	for {
		least := 2*i + 1
		if least >= len(slots) {
			break
		}
		if right := least + 1; right < len(slots) && slots[right].before(&slots[least]) {
			least = right
		}
		if !slots[least].before(&s) {
			break
		}
		h.put(i, slots[least])
		i = least
	}
	h.put(i, s)
}

func (h *heap) put(i int, s slot) {
	h.slots[i] = s
	s.track.place = i + 1
}
