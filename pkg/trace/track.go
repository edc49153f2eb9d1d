package trace

import (
	"slices"

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
func (t *track) neverSends(l *link, seq uint64) bool {
	if t.stopped || seq < l.sent.largest() {
		return true
	}
	return t.whole != nil && (t.whole.stopped || seq < t.whole.sentTo(l.to).largest())
}

// heap holds the tracks that may go, the earliest by (global time, machine) on
// top.
type heap struct {
	tracks []*track
}

func (t *track) before(o *track) bool { return t.key < o.key || t.key == o.key && t.id < o.id }

func (h *heap) min() *track {
	if len(h.tracks) == 0 {
		return nil
	}
	return h.tracks[0]
}

// fix puts a track where its key belongs, adding it if it is not there.
func (h *heap) fix(t *track) {
	if t.place == 0 {
		h.tracks = append(h.tracks, t)
		t.place = len(h.tracks)
	}
	if i := t.place - 1; !h.up(i) {
		h.down(i)
	}
}

func (h *heap) remove(t *track) {
	if t.place == 0 {
		return
	}
	i, last := t.place-1, len(h.tracks)-1
	h.put(i, h.tracks[last])
	h.tracks = slices.Delete(h.tracks, last, last+1)
	t.place = 0
	if i < last && !h.up(i) {
		h.down(i)
	}
}

// up moves a track towards the top, and reports whether it did.
func (h *heap) up(i int) (moved bool) {
	t := h.tracks[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !t.before(h.tracks[parent]) {
			break
		}
		h.put(i, h.tracks[parent])
		i, moved = parent, true
	}
	if moved {
		h.put(i, t)
	}
	return moved
}

// down moves a track away from the top.
func (h *heap) down(i int) {
	t, from := h.tracks[i], i
	for {
		least := 2*i + 1
		if least >= len(h.tracks) {
			break
		}
		if right := least + 1; right < len(h.tracks) && h.tracks[right].before(h.tracks[least]) {
			least = right
		}
		if !h.tracks[least].before(t) {
			break
		}
		h.put(i, h.tracks[least])
		i = least
	}
	if i != from {
		h.put(i, t)
	}
}

func (h *heap) put(i int, t *track) {
	h.tracks[i] = t
	t.place = i + 1
}
