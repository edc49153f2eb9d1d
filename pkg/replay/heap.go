package replay

// players is a heap: the earliest turn is on top, of equal ones the lowest machine's.
type players []*player

func (p *player) before(o *player) bool {
	return p.turn.UnixMicro < o.turn.UnixMicro || p.turn.UnixMicro == o.turn.UnixMicro && p.id < o.id
}

func (h *players) push(p *player) {
	*h = append(*h, p)
	all := *h
	for i := len(all) - 1; i > 0; {
		parent := (i - 1) / 2
		if !all[i].before(all[parent]) {
			return
		}
		all[i], all[parent] = all[parent], all[i]
		i = parent
	}
}

// pop drops the top.
func (h *players) pop() {
	all := *h
	last := len(all) - 1
	all[0], all[last] = all[last], nil
	*h = all[:last]
	h.fix()
}

// fix puts the top, which has moved on, where it belongs now.
func (h players) fix() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
