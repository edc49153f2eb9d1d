// Package fault is a fault plan: what breaks in a run, when, and for how long.
//
// A plan is pure data, written as text, and all that it says is a pure function
// of its text: time is an argument, counted from the start of the run, and
// chance is a seed. So the launcher and every machine, each reading the same
// text, agree on every fault without a word to each other, for hours.
//
// [Parse] reads a plan. [Plan.Blocked], [Plan.Delay] and [Plan.NotReading] decide
// about the bytes on a link at an instant; [Plan.Actions] lists what has to be
// done, in the order of time. The language is described in docs/faults.md.
package fault

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

// Forever is the length, and the end, of what does not end.
const Forever time.Duration = math.MaxInt64

// Any is every machine, as an end of a [Link].
const Any = -1

// Kind is a way to break.
type Kind uint8

// What can break.
const (
	Kill        Kind = iota + 1 // machines are killed, and started again at the end
	Pause                       // machines are stopped, and go on at the end
	Partition                   // nothing flows between groups of machines
	Cut                         // nothing flows on a link
	Delay                       // what is written on a link arrives later
	Reset                       // the connections of a link are broken, at one instant
	StopReading                 // machines read nothing from the network
)

var kindNames = [...]string{Kill: "kill", Pause: "pause", Partition: "partition", Cut: "cut", Delay: "delay", Reset: "reset", StopReading: "stop-reading"}

// String returns the word for k in a plan.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// process says whether k strikes processes rather than links.
func (k Kind) process() bool { return k == Kill || k == Pause }

// Link is a direction from one machine to another, or several of them at once.
type Link struct {
	From, To int  // Any: every machine
	Both     bool // the way back as well
}

// Has says whether l includes the way from one machine to another.
func (l Link) Has(from, to int) bool {
	return from != to && (l.forth(from, to) || l.Both && l.forth(to, from))
}

func (l Link) forth(from, to int) bool {
	return (l.From == Any || l.From == from) && (l.To == Any || l.To == to)
}

// touches says whether machine id is at one end of l.
func (l Link) touches(id int) bool {
	return l.From == Any || l.To == Any || l.From == id || l.To == id
}

// String returns the link as a plan writes it: 0->1, 0-1 for both ways, 0->*,
// and * for all links.
func (l Link) String() string {
	if l.From == Any && l.To == Any {
		return "*"
	}
	end := func(id int) string {
		if id == Any {
			return "*"
		}
		return strconv.Itoa(id)
	}
	if l.Both {
		return end(l.From) + "-" + end(l.To)
	}
	return end(l.From) + "->" + end(l.To)
}

// Action is a fault that begins or ends: something to do at an instant.
type Action struct {
	At   time.Duration // since the start of the run
	Kind Kind
	Over bool          // the fault ends here, For after it began
	For  time.Duration // how long it lasts in all: 0 for a Reset, Forever for a Delay without end

	Machines     []int         // of Kill, Pause and StopReading, in ascending order
	Groups       [][]int       // of Partition: every machine is in one
	Link         Link          // of Cut, Delay and Reset
	Mean, Jitter time.Duration // of Delay: uniform over Mean ± Jitter
}

// String returns the action as a line of a plan, such as "at 10s kill 1 for 2s",
// or as "at 12s over: kill 1".
func (a Action) String() string {
	f := fault{kind: a.Kind, at: a.At, length: a.For, machines: spansOf(a.Machines), link: a.Link, mean: a.Mean, jitter: a.Jitter}
	for _, g := range a.Groups {
		f.groups = append(f.groups, spansOf(g))
	}
	if a.Over {
		return "at " + short(a.At) + " over: " + f.what(0)
	}
	return f.text(0)
}

// Plan says what breaks in a run. It never changes, so any number of goroutines
// may ask it. A nil Plan and the zero Plan have no faults.
type Plan struct {
	machines int
	faults   []*fault // in the order of the text

	// The faults that do not depend on chance, found by time.
	process    timeline // kill, pause
	partitions timeline
	stops      timeline // stop-reading
	cuts       linkIndex
	delays     linkIndex
	// soaks are the random faults that links have to ask about.
	soaks []*fault
}

