package trace

import (
	"cmp"
	"errors"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/tournament"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Step is one line of a run, as a walk shows it.
type Step struct {
	Machine int
	Index   int   // of the machine in [Run.Present]
	Line    int   // in the machine's log
	Micro   int64 // global time, Unix microseconds
	// Exactly one of these is set.
	Event *event.Event
	Other *logging.Record // start, pause, resume, stop or offset

	// Sent is the send that a receive belongs to, nil where it is not known.
	Sent *Flight
	// Vector is the machine's vector clock after an event, where vector clocks
	// are kept: how many events of each machine in [Run.Present] happened before it
	// or are it. Of the others no event is known. It is nil from the event on with which
	// they would take more than [Options.VectorBytes].
	Vector []uint64
	others uint64 // the sum of Vector but for the machine's own entry
}

// Visitor is shown the lines of a walk.
type Visitor interface {
	// Visit is shown the next line. What it is shown is valid during the call
	// only. With ErrEnough it leaves the walk; every other error ends the walk
	// for all.
	Visit(*Step) error
}

// VisitorFunc is a function that is a [Visitor].
type VisitorFunc func(*Step) error

// Visit calls f.
func (f VisitorFunc) Visit(s *Step) error { return f(s) }

// VectorVisitor is a [Visitor] that can ask for [Step.Vector].
type VectorVisitor interface {
	Visitor
	// WantsVectors is asked before the walk begins.
	WantsVectors() bool
}

// EndVisitor is a [Visitor] that is told where logs end.
type EndVisitor interface {
	Visitor
	// End is told that a machine has no more lines, before all lines that are shown
	// after its last one. index is its place in [Run.Present].
	End(index int)
}

// besideVisitor is a [Visitor] to whom a line says something without those of the other
// machines. It can have that without waiting for its turn in the walk.
type besideVisitor interface {
	Visitor
	// beside is called before the walk begins, for each machine that has a log. What it returns
	// is shown that log's lines where they are read, batch by batch, in a goroutine of
	// its own and before the walk comes to them; Visit still sees every line. It sees
	// no line that the walk would not come to, unless the walk ends with an error. What it
	// has done before the walk ends is done for those who look at it then.
	beside(index int) func([]logging.Entry)
}

// streakVisitor is a [Visitor] that need not be shown each event by itself. It is shown streaks
// where all visitors of a walk are such: then nobody can tell the difference.
type streakVisitor interface {
	Visitor
	// received is shown a receive of which [Step.Sent] is known when the walk comes to it,
	// before its streak.
	received(*Step)
	// streak is shown events of one machine between which the walk has come to no other
	// line, instead of a Visit of each. vector is [Step.Vector] after the last one.
	streak(index int, events []logging.Entry, vector []uint64)
}

// ErrEnough is what a [Visitor] returns that has seen all that it wants to see. It
// is shown no more lines, and the others go on.
var ErrEnough = errors.New("enough of the walk is seen")

// Options says how a walk is to be done. The zero Options is good.
type Options struct {
	// All keeps every violation, up to a bound, and not just the first of
	// each law.
	All bool
	// Vectors keeps vector clocks though no [VectorVisitor] wants them. They cost
	// memory for each message in flight, in proportion to the machines.
	Vectors bool
	// VectorBytes is how many bytes the vector clocks of messages in flight may take,
	// 0: DefaultVectorBytes. With more, none are kept any longer.
	VectorBytes int64
	// Unchecked leaves the laws aside. Then there is no verdict, and the walk ends
	// when all visitors have left it.
	Unchecked bool
}

// DefaultVectorBytes is the default of [Options.VectorBytes].
const DefaultVectorBytes = 1 << 30

// Walk goes through all lines of the run in an order that respects
// happened-before: those of a machine in their order, and every receive after
// its send. Of what is free to come next, the earliest by global time comes
// first. Each line is held against the laws and then shown to the visitors, in
// the order in which they are given; so every log is read once for all of
// them. Vector clocks are kept if any of them wants them.
//
// In a broken run, a receive without a send comes when it can hold up the others
// no longer, and where happened-before has a cycle, one receive of it comes
// before its send.
//
// The verdict says which laws hold; with o.Unchecked it is nil. An error that no
// visitor has returned, mostly a [logging.Error], says that a log cannot be read; a
// broken-off last line is not one.
func (r *Run) Walk(o Options, visitors ...Visitor) (*Verdict, error) {
	for _, v := range visitors {
		if v, ok := v.(VectorVisitor); ok && v.WantsVectors() {
			o.Vectors = true
		}
	}
	if len(visitors) == 0 && !o.Unchecked {
		if v := r.certify(o); v != nil {
			return v, nil
		}
	}
	w := newWalker(r, o, slices.Clone(visitors))
	defer w.close()
	if err := w.walk(); err != nil || w.checker == nil {
		return nil, err
	}
	return w.checker.conclude()
}

// walker is one walk. It finds the order, and the send of each receive; what is
// right about them is for its checker to say.
type walker struct {
	checker  *checker        // nil: the laws are left aside
	visitors []Visitor       // those that have not left
	streaks  []streakVisitor // the same, if all are such, else none
	stop     chan struct{}   // closed when the feeds are no longer wanted
	machines int             // that the run has, with a log or without
	roster   roster          // those with one
	tracks   []*track        // theirs, in that order
	vectors  vectors         // of messages in flight
	links    *links
	turns    *tournament.Tournament // by index, when the heads of tracks were written that may go, as far as is known

	step     Step
	sent     Flight    // that step.Sent points to
	vector   vector    // its vector clock
	passages []passage // what becomes of the messages of step, one each
}

// passage is what becomes of a message in the line that sends it, or in that which
// receives it.
type passage struct {
	outcome outcome
	link    *link         // nil: foreign
	early   *earlyReceive // of what is answered
}

// outcome is how it ends.
type outcome uint8

const (
	foreign  outcome = iota // the other end is no other machine of this run
	repeated                // this number was sent, or received, before

	// Of a send.
	underway // its receive is still to come
	answered // its receive had to go first, to break a cycle

	// Of a receive.
	arrived // its send has been seen: Step.Sent
	hasty   // it goes before its send, to break a cycle
	orphan  // no send can come any more
	unknown // its send may stand in what is missing
)

// earlyReceive is a receive that was taken before its send.
type earlyReceive struct {
	line  int
	sent  clock.Time
	clock clock.Time
}

func newWalker(r *Run, o Options, visitors []Visitor) *walker {
	present := r.Present()
	w := &walker{
		visitors: visitors,
		streaks:  streakVisitors(visitors),
		stop:     make(chan struct{}),
		machines: r.Machines,
		roster:   present,
		tracks:   make([]*track, 0, len(present)),
		turns:    tournament.New(len(present)),
		links:    newLinks(r.Machines, len(present)),
		vectors:  newVectors(len(present), cmp.Or(o.VectorBytes, DefaultVectorBytes)),
	}
	if !o.Unchecked {
		w.checker = newChecker(r, w.links, o.All)
	}
	for i := range r.Logs {
		l, n := &r.Logs[i], len(w.tracks)
		if n > 0 && w.tracks[n-1].id == l.ID {
			continue // the checker says so
		}
		var beside []func([]logging.Entry)
		for _, v := range visitors {
			if v, ok := v.(besideVisitor); ok {
				beside = append(beside, v.beside(n))
			}
		}
		t := &track{id: l.ID, index: n, log: l, feed: newFeed(l, len(r.Logs), w.stop, beside...), waitsFor: -1}
		if o.Vectors {
			t.vector = make([]uint64, len(present))
		}
		w.tracks = append(w.tracks, t)
	}
	return w
}

// streakVisitors returns visitors that are all shown streaks, nil where any is not.
func streakVisitors(visitors []Visitor) (streaks []streakVisitor) {
	for _, v := range visitors {
		s, ok := v.(streakVisitor)
		if !ok {
			return nil
		}
		streaks = append(streaks, s)
	}
	return streaks
}

// track returns a machine's track, nil where it has no log.
func (w *walker) track(id int) *track {
	if id < len(w.tracks) && w.tracks[id].id == id { // no smaller one is missing
		return w.tracks[id]
	}
	return w.find(id)
}

func (w *walker) find(id int) *track {
	if i, ok := w.roster.index(id); ok {
		return w.tracks[i]
	}
	return nil
}

// close ends the feeds.
func (w *walker) close() {
	close(w.stop)
	for _, t := range w.tracks {
		t.feed.wait()
	}
}

// walk runs through the logs, as far as anybody wants to see them.
func (w *walker) walk() error {
	for _, t := range w.tracks {
		if err := w.advance(t); err != nil {
			return err
		}
		w.turns.Set(t.index, t.turn())
	}
	for w.checker != nil || len(w.visitors) > 0 {
		i, turn := w.turns.Winner()
		if turn == tournament.Never {
			if going, err := w.unlock(); !going || err != nil {
				return err
			}
			continue
		}
		if err := w.follow(w.tracks[i]); err != nil {
			return err
		}
	}
	return nil
}

// follow takes the head of the track whose turn it is, and the lines behind it of which it is
// the turn too, as far as they have been read.
func (w *walker) follow(t *track) error {
	lines := t.feed.ahead()
	if len(w.streaks) < len(w.visitors) {
		lines = lines[:1] // behind it, they may all have left
	}
	n, begins := 0, 0 // begins is where the streak does that is not shown yet
	for ; n < len(lines); n++ {
		e := &lines[n]
		t.head = e
		if n > 0 {
			w.turns.Set(t.index, t.turn())
			if i, _ := w.turns.Winner(); i != t.index {
				break
			}
		}
		if e.Other == nil && e.Event.Kind == event.Receive && !w.mayGo(t) {
			w.turns.Set(t.index, tournament.Never)
			break
		}
		t.mustGo = false
		if e.Other != nil {
			w.showStreak(t, lines[begins:n])
			begins = n + 1
		}
		if err := w.take(t, e); err != nil {
			return err
		}
	}
	w.showStreak(t, lines[begins:n])
	if n < len(lines) {
		t.feed.skip(n)
		return nil
	}
	t.feed.skip(n - 1)
	if err := w.advance(t); err != nil {
		return err
	}
	w.turns.Set(t.index, t.turn())
	return nil
}

// take processes a line of a track.
func (w *walker) take(t *track, e *logging.Entry) error {
	w.step = Step{Machine: t.id, Index: t.index, Line: e.Line, Micro: e.UnixMicro}
	w.passages = w.passages[:0]
	if e.Other != nil {
		w.step.Other = e.Other
		t.stopped = t.stopped || e.Other.Kind == logging.StopRecord
	} else {
		w.step.Event = &e.Event
		w.event(t, e)
	}
	if w.checker != nil {
		w.checker.line(&w.step, e.ID, w.passages)
	}
	if w.streaks != nil && e.Other == nil {
		if w.step.Sent != nil {
			for _, v := range w.streaks {
				v.received(&w.step)
			}
		}
	} else if len(w.visitors) > 0 {
		if err := w.show(); err != nil {
			return err
		}
	}
	if w.vector != 0 {
		w.vectors.landed(w.vector)
		w.vector = 0
	}
	return nil
}

// showStreak shows events of a track that have been taken.
func (w *walker) showStreak(t *track, events []logging.Entry) {
	if len(events) == 0 {
		return
	}
	for _, v := range w.streaks {
		v.streak(t.index, events, t.vector)
	}
}

// show shows the step to the visitors.
func (w *walker) show() error {
	left := false
	for i, v := range w.visitors {
		err := v.Visit(&w.step)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrEnough) {
			return err
		}
		w.visitors[i], left = nil, true
	}
	if left {
		w.visitors = slices.DeleteFunc(w.visitors, func(v Visitor) bool { return v == nil })
		if w.streaks != nil {
			w.streaks = streakVisitors(w.visitors)
		}
	}
	return nil
}

