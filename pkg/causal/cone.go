package causal

import "slices"

// Past returns the causal past of an event, itself included: by machine, the number of its
// events from the beginning of its log on. It is the event's vector clock, but at least
// [Index.First].
func (x *Index) Past(p Place) []int {
	// known[j] events of machine j are in the past; of closed[j] of them, so is all that these
	// have as theirs. Of a machine no more events are looked at than are in a block of
	// checkpoints, for each block that is come by.
	known, closed := make([]int, len(x.logs)), make([]int, len(x.logs))
	for j := range x.logs {
		known[j], closed[j] = x.logs[j].first, x.logs[j].first
	}
	known[p.Machine] = p.Position + 1
	for again := true; again; {
		again = false
		for j := range x.logs {
			if closed[j] >= known[j] {
				continue
			}
			again = true
			x.jump(j, known, closed)
			m := &x.logs[j]
			for position := closed[j]; position < known[j]; position++ {
				if send, ok := x.cause(m, position); ok {
					known[send.Machine] = max(known[send.Machine], send.Position+1)
				}
			}
			closed[j] = known[j]
		}
	}
	return known
}

// jump takes in the vector clock of the last checkpoint among the events of a machine that
// are in the past, unless it is there already.
func (x *Index) jump(j int, known, closed []int) {
	if !x.vectors {
		return
	}
	m, n := &x.logs[j], len(x.logs)
	block := min((known[j]-m.first)/x.every, m.vectors.n/n) - 1
	if block < 0 || m.first+(block+1)*x.every <= closed[j] {
		return
	}
	for k := range n {
		at := int(*m.vectors.at(block*n + k))
		known[k], closed[k] = max(known[k], at), max(closed[k], at)
	}
}

// Future returns the causal future of an event without itself: by machine, the position of
// the first event that it happened before, [Index.End] if there is none.
func (x *Index) Future(p Place) []int { return newFuture(x, p).settle() }

// future finds the suffixes. On each machine the checkpoints say in which block the future
// begins: not before lo, and at hi at the latest.
type future struct {
	x      *Index
	p      Place
	lo, hi []int
	start  []int    // the first event so far that is known to be in the future
	edges  [][]edge // by sender: the messages between such blocks, by position
	done   []int    // of the edges of a machine, those from here on have been followed
}

// edge is a message from a position to a place.
type edge struct {
	from int
	to   Place
}

func newFuture(x *Index, p Place) *future {
	n := len(x.logs)
	f := &future{x: x, p: p, lo: make([]int, n), hi: make([]int, n), start: make([]int, n), edges: make([][]edge, n), done: make([]int, n)}
	for j := range x.logs {
		f.lo[j], f.hi[j] = x.knows(j, p)
		f.start[j] = f.hi[j]
	}
	// The event itself, from which all begins.
	f.lo[p.Machine], f.hi[p.Machine], f.start[p.Machine] = p.Position, p.Position, p.Position
	return f
}

// knows returns between which positions a machine came to know of an event: not before lo, and
// at hi at the latest, which is the end if it never did.
func (x *Index) knows(machine int, p Place) (lo, hi int) {
	m, n := &x.logs[machine], len(x.logs)
	if !x.vectors {
		return m.first, m.end()
	}
	// Its component of the event's machine says which checkpoints know of it.
	block, all := 0, m.vectors.n/n
	for block < all {
		if c := (block + all) / 2; int(*m.vectors.at(c*n + p.Machine)) > p.Position {
			all = c
		} else {
			block = c + 1
		}
	}
	lo = m.first + block*x.every
	return min(lo, m.end()), min(lo+x.every-1, m.end())
}

// settle returns where the future begins.
func (f *future) settle() []int {
	for j := range f.lo {
		if j != f.p.Machine {
			f.block(j)
		}
	}
	for j, edges := range f.edges {
		slices.SortFunc(edges, func(a, b edge) int { return a.from - b.from })
		f.done[j] = len(edges)
	}
	for again := true; again; {
		again = false
		for j, edges := range f.edges {
			for f.done[j] > 0 && edges[f.done[j]-1].from >= f.start[j] {
				f.done[j]--
				to := edges[f.done[j]].to
				if to.Position < f.start[to.Machine] {
					f.start[to.Machine] = to.Position
					again = true
				}
			}
		}
	}
	f.start[f.p.Machine]++
	return f.start
}

// block looks at the receives of a machine's block, up to the first that is in the future
// for certain: its send is, or is behind the block of its machine.
func (f *future) block(j int) {
	m := &f.x.logs[j]
	for position := f.lo[j]; position < f.hi[j]; position++ {
		send, ok := f.x.cause(m, position)
		switch k := send.Machine; {
		case !ok || send.Position < f.lo[k]:
		case send.Position >= f.hi[k]:
			f.start[j] = position
			return
		default:
			f.edges[k] = append(f.edges[k], edge{send.Position, Place{j, position}})
		}
	}
}

// Relation is how one event stands to another.
type Relation uint8

// The relations.
const (
	Same Relation = iota
	Before
	After
	Concurrent
)

var relationNames = [...]string{Same: "same", Before: "before", After: "after", Concurrent: "concurrent"}

// String returns the relation's name.
func (r Relation) String() string { return relationNames[r] }

// Relation returns how a stands to b: whether it happened before it.
func (x *Index) Relation(a, b Place) Relation {
	switch {
	case a == b:
		return Same
	case x.before(a, b):
		return Before
	case x.before(b, a):
		return After
	}
	return Concurrent
}

func (x *Index) before(a, b Place) bool {
	if a.Machine == b.Machine {
		return a.Position < b.Position
	}
	return x.Past(b)[a.Machine] > a.Position
}

// Counts are how many events that are kept stand to one in each way.
type Counts struct{ Past, Future, Concurrent int }

// Counts counts how the other events stand to one.
func (x *Index) Counts(p Place) (c Counts) {
	past, future := x.Past(p), x.Future(p)
	c.Past = -1 // itself
	for j := range x.logs {
		m := &x.logs[j]
		c.Past += past[j] - m.first
		c.Future += m.end() - future[j]
	}
	c.Concurrent = x.Kept() - 1 - c.Past - c.Future
	return c
}
