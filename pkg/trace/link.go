package trace

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Flight is a message between its send and its receive.
type Flight struct {
	Seq   uint64
	Clock clock.Time // of the send
	Micro int64      // when it was sent, Unix microseconds
	Line  int        // of the send in the sender's log
	// Vector is the sender's vector clock at the send, where vectors are kept.
	Vector []uint64
}

// link is what is known of the messages from one machine to another.
type link struct {
	from, to int

	sent, received numbers // which messages

	// flights are in flight, in ascending order of their numbers.
	flights ring
	// late are in flight too, but sent or overtaken out of that order. A
	// run that keeps the laws has none.
	late map[uint64]flight
	// early are receives that were taken before their sends, to break a
	// cycle, by number.
	early map[uint64]earlyReceive

	tally // the checker's; the walk itself has no use for it
}

// flight is a [Flight] while it lasts.
type flight struct {
	seq    uint64
	clock  clock.Time
	micro  int64
	line   int
	vector vector
}

// push adds a message that is sent.
func (l *link) push(f flight) {
	if n := l.flights.n; n > 0 && l.flights.at(n-1).seq > f.seq {
		l.setAside(f)
		return
	}
	l.flights.push(f)
}

func (l *link) setAside(f flight) {
	if l.late == nil {
		l.late = make(map[uint64]flight)
	}
	l.late[f.seq] = f
}

// take removes the message of a number and returns it, or nil if it is not in
// flight. The result is valid until the next push.
func (l *link) take(seq uint64) *flight {
	if l.flights.n > 0 {
		if f := l.flights.at(0); f.seq == seq { // as it should be
			l.flights.drop(1)
			return f
		}
	}
	return l.takeLate(seq)
}

// takeLate takes a message that is not the next one.
func (l *link) takeLate(seq uint64) *flight {
	if f, ok := l.late[seq]; ok {
		delete(l.late, seq)
		return &f
	}
	i, ok := sort.Find(l.flights.n, func(i int) int { return cmp.Compare(seq, l.flights.at(i).seq) })
	if !ok {
		return nil
	}
	f := l.flights.at(i)
	for k := range i { // overtaken, or lost
		l.setAside(*l.flights.at(k))
	}
	l.flights.drop(i + 1)
	return f
}

// ring is a queue of messages in flight.
type ring struct {
	slots   []flight // a power of two, or none
	head, n int
}

// at returns the ith, counted from 0.
func (r *ring) at(i int) *flight { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

func (r *ring) push(f flight) {
	if r.n == len(r.slots) {
		r.grow()
	}
	r.n++
	*r.at(r.n - 1) = f
}

// drop takes away the first n.
func (r *ring) drop(n int) {
	r.head = (r.head + n) & (len(r.slots) - 1)
	r.n -= n
}

func (r *ring) grow() {
	slots := make([]flight, max(4, 2*len(r.slots)))
	for i := range r.n {
		slots[i] = *r.at(i)
	}
	r.slots, r.head = slots, 0
}

// links finds the link of two machines: in an array while that is small, and most of
// them are there.
type links struct {
	n     int
	dense []link
	some  map[[2]int]*link
}

const denseMachines = 256

// newLinks returns the links of n machines, so many of which have logs.
func newLinks(n, present int) *links {
	if n > denseMachines || n > 2*present {
		return &links{n: n, some: make(map[[2]int]*link)}
	}
	ls := &links{n: n, dense: make([]link, n*n)}
	for i := range ls.dense {
		ls.dense[i].from, ls.dense[i].to = i/n, i%n
	}
	return ls
}

func (ls *links) get(from, to int) *link {
	if ls.dense != nil {
		return &ls.dense[from*ls.n+to]
	}
	key := [2]int{from, to}
	l := ls.some[key]
	if l == nil {
		l = &link{from: from, to: to}
		ls.some[key] = l
	}
	return l
}

// all returns the links that were ever got, by sender and recipient.
func (ls *links) all() []*link {
	all := make([]*link, 0, len(ls.dense)+len(ls.some))
	for i := range ls.dense {
		all = append(all, &ls.dense[i])
	}
	for _, l := range ls.some {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *link) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return all
}

// numbers is a set of message numbers, kept as spans without the holes between
// them: a link that keeps the laws has one span, which stands in the set itself.
type numbers struct {
	top   span   // the highest, if there is any
	some  bool   // there is
	lower []span // the others, ascending
}

type span struct{ first, last uint64 } // both are in

// maxSpans bounds a set: where there are more, its lowest hole is filled, and so
// forgotten. By then the link has broken the laws as often as that.
const maxSpans = 128

// has reports whether n is in the set.
func (s *numbers) has(n uint64) bool {
	if n >= s.top.first && s.some {
		return n <= s.top.last
	}
	_, ok := search(s.lower, n)
	return ok
}

// largest returns the largest number in the set, 0 for none.
func (s *numbers) largest() uint64 { return s.top.last }

// add puts n into the set. It returns false if n was there.
func (s *numbers) add(n uint64) bool {
	if s.some && follows(n, s.top.last) {
		s.top.last = n
		return true
	}
	return s.insert(n)
}

// insert adds a number that is not the next one.
func (s *numbers) insert(n uint64) bool {
	spans := s.spans()
	i, ok := search(spans, n)
	if ok {
		return false
	}
	above := i < len(spans) && follows(spans[i].first, n)
	switch {
	case i > 0 && follows(n, spans[i-1].last) && above:
		spans[i-1].last = spans[i].last
		spans = slices.Delete(spans, i, i+1)
	case i > 0 && follows(n, spans[i-1].last):
		spans[i-1].last = n
	case above:
		spans[i].first = n
	default:
		spans = slices.Insert(spans, i, span{n, n})
		if len(spans) > maxSpans {
			spans[1].first = spans[0].first
			spans = slices.Delete(spans, 0, 1)
		}
	}
	last := len(spans) - 1
	s.lower, s.top, s.some = spans[:last], spans[last], true
	return true
}

// spans returns all spans, until the set changes.
func (s *numbers) spans() []span {
	if !s.some {
		return nil
	}
	return append(s.lower, s.top)
}

// search returns the span that holds n, or where one would have to stand.
func search(spans []span, n uint64) (int, bool) {
	return slices.BinarySearchFunc(spans, n, func(s span, n uint64) int {
		switch {
		case s.last < n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
}

// follows reports whether b is a + 1, which nothing is for the largest number: a
// count that wraps to 0 does not go on.
func follows(b, a uint64) bool { return a != math.MaxUint64 && b == a+1 }
