package report

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/trace"
)

// EventName says which event of a run is meant.
type EventName struct {
	text    string // as it was given
	file    string // "": by machine
	machine int
	byClock bool   // else by step, or in a file by line
	number  uint64 // clock, step or line
}

// ParseEventName reads "2:17", which is step 17 of machine 2; "2@40", the event with which
// its clock became 40; or "vm_2_4.log:19", that in line 19 of a log. A machine may be
// called vm-2 too.
func ParseEventName(text string) (EventName, error) {
	n := EventName{text: text}
	bad := fmt.Errorf("%q names no event: want MACHINE:STEP (2:17), MACHINE@CLOCK (2@40) or FILE:LINE (vm_2_4.log:19)", text)
	i := strings.LastIndexAny(text, ":@")
	if i <= 0 {
		return n, bad
	}
	var err error
	if n.number, err = strconv.ParseUint(text[i+1:], 10, 64); err != nil || n.number == 0 {
		return n, bad
	}
	n.byClock = text[i] == '@'
	if n.machine, err = strconv.Atoi(strings.TrimPrefix(text[:i], "vm-")); err == nil && n.machine >= 0 {
		return n, nil
	}
	if n.file = text[:i]; n.byClock {
		return n, bad
	}
	return n, nil
}

// Find returns where the event is in the index of a run. An error says what there is in
// its place.
func (n EventName) Find(run *trace.Run, x *causal.Index) (causal.Place, error) {
	if n.file != "" {
		return n.inFile(run, x)
	}
	m, ok := x.Find(n.machine)
	switch {
	case !ok && n.machine < run.Machines:
		return causal.Nowhere, fmt.Errorf("%s: machine %d has no log", n.text, n.machine)
	case !ok:
		return causal.Nowhere, fmt.Errorf("%s: there is no machine %d: the run has machines 0 to %d", n.text, n.machine, run.Machines-1)
	case x.End(m) == x.First(m):
		return causal.Nowhere, fmt.Errorf("%s: machine %d has no event", n.text, n.machine)
	case n.byClock:
		return n.atClock(x, m)
	}
	p, ok := x.OfStep(m, n.number)
	if !ok {
		first, last := x.At(causal.Place{Machine: m, Position: x.First(m)}), x.At(causal.Place{Machine: m, Position: x.End(m) - 1})
		return p, fmt.Errorf("%s: machine %d has no step %d: its steps are %d to %d", n.text, n.machine, n.number, first.Step, last.Step)
	}
	return p, nil
}

func (n EventName) atClock(x *causal.Index, m int) (causal.Place, error) {
	at := func(i int) causal.Event { return x.At(causal.Place{Machine: m, Position: x.First(m) + i}) }
	events := x.End(m) - x.First(m)
	i := sort.Search(events, func(i int) bool { return uint64(at(i).Clock) >= n.number })
	switch {
	case i < events && uint64(at(i).Clock) == n.number:
		return at(i).Place, nil
	case i == events:
		return causal.Nowhere, fmt.Errorf("%s: the clock of machine %d ends at %d", n.text, n.machine, at(events-1).Clock)
	case i == 0:
		return causal.Nowhere, fmt.Errorf("%s: the clock of machine %d jumps from 0 to %d with step %d: no event has %d", n.text, n.machine, at(0).Clock, at(0).Step, n.number)
	}
	return causal.Nowhere, fmt.Errorf("%s: the clock of machine %d jumps from %d to %d with step %d: no event has %d",
		n.text, n.machine, at(i-1).Clock, at(i).Clock, at(i).Step, n.number)
}

func (n EventName) inFile(run *trace.Run, x *causal.Index) (causal.Place, error) {
	there := false
	for _, l := range run.Logs {
		if n.file != filepath.Base(l.Name) && n.file != l.File && filepath.Clean(n.file) != filepath.Clean(l.Name) {
			continue
		}
		m, _ := x.Find(l.ID)
		if p, ok := x.OfLine(m, int(min(n.number, 1<<40))); ok {
			return p, nil
		}
		there = true // another log may be in the same stream
	}
	if there {
		return causal.Nowhere, fmt.Errorf("%s: that line is no event: it is no line of this log, or that of a start, pause, resume or stop", n.text)
	}
	return causal.Nowhere, fmt.Errorf("%s: %s is no log of this run", n.text, n.file)
}

