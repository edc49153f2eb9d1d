// Package phold is PHOLD, the benchmark by which engines for discrete events are
// compared, on the windows, calendars and outboxes that package sim runs machines with.
//
// There are N logical processes (LPs), and one event for each at the start, at a time
// drawn from the exponential distribution of mean 1. An event does nothing but schedule
// one other: a look-ahead of 0.1 and an exponential time of mean 0.9 later, so that the
// mean increment is 1; with probability Remote for another LP, each of which is as
// likely, and else for its own. So there are N events at any time, one for each LP in
// the mean (the population), and N are executed in a unit of time.
//
// Every LP draws from a random generator of its own and executes its events in the order
// of their times. Whatever comes out of that is a function of the [Config], whatever the
// workers: no number is drawn, and no time computed, in floating point.
//
// Source: R. M. Fujimoto, "Performance of Time Warp under Synthetic Workloads",
// Proceedings of the SCS Multiconference on Distributed Simulation, 1990.
package phold

import (
	"cmp"
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
	"github.com/scalemodel/lamport/pkg/sim/internal/windows"
)

const (
	// Unit is 1 in the units of time.
	Unit int64 = 1e9
	// Lookahead is the least time from an event to the one that it schedules.
	Lookahead = Unit / 10
	// Mean is that of what comes on top.
	Mean = Unit - Lookahead
)

// Config is a run.
type Config struct {
	LPs     int     // ≥ 1
	Remote  float64 // 0 to 1, taken to 2⁻³²; nothing is remote where there is one LP
	Seed    uint64
	End     int64 // of time: events at it are executed
	Workers int   // ≥ 1: how many cores
}

// Event is what one LP does at one time.
type Event struct {
	At int64
	LP int32
}

// LP is a logical process. It has been executing events: its state depends on how
// many they were, and on the time of the last.
type LP struct {
	random uint64 // state of SplitMix64
	last   int64
}

func (lp *LP) draw() uint64 {
	lp.random += splitmix.Golden
	return splitmix.Mix(lp.random)
}

// rules are what all LPs have in common.
type rules struct {
	lps    int
	remote uint64 // of 2³²
}

func (c *Config) rules() rules {
	r := rules{lps: c.LPs, remote: uint64(c.Remote * (1 << 32))}
	if c.LPs == 1 {
		r.remote = 0
	}
	return r
}

// newLP returns an LP that has executed nothing, and its first event.
func newLP(seed uint64, id int) (LP, Event) {
	lp := LP{random: splitmix.First(splitmix.Mix(seed) + uint64(id))}
	return lp, Event{exponential(&initial, lp.draw()), int32(id)}
}

// execute executes an event of an LP, and returns the one that it schedules.
func (r *rules) execute(lp *LP, e Event) Event {
	lp.last = e.At
	next := Event{e.At + Lookahead + exponential(&increments, lp.draw()), e.LP}
	if lp.draw()>>32 < r.remote {
		next.LP = int32(splitmix.Below(lp.draw(), uint64(r.lps-1)))
		if next.LP >= e.LP {
			next.LP++
		}
	}
	return next
}

// Model is a run that is ready.
type Model struct {
	parts []*part
}

// New makes the LPs of a run and their first events.
func New(cfg Config) *Model {
	m := &Model{}
	shift, _ := windows.Shift(Lookahead)
	perPart := (cfg.LPs + cfg.Workers - 1) / cfg.Workers
	n := (cfg.LPs + perPart - 1) / perPart
	for me := range n {
		first := me * perPart
		lps := min(perPart, cfg.LPs-first)
		p := &part{
			rules: cfg.rules(), model: m, me: me, first: first, perPart: perPart, end: cfg.End, shift: shift,
			lps: make([]LP, lps), seen: make([]uint64, (lps+63)/64), shared: make([]uint64, (lps+63)/64),
			wheel: windows.NewWheel[Event](shift, Lookahead+longest), out: windows.NewOutbox[Event](n),
		}
		for i := range p.lps {
			var e Event
			p.lps[i], e = newLP(cfg.Seed, first+i)
			p.wheel.Add(e, e.At)
		}
		m.parts = append(m.parts, p)
	}
	return m
}

// Run executes all events until the end, and returns how many they were.
func (m *Model) Run() (events uint64) {
	parts := make([]windows.Part, len(m.parts))
	first := uint64(windows.None)
	for i, p := range m.parts {
		parts[i] = p
		first = min(first, p.next(windows.None))
	}
	windows.Run(parts, first, func(_, all uint64) { events = all })
	return events
}