// newPlan makes a plan of faults, which it takes over.
func newPlan(machines int, faults []*fault) *Plan {
	p := &Plan{machines: machines, faults: faults}
	var process, partitions, stops, cuts, delays []*fault
	var unseeded [len(kindNames)]uint64
	for i, f := range faults {
		f.n = i
		if f.draws() {
			seed := f.seed
			if !f.seeded {
				seed = deriveSeed(0, unseeded[f.kind])
				unseeded[f.kind]++
			}
			f.key = newDraw(seed, f.kind)
		}
		switch {
		case f.random() && !f.kind.process() && f.kind != Reset:
			p.soaks = append(p.soaks, f)
		case f.random():
		case f.kind.process():
			process = append(process, f)
		case f.kind == Partition:
			partitions = append(partitions, f)
		case f.kind == StopReading:
			stops = append(stops, f)
		case f.kind == Cut:
			cuts = append(cuts, f)
		case f.kind == Delay:
			delays = append(delays, f)
		}
	}
	p.process, p.partitions, p.stops = newTimeline(process), newTimeline(partitions), newTimeline(stops)
	p.cuts, p.delays = newLinkIndex(cuts), newLinkIndex(delays)
	return p
}

// Seeded returns p with a seed for every line that draws and does not name one.
// The text of the new plan names them all, so whoever reads it draws the same.
// A plan that is not seeded draws as if it were seeded with 0.
func (p *Plan) Seeded(seed uint64) *Plan {
	if p.Empty() {
		return p
	}
	var unseeded [len(kindNames)]uint64
	faults := make([]*fault, len(p.faults))
	for i, f := range p.faults {
		g := *f
		if g.draws() && !g.seeded {
			g.seed, g.seeded = deriveSeed(seed, unseeded[g.kind]), true
			unseeded[g.kind]++
		}
		faults[i] = &g
	}
	return newPlan(p.machines, faults)
}

// Within returns p for a run that ends at an instant: its random faults are over
// by then. It is an error where that leaves none of them, or where a fault with
// a time of its own, other than a delay, is not over: the run would end with a
// machine or a link missing.
func (p *Plan) Within(end time.Duration) (*Plan, error) {
	q, late := p.within(end)
	if late != nil {
		return nil, late.tooLate(p, end)
	}
	return q, nil
}

// within returns the plan, or the first fault that cannot be over by then.
func (p *Plan) within(end time.Duration) (_ *Plan, late *fault) {
	if p.Empty() {
		return p, nil
	}
	faults := make([]*fault, len(p.faults))
	for i, f := range p.faults {
		if f.kind != Delay && f.end() > end {
			return nil, f
		}
		g := *f
		g.until = min(g.until, end)
		faults[i] = &g
	}
	return newPlan(p.machines, faults), nil
}

func (f *fault) tooLate(p *Plan, end time.Duration) error {
	return fmt.Errorf("%q cannot be over by the end of the run, after %s", f.text(p.machines), short(end))
}

// String returns the plan's canonical text, one fault a line, which [Parse]
// reads back as the same plan.
func (p *Plan) String() string {
	if p.Empty() {
		return ""
	}
	var b strings.Builder
	for i, f := range p.faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.text(p.machines))
	}
	return b.String()
}

// Empty says whether the plan has no faults.
func (p *Plan) Empty() bool { return p == nil || len(p.faults) == 0 }

// Has says whether the plan has a fault of one of the kinds.
func (p *Plan) Has(kinds ...Kind) bool {
	if p.Empty() {
		return false
	}
	for _, f := range p.faults {
		for _, k := range kinds {
			if f.kind == k {
				return true
			}
		}
	}
	return false
}

// Touches says whether a fault strikes the connections of machine id, in either
// direction. Where it does not, [Plan.Blocked], [Plan.Delay] and
// [Plan.NotReading] have nothing to say about them, ever.
func (p *Plan) Touches(id int) bool {
	if !p.known(id) {
		return false
	}
	for _, f := range p.faults {
		switch {
		case f.kind.process():
		case f.random(), f.kind == Partition: // every machine is in a group, and apart from another
			return true
		case f.kind == StopReading && f.machines.has(id):
			return true
		case f.kind != StopReading && f.link.touches(id):
			return true
		}
	}
	return false
}

// Blocked says whether bytes do not flow from one machine to another at an
// instant, and until when they surely do not. Another fault may have begun by
// then: ask again.
func (p *Plan) Blocked(from, to int, at time.Duration) (until time.Duration, blocked bool) {
	if from == to || !p.known(from) || !p.known(to) {
		return 0, false
	}
	p.cuts.during(from, to, at, func(f *fault) { until = max(until, f.end()) })
	p.partitions.during(at, func(f *fault) {
		if f.group(from) != f.group(to) {
			until = max(until, f.end())
		}
	})
	for _, f := range p.soaks {
		f.instances(at, func(k uint64, end time.Duration) {
			if f.kind == Cut && f.linkOf(k, p.machines).Has(from, to) ||
				f.kind == Partition && f.side(k, p.machines, from) != f.side(k, p.machines, to) {
				until = max(until, end)
			}
		})
	}
	return until, until > 0
}