// Explanation says how one event of a run stands to another, or one to all others.
type Explanation struct {
	Dir string `json:"dir"`
	A   Line   `json:"a"`
	B   *Line  `json:"b,omitempty"` // nil: all others
	// Relation of two says whether A happened before or after B, or is concurrent with it,
	// or the same.
	Relation string `json:"relation,omitempty"`
	// Chain has as few messages as lead from the earlier of the two to the later one.
	Chain *Chain `json:"chain,omitempty"`
	// Window of concurrent events are all those of B's machine that are concurrent with A.
	Window *Window `json:"window,omitempty"`
	// Others of one event is how it stands to the events of each machine.
	Others []Other `json:"others,omitempty"`
	Counts *Counts `json:"counts,omitempty"`
	// Carried of one event is how its clock value came to it.
	Carried *Carried `json:"carried,omitempty"`
	// Doubt says why more may have happened before something than is known, "" if not.
	Doubt string `json:"doubt,omitempty"`
}

// Line is an event as a line of a log.
type Line struct {
	Machine int        `json:"machine"`
	Step    uint64     `json:"step"`
	Clock   clock.Time `json:"clock"`
	Time    time.Time  `json:"time"`
	File    string     `json:"file"`
	Line    int        `json:"line"`
	Text    string     `json:"text,omitempty"` // "": it cannot be read again

	position int
}

// Chain is messages that lead from one event to another: after each one, the chain goes
// along its recipient to the next.
type Chain struct {
	Messages int   `json:"messages"`
	Hops     []Hop `json:"hops,omitempty"`     // the first and the last few, if there are many
	LeftOut  int   `json:"left_out,omitempty"` // in between
}

// Hop is a message.
type Hop struct {
	Seq     uint64 `json:"seq"`
	Send    Line   `json:"send"`
	Receive Line   `json:"receive"`
}

// Window is events of one machine, from one to another.
type Window struct {
	Events int   `json:"events"`
	First  *Line `json:"first,omitempty"`
	Last   *Line `json:"last,omitempty"`
}

// Other is how an event stands to those of one machine: it knows of the first ones, and
// the last ones know of it.
type Other struct {
	Machine    int   `json:"machine"`
	Past       int   `json:"past"` // events
	Concurrent int   `json:"concurrent"`
	Future     int   `json:"future"`
	Last       *Line `json:"last_known,omitempty"` // of the past
	First      *Line `json:"first_knowing,omitempty"`
}

// Counts are events of all machines.
type Counts struct {
	Past       int `json:"past"`
	Concurrent int `json:"concurrent"`
	Future     int `json:"future"`
}

// Carried is the way of a clock value.
type Carried struct {
	Jump uint64 `json:"jump"` // of the event's clock
	// Sent is the stamp of the message that a receive took, nil for another event.
	Sent *clock.Time `json:"sent,omitempty"`
	// From is where the chain begins that carried the value.
	From  Line  `json:"from"`
	Chain Chain `json:"chain"`
}

// How many messages of a chain are shown, from its beginning and up to its end. The way of
// a clock value leads through the whole run, and what came last tells most.
const (
	headOfChain, tailOfChain = 8, 8
	headOfWay, tailOfWay     = 1, 4
)

// explainer makes an explanation.
type explainer struct {
	x    *causal.Index
	logs []trace.Log
}

// Explain says how the event at a stands to that at b, or where b is Nowhere, to all
// others. The verdict is that on the run: it says what the logs may not show. The lines of
// the logs are still to be quoted, by [Explanation.Quote].
func Explain(run *trace.Run, x *causal.Index, v *trace.Verdict, a, b causal.Place) *Explanation {
	e := explainer{x: x, logs: run.Logs}
	out := &Explanation{Dir: run.Dir, A: e.line(a), Doubt: doubt(v)}
	if b == causal.Nowhere {
		e.one(out, a)
		return out
	}
	out.B = new(Line)
	*out.B = e.line(b)
	e.two(out, a, b)
	return out
}

// doubt says why some chains may not be seen.
func doubt(v *trace.Verdict) string {
	switch {
	case v.State == trace.Broken:
		return "the run is broken, and what its logs say of causes may not be so"
	case v.Unmatched > 0:
		return fmt.Sprintf("the logs do not show the sends of %s, through which more chains may lead", figure.Plural(v.Unmatched, "receive"))
	}
	return ""
}

func (e *explainer) line(p causal.Place) Line {
	ev, id := e.x.At(p), e.x.ID(p.Machine)
	l := Line{Machine: id, Step: ev.Step, Clock: ev.Clock, Time: time.UnixMicro(ev.Micro).UTC(), Line: ev.Line, position: p.Position}
	if i, ok := slices.BinarySearchFunc(e.logs, id, func(l trace.Log, id int) int { return cmp.Compare(l.ID, id) }); ok {
		l.File = e.logs[i].Name
	}
	return l
}

