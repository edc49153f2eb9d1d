package trace

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// Walk goes through all lines of the run in an order that respects
// happened-before: those of a machine in their order, and every receive after
// its send. Of what is free to come next, the earliest by global time comes
// first. visit, if not nil, is shown each line; what it is shown is valid
// during the call only. An error of visit ends the walk.
//
// In a broken run, a receive without a send comes when it can hold up the others
// no longer, and where happened-before has a cycle, one receive of it comes
// before its send.
//
// The verdict says which laws hold. An error, mostly a [logging.Error], says that
// a log cannot be read; a broken-off last line is not one.
func (r *Run) Walk(o Options, visit func(*Step) error) (*Verdict, error) {
	w := newWalker(r, o, visit)
	defer w.close()
	if err := w.walk(); err != nil {
		return nil, err
	}
	w.finish()
	v := w.verdict
	var err error
	if v.Violations, err = violations(w.findings); err != nil {
		return nil, err
	}
	return &v, nil
}

// walker is one walk.
type walker struct {
	options  Options
	visit    func(*Step) error
	stop     chan struct{} // closed when the feeds are no longer wanted
	tracks   []*track      // by machine; nil: no log
	present  []*track      // those that are not nil
	links    *links
	ready    heap   // the tracks that may go, as far as is known
	first    *track // whose start line the others must fit
	verdict  Verdict
	findings []finding
	step     Step
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
	for i := range r.Logs {
		l := &r.Logs[i]
		if t := w.tracks[l.ID]; t != nil {
			w.violate(LawRun, fmt.Sprintf("machine %d has two logs; only the other one is checked", l.ID), place{log: l, line: 1}, t.at(1))
			continue
		}
		t := &track{id: l.ID, log: l, feed: newFeed(l, batchSize(len(r.Logs)), w.stop), stray: l.ID, waitsFor: -1}
		if o.Vectors {
			t.vector = make([]uint64, r.Machines)
		}
		w.tracks[l.ID] = t
		w.present = append(w.present, t)
	}
	return w
}

// close ends the feeds.
func (w *walker) close() {
	close(w.stop)
	for _, t := range w.present {
		t.feed.wait()
	}
}

