package causal

import (
	"math"
	"slices"

	"github.com/scalemodel/lamport/pkg/event"
)

// Hop is one message of a chain: an event that sent it, and the event that received it.
type Hop struct{ Send, Receive Place }

// Shortest returns the messages of a chain that leads from a to b with as few messages as
// there can be: none where both are on one machine. Between two messages, and before the
// first and after the last, the chain goes along a machine. ok is false where a did not
// happen before b.
func (x *Index) Shortest(a, b Place) (chain []Hop, ok bool) {
	if a.Machine == b.Machine {
		return nil, a.Position < b.Position
	}
	s := search{x: x, reached: make([]int, len(x.logs)), by: make([][]leg, len(x.logs))}
	for j := range s.reached {
		s.reached[j] = math.MaxInt
	}
	s.reached[a.Machine] = a.Position
	for front := []int{a.Machine}; len(front) > 0; {
		if front = s.round(front); s.reached[b.Machine] <= b.Position {
			return s.chain(b), true
		}
	}
	return nil, false
}

// search finds chains by rounds: reached[j] is the first event of a machine to which a
// chain leads that has no more messages than there were rounds.
type search struct {
	x       *Index
	reached []int
	by      [][]leg // by machine, how it was reached, one leg for each round that led further back
	rounds  int
}

type leg struct {
	round int
	hop   Hop
}

// round follows one more message from the machines that the last one reached earlier. Of
// the messages to another machine, the best is always the first that is still to be sent.
func (s *search) round(front []int) (next []int) {
	s.rounds++
	from := make([]int, len(front))
	for i, j := range front { // as they were before this round
		from[i] = s.reached[j]
	}
	for i, j := range front {
		for k := range s.x.logs {
			send, receive, ok := s.x.next(j, k, from[i])
			if !ok || receive >= s.reached[k] {
				continue
			}
			s.reached[k] = receive
			l := leg{s.rounds, Hop{Place{j, send}, Place{k, receive}}}
			if n := len(s.by[k]); n > 0 && s.by[k][n-1].round == s.rounds {
				s.by[k][n-1] = l
				continue
			}
			s.by[k] = append(s.by[k], l)
			next = append(next, k)
		}
	}
	return next
}

// chain returns the messages that lead to b, the last of which came in the last round.
func (s *search) chain(b Place) []Hop {
	hops := make([]Hop, s.rounds)
	at := b.Machine
	for round := s.rounds; round > 0; round-- {
		legs := s.by[at]
		for legs[len(legs)-1].round > round {
			legs = legs[:len(legs)-1]
		}
		l := legs[len(legs)-1]
		hops[round-1] = l.hop
		at = l.hop.Send.Machine
	}
	return hops
}

// Carried returns the messages that carried the clock of an event to where it is, the first
// one first: going back from it, a receive whose message was stamped as high as the
// machine's clock, or higher, has its clock from that message, and any other event from
// the event before it. It ends at the first event of a log, or where a send is not known;
// that event is the origin.
func (x *Index) Carried(p Place) (chain []Hop, origin Place) {
	for {
		m := &x.logs[p.Machine]
		at := p.Position
		var send Place
		for ; at >= m.first; at-- {
			if x.fromMessage(m, at) {
				send, _ = x.cause(m, at)
				break
			}
		}
		switch {
		case at < m.first:
			slices.Reverse(chain)
			return chain, Place{p.Machine, m.first}
		case send == Nowhere:
			slices.Reverse(chain)
			return chain, Place{p.Machine, at}
		}
		chain = append(chain, Hop{send, Place{p.Machine, at}})
		p = send
	}
}

// fromMessage reports whether an event has its clock from the message that it received,
// and not from the event before it.
func (x *Index) fromMessage(m *machine, position int) bool {
	if m.row(position).kind() != event.Receive {
		return false
	}
	before := uint64(0)
	if position > m.first {
		before = m.row(position - 1).clock
	}
	send, _ := x.cause(m, position)
	return x.sent(m, position, send) >= before
}
