package sim

import "iter"

// heap executes the ticks of any number of rotas, in their order, and what a plan
// of faults does between them. It is for runs in which machines cannot be run apart
// for any time, since messages may arrive at once, or anything break. At one
// instant, faults begin and end before anything ticks.
func (e *engine) heap() (stopped bool) {
	s := e.shards[0]
	h := newTicks(s)
	next, done := iter.Pull(e.actions())
	defer done()
	action, more := next()
	for {
		for range batch {
			due := h[0].due
			if more && int64(action.At) <= due {
				e.now = int64(action.At)
				e.act(&action)
				if s.err != nil {
					return true
				}
				action, more = next()
				h = newTicks(s)
				continue
			}
			if due > e.end {
				e.now = e.end
				return false
			}
			e.now = due
			r := &s.rotas[h[0].rota]
			s.tick(r)
			h.sink(0, dueTick{r.due, s.nodes[r.next].id, h[0].rota})
		}
		if e.pause() {
			return true
		}
	}
}

// ticks is a heap of the next ticks of rotas, by (due, id). Each has four below
// it: half as many levels as with two, and the four stand in one cache line or two.
type ticks []dueTick

type dueTick struct {
	due  int64
	id   int32
	rota int32
}

func (t dueTick) before(o dueTick) bool { return t.due < o.due || t.due == o.due && t.id < o.id }

func newTicks(s *shard) ticks {
	h := make(ticks, len(s.rotas))
	for i := range h {
		r := &s.rotas[i]
		h[i] = dueTick{r.due, s.nodes[r.next].id, int32(i)}
	}
	for i := len(h) / 4; i >= 0; i-- {
		h.sink(i, h[i])
	}
	return h
}

// sink puts a tick in place i or below.
func (h ticks) sink(i int, t dueTick) {
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(h)); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if !h[least].before(t) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = t
}
