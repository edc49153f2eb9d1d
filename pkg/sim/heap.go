package sim

// heap executes the ticks of any number of machines, in their order. It is for
// runs in which machines cannot be run apart for any time: messages may arrive at
// once, or faults strike.
func (e *engine) heap() (stopped bool) {
	s := e.shards[0]
	h := newTicks(s.nodes)
	for {
		for range batch {
			id := h.ids[0]
			nd := &s.nodes[id]
			if nd.due > e.end {
				e.now = e.end
				return false
			}
			e.now = nd.due
			s.tick(nd, int(id))
			h.down(0)
		}
		if e.pause() {
			return true
		}
	}
}

// ticks is a heap of machines by (next tick, id).
type ticks struct {
	nodes []node
	ids   []int32
}

func newTicks(nodes []node) *ticks {
	h := &ticks{nodes: nodes, ids: make([]int32, len(nodes))}
	for i := range h.ids {
		h.ids[i] = int32(i)
	}
	for i := len(h.ids)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	return h
}

func (h *ticks) less(a, b int32) bool {
	if h.nodes[a].due != h.nodes[b].due {
		return h.nodes[a].due < h.nodes[b].due
	}
	return a < b
}

// down moves a machine whose tick became later to its place.
func (h *ticks) down(i int) {
	id := h.ids[i]
	for {
		c := 2*i + 1
		if c >= len(h.ids) {
			break
		}
		if c+1 < len(h.ids) && h.less(h.ids[c+1], h.ids[c]) {
			c++
		}
		if !h.less(h.ids[c], id) {
			break
		}
		h.ids[i] = h.ids[c]
		i = c
	}
	h.ids[i] = id
}
