package causal

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/scalemodel/lamport/pkg/event"
)

// links has the messages whose two ends are kept, by link. It is made when it is first
// asked for: only chains need it.
type links struct {
	once sync.Once
	from [][]link // by sender, those to other machines, by recipient
}

// link is the messages to one machine, by position of the send. Each is received after
// those before it; what is overtaken, in a broken run, is left out.
type link struct {
	to     int
	passed []passed
}

type passed struct{ send, receive uint32 }

// next returns the first message from one machine to another that is sent at a position or
// later, of which none that is sent later arrives earlier.
func (x *Index) next(from, to, position int) (send, receive int, ok bool) {
	x.links.once.Do(x.link)
	links := x.links.from[from]
	i, ok := slices.BinarySearchFunc(links, to, func(l link, to int) int { return cmp.Compare(l.to, to) })
	if !ok {
		return 0, 0, false
	}
	all := links[i].passed
	n, _ := slices.BinarySearchFunc(all, position, func(p passed, position int) int { return cmp.Compare(int(p.send), position) })
	if n == len(all) {
		return 0, 0, false
	}
	return int(all[n].send), int(all[n].receive), true
}

// link sorts the messages.
func (x *Index) link() {
	x.links.from = make([][]link, len(x.logs))
	to := make([][]passed, len(x.logs))
	for i := range x.logs {
		x.outgoing(i, to)
		for j := range to {
			if len(to[j]) > 0 {
				x.links.from[i] = append(x.links.from[i], link{j, inOrder(to[j])})
				to[j] = nil
			}
		}
	}
}

// outgoing adds what a machine sent, by recipient.
func (x *Index) outgoing(machine int, to [][]passed) {
	m := &x.logs[machine]
	for position := m.first; position < m.end(); position++ {
		if m.row(position).kind() != event.Send {
			continue
		}
		for i, last := m.messagesOf(position); i < last; i++ {
			if e := m.messages.at(i); e.other > 0 {
				peer, _ := x.Find(int(e.peer))
				to[peer] = append(to[peer], passed{uint32(position), e.other - 1})
			}
		}
	}
}

// inOrder leaves out what is overtaken.
func inOrder(all []passed) []passed {
	earliest := uint32(math.MaxUint32)
	n := len(all)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].receive < earliest {
			earliest = all[i].receive
			n--
			all[n] = all[i]
		}
	}
	return all[n:]
}