// event sends and receives the messages of an event.
func (w *walker) event(t *track, e *logging.Entry) {
	if t.vector != nil {
		t.vector[t.index]++
		w.step.Vector, w.step.others = t.vector, t.others
	}
	messages := e.Event.Messages()
	for i := range messages {
		if e.Event.Kind == event.Receive {
			w.passages = append(w.passages, w.receive(t, &messages[i]))
		} else {
			w.passages = append(w.passages, w.send(t, e, &messages[i]))
		}
	}
}

// send puts a message on its way.
func (w *walker) send(t *track, e *logging.Entry, m *event.Message) passage {
	to := int(m.To)
	if !w.isOther(to, t) {
		return passage{outcome: foreign}
	}
	l := w.links.get(t.id, to)
	if !l.sent.add(m.Seq) {
		return passage{outcome: repeated, link: l}
	}
	if l.oddities != nil {
		if r, ok := l.early[m.Seq]; ok {
			delete(l.early, m.Seq)
			early := r // so that r is no allocation where there is none
			return passage{outcome: answered, link: l, early: &early}
		}
	}
	r := w.track(to)
	if r == nil || r.ended {
		return passage{outcome: underway, link: l} // what nobody will ask for is not kept
	}
	f := flight{clock: e.Event.Clock, micro: e.UnixMicro, line: e.Line}
	if t.vector != nil {
		if f.vector = w.vectors.keep(t.vector, t.index, r.index); f.vector == 0 {
			w.noVectors()
		}
	}
	l.push(m.Seq, f)
	if r.waitsFor == t.id && r.waitsSeq == m.Seq {
		w.wake(r)
	}
	return passage{outcome: underway, link: l}
}

