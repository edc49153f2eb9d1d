package transport

import (
	"math/bits"
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

// reasons counts refusals, each reason for itself. The zero value has counted nothing.
type reasons struct {
	mu     sync.Mutex
	byCode map[Code]*thinned
}

func (r *reasons) another(c Code, now time.Duration) (count uint64, worth bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byCode == nil {
		r.byCode = make(map[Code]*thinned)
	}
	t := r.byCode[c]
	if t == nil {
		t = new(thinned)
		r.byCode[c] = t
	}
	return t.another(now)
}
