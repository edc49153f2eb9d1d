package trace

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// pairs counts pairs of events on different machines, exactly, without looking
// at pairs: an event's vector clock says how many events of each machine
// happened before it.
type pairs struct {
	machines []paired
	// before is the number of pairs of which one happened before the other, but for those of
	// the events since each machine's last receive.
	before uint64
	ties   ties
	since  int  // events since ties was last trimmed
	blind  bool // the walk keeps no vector clocks any more
}

// paired is what is known of one machine.
type paired struct {
	events  uint64     // so far
	counted uint64     // of these, those that before has
	others  uint64     // on other machines that happened before each of the rest
	clock   clock.Time // the last timestamp
}

// trimEvery is after how many events ties are trimmed.
const trimEvery = 1 << 12

func newPairs(machines int) *pairs {
	return &pairs{machines: make([]paired, machines), ties: ties{base: 1}}
}

// received takes in that more events happened before the next one of a machine than before those
// until then.
func (p *pairs) received(s *Step) {
	if s.Vector == nil {
		return
	}
	m := &p.machines[s.Index]
	until := s.Vector[s.Index] - 1
	p.before += m.others * (until - m.counted)
	m.counted, m.others = until, s.others
}

// add takes in the next events of a machine, the last of which has this vector clock.
func (p *pairs) add(index int, events []logging.Entry, vector []uint64) {
	if p.blind = p.blind || vector == nil; p.blind {
		return
	}
	m := &p.machines[index]
	m.events = vector[index]
	for len(events) > 0 {
		n := min(len(events), trimEvery-p.since)
		for i := range events[:n] {
			p.ties.add(events[i].Event.Clock)
		}
		m.clock = events[n-1].Event.Clock
		if p.since += n; p.since == trimEvery {
			p.since = 0
			p.trim()
		}
		events = events[n:]
	}
}

// trim forgets the timestamps that all machines are past.
func (p *pairs) trim() {
	least := p.machines[0].clock
	for i := range p.machines {
		least = min(least, p.machines[i].clock)
	}
	p.ties.trim(least)
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
	before := p.before
	for i := range p.machines {
		m := &p.machines[i]
		all += m.events
		before += m.others * (m.events - m.counted)
	}
	for i := range p.machines {
		n := p.machines[i].events
		same += n * (all - n)
	}
	c := &Concurrency{Pairs: same / 2}
	c.Concurrent = c.Pairs - before
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
