package sim

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/machine"
)

// period is the time from tick to tick at one rate: whole nanoseconds and rest/rate of
// one, exactly. Adding it up tick by tick gives clock.Rate.Due without its division.
type period struct {
	rate  clock.Rate
	whole int64
	rest  uint64
}

// second is 10¹⁸: with rates in billionths of a tick per second, a tick is due every
// second/rate nanoseconds.
const second = 1e18

func periodOf(r clock.Rate) period {
	return period{rate: r, whole: int64(second / uint64(r)), rest: second % uint64(r)}
}

// rota is machines of one rate in the order of their turns. That order never changes,
// since from each tick of a machine to its next all others tick once, whenever each of
// them started. So it is their places in memory too: whatever they number, they are read
// from one end to the other, and the next tick of all of them is that of one.
//
// Invariant: due is base and what the one whose turn it is started later than the first;
// or never, where all wait for the end of a fault.
type rota struct {
	due  int64 // of whose turn it is
	base int64 // when the first ticks in this round
	frac uint64
	period
	first, next, end int32 // places of the first, of whose turn it is, and behind the last
}

// advance gives the turn to the next machine. Offsets are how much later than the first
// of its rota each machine started, by place; nil: all started together.
func (r *rota) advance(offsets []int64) {
	if r.next++; r.next == r.end {
		r.round()
	} else if r.due = r.base; offsets != nil {
		r.due += offsets[r.next]
	}
}

// round begins the next round.
func (r *rota) round() {
	r.next = r.first
	r.base += r.whole
	if r.frac += r.rest; r.frac >= uint64(r.rate) {
		r.frac -= uint64(r.rate)
		r.base++
	}
	r.due = r.base
}

// seek begins round k since an origin.
func (r *rota) seek(origin int64, k uint64) {
	hi, lo := bits.Mul64(k, second)
	whole, frac := bits.Div64(hi, lo, uint64(r.rate))
	r.next, r.base, r.frac = r.first, origin+int64(whole), frac
	r.due = r.base
}

// periods returns the periods of machines, and which of them each has: machines of one
// rate share one, unless each is to have a rota of its own.
func periods(rates []clock.Rate, shared bool) (all []period, of []uint32) {
	of = make([]uint32, len(rates))
	known := make(map[clock.Rate]uint32)
	for id, r := range rates {
		p, ok := known[r]
		if !ok || !shared {
			p = uint32(len(all))
			known[r] = p
			all = append(all, periodOf(r))
		}
		of[id] = p
	}
	return all, of
}

// muster makes the shard's machines and their rotas, for the first tick of each.
func (s *shard) muster(n int) {
	e := s.engine
	s.nodes, s.queues, s.jumps, s.places = make([]node, n), make([]queue, n), make([]uint32, n), make([]int32, n)
	s.waiting = make([]uint64, (n+63)/64)
	starts := make([]int32, len(e.periods)+1)
	for id := range n {
		starts[e.kinds[s.first+id]+1]++
	}
	for p := range e.periods {
		starts[p+1] += starts[p]
	}
	next := slices.Clone(starts)
	for id := range n {
		place := &next[e.kinds[s.first+id]]
		s.nodes[*place].id = int32(s.first + id)
		*place++
	}
	for p, period := range e.periods {
		if first, end := starts[p], starts[p+1]; first < end {
			s.rotas = append(s.rotas, s.newRota(period, first, end))
		}
	}
	for place := range s.nodes {
		nd := &s.nodes[place]
		nd.state = machine.NewState(e.cfg.Seed, int(nd.id))
		s.places[int(nd.id)-s.first] = int32(place)
	}
}

// newRota makes a rota of the machines in some places, which it may exchange.
func (s *shard) newRota(p period, first, end int32) rota {
	nodes := s.nodes[first:end]
	origin := s.origin(int(nodes[0].id))
	if len(nodes) > 1 && s.phased() {
		type start struct {
			at int64
			id int32
		}
		starts := make([]start, len(nodes))
		for i := range nodes {
			starts[i] = start{s.origin(int(nodes[i].id)), nodes[i].id}
		}
		slices.SortFunc(starts, func(a, b start) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
		if s.offsets == nil {
			s.offsets = make([]int64, len(s.nodes))
		}
		origin = starts[0].at
		for i := range nodes {
			nodes[i].id, s.offsets[int(first)+i] = starts[i].id, starts[i].at-origin
		}
	}
	r := rota{period: p, first: first, end: end}
	r.seek(origin, 1)
	return r
}
