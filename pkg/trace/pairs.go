package trace

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// pairs counts pairs of events on different machines, exactly, without looking
// at pairs: an event's vector clock says how many events of each machine
// happened before it.
type pairs struct {
	events []uint64 // of each machine
	others []uint64 // on other machines that happened before the last event of each
	// before is the number of pairs of which one happened before the other.
	before uint64
	ties   ties
	// clocks are the machines' last timestamps.
	clocks []clock.Time
	since  int  // events since ties was last trimmed
	blind  bool // the walk keeps no vector clocks any more
}

func newPairs(machines int) *pairs {
	return &pairs{
		events: make([]uint64, machines),
		others: make([]uint64, machines),
		clocks: make([]clock.Time, machines),
		ties:   ties{base: 1},
	}
}

func (p *pairs) add(s *Step) {
	if p.blind = p.blind || s.Vector == nil; p.blind {
		return
	}
	if s.Event.Kind == event.Receive { // else as many as before its machine's last event
		others := &p.others[s.Index]
		*others = 0
		for _, n := range s.Vector {
			*others += n
		}
		*others -= s.Vector[s.Index]
	}
	p.before += p.others[s.Index]
	p.events[s.Index]++
	p.clocks[s.Index] = s.Event.Clock
	p.ties.add(s.Event.Clock)
	if p.since++; p.since == 1<<12 {
		p.since = 0
		least := p.clocks[0]
		for _, c := range p.clocks {
			least = min(least, c)
		}
		p.ties.trim(least)
	}
}

// result returns the counts, or why there are none.
func (p *pairs) result() (*Concurrency, string) {
	if p.blind {
		return nil, fmt.Sprintf("the vector clocks of messages in flight would take more than %d MB", DefaultVectorBytes>>20)
	}
	if p.ties.lost {
		return nil, fmt.Sprintf("the clocks are more than %d apart", maxTies)
	}
	var all, same uint64
	for _, n := range p.events {
		all += n
	}
	for _, n := range p.events {
		same += n * (all - n)
	}
	c := &Concurrency{Pairs: same / 2}
	c.Concurrent = c.Pairs - p.before
	// Two events with one timestamp are never on one machine, and never
	// ordered: that is the Clock Condition.
	c.Ordered = c.Concurrent - p.ties.pairs
	return c, ""
}

// ties counts pairs of events with equal timestamps. It keeps a count per
// timestamp, from the slowest machine's clock to the fastest's.
type ties struct {
	base   clock.Time // of counts[0]
	counts []uint16
	pairs  uint64
	lost   bool // the window became too large, or a clock went back
}

// maxTies bounds the window, at 2 bytes each.
const maxTies = 1 << 26

func (t *ties) add(c clock.Time) {
	if t.lost || c < t.base || c-t.base >= maxTies {
		t.lost = true
		return
	}
	i := int(c - t.base)
	for i >= len(t.counts) {
		t.counts = append(t.counts, make([]uint16, max(1024, i+1-len(t.counts)))...)
	}
	t.pairs += uint64(t.counts[i])
	t.counts[i]++
}

// trim forgets the timestamps up to least, which no machine will reach again.
func (t *ties) trim(least clock.Time) {
	if least < t.base || t.lost {
		return
	}
	drop := min(int(least-t.base), len(t.counts))
	n := copy(t.counts, t.counts[drop:])
	t.counts = t.counts[:n]
	t.base += clock.Time(drop)
}
