package trace

import "slices"

// track is one machine's way through its log.
type track struct {
	id    int
	index int // among the machines that are there
	log   *Log
	feed  *feed
	head  *entry // the next line
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
	h.up(t.place - 1)
	h.down(t.place - 1)
}

func (h *heap) remove(t *track) {
	if t.place == 0 {
		return
	}
	i, last := t.place-1, len(h.tracks)-1
	h.swap(i, last)
	h.tracks = slices.Delete(h.tracks, last, last+1)
	t.place = 0
	if i < last {
		h.up(i)
		h.down(h.tracks[i].place - 1)
	}
}

func (h *heap) up(i int) {
	for i > 0 && h.tracks[i].before(h.tracks[(i-1)/2]) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h *heap) down(i int) {
	for {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < len(h.tracks) && h.tracks[c].before(h.tracks[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *heap) swap(i, j int) {
	h.tracks[i], h.tracks[j] = h.tracks[j], h.tracks[i]
	h.tracks[i].place, h.tracks[j].place = i+1, j+1
}
