package windows

import "iter"

// Outbox is what a part sends, by part that it is for. Each part has one, and each reads
// those of all. What is sent in a window is read before the next, while the outbox is
// filled again: it has two sides.
//
// The zero Outbox is one to nobody.
type Outbox[T any] struct {
	sides [2]Piles[T]
	side  int
}

// NewOutbox returns an outbox to so many parts.
func NewOutbox[T any](parts int) Outbox[T] {
	return Outbox[T]{sides: [2]Piles[T]{NewPiles[T](parts), NewPiles[T](parts)}}
}

// Turn begins a window: what is sent from now on stands on a side of its own. What was
// sent two windows ago has been read.
func (o *Outbox[T]) Turn() {
	o.side = 1 - o.side
	o.sides[o.side].clear()
}

// Send leaves an item for a part.
func (o *Outbox[T]) Send(to int, item T) { o.sides[o.side].Add(to, item) }

// Sent returns what a part has left for another in the window before, some items at a
// time. The outbox o is that of the part that reads: both have turned as often by then,
// though the other may turn again meanwhile.
func (o *Outbox[T]) Sent(from *Outbox[T], to int) iter.Seq[[]T] {
	p := &from.sides[o.side]
	return func(yield func([]T) bool) {
		for c := p.lists[to].first; c != 0; {
			chunk := &p.chunks[c]
			if !yield(chunk.items[:chunk.n]) {
				return
			}
			c = chunk.next
		}
	}
}
