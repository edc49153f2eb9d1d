package transport

import (
	"math/bits"
	"slices"
	"sync"
	"time"
)

// thinned counts what may come in floods and says which of it is worth a line in the
// log: the first ten, then each doubling, and one after a pause, so that what
// goes on is not forgotten. The zero value has counted nothing.
type thinned struct {
	count uint64
	last  time.Duration // when there was a line
}

// thinnedPause is after how long there is a line again, however many there were.
const thinnedPause = 10 * time.Second

// another counts one more, at this time.
func (t *thinned) another(now time.Duration) (count uint64, worth bool) {
	t.count++
	worth = t.count <= 10 || bits.OnesCount64(t.count) == 1 || now-t.last >= thinnedPause
	if worth {
		t.last = now
	}
	return t.count, worth
}

// repeated says of what is the same again and again when it is worth a line in the log:
// at first, when it is something else, and after a pause. The zero value has seen nothing.
type repeated struct {
	text string
	last time.Duration // when there was a line
}

// another notes one more, at this time.
func (r *repeated) another(text string, now time.Duration) (worth bool) {
	worth = text != r.text || now-r.last >= thinnedPause
	if worth {
		r.text, r.last = text, now
	}
	return worth
}

// maxKnown is how many refusals are told from new ones.
const maxKnown = 64

// refusal is who was refused, and why.
type refusal struct {
	source string
	code   Code
	text   string
}

// reasons counts refusals, each reason for itself. A caller that is new, or comes for another
// reason than before, is worth a line, as long as there is no flood of such ones; one that comes again
// and again has been named, and is worth another line only after a pause and when it has
// come as often once more. The zero value has counted nothing.
type reasons struct {
	mu    sync.Mutex
	count map[Code]uint64
	fresh map[Code]*thinned
	known []again // the newest last, at most maxKnown
}

// again is a refusal that was seen before.
type again struct {
	refusal
	count, said uint64 // how often it came, and had when there was a line
	last        time.Duration
}

// another counts one more, at this time. It returns how many there were with its code.
func (r *reasons) another(one refusal, now time.Duration) (count uint64, worth bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil {
		r.count, r.fresh = make(map[Code]uint64), make(map[Code]*thinned)
	}
	r.count[one.code]++
	at := slices.IndexFunc(r.known, func(a again) bool { return a.refusal == one })
	var a again
	if at >= 0 {
		a = r.known[at]
		r.known = slices.Delete(r.known, at, at+1)
		a.count++
		worth = now-a.last >= thinnedPause && a.count >= 2*a.said
	} else {
		if len(r.known) == maxKnown {
			r.known = slices.Delete(r.known, 0, 1)
		}
		a = again{refusal: one, count: 1}
		f := r.fresh[one.code]
		if f == nil {
			f = new(thinned)
			r.fresh[one.code] = f
		}
		_, worth = f.another(now)
	}
	if worth || at < 0 {
		a.said, a.last = a.count, now
	}
	r.known = append(r.known, a)
	return r.count[one.code], worth
}