// State returns all LPs and, sorted, the events that are scheduled. It takes the latter
// out of the calendars, so the run is over.
func (m *Model) State() (lps []LP, scheduled []Event) {
	for _, p := range m.parts {
		lps = append(lps, p.lps...)
		for w := p.wheel.Next(windows.None); w != windows.None; w = p.wheel.Next(w) {
			p.wheel.Open(w)
			for events := p.wheel.Take(); len(events) > 0; events = p.wheel.Take() {
				scheduled = append(scheduled, events...)
			}
		}
	}
	sort(scheduled)
	return lps, scheduled
}

// part is the LPs of one core.
type part struct {
	rules
	model   *Model
	me      int
	first   int // LP
	perPart int // LPs, but for the last
	end     int64
	shift   uint8

	lps   []LP
	wheel windows.Wheel[Event]
	out   windows.Outbox[Event]

	due     []Event  // in the window
	seen    []uint64 // a bit for each LP: it has an event in the window
	shared  []uint64 // a bit for each LP: it has more
	several []Event  // those of LPs that have more

	events  uint64
	touched uint64
	_       [64]byte // keeps what another core writes off this one's cache lines
}

// next returns the first window after one in which there is something to do.
func (p *part) next(window uint64) uint64 {
	if w := p.wheel.Next(window); w <= uint64(p.end)>>p.shift {
		return w
	}
	return windows.None
}

// Collect puts what other LPs have scheduled into the calendar.
func (p *part) Collect() {
	for _, from := range p.model.parts {
		for events := range p.out.Sent(&from.out, p.me) {
			for _, e := range events {
				p.wheel.Add(e, e.At)
			}
		}
	}
}

// Execute executes the events of a window. An LP must execute its own in their order;
// those of two LPs have nothing to do with each other. So most need no order at all: only
// those of LPs that have more than one are sorted.
func (p *part) Execute(window uint64) windows.Outcome {
	p.out.Turn()
	p.open(window)
	sent := p.next(window)
	for events := p.due; len(events) > 0; {
		// Of a million LPs, none is in the cache: several are asked for at a time.
		group := events[:min(len(events), 32)]
		events = events[len(group):]
		for i := range group {
			p.touched += p.lps[int(group[i].LP)-p.first].random
		}
		for _, e := range group {
			i := int(e.LP) - p.first
			p.seen[i/64] &^= 1 << (i % 64)
			if p.shared[i/64]>>(i%64)&1 != 0 {
				p.several = append(p.several, e)
				continue
			}
			sent = min(sent, p.execute(i, e))
		}
	}
	sort(p.several)
	for _, e := range p.several {
		i := int(e.LP) - p.first
		p.shared[i/64] &^= 1 << (i % 64)
		sent = min(sent, p.execute(i, e))
	}
	p.several = p.several[:0]
	return windows.Outcome{Next: min(sent, p.next(window)), Events: p.events}
}

// open takes the events of a window out of the calendar, and finds the LPs that have
// more than one.
func (p *part) open(window uint64) {
	p.due = p.due[:0]
	p.wheel.Open(window)
	last := min(int64(window+1)<<p.shift-1, p.end)
	for events := p.wheel.Take(); len(events) > 0; events = p.wheel.Take() {
		for _, e := range events {
			if e.At > last { // in a later revolution, or behind the end
				p.wheel.Add(e, e.At)
				continue
			}
			i := int(e.LP) - p.first
			p.shared[i/64] |= p.seen[i/64] & (1 << (i % 64))
			p.seen[i/64] |= 1 << (i % 64)
			p.due = append(p.due, e)
		}
	}
}

// execute executes an event of the part's LP i, and returns in which window the one is due
// that it has scheduled for another part, if there is one and it is due before the end.
func (p *part) execute(i int, e Event) uint64 {
	p.events++
	next := p.rules.execute(&p.lps[i], e)
	to := int(uint32(next.LP) / uint32(p.perPart))
	if to == p.me {
		p.wheel.Add(next, next.At)
		return windows.None
	}
	p.out.Send(to, next)
	if next.At > p.end {
		return windows.None
	}
	return uint64(next.At) >> p.shift
}

func sort(events []Event) {
	slices.SortFunc(events, func(a, b Event) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.LP, b.LP)) })
}
