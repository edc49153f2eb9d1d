package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
)

// ClockOffsets say how far the system clocks of a run's hosts were apart, relative to the
// clock of one machine: by what the machines asked each other, and by what happened before
// what. A message is not received before it was sent, so by how much it seems to have been
// under way bounds how far the recipient's clock is ahead.
type ClockOffsets struct {
	Reference int `json:"reference"` // the machine whose clock the others are held against
	Asked     int `json:"asked"`     // how many lines say so
	// Clocks are those of the other machines with a log, by ID.
	Clocks []ClockOffset `json:"clocks"`
	// Contradictions say what cannot all be true, the first of it.
	Contradictions []string `json:"contradictions,omitempty"`
	// Changes are where clocks changed faster than they drift.
	Changes []ClockChange `json:"changes,omitempty"`
	starts  []int64       // µs, of each machine's start line
	index   roster
}

// ClockOffset says how far the clock of a machine was ahead of the reference.
type ClockOffset struct {
	Machine int `json:"machine"`
	// At are the instants at which that is known; in between, it is taken to lie on a
	// straight line. Empty: it is not known.
	At []OffsetAt `json:"at"`
	// Drift is by how much it gained from the first instant to the last, in ppm; nil: not
	// known.
	Drift *float64 `json:"drift_ppm,omitempty"`
	// Messages is what messages alone say, where they say most.
	Messages *OffsetRange `json:"by_messages,omitempty"`
}

// OffsetAt is how far a clock was ahead at some time after the start of the run.
type OffsetAt struct {
	T      time.Duration `json:"t_ns"`
	Ahead  time.Duration `json:"ahead_ns"`  // below 0: it was behind
	Within time.Duration `json:"within_ns"` // the truth was no further from Ahead than this
}

// OffsetRange is between which values a clock was ahead at some time. nil: no bound.
type OffsetRange struct {
	T     time.Duration  `json:"t_ns"`
	Least *time.Duration `json:"least_ns"`
	Most  *time.Duration `json:"most_ns"`
}

// ClockChange is where a clock gained on the reference faster than clocks drift: one of
// the two was set, or slewed.
type ClockChange struct {
	Machine int           `json:"machine"`
	From    time.Duration `json:"from_ns"` // after the start
	To      time.Duration `json:"to_ns"`
	By      time.Duration `json:"by_ns"` // at least; below 0: it lost
}

const (
	// clockDrift is by how much a clock gains or loses on another at most, if neither is
	// set: each of two common crystals may be wrong by 100 ppm.
	clockDrift = 200e-6
	// cut is what the times of two lines may seem apart since they hold whole µs.
	cut = 1
	// oneRound is how far apart lines that belong to one round of questions may be, in µs.
	oneRound = 5_000_000
	// maxInstants bounds at how many instants clocks are compared.
	maxInstants = 128
	// maxAsked bounds how many lines are kept that compare clocks.
	maxAsked = 1 << 20
	// maxCompared is of how many machines messages are looked at: each link counts.
	maxCompared = 128
	// maxContradictions is how many are said.
	maxContradictions = 5
)

// gauge follows what a run says of its hosts' clocks. Times are µs since a machine's start
// line: all start together, so that is about the same instant everywhere.
type gauge struct {
	run     *Run
	present roster
	always  bool    // messages are looked at even if no line compares clocks
	starts  []int64 // by index; 0: not seen
	latest  []int64 // of the last line, where steps were taken out
	asked   []compared
	lines   int
	links   map[[2]int]*quickest // by index of sender and recipient
	dense   []*quickest          // the same, to be found at once; nil: none yet
	steps   []ClockStep          // that were taken out of the times
	set     []setBetween
	end     int64
}

// compared is a line in which a machine compares a peer's clock with its own.
type compared struct {
	at            int64
	a, b          int // indices: who asked whom
	ahead, within int64
	line          int
}

// setBetween is when a clock was set, by times without that.
type setBetween struct {
	index    int
	line     int
	from, to int64
	by       int64
}

func newGauge(r *Run) *gauge {
	present := roster(r.Present())
	g := &gauge{run: r, present: present, starts: make([]int64, len(present)), latest: make([]int64, len(present))}
	if len(present) <= maxCompared {
		g.links = make(map[[2]int]*quickest)
		g.always = r.Record == nil
	}
	return g
}

// instant takes in events of a machine at one time.
func (g *gauge) instant(index int, events []logging.Entry) {
	at := events[0].UnixMicro - g.starts[index]
	if len(g.steps) > 0 {
		for i := range events {
			g.passed(index, events[i].Line, at)
		}
	}
	g.end = max(g.end, at)
}

