package trace

import (
	"cmp"
	"math"
	"slices"

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

// link is what is known of the messages from one machine to another. There are many, and a
// message finds its link far from the last one's: it fills two lines of a processor's cache.
type link struct {
	sent, received numbers // which messages

	// flights are in flight: those from number first on, without a hole.
	first     uint64
	flights   ring
	*oddities // nil: none yet

	tally // the checker's; the walk itself has no use for it
}

// oddities are what a run that keeps the laws has none of.
type oddities struct {
	// late are in flight too, but not sent or taken in that order.
	late map[uint64]flight
	// early are receives that were taken before their sends, to break a
	// cycle, by number.
	early map[uint64]earlyReceive
}

func (l *link) odd() *oddities {
	if l.oddities == nil {
		l.oddities = &oddities{late: make(map[uint64]flight), early: make(map[uint64]earlyReceive)}
	}
	return l.oddities
}

// flight is a [Flight] while it lasts. Its link knows its number.
type flight struct {
	clock  clock.Time
	micro  int64
	line   int
	vector vector
}

// push adds a message that is sent.
func (l *link) push(seq uint64, f flight) {
	if n := uint64(l.flights.n); n == 0 {
		l.first = seq
	} else if seq != l.first+n || seq < l.first {
		l.setAside(int(n))
		l.first = seq
	}
	l.flights.push(f)
}

// setAside makes the first n messages late.
func (l *link) setAside(n int) {
	late := l.odd().late
	for i := range n {
		late[l.first+uint64(i)] = *l.flights.at(i)
	}
	l.drop(n)
}

// drop takes away the first n messages.
func (l *link) drop(n int) {
	l.flights.drop(n)
	l.first += uint64(n)
}

// take removes the message of a number and returns it, or nil if it is not in
// flight. The result is valid until the next push.
func (l *link) take(seq uint64) *flight {
	if seq == l.first && l.flights.n > 0 { // as it should be
		f := l.flights.at(0)
		l.drop(1)
		return f
	}
	return l.takeLate(seq)
}

// takeLate takes a message that is not the first one.
func (l *link) takeLate(seq uint64) *flight {
	if l.oddities != nil {
		if f, ok := l.late[seq]; ok {
			delete(l.late, seq)
			return &f
		}
	}
	ahead := seq - l.first
	if ahead >= uint64(l.flights.n) {
		return nil
	}
	l.setAside(int(ahead)) // they are overtaken, or lost
	f := l.flights.at(0)
	l.drop(1)
	return f
}

// ring is a queue of messages in flight.
type ring struct {
	slots   []flight // a power of two, or none
	head, n uint32
}

// at returns the ith, counted from 0.
func (r *ring) at(i int) *flight { return &r.slots[(int(r.head)+i)&(len(r.slots)-1)] }

func (r *ring) push(f flight) {
	if int(r.n) == len(r.slots) {
		r.grow()
	}
	*r.at(int(r.n)) = f
	r.n++
}

// drop takes away the first n.
func (r *ring) drop(n int) {
	r.head = (r.head + uint32(n)) & uint32(len(r.slots)-1)
	r.n -= uint32(n)
}

func (r *ring) grow() {
	slots := make([]flight, max(4, 2*len(r.slots)))
	for i := range r.slots {
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
	return &links{n: n, dense: make([]link, n*n)}
}

func (ls *links) get(from, to int) *link {
	if ls.dense != nil {
		return &ls.dense[from*ls.n+to]
	}
	key := [2]int{from, to}
	l := ls.some[key]
	if l == nil {
		l = new(link)
		ls.some[key] = l
	}
	return l
}

// ends are a link and whose it is.
type ends struct {
	from, to int
	*link
}

// all returns the links that were ever got, by sender and recipient.
func (ls *links) all() []ends {
	all := make([]ends, 0, len(ls.dense)+len(ls.some))
	for i := range ls.dense {
		all = append(all, ends{i / ls.n, i % ls.n, &ls.dense[i]})
	}
	for key, l := range ls.some {
		all = append(all, ends{key[0], key[1], l})
	}
	slices.SortFunc(all, func(a, b ends) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return all
}

// numbers is a set of message numbers, kept as spans without the holes between
// them: a link that keeps the laws has one span, which stands in the set itself.
//
// Invariant: the highest span is from first to the number before next, modulo 2^64. In an empty
// set both are 0, and no other has all numbers.
type numbers struct {
	first, next uint64
	lower       *[]span // the other spans, ascending; nil: none yet
}

type span struct{ first, last uint64 } // both are in

// maxSpans bounds a set: where there are more, its lowest hole is filled, and so
// forgotten. By then the link has broken the laws as often as that.
const maxSpans = 128

// has reports whether n is in the set.
func (s *numbers) has(n uint64) bool {
	return n-s.first < s.next-s.first || s.lower != nil && s.below(n)
}

func (s *numbers) below(n uint64) bool {
	_, ok := search(*s.lower, n)
	return ok
}

// largest returns the largest number in the set, 0 for none.
func (s *numbers) largest() uint64 {
	if s.first == s.next {
		return 0
	}
	return s.next - 1
}

// add puts n into the set. It returns false if n was there.
func (s *numbers) add(n uint64) bool {
	if n != s.next || n == 0 || n == s.first {
		return s.insert(n)
	}
	s.next++
	return true
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
	if s.first, s.next = spans[last].first, spans[last].last+1; last > 0 || s.lower != nil {
		lower := spans[:last]
		s.lower = &lower
	}
	return true
}

// spans returns all spans, until the set changes.
func (s *numbers) spans() []span {
	if s.first == s.next {
		return nil
	}
	var spans []span
	if s.lower != nil {
		spans = *s.lower
	}
	return append(spans, span{s.first, s.next - 1})
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
