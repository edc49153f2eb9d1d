package trace

import (
	"errors"
	"fmt"
	"slices"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Step is one line of a run, as a walk shows it.
type Step struct {
	Machine int
	Line    int   // in the machine's log
	Micro   int64 // global time, Unix microseconds
	// Exactly one of these is set.
	Event *event.Event
	Other *logging.Record // start, resume or stop

	// Sent is the send that a receive belongs to, nil where it is not known.
	Sent *Flight
	// Vector is the machine's vector clock after an event, if
	// Options.Vectors: how many events of each machine happened before it
	// or are it.
	Vector []uint64
}

// Options says how a walk is to be done. The zero Options is good.
type Options struct {
	// All keeps every violation, up to a bound, and not just the first of
	// each law.
	All bool
	// Vectors keeps vector clocks. They cost memory for each message in
	// flight, in proportion to the machines.
	Vectors bool
}

// mostKept bounds the violations that a verdict holds.
const mostKept = 10_000

// Walk goes through all lines of the run in an order that respects
// happened-before: those of a machine in their order, and every receive after
// its send. Of what is free to come next, the earliest by global time comes
// first. visit, if not nil, is shown each line; what it is shown is valid
// during the call only. An error of visit ends the walk.
//
// The verdict says which laws hold. An error, mostly a [logging.Error], says that
// a log cannot be read; a broken-off last line is not one.
func (r *Run) Walk(o Options, visit func(*Step) error) (*Verdict, error) {
	w := newWalker(r, o, visit)
	defer close(w.stop)
	if err := w.walk(); err != nil {
		return nil, err
	}
	w.finish()
	if err := w.quote(); err != nil {
		return nil, err
	}
	return &w.verdict, nil
}

// walker is one walk.
type walker struct {
	options Options
	visit   func(*Step) error
	stop    chan struct{}
	tracks  []*track // by machine
	links   *links
	ready   heap   // the tracks that may go, as far as is known
	first   *track // whose start line the others must fit
	verdict Verdict
	step    Step
}

func newWalker(r *Run, o Options, visit func(*Step) error) *walker {
	w := &walker{
		options: o,
		visit:   visit,
		stop:    make(chan struct{}),
		links:   newLinks(r.Machines),
		tracks:  make([]*track, r.Machines),
	}
	w.verdict.Machines = r.Machines
	w.verdict.Broken = make(map[Law]uint64)
	batch := 512
	if len(r.Logs) > 16 {
		batch = 64
	}
	for i := range w.tracks {
		w.tracks[i] = &track{id: i, ended: true, waitsFor: -1}
		if o.Vectors {
			w.tracks[i].vector = make([]uint64, r.Machines)
		}
	}
	for _, l := range r.Logs {
		t := w.tracks[l.ID]
		if t.feed != nil {
			w.violate(LawRun, fmt.Sprintf("machine %d has two logs in this directory", l.ID), Ref{File: l.Path, Line: 1}, Ref{File: t.feed.log.Path, Line: 1})
			continue
		}
		t.feed = newFeed(l, batch, w.stop)
		t.ended = false
	}
	return w
}

// walk runs through the logs.
func (w *walker) walk() error {
	for _, t := range w.tracks {
		if t.feed == nil {
			continue
		}
		if err := w.advance(t); err != nil {
			return err
		}
	}
	for {
		t := w.ready.min()
		if t == nil {
			if t = w.cycle(); t == nil {
				return nil
			}
			if err := w.take(t); err != nil {
				return err
			}
			continue
		}
		if !w.mayGo(t) {
			w.ready.pop()
			continue
		}
		if err := w.take(t); err != nil {
			return err
		}
	}
}

// take processes the head of a track and moves it on.
func (w *walker) take(t *track) error {
	e := t.head
	w.step = Step{Machine: t.id, Line: e.line, Micro: e.micro}
	if e.other != nil {
		w.step.Other = e.other
		w.other(t, e)
	} else {
		w.step.Event = &e.event
		w.event(t, e)
	}
	if w.visit != nil {
		if err := w.visit(&w.step); err != nil {
			return err
		}
	}
	return w.advance(t)
}

// advance makes the next line of a log its track's head.
func (w *walker) advance(t *track) error {
	t.head = t.feed.next()
	if t.head != nil {
		t.key = t.head.micro
		w.ready.fix(t)
		return nil
	}
	err := t.feed.ending()
	switch {
	case errors.Is(err, logging.ErrTorn):
		t.torn = true
	case err != nil:
		return err
	}
	t.ended = true
	w.ready.remove(t)
	for _, other := range w.tracks {
		if other.waitsFor == t.id {
			w.wake(other)
		}
	}
	return nil
}

// mayGo reports whether the head of a track can be processed: anything but a
// receive whose send is still to come.
func (w *walker) mayGo(t *track) bool {
	e := t.head
	if e.other != nil || e.event.Kind != event.Receive {
		return true
	}
	m := e.event.Messages()[0]
	from := int(m.From)
	if from >= len(w.tracks) || from == t.id || w.tracks[from].ended || w.links.get(from, t.id).lastSent >= m.Seq {
		return true
	}
	t.waitsFor, t.waitsSeq = from, m.Seq
	return false
}

func (w *walker) wake(t *track) {
	t.waitsFor = -1
	w.ready.fix(t)
}

// cycle is asked when no track may go. It returns nil if that is because all
// have ended; else each waits for a send of one that waits itself, so the
// machines' orders and the messages' together have a cycle. It reports
// the cycle, and returns a track of it that is to go on all the same.
func (w *walker) cycle() *track {
	var t *track
	for _, other := range w.tracks {
		if other.waitsFor >= 0 {
			t = other
			break
		}
	}
	if t == nil {
		return nil
	}
	seen := make(map[*track]bool)
	for !seen[t] {
		seen[t] = true
		t = w.tracks[t.waitsFor]
	}
	// t is on the cycle; go round it once.
	var refs []Ref
	var hops []string
	around := t
	for {
		refs = append(refs, around.ref(around.head))
		hops = append(hops, fmt.Sprintf("machine %d waits for message %d of machine %d", around.id, around.waitsSeq, around.waitsFor))
		around = w.tracks[around.waitsFor]
		if around == t {
			break
		}
	}
	const most = 5
	if len(hops) > most {
		hops = append(hops[:most], fmt.Sprintf("and so on, %d machines in all", len(refs)))
	}
	w.violate(LawAcyclic, "these receives happened before themselves: "+join(hops)+", which each sends only afterwards", refs...)
	m := t.head.event.Messages()[0]
	l := w.links.get(int(m.From), t.id)
	if l.ahead == nil {
		l.ahead = make(map[uint64]aheadReceive)
	}
	l.ahead[m.Seq] = aheadReceive{line: t.head.line, sent: m.Sent, clock: t.head.event.Clock}
	t.waitsFor = -1
	w.ready.fix(t)
	return t
}

func join(parts []string) string {
	s := ""
	for i, p := range parts {
		if i > 0 {
			s += ", "
		}
		s += p
	}
	return s
}

// violate notes that a law is broken.
func (w *walker) violate(law Law, what string, refs ...Ref) {
	w.verdict.Broken[law]++
	if n := w.verdict.Broken[law]; n > 1 && !w.options.All || len(w.verdict.Violations) >= mostKept {
		return
	}
	w.verdict.Violations = append(w.verdict.Violations, Violation{Law: law, What: what, Events: refs})
}

// track is one machine's way through its log.
type track struct {
	id    int
	feed  *feed  // nil: there is no log
	head  *entry // the next line
	ended bool
	torn  bool
	key   int64 // global time of the head
	place int   // in the heap, from 1; 0: not there

	waitsFor int // the machine whose send the head needs, -1: none
	waitsSeq uint64

	start *logging.Record
	stop  *logging.Record
	last  prior
	// vector is the machine's vector clock, if they are kept.
	vector []uint64
}

// prior is what a line must follow from.
type prior struct {
	step  uint64
	clock uint64
	line  int
}

func (t *track) ref(e *entry) Ref { return Ref{File: t.feed.log.Path, Line: e.line} }
func (t *track) at(line int) Ref  { return Ref{File: t.feed.log.Path, Line: line} }

// heap holds the tracks that may go, the earliest by (global time, machine) on
// top.
type heap struct {
	tracks []*track
}

func (t *track) before(o *track) bool { return t.key < o.key || t.key == o.key && t.id < o.id }

func (h *heap) min() *track {
	if len(h.tracks) == 0 {
		return nil
	}
	return h.tracks[0]
}

func (h *heap) pop() { h.remove(h.tracks[0]) }

// fix puts a track where its key belongs, adding it if it is not there.
func (h *heap) fix(t *track) {
	if t.place == 0 {
		h.tracks = append(h.tracks, t)
		t.place = len(h.tracks)
	}
	h.up(t.place - 1)
	h.down(t.place - 1)
}

func (h *heap) remove(t *track) {
	if t.place == 0 {
		return
	}
	i, last := t.place-1, len(h.tracks)-1
	h.swap(i, last)
	h.tracks = slices.Delete(h.tracks, last, last+1)
	t.place = 0
	if i < last {
		h.up(i)
		h.down(h.tracks[i].place - 1)
	}
}

func (h *heap) up(i int) {
	for i > 0 && h.tracks[i].before(h.tracks[(i-1)/2]) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h *heap) down(i int) {
	for {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < len(h.tracks) && h.tracks[c].before(h.tracks[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *heap) swap(i, j int) {
	h.tracks[i], h.tracks[j] = h.tracks[j], h.tracks[i]
	h.tracks[i].place, h.tracks[j].place = i+1, j+1
}