// Delay returns how much later the n-th write from one machine to another
// arrives when it is made at an instant: the sum of all delays that are in force
// then. It says nothing about order; a link that keeps its order lets no write
// arrive before the one before it.
func (p *Plan) Delay(from, to int, at time.Duration, n uint64) time.Duration {
	if from == to || !p.known(from) || !p.known(to) {
		return 0
	}
	var sum time.Duration
	p.delays.during(from, to, at, func(f *fault) {
		sum = min(sum, Forever-f.mean-f.jitter) + f.delay(from, to, n)
	})
	return sum
}

// NotReading says whether machine id reads nothing from the network at an
// instant, and until when it surely does not. Another fault may have begun by
// then: ask again.
func (p *Plan) NotReading(id int, at time.Duration) (until time.Duration, stopped bool) {
	if !p.known(id) {
		return 0, false
	}
	p.stops.during(at, func(f *fault) {
		if f.machines.has(id) {
			until = max(until, f.end())
		}
	})
	for _, f := range p.soaks {
		if f.kind != StopReading {
			continue
		}
		f.instances(at, func(k uint64, end time.Duration) {
			if f.victim(k, p.machines) == id {
				until = max(until, end)
			}
		})
	}
	return until, until > 0
}

// Actions returns all that begins or ends before an instant, in the order of
// time. At one instant ends come first, in the order in which the faults began,
// and then beginnings, in the order of the text. With [Forever] and a random
// fault without an end, it goes on as long as it is asked.
func (p *Plan) Actions(until time.Duration) iter.Seq[Action] {
	return func(yield func(Action) bool) {
		if p.Empty() {
			return
		}
		for r := newSchedule(p); ; {
			a, ok := r.next(until)
			if !ok || !yield(a) {
				return
			}
		}
	}
}

// known says whether the plan speaks about machine id.
func (p *Plan) known(id int) bool { return !p.Empty() && id >= 0 && id < p.machines }

// fault is a line of a plan.
type fault struct {
	kind   Kind
	n      int // its place in the plan
	at     time.Duration
	length time.Duration

	machines spans
	groups   []spans // machines that are in none of them are a further one
	link     Link

	mean, jitter time.Duration

	// Of a random fault: one instance in each period since at, over by
	// until. It has none of machines, groups and link.
	every, until time.Duration

	seed   uint64
	seeded bool // the line names its seed
	key    draw
}

func (f *fault) random() bool { return f.every > 0 }

// draws says whether chance decides anything about f.
func (f *fault) draws() bool { return f.random() || f.jitter > 0 }

// end returns when f is over; of a random fault, the earliest that one can be.
func (f *fault) end() time.Duration {
	if f.length == Forever {
		return Forever
	}
	return f.at + f.length
}

// group returns the number of the group that machine id is in.
func (f *fault) group(id int) int {
	for i, g := range f.groups {
		if g.has(id) {
			return i
		}
	}
	return len(f.groups)
}

// what returns the fault without its times, for so many machines; 0 where their
// number is not known.
func (f *fault) what(machines int) string {
	switch f.kind {
	case Partition:
		groups := make([]string, len(f.groups))
		for i, g := range f.groups {
			groups[i] = g.text(0)
		}
		return "partition " + strings.Join(groups, " | ")
	case Cut, Reset:
		return f.kind.String() + " " + f.link.String()
	case Delay:
		s := "delay " + f.link.String() + " " + short(f.mean)
		if f.jitter > 0 {
			s += " " + short(f.jitter)
		}
		return s
	}
	return f.kind.String() + " " + f.machines.text(machines)
}

// text returns the fault's canonical line.
func (f *fault) text(machines int) string {
	var s string
	switch {
	case f.random():
		s = "random " + f.kind.String() + " every " + short(f.every)
	case f.kind == Delay:
		s = "from " + short(f.at) + " " + f.what(machines)
	default:
		s = "at " + short(f.at) + " " + f.what(machines)
	}
	if f.kind != Reset && f.length != Forever {
		s += " for " + short(f.length)
	}
	if f.random() && f.at > 0 {
		s += " from " + short(f.at)
	}
	if f.random() && f.until < maxTime {
		s += " to " + short(f.until)
	}
	if f.seeded {
		s += fmt.Sprint(" seed ", f.seed)
	}
	return s
}

// short returns d without the zeros at the end: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if t, ok := strings.CutSuffix(s, "m0s"); ok {
		s = t + "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}