// walk runs through the logs.
func (w *walker) walk() error {
	for _, t := range w.present {
		if err := w.advance(t); err != nil {
			return err
		}
	}
	for {
		t := w.ready.min()
		switch {
		case t == nil:
			if going, err := w.unlock(); !going || err != nil {
				return err
			}
		case w.mayGo(t):
			if err := w.take(t); err != nil {
				return err
			}
		default:
			w.ready.remove(t)
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
	t.mustGo = false
	t.head = t.feed.next()
	if t.head != nil {
		t.key = t.head.micro
		w.ready.fix(t)
		return nil
	}
	if err := t.feed.ending(); errors.Is(err, logging.ErrTorn) {
		t.torn = true
		if t.stop != nil && t.last.line == t.stop.Line {
			w.violate(LawRun, "the log goes on after its stop line", t.at(t.last.line+1), t.at(t.stop.Line))
		}
	} else if err != nil {
		return err
	}
	t.ended = true
	w.ready.remove(t)
	for _, other := range w.present {
		if other.waitsFor == t.id {
			w.wake(other)
		}
	}
	return nil
}

// mayGo reports whether the head of a track can be processed: anything but a
// receive whose send may still come.
func (w *walker) mayGo(t *track) bool {
	e := t.head
	if e.other != nil || e.event.Kind != event.Receive || t.mustGo {
		return true
	}
	m := e.event.Messages()[0]
	from := int(m.From)
	if !w.isOther(from, t) {
		return true
	}
	if sender := w.tracks[from]; sender == nil || sender.ended {
		return true
	}
	// A message that was received before, which is a violation, waits for nothing.
	if l := w.links.get(from, t.id); l.sent.has(m.Seq) || l.received.has(m.Seq) {
		return true
	}
	t.waitsFor, t.waitsSeq = from, m.Seq
	return false
}

// isOther reports whether id is a machine of this run that t's can have a link
// with.
func (w *walker) isOther(id int, t *track) bool { return id < len(w.tracks) && id != t.id }

func (w *walker) wake(t *track) {
	t.waitsFor = -1
	w.ready.fix(t)
}

// unlock is asked when no track may go. It reports false if that is because all
// have ended. Otherwise each that has not waits for a send in the log of another
// that has not ended either. Then there are receives among them whose sends never
// come, which are let go; or there is a cycle, which is broken up.
func (w *walker) unlock() (going bool, err error) {
	var waiting *track
	for _, t := range w.present {
		if t.waitsFor < 0 {
			continue
		}
		waiting = t
		comes, err := w.comes(t)
		if err != nil {
			return false, err
		}
		if !comes {
			t.mustGo, going = true, true
			w.wake(t)
		}
	}
	if going || waiting == nil {
		return going, nil
	}
	first := w.cycle(waiting)
	m := first.head.event.Messages()[0]
	l := w.links.get(int(m.From), first.id)
	if l.early == nil {
		l.early = make(map[uint64]earlyReceive)
	}
	l.early[m.Seq] = earlyReceive{line: first.head.line, sent: m.Sent, clock: first.head.event.Clock}
	first.mustGo = true
	w.wake(first)
	return true, nil
}

// comes reports whether the send that a track waits for stands further down in
// its sender's log. That log is read to its end to know, once in a walk.
func (w *walker) comes(t *track) (bool, error) {
	sender := w.tracks[t.waitsFor]
	if sender.whole == nil {
		whole := &whole{sent: make(map[int]*numbers)}
		err := sender.log.lines(func(rec *logging.Record) {
			switch {
			case rec.Kind == logging.StopRecord:
				whole.stopped = true
			case rec.Kind == logging.EventRecord && rec.Event.Kind == event.Send:
				for _, m := range rec.Event.Messages() {
					whole.sentTo(int(m.To)).add(m.Seq)
				}
			}
		})
		if err != nil {
			return false, err
		}
		sender.whole = whole
	}
	return sender.whole.sentTo(t.id).has(t.waitsSeq), nil
}

// cycle follows the track from one that waits to the next until it has gone round
// in a cycle, which it reports. It returns the earliest on the cycle.
func (w *walker) cycle(t *track) (earliest *track) {
	seen := make(map[*track]bool)
	for !seen[t] {
		seen[t] = true
		t = w.tracks[t.waitsFor]
	}
	// t is on the cycle. Go round it once.
	const most = 4
	var hops []string
	var places []place
	machines := 0
	for waiting := t; ; {
		sender := w.tracks[waiting.waitsFor]
		machines++
		if earliest == nil || sender.before(earliest) {
			earliest = sender
		}
		if machines <= most {
			hops = append(hops, fmt.Sprintf("machine %d receives message %d of machine %d before it sends message %d to machine %d",
				sender.id, sender.waitsSeq, sender.waitsFor, waiting.waitsSeq, waiting.id))
			places = append(places, sender.ref(sender.head), place{log: sender.log, message: message{peer: waiting.id, seq: waiting.waitsSeq}})
		}
		if waiting = sender; waiting == t {
			break
		}
	}
	if machines > most {
		hops = append(hops, fmt.Sprintf("and so on round %d machines", machines))
	}
	w.violate(LawAcyclic, "each of these happened before itself: "+strings.Join(hops, "; "), places...)
	return earliest
}

// track is one machine's way through its log.
type track struct {
	id    int
	log   *Log
	feed  *feed
	head  *entry // the next line
	ended bool
	torn  bool
	key   int64 // global time of the head
	place int   // in the heap, from 1; 0: not there

	waitsFor int // the machine whose send the head needs, -1: none
	waitsSeq uint64
	mustGo   bool   // the head is to go without its send
	whole    *whole // nil: not known

	start, stop *logging.Record // the first of each; start without its peers
	stray       int             // the machine that the last line names
	last        prior
	// vector is the machine's vector clock, if they are kept.
	vector []uint64
}

// whole is what is known of a log when it has been read to its end.
type whole struct {
	sent    map[int]*numbers // by recipient
	stopped bool
}

// sentTo returns the messages that are sent to a machine.
func (h *whole) sentTo(id int) *numbers {
	if h.sent[id] == nil {
		h.sent[id] = new(numbers)
	}
	return h.sent[id]
}

// neverSends reports whether a message that the log does not show can stand in no
// part of it that is missing either: nothing is missing before a stop line, nor
// before a message of a larger number.
func (t *track) neverSends(l *link, seq uint64) bool {
	if t.stop != nil || seq < l.sent.largest() {
		return true
	}
	return t.whole != nil && (t.whole.stopped || seq < t.whole.sentTo(l.to).largest())
}

// prior is what a line must follow from.
type prior struct {
	step  uint64
	clock uint64
	line  int
}

func (t *track) ref(e *entry) place { return place{log: t.log, line: e.line} }
func (t *track) at(line int) place  { return place{log: t.log, line: line} }

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
