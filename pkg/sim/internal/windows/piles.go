package windows

// Piles are lists of items, which are kept in chunks. A chunk that has been read is used
// again; slices that grow, one for each list, would each keep room for its fullest
// moment.
//
// The zero Piles are none.
type Piles[T any] struct {
	lists   []list
	chunks  []chunk[T] // the first stands for none
	free    uint32     // a list
	reading uint32     // a list
	taken   [Chunk]T
}

// Chunk is how many items are kept, and handed out, together.
const Chunk = 62

type chunk[T any] struct {
	items [Chunk]T
	n     int32
	next  uint32 // 0: none
}

// list are the first and the last chunk of a list, 0: none.
type list struct{ first, last uint32 }

// NewPiles returns so many piles, all empty.
func NewPiles[T any](n int) Piles[T] {
	return Piles[T]{lists: make([]list, n), chunks: make([]chunk[T], 1)}
}

// Add puts an item at the end of a pile.
func (p *Piles[T]) Add(pile int, item T) {
	l := &p.lists[pile]
	if l.last == 0 || p.chunks[l.last].n == Chunk {
		p.extend(l)
	}
	last := &p.chunks[l.last]
	last.items[last.n] = item
	last.n++
}

// extend adds a chunk to a list.
func (p *Piles[T]) extend(l *list) {
	fresh := p.free
	if fresh != 0 {
		p.free = p.chunks[fresh].next
		p.chunks[fresh].n, p.chunks[fresh].next = 0, 0
	} else {
		fresh = uint32(len(p.chunks))
		p.chunks = append(p.chunks, chunk[T]{})
	}
	if l.last == 0 {
		l.first = fresh
	} else {
		p.chunks[l.last].next = fresh
	}
	l.last = fresh
}

// Empty reports whether there is nothing in a pile.
func (p *Piles[T]) Empty(pile int) bool { return p.lists[pile].first == 0 }

// Open empties a pile, for [Piles.Take]. Another that was open must have been taken.
func (p *Piles[T]) Open(pile int) {
	p.reading = p.lists[pile].first
	p.lists[pile] = list{}
}

// Take returns some of the items of the pile that was opened, in the order in which they
// came, and none when all have been returned. They stay until the next Take, whatever is
// added meanwhile.
func (p *Piles[T]) Take() []T {
	if p.reading == 0 {
		return nil
	}
	c := &p.chunks[p.reading]
	n := copy(p.taken[:], c.items[:c.n])
	c.next, p.free, p.reading = p.free, p.reading, c.next
	return p.taken[:n]
}

// clear empties all piles.
func (p *Piles[T]) clear() {
	for i := range p.lists {
		if l := &p.lists[i]; l.first != 0 {
			p.chunks[l.last].next = p.free
			p.free = l.first
			*l = list{}
		}
	}
}