// other takes in a line that is no event.
func (g *gauge) other(s *Step) {
	if s.Other.Kind == logging.StartRecord && g.starts[s.Index] == 0 {
		g.starts[s.Index] = s.Micro
	}
	at := s.Micro - g.starts[s.Index]
	if len(g.steps) > 0 {
		g.passed(s.Index, s.Line, at)
	}
	g.end = max(g.end, at)
	if s.Other.Kind != logging.OffsetRecord {
		return
	}
	o := &s.Other.Offset
	g.lines++
	if peer, ok := g.present.index(o.Peer); ok && peer != s.Index && len(g.asked) < maxAsked && isClose(o.Ahead) && isClose(o.Within) {
		g.asked = append(g.asked, compared{at, s.Index, peer, o.Ahead, o.Within, s.Line})
	}
}

func abs(n int64) int64 { return max(n, -n) }

// isClose reports whether a difference of clocks, in µs, is one of some hundred years at most.
// With more, sums would overflow, and nobody's clocks are wrong by as much.
func isClose(n int64) bool { return n > -1<<53 && n < 1<<53 }

// passed notes when a clock was set.
func (g *gauge) passed(index, line int, at int64) {
	for i := range g.steps {
		if step := &g.steps[i]; step.Machine == g.present[index] && step.Line == line {
			g.set = append(g.set, setBetween{index, line, g.latest[index], at, step.By.Microseconds()})
		}
	}
	g.latest[index] = at
}

// received takes in how long a message seems to have been under way.
func (g *gauge) received(s *Step) {
	if g.links == nil || !g.always && g.lines == 0 {
		return
	}
	from, ok := g.present.index(int(s.Event.Messages()[0].From))
	took := s.Micro - s.Sent.Micro
	if !ok || !isClose(took) {
		return
	}
	if g.dense == nil {
		g.dense = make([]*quickest, len(g.present)*len(g.present))
	}
	place := from*len(g.present) + s.Index
	l := g.dense[place]
	if l == nil {
		l = &quickest{width: 1_000_000}
		g.links[[2]int{from, s.Index}], g.dense[place] = l, l
	}
	l.add(trip{s.Micro - g.starts[s.Index], took, s.Line, s.Sent.Line})
}

// trip is a message: when it was received, how long it seems to have been under way, in µs,
// and the lines.
type trip struct {
	at, took    int64
	line, start int
}

// quickest keeps the messages of a link that seem to have been under way for the shortest
// time: one for each stretch of time.
type quickest struct {
	width int64
	trips []trip // by stretch; took is unbounded where there is none
}

// maxStretches is how many stretches there are; with more, each lasts twice as long.
const maxStretches = 64

func (q *quickest) add(t trip) {
	for max(t.at, 0)/q.width >= maxStretches {
		q.width *= 2
		for i := range (len(q.trips) + 1) / 2 {
			least := q.trips[2*i]
			if 2*i+1 < len(q.trips) && q.trips[2*i+1].took < least.took {
				least = q.trips[2*i+1]
			}
			q.trips[i] = least
		}
		q.trips = q.trips[:(len(q.trips)+1)/2]
	}
	i := int(max(t.at, 0) / q.width)
	for i >= len(q.trips) {
		q.trips = append(q.trips, trip{took: unbounded})
	}
	if t.took < q.trips[i].took {
		q.trips[i] = t
	}
}

// drifted is by how much two clocks may have drifted apart in some time, in µs.
func drifted(micro int64) int64 { return int64(clockDrift*float64(abs(micro))) + 1 }

// evidence is what a bound comes from.
type evidence struct {
	asked *compared // nil: a message
	trip  trip
	from  int // index of the sender
	to    int
	far   int64 // how far from the instant it was, µs
}

// rounds returns the instants at which clocks are compared, and the lines that belong to each.
func (g *gauge) rounds(asked []compared) (instants []int64, lines [][]compared) {
	if len(asked) == 0 {
		n := min(max(g.end/60_000_000, 1), 16)
		for i := range n {
			instants, lines = append(instants, g.end*(2*i+1)/(2*n)), append(lines, nil)
		}
		return instants, lines
	}
	slices.SortStableFunc(asked, func(a, b compared) int { return cmp.Compare(a.at, b.at) })
	apart := int64(oneRound)
	for {
		instants, lines = nil, nil
		for i, c := range asked {
			if i == 0 || c.at-instants[len(instants)-1] > apart { // than the first
				instants, lines = append(instants, c.at), append(lines, nil)
			}
			last := len(lines) - 1
			lines[last] = append(lines[last], c)
		}
		if len(instants) <= maxInstants {
			break
		}
		apart *= 2
	}
	for i, l := range lines {
		instants[i] = l[len(l)/2].at
	}
	return instants, lines
}

