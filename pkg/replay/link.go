package replay

import (
	"iter"

	"github.com/scalemodel/lamport/pkg/clock"
)

// link holds what was sent to a machine by another and not received.
type link struct {
	seq    uint64       // of the next message to be received
	stamps []clock.Time // from index head on
	head   int
}

// waiting returns how many messages are on the link.
func (l *link) waiting() int { return len(l.stamps) - l.head }

func (l *link) push(sent clock.Time) {
	if l.head > 0 && len(l.stamps) == cap(l.stamps) && l.head >= len(l.stamps)/2 {
		l.stamps = l.stamps[:copy(l.stamps, l.stamps[l.head:])]
		l.head = 0
	}
	l.stamps = append(l.stamps, sent)
}

// pop takes the oldest message; there must be one.
func (l *link) pop() (seq uint64, sent clock.Time) {
	seq, sent = l.seq, l.stamps[l.head]
	l.seq++
	if l.head++; l.head == len(l.stamps) {
		l.stamps, l.head = l.stamps[:0], 0
	}
	return seq, sent
}

// links are those to one machine, by sender: in an array for runs of a few machines, for
// all pairs of many would be too much.
type links struct {
	few  []*link
	many map[int32]*link
}

// manyMachines is how many are no longer few.
const manyMachines = 256

func newLinks(machines int) links {
	ls := links{many: make(map[int32]*link)}
	if machines < manyMachines {
		ls.few = make([]*link, machines)
	}
	return ls
}

// from returns the link from a machine, be it one that the run does not have.
func (ls *links) from(id int32) *link {
	if int(id) < len(ls.few) {
		if ls.few[id] == nil {
			ls.few[id] = &link{seq: 1}
		}
		return ls.few[id]
	}
	l := ls.many[id]
	if l == nil {
		l = &link{seq: 1}
		ls.many[id] = l
	}
	return l
}

// all returns the links that were ever asked for, by sender.
func (ls *links) all() iter.Seq2[int32, *link] {
	return func(yield func(int32, *link) bool) {
		for id, l := range ls.few {
			if l != nil && !yield(int32(id), l) {
				return
			}
		}
		for id, l := range ls.many {
			if !yield(id, l) {
				return
			}
		}
	}
}