func (e *explainer) two(out *Explanation, a, b causal.Place) {
	chain, before := e.x.Shortest(a, b)
	out.Relation = causal.Before.String()
	if !before {
		if chain, before = e.x.Shortest(b, a); before {
			out.Relation = causal.After.String()
		}
	}
	switch {
	case a == b:
		out.Relation = causal.Same.String()
	case before:
		c := e.chain(chain, headOfChain, tailOfChain)
		out.Chain = &c
	default:
		out.Relation = causal.Concurrent.String()
		out.Window = e.window(a, b.Machine)
	}
}

// window returns the events of a machine that are concurrent with one.
func (e *explainer) window(a causal.Place, machine int) *Window {
	from, to := e.x.Past(a)[machine], e.x.Future(a)[machine]
	w := &Window{Events: to - from}
	if w.Events > 0 {
		w.First, w.Last = e.at(machine, from), e.at(machine, to-1)
	}
	return w
}

// at returns the line of an event, nil where there is none.
func (e *explainer) at(machine, position int) *Line {
	p := causal.Place{Machine: machine, Position: position}
	if !e.x.Has(p) {
		return nil
	}
	l := e.line(p)
	return &l
}

// chain takes the first and the last messages of a chain.
func (e *explainer) chain(all []causal.Hop, head, tail int) Chain {
	c := Chain{Messages: len(all)}
	for i, h := range all {
		if i >= head && i < len(all)-tail {
			c.LeftOut++
			continue
		}
		m, _, _ := e.x.Received(h.Receive)
		c.Hops = append(c.Hops, Hop{Seq: m.Seq, Send: e.line(h.Send), Receive: e.line(h.Receive)})
	}
	return c
}

func (e *explainer) one(out *Explanation, a causal.Place) {
	past, future := e.x.Past(a), e.x.Future(a)
	out.Counts = new(Counts)
	for m := range e.x.Machines() {
		o := Other{
			Machine: e.x.ID(m), Past: past[m] - e.x.First(m), Future: e.x.End(m) - future[m],
			Last: e.at(m, past[m]-1), First: e.at(m, future[m]),
		}
		o.Concurrent = e.x.End(m) - e.x.First(m) - o.Past - o.Future
		if m == a.Machine { // it is no other event itself
			o.Past--
			o.Last = e.at(m, a.Position-1)
		}
		out.Counts.Past += o.Past
		out.Counts.Concurrent += o.Concurrent
		out.Counts.Future += o.Future
		out.Others = append(out.Others, o)
	}
	hops, origin := e.x.Carried(a)
	c := &Carried{From: e.line(origin), Chain: e.chain(hops, headOfWay, tailOfWay), Jump: uint64(out.A.Clock)}
	if before := e.at(a.Machine, a.Position-1); before != nil {
		c.Jump = uint64(out.A.Clock - before.Clock)
	}
	if e.x.At(a).Kind == event.Receive {
		_, sent, _ := e.x.Received(a)
		c.Sent = &sent
	}
	out.Carried = c
}

// lines returns all lines that are shown.
func (x *Explanation) lines() (all []*Line) {
	all = append(all, &x.A, x.B)
	chains := []*Chain{x.Chain}
	if x.Carried != nil {
		all = append(all, &x.Carried.From)
		chains = append(chains, &x.Carried.Chain)
	}
	for _, c := range chains {
		for i := range orNone(c).Hops {
			all = append(all, &c.Hops[i].Send, &c.Hops[i].Receive)
		}
	}
	return slices.DeleteFunc(all, func(l *Line) bool { return l == nil })
}

func orNone(c *Chain) *Chain {
	if c == nil {
		return new(Chain)
	}
	return c
}

// of reports whether the line is from a log. Logs from one stream have one name.
func (l *Line) of(log *trace.Log) bool { return l.Machine == log.ID && l.File == log.Name }

// Quote reads from the logs the lines that are shown.
func (x *Explanation) Quote(run *trace.Run) error {
	var errs []error
	for i := range run.Logs {
		wanted := make(map[int]string)
		for _, l := range x.lines() {
			if l.of(&run.Logs[i]) {
				wanted[l.Line] = ""
			}
		}
		errs = append(errs, run.Logs[i].Quote(wanted))
		for _, l := range x.lines() {
			if l.of(&run.Logs[i]) {
				l.Text = wanted[l.Line]
			}
		}
	}
	return errors.Join(errs...)
}