// without returns the comparisons as they would be had no clock been set: but for those
// that may have come right then.
func (g *gauge) without() []compared {
	const slack = 1_000_000
	asked := make([]compared, 0, len(g.asked))
next:
	for _, c := range g.asked {
		for _, s := range g.set {
			switch {
			case s.index == c.a && c.line >= s.line:
				c.ahead += s.by
			case s.index == c.b && c.at > s.to+slack:
				c.ahead -= s.by
			case s.index == c.b && c.at >= s.from-slack:
				continue next
			}
		}
		asked = append(asked, c)
	}
	return asked
}

// solve returns how far the clocks were apart, nil where nothing is known of that.
func (g *gauge) solve() *ClockOffsets {
	if len(g.present) < 2 || g.lines == 0 && len(g.links) == 0 {
		return nil
	}
	o := &ClockOffsets{Reference: g.present[0], Asked: g.lines, starts: g.starts, index: g.present}
	instants, lines := g.rounds(g.without())
	n := len(g.present)
	known := make([][]within, len(instants)) // by instant and machine
	o.Clocks = make([]ClockOffset, n-1)
	for i := range o.Clocks {
		o.Clocks[i].Machine = g.present[i+1]
	}
	said := make(map[string]bool)
	for k, at := range instants {
		from, to := int64(-unbounded), int64(unbounded)
		if k > 0 {
			from = instants[k-1] + (at-instants[k-1])/2
		}
		if k+1 < len(instants) {
			to = at + (instants[k+1]-at)/2
		}
		d, why := g.bounds(at, from, to, lines[k])
		known[k] = d.solveAround(why, func(cycle []atMost) {
			if text := g.impossible(cycle, why); !said[text] && len(o.Contradictions) < maxContradictions {
				said[text] = true
				o.Contradictions = append(o.Contradictions, text)
			}
		})
		d.bounds = slices.DeleteFunc(d.bounds, func(b atMost) bool { return why[b.why].asked != nil })
		if d.contradiction() == nil {
			o.byMessages(at, d.solve(0))
		}
	}
	for i := range o.Clocks {
		o.settle(i, instants, known)
	}
	if g.lines == 0 {
		o.preferNone()
	}
	return o
}

// preferNone takes all clocks for one where messages, which are all that is known, do not
// tell them apart: they wait for ticks, and say little.
func (o *ClockOffsets) preferNone() {
	for i := range o.Clocks {
		for _, at := range o.Clocks[i].At {
			if at.Ahead.Abs() > at.Within {
				return
			}
		}
	}
	for i := range o.Clocks {
		c := &o.Clocks[i]
		for k := range c.At {
			c.At[k].Within += c.At[k].Ahead.Abs()
			c.At[k].Ahead = 0
		}
		if c.Drift != nil {
			c.Drift = ptr(0.0)
		}
	}
}