// noVectors keeps no vector clocks from now on.
func (w *walker) noVectors() {
	for _, t := range w.tracks {
		t.vector = nil
	}
	w.step.Vector, w.vectors = nil, vectors{}
}

// receive takes a message from its link, and what its sender knew with it.
func (w *walker) receive(t *track, m *event.Message) passage {
	from := int(m.From)
	if !w.isOther(from, t) {
		return passage{outcome: foreign}
	}
	l := w.links.get(from, t.id)
	if !l.received.add(m.Seq) {
		return passage{outcome: repeated, link: l}
	}
	if f := l.take(m.Seq); f != nil {
		w.sent = Flight{Seq: m.Seq, Clock: f.clock, Micro: f.micro, Line: f.line}
		w.step.Sent = &w.sent
		if f.vector != 0 && t.vector != nil {
			w.vector = f.vector
			w.sent.Vector = w.vectors.of(f.vector)
			t.learn(w.sent.Vector)
			w.step.others = t.others
		}
		return passage{outcome: arrived, link: l}
	}
	if l.oddities != nil {
		if _, ok := l.early[m.Seq]; ok {
			return passage{outcome: hasty, link: l}
		}
	}
	if sender := w.track(from); sender != nil && sender.neverSends(l, t.id, m.Seq) {
		return passage{outcome: orphan, link: l}
	}
	return passage{outcome: unknown, link: l}
}

