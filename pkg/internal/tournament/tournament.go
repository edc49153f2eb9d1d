// Package tournament finds the least of many keys of which one changes at a time, as in a merge
// of sorted sequences.
package tournament

import (
	"math"
	"math/bits"
)

// Never is the key of an entrant that is not to win.
const Never = math.MaxUint64

// Tournament is a tree in which each entrant has a leaf, and each inner node holds the winner of
// the two below it (a winner tree: Knuth, The Art of Computer Programming, vol. 3, 5.4.1). A
// heap would ask at each level which way to go on, and a processor guesses that wrong half of the
// time. Here the way is that of the entrant to the top, whatever the keys are, and what is
// compared there can be fetched all at once.
type Tournament struct {
	nodes []node // 1 is the top; those below i are 2i and 2i+1; entrant e has len(nodes)/2 + e
}

type node struct {
	key     uint64
	entrant int
}

// Key returns a key for a number that may be negative. Keys are ordered as the numbers are.
func Key(n int64) uint64 { return uint64(n) ^ 1<<63 }

// New returns a tournament of n entrants, 0 to n-1, which all have the key [Never].
func New(n int) *Tournament {
	leaves := 1 << bits.Len(uint(max(n, 2)-1))
	t := &Tournament{nodes: make([]node, 2*leaves)}
	for i := range t.nodes {
		t.nodes[i].key = Never
	}
	for e := range leaves {
		t.nodes[leaves+e].entrant = e
	}
	for i := leaves - 1; i > 0; i-- {
		t.nodes[i].entrant = t.nodes[2*i].entrant
	}
	return t
}

// Set gives an entrant another key.
func (t *Tournament) Set(entrant int, key uint64) {
	nodes := t.nodes
	i := uint(len(nodes)/2 + entrant)
	nodes[i].key = key
	for i > 1 && i < uint(len(nodes)) { // the latter always: it spares two checks of bounds each time
		// Which one wins is not for a branch to say: the borrow is 1 where the rival's key is
		// less, or is the same and the rival is on the left.
		rival := nodes[i^1]
		_, loses := bits.Sub64(rival.key, key, uint64(i&1))
		key ^= (key ^ rival.key) & -loses
		entrant ^= (entrant ^ rival.entrant) & -int(loses)
		i /= 2
		nodes[i] = node{key, entrant}
	}
}

// Winner returns the entrant with the least key, of equal ones the first one, and that key.
func (t *Tournament) Winner() (entrant int, key uint64) {
	return t.nodes[1].entrant, t.nodes[1].key
}

// Tied reports whether another entrant has the key of the winner.
func (t *Tournament) Tied() bool {
	winner := t.nodes[1]
	for i := len(t.nodes)/2 + winner.entrant; i > 1; i /= 2 {
		if t.nodes[i^1].key == winner.key {
			return true
		}
	}
	return false
}
