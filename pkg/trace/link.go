package trace

import (
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

	taken bool
}

// link is what is known of the messages from one machine to another.
type link struct {
	from, to int

	// inFlight holds the messages sent and not received, in ascending order
	// of Seq, from index head on. Received ones may stand among them.
	inFlight []Flight
	head     int

	lastSent     uint64 // the largest number
	lastReceived uint64
	sent         uint64 // how many
	received     uint64
	// ahead are receives that were taken before their sends, to break a
	// cycle, by number.
	ahead map[uint64]aheadReceive
}

type aheadReceive struct {
	line  int
	sent  clock.Time
	clock clock.Time
}

func (l *link) push(f Flight) {
	if l.head > 64 && l.head > len(l.inFlight)/2 {
		n := copy(l.inFlight, l.inFlight[l.head:])
		clear(l.inFlight[n:])
		l.inFlight, l.head = l.inFlight[:n], 0
	}
	l.inFlight = append(l.inFlight, f)
}

// take removes the message of a number and returns it, or nil if it is not in
// flight. The result is valid until the next push.
func (l *link) take(seq uint64) *Flight {
	lo, hi := l.head, len(l.inFlight)
	if lo < hi && l.inFlight[lo].Seq != seq { // in order, it is the first
		for lo < hi {
			if mid := (lo + hi) / 2; l.inFlight[mid].Seq < seq {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
	}
	if lo == len(l.inFlight) || l.inFlight[lo].Seq != seq || l.inFlight[lo].taken {
		return nil
	}
	f := &l.inFlight[lo]
	f.taken = true
	for l.head < len(l.inFlight) && l.inFlight[l.head].taken {
		l.head++
	}
	return f
}

// links finds the link of two machines: in an array while that is small.
type links struct {
	n     int
	dense []link
	some  map[[2]int]*link
}

const denseMachines = 256

func newLinks(n int) *links {
	if n > denseMachines {
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

// each calls f for all links that were ever got, in no certain order.
func (ls *links) each(f func(*link)) {
	for i := range ls.dense {
		f(&ls.dense[i])
	}
	for _, l := range ls.some {
		f(l)
	}
}