// advance makes the next line of a log its track's head.
func (w *walker) advance(t *track) error {
	t.head = t.feed.next()
	if t.head != nil {
		return nil
	}
	err := t.feed.ending()
	torn := errors.Is(err, logging.ErrTorn)
	if err != nil && !torn {
		return err
	}
	if torn && w.checker != nil {
		w.checker.torn(t.index, err)
	}
	t.ended = true
	for _, v := range w.visitors {
		if v, ok := v.(EndVisitor); ok {
			v.End(t.index)
		}
	}
	if t.awaited == 0 {
		return nil
	}
	for _, other := range w.tracks {
		if other.waitsFor == t.id {
			w.wake(other)
		}
	}
	return nil
}

// mayGo reports whether the head of a track can be processed, which is a receive: unless its send
// may still come. All other lines can.
func (w *walker) mayGo(t *track) bool {
	if t.mustGo {
		return true
	}
	m := &t.head.Event.Messages()[0]
	from := int(m.From)
	if !w.isOther(from, t) {
		return true
	}
	sender := w.track(from)
	if sender == nil || sender.ended {
		return true
	}
	// A message that was received before, which is a violation, waits for nothing.
	if l := w.links.get(from, t.id); l.sent.has(m.Seq) || l.received.has(m.Seq) {
		return true
	}
	t.waitsFor, t.waitsSeq = from, m.Seq
	sender.awaited++
	return false
}

// isOther reports whether id is a machine of this run that t's can have a link
// with.
func (w *walker) isOther(id int, t *track) bool { return id < w.machines && id != t.id }

func (w *walker) wake(t *track) {
	w.track(t.waitsFor).awaited--
	t.waitsFor = -1
	w.turns.Set(t.index, t.turn())
}

// unlock is asked when no track may go. It reports false if that is because all
// have ended. Otherwise each that has not waits for a send in the log of another
// that has not ended either. Then there are receives among them whose sends never
// come, which are let go; or there is a cycle, which is broken up.
func (w *walker) unlock() (going bool, err error) {
	var waiting *track
	for _, t := range w.tracks {
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
	m := first.head.Event.Messages()[0]
	l := w.links.get(int(m.From), first.id)
	l.odd().early[m.Seq] = earlyReceive{line: first.head.Line, sent: m.Sent, clock: first.head.Event.Clock}
	first.mustGo = true
	w.wake(first)
	return true, nil
}

// comes reports whether the send that a track waits for stands further down in
// its sender's log. That log is read to its end to know, once in a walk.
func (w *walker) comes(t *track) (bool, error) {
	sender := w.track(t.waitsFor)
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

// hop is one machine on a cycle: in its line it receives a message, before it
// sends another.
type hop struct {
	machine, line int
	from          int // whose message
	received      uint64
	to            int // for whom the other one is
	sent          uint64
}

// cycle follows the track from one that waits to the next until it has gone round
// in a cycle, which it reports. It returns the earliest on the cycle.
func (w *walker) cycle(t *track) (earliest *track) {
	seen := make(map[*track]bool)
	for !seen[t] {
		seen[t] = true
		t = w.track(t.waitsFor)
	}
	// t is on the cycle. Go round it once.
	var hops []hop
	for waiting := t; ; {
		sender := w.track(waiting.waitsFor)
		if earliest == nil || sender.before(earliest) {
			earliest = sender
		}
		hops = append(hops, hop{
			machine: sender.id, line: sender.head.Line, from: sender.waitsFor, received: sender.waitsSeq,
			to: waiting.id, sent: waiting.waitsSeq,
		})
		if waiting = sender; waiting == t {
			break
		}
	}
	if w.checker != nil {
		w.checker.cycle(hops)
	}
	return earliest
}