// bounds returns what is known at an instant, by lines and by messages in the time around
// it.
func (g *gauge) bounds(at, from, to int64, lines []compared) (d differences, why []evidence) {
	d.clocks = len(g.present)
	add := func(of, than int, by int64, e evidence) {
		d.bounds = append(d.bounds, atMost{of, than, by, len(why)})
		why = append(why, e)
	}
	for i := range lines {
		c := &lines[i]
		far := abs(at - c.at)
		add(c.b, c.a, c.ahead+c.within+cut+drifted(far), evidence{asked: c, far: far})
		add(c.a, c.b, -c.ahead+c.within+cut+drifted(far), evidence{asked: c, far: far})
	}
	keys := make([][2]int, 0, len(g.links))
	for key := range g.links {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, key := range keys {
		best, e := int64(unbounded), evidence{}
		for _, t := range g.links[key].trips {
			if t.took == unbounded || t.at < from || t.at > to {
				continue
			}
			// The stretch is longer than an instant: the message is where it is.
			far := abs(at - t.at)
			if by := t.took + cut + drifted(far); by < best {
				best, e = by, evidence{trip: t, from: key[0], to: key[1], far: far}
			}
		}
		if best < unbounded {
			add(key[1], key[0], best, e)
		}
	}
	return d, why
}

// solveAround solves what it can: of bounds that cannot all hold, which are told, one is
// left out. What was asked is believed less than what happened, and what was far less than
// what was close.
func (d *differences) solveAround(why []evidence, tell func([]atMost)) []within {
	for {
		cycle := d.contradiction()
		if cycle == nil {
			return d.solve(0)
		}
		tell(cycle)
		worst := slices.MaxFunc(cycle, func(a, b atMost) int {
			x, y := &why[a.why], &why[b.why]
			if (x.asked != nil) != (y.asked != nil) {
				if x.asked != nil {
					return 1
				}
				return -1
			}
			return cmp.Compare(x.far, y.far)
		})
		d.bounds = slices.DeleteFunc(d.bounds, func(b atMost) bool {
			return b.why == worst.why || why[b.why].asked != nil && why[b.why].asked == why[worst.why].asked
		})
	}
}

// byMessages notes what messages alone say, if that is more than at other instants.
func (o *ClockOffsets) byMessages(at int64, known []within) {
	for i := range o.Clocks {
		w, m := known[i+1], o.Clocks[i].Messages
		if w.least <= -unbounded && w.most >= unbounded {
			continue
		}
		if m != nil && m.Least != nil && m.Most != nil && (!w.whole() || micros(w.most-w.least) >= *m.Most-*m.Least) {
			continue
		}
		if m != nil && !w.whole() {
			continue
		}
		r := &OffsetRange{T: micros(at)}
		if w.least > -unbounded {
			r.Least = ptr(micros(w.least))
		}
		if w.most < unbounded {
			r.Most = ptr(micros(w.most))
		}
		o.Clocks[i].Messages = r
	}
}

// micros returns a time of so many µs, or the longest that there is.
func micros(n int64) time.Duration {
	const longest = 1 << 53
	return time.Duration(min(max(n, -longest), longest)) * time.Microsecond
}

// settle puts together what is known of a clock at the instants. It drifts from one to the
// next, and what it does beyond that is a change.
func (o *ClockOffsets) settle(i int, instants []int64, known [][]within) {
	c := &o.Clocks[i]
	var at []int64
	var list []within
	for k := range instants {
		if w := known[k][i+1]; w.whole() {
			at, list = append(at, instants[k]), append(list, w)
		}
	}
	changed := make([]bool, len(list)) // since the instant before
	narrow := func(k, by int) {
		drift := drifted(at[k] - at[by])
		w := within{max(list[k].least, list[by].least-drift), min(list[k].most, list[by].most+drift)}
		if w.least <= w.most {
			list[k] = w
		} else {
			changed[max(k, by)] = true
		}
	}
	for k := 1; k < len(list); k++ {
		narrow(k, k-1)
	}
	for k := len(list) - 2; k >= 0; k-- {
		if !changed[k+1] {
			narrow(k, k+1)
		}
	}
	for k, w := range list {
		c.At = append(c.At, OffsetAt{micros(at[k]), micros(w.middle()), micros((w.most-w.least)/2 + 1)})
		if changed[k] {
			by := list[k].least - list[k-1].most
			if by < 0 {
				by = list[k].most - list[k-1].least
			}
			o.Changes = append(o.Changes, ClockChange{c.Machine, micros(at[k-1]), micros(at[k]), micros(by)})
		}
	}
	if n := len(c.At); n > 1 && c.At[n-1].T > c.At[0].T && !slices.Contains(changed, true) {
		c.Drift = ptr(float64(c.At[n-1].Ahead-c.At[0].Ahead) / float64(c.At[n-1].T-c.At[0].T) * 1e6)
	}
}

// impossible says what cannot all be true.
func (g *gauge) impossible(cycle []atMost, why []evidence) string {
	var parts []string
	said := make(map[int]bool)
	for _, b := range cycle {
		if said[b.why] {
			continue
		}
		said[b.why] = true
		e := &why[b.why]
		if c := e.asked; c != nil {
			parts = append(parts, fmt.Sprintf("%s says that the clock of machine %d was %s that of machine %d, within %s",
				g.place(c.a, c.line), g.present[c.b], Ahead(micros(c.ahead)), g.present[c.a], figure.Duration(micros(c.within))))
			continue
		}
		parts = append(parts, fmt.Sprintf("by these clocks, %s receives %s after %s sends it",
			g.place(e.to, e.trip.line), signed(micros(e.trip.took)), g.place(e.from, e.trip.start)))
	}
	off := int64(0)
	for _, b := range cycle {
		off -= b.by
	}
	return fmt.Sprintf("%s: they miss each other by %s", strings.Join(parts, "; "), figure.Duration(micros(off)))
}

// Ahead says by how much a clock is ahead of another, or behind it.
func Ahead(by time.Duration) string {
	if by < 0 {
		return figure.Duration(-by) + " behind"
	}
	return figure.Duration(by) + " ahead of"
}

func signed(d time.Duration) string {
	if d < 0 {
		return "-" + figure.Duration(-d)
	}
	return figure.Duration(d)
}

func (g *gauge) place(index, line int) string {
	name := strconv.Itoa(g.present[index])
	for i := range g.run.Logs {
		if l := &g.run.Logs[i]; l.ID == g.present[index] {
			if name = l.File; name == "" {
				name = l.Name
			}
			break
		}
	}
	return name + ":" + strconv.Itoa(line)
}

// Of returns how far a machine's clock is taken to have been ahead of the reference at some
// time after its start line, true if that is known.
func (o *ClockOffsets) Of(machine int, at time.Duration) (OffsetAt, bool) {
	if machine == o.Reference {
		return OffsetAt{T: at}, true
	}
	i, ok := slices.BinarySearchFunc(o.Clocks, machine, func(c ClockOffset, id int) int { return cmp.Compare(c.Machine, id) })
	if !ok || len(o.Clocks[i].At) == 0 {
		return OffsetAt{T: at}, false
	}
	list := o.Clocks[i].At
	k, _ := slices.BinarySearchFunc(list, at, func(a OffsetAt, t time.Duration) int { return cmp.Compare(a.T, t) })
	drift := func(a OffsetAt) time.Duration { return a.Within + micros(drifted((at - a.T).Microseconds())) }
	switch {
	case k == 0:
		return OffsetAt{at, list[0].Ahead, drift(list[0])}, true
	case k == len(list):
		return OffsetAt{at, list[k-1].Ahead, drift(list[k-1])}, true
	}
	a, b := list[k-1], list[k]
	share := float64(at-a.T) / float64(b.T-a.T)
	ahead := a.Ahead + time.Duration(share*float64(b.Ahead-a.Ahead))
	// The truth lies in what either allows, unless the clock was set in between.
	least := max(a.Ahead-drift(a), b.Ahead-drift(b))
	most := min(a.Ahead+drift(a), b.Ahead+drift(b))
	if least > most {
		least, most = min(a.Ahead-drift(a), b.Ahead-drift(b)), max(a.Ahead+drift(a), b.Ahead+drift(b))
	}
	return OffsetAt{at, ahead, max(most-ahead, ahead-least)}, true
}

// Worst returns by how much the corrected time of a line may be wrong: most where it is far
// from the instants at which clocks were compared.
func (o *ClockOffsets) Worst() (worst time.Duration) {
	for i := range o.Clocks {
		c := &o.Clocks[i]
		for k, at := range c.At {
			worst = max(worst, at.Within)
			if k > 0 {
				between, _ := o.Of(c.Machine, c.At[k-1].T+(at.T-c.At[k-1].T)/2)
				worst = max(worst, between.Within)
			}
		}
	}
	return worst
}

// correct returns the run with the time of each line by the clock of the reference, and
// without the steps of clocks. Its lines are the same but for that.
func (r *Run) correct(o *ClockOffsets, steps []ClockStep) *Run {
	corrected := *r.without(steps)
	corrected.Logs = slices.Clone(corrected.Logs)
	for i := range corrected.Logs {
		l := &corrected.Logs[i]
		index, ok := o.index.index(l.ID)
		if !ok || o.starts[index] == 0 {
			continue
		}
		open, id := l.Open, l.ID
		l.Open = func() (Source, error) {
			s, err := open()
			if err != nil {
				return nil, err
			}
			return &offsetSource{Source: s, offsets: o, machine: id, start: o.starts[index]}, nil
		}
	}
	return &corrected
}

// offsetSource is a source with the times of another host's clock.
type offsetSource struct {
	Source
	offsets *ClockOffsets
	machine int
	start   int64
}

func (c *offsetSource) Next(rec *logging.Record) error {
	if err := c.Source.Next(rec); err != nil {
		return err
	}
	if at, ok := c.offsets.Of(c.machine, micros(rec.UnixMicro-c.start)); ok {
		rec.UnixMicro = max(rec.UnixMicro-at.Ahead.Microseconds(), 0)
	}
	return nil
}
