package trace

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// belongs checks that a line may stand where it stands in this log.
func (w *walker) belongs(t *track, e *entry) {
	isStart := e.other != nil && e.other.Kind == logging.StartRecord
	if e.id != t.stray && e.id != t.id { // said once for lines that follow each other
		w.violate(LawRun, fmt.Sprintf("a line of machine %d in the log of machine %d", e.id, t.id), t.ref(e))
	}
	t.stray = e.id
	switch {
	case t.stop != nil && t.last.line == t.stop.Line: // likewise
		w.violate(LawRun, "the log goes on after its stop line", t.ref(e), t.at(t.stop.Line))
	case t.last.line == 0 && !isStart:
		w.violate(LawRun, "the log does not open with a start line", t.ref(e))
	case t.start != nil && isStart:
		w.violate(LawRun, "a second start line", t.ref(e), t.at(t.start.Line))
	}
}

// other holds a start, resume or stop line against the laws.
func (w *walker) other(t *track, e *entry) {
	w.belongs(t, e)
	switch e.other.Kind {
	case logging.StartRecord:
		if t.start == nil {
			w.started(t, e)
		}
	case logging.ResumeRecord:
		r := e.other.Resume
		w.repeats(t, e, "resume", r.Step, r.Clock)
	case logging.StopRecord:
		s := &e.other.Stop
		w.repeats(t, e, "stop", s.Step, s.Clock)
		if pending := sum(s.Pending); pending != uint64(s.Queue) {
			w.violate(LawConservation, fmt.Sprintf("queue=%d, but pending lists %s", s.Queue, plural(pending, "message")), t.ref(e))
		}
		if t.stop == nil {
			t.stop = e.other
		}
	}
	t.last.line = e.line
}

// started holds a start line against the file's name and the other logs' start
// lines.
func (w *walker) started(t *track, e *entry) {
	start := *e.other
	start.Start.Peers = nil // all logs' together are many
	t.start = &start
	s := &e.other.Start
	if name := logging.FileName(t.id, s.Rate); t.log.File != "" && t.log.File != name {
		w.violate(LawRun, fmt.Sprintf("the log of machine %d with rate %v is called %s, not %s", t.id, s.Rate, name, t.log.File), t.ref(e))
	}
	if t.id >= s.Machines {
		w.violate(LawRun, fmt.Sprintf("machine %d in a run of %s: the last is %d", t.id, plural(uint64(s.Machines), "machine"), s.Machines-1), t.ref(e))
	} else if !isAllOthers(s.Peers, t.id, s.Machines) {
		w.violate(LawRun, fmt.Sprintf("the peers of machine %d are not the %d others of 0 to %d", t.id, s.Machines-1, s.Machines-1), t.ref(e))
	}
	if w.first == nil {
		w.first = t
		return
	}
	f := &w.first.start.Start
	var differs []string
	if s.Run != f.Run {
		differs = append(differs, fmt.Sprintf("run %q here, %q there", s.Run, f.Run))
	}
	if s.Machines != f.Machines {
		differs = append(differs, fmt.Sprintf("%s here, %d there", plural(uint64(s.Machines), "machine"), f.Machines))
	}
	if s.Die != f.Die {
		differs = append(differs, fmt.Sprintf("a die of %s here, %d there", plural(uint64(s.Die), "face"), f.Die))
	}
	if differs != nil {
		w.violate(LawRun, "two logs are not of one run: "+strings.Join(differs, ", "), t.ref(e), w.first.at(w.first.start.Line))
	}
}

// isAllOthers reports whether peers are 0 … machines-1 without id, ascending.
func isAllOthers(peers []int, id, machines int) bool {
	if len(peers) != machines-1 {
		return false
	}
	for i, p := range peers {
		want := i
		if i >= id {
			want++
		}
		if p != want {
			return false
		}
	}
	return true
}

// repeats checks that a resume or stop line says where the events before it have
// led.
func (w *walker) repeats(t *track, e *entry, kind string, step uint64, c clock.Time) {
	if step != t.last.step {
		w.violate(LawStep, fmt.Sprintf("%s at step %d, but the last step was %d", kind, step, t.last.step), t.withPrevious(e)...)
	}
	if uint64(c) != t.last.clock {
		w.violate(LawIncrement, fmt.Sprintf("%s at clock %d, but the last clock was %d", kind, c, t.last.clock), t.withPrevious(e)...)
	}
	t.last.step, t.last.clock = step, uint64(c)
}

// withPrevious returns the line e and the line before it.
func (t *track) withPrevious(e *entry) []place {
	if t.last.line == 0 {
		return []place{t.ref(e)}
	}
	return []place{t.ref(e), t.at(t.last.line)}
}

// event holds an event against the laws.
func (w *walker) event(t *track, e *entry) {
	w.verdict.Events++
	if e.id != t.stray || t.stop != nil || t.last.line == 0 {
		w.belongs(t, e)
	}
	ev := &e.event
	if !follows(ev.Step, t.last.step) {
		w.violate(LawStep, fmt.Sprintf("step %d after step %d, expected %s", ev.Step, t.last.step, next(t.last.step)), t.withPrevious(e)...)
	}
	if t.vector != nil {
		t.vector[t.id]++
		w.step.Vector = t.vector
	}
	if ev.Kind == event.Receive {
		w.received(t, e)
	} else {
		if !follows(uint64(ev.Clock), t.last.clock) {
			w.violate(LawIncrement, fmt.Sprintf("clock %d after clock %d, expected %s", ev.Clock, t.last.clock, next(t.last.clock)), t.withPrevious(e)...)
		}
		for _, m := range ev.Messages() {
			w.sent(t, e, m)
		}
	}
	t.last = prior{step: ev.Step, clock: uint64(ev.Clock), line: e.line}
}

// next says in words what follows n.
func next(n uint64) string {
	if n == math.MaxUint64 {
		return "nothing, since that is the largest number"
	}
	return strconv.FormatUint(n+1, 10)
}

// sent takes in one message of a send.
func (w *walker) sent(t *track, e *entry, m event.Message) {
	w.verdict.Sent++
	to := int(m.To)
	if !w.isOther(to, t) {
		w.violate(LawMatch, fmt.Sprintf("a message to machine %d, which is no other machine of this run of %d", to, len(w.tracks)), t.ref(e))
		return
	}
	l := w.links.get(t.id, to)
	l.sends++
	if !l.sent.add(m.Seq) {
		w.violate(LawMatch, fmt.Sprintf("message %d to machine %d is sent a second time", m.Seq, to),
			t.ref(e), place{log: t.log, message: message{peer: to, seq: m.Seq}})
		return
	}
	if !follows(m.Seq, l.lastSent) {
		what, places := fmt.Sprintf("message %d to machine %d is sent", m.Seq, to), []place{t.ref(e)}
		if l.sends > 1 {
			places = append(places, place{log: t.log, message: message{peer: to, seq: l.lastSent}})
		}
		w.violate(LawFIFO, what+after(l.sends > 1, l.lastSent), places...)
	}
	l.lastSent = m.Seq
	f := Flight{Seq: m.Seq, Clock: e.event.Clock, Micro: e.micro, Line: e.line}
	if r, ok := l.early[m.Seq]; ok { // its receive had to go first
		delete(l.early, m.Seq)
		w.pair(t, &f, w.tracks[to], r)
		return
	}
	if t.vector != nil {
		f.Vector = append(f.Vector, t.vector...)
	}
	l.push(f)
	if r := w.tracks[to]; r != nil && r.waitsFor == t.id && r.waitsSeq == m.Seq {
		w.wake(r)
	}
}

// after says that a message is out of order: behind another, or as the first of its
// link.
func after(another bool, last uint64) string {
	if !another {
		return " first, expected 1"
	}
	return fmt.Sprintf(" after message %d, expected %s", last, next(last))
}

// received holds a receive against the laws.
func (w *walker) received(t *track, e *entry) {
	w.verdict.Received++
	ev := &e.event
	m := ev.Messages()[0]
	if latest := max(t.last.clock, uint64(m.Sent)); !follows(uint64(ev.Clock), latest) {
		w.violate(LawReceive, fmt.Sprintf("clock %d, expected max(previous %d, sent %d) + 1 = %s", ev.Clock, t.last.clock, m.Sent, next(latest)), t.withPrevious(e)...)
	}
	from := int(m.From)
	if !w.isOther(from, t) {
		w.violate(LawMatch, fmt.Sprintf("a message from machine %d, which is no other machine of this run of %d", from, len(w.tracks)), t.ref(e))
		return
	}
	l := w.links.get(from, t.id)
	l.receives++
	if !l.received.add(m.Seq) {
		w.violate(LawFIFO, fmt.Sprintf("message %d of machine %d is received a second time", m.Seq, from),
			t.ref(e), place{log: t.log, message: message{received: true, peer: from, seq: m.Seq}})
		return
	}
	sender := w.tracks[from]
	if !follows(m.Seq, l.lastReceived) {
		what, places := fmt.Sprintf("message %d of machine %d is received", m.Seq, from), []place{t.ref(e)}
		if l.receives > 1 {
			places = append(places, place{log: t.log, message: message{received: true, peer: from, seq: l.lastReceived}})
		}
		if sender != nil {
			places = append(places, place{log: sender.log, message: message{peer: t.id, seq: l.lastReceived + 1}})
		}
		w.violate(LawFIFO, what+after(l.receives > 1, l.lastReceived), places...)
	}
	l.lastReceived = m.Seq
	r := earlyReceive{line: e.line, sent: m.Sent, clock: ev.Clock}
	if f := l.take(m.Seq); f != nil {
		w.pair(sender, f, t, r)
		w.step.Sent = f
		for i, n := range f.Vector {
			t.vector[i] = max(t.vector[i], n)
		}
		return
	}
	if _, ok := l.early[m.Seq]; ok {
		return // compared when its send comes
	}
	if sender != nil && sender.neverSends(l, m.Seq) {
		w.violate(LawMatch, fmt.Sprintf("machine %d never sent message %d to machine %d", from, m.Seq, t.id), t.ref(e))
		return
	}
	w.verdict.Unmatched++ // its send may stand in what is missing
}

// pair holds a receive against its send.
func (w *walker) pair(from *track, f *Flight, to *track, r earlyReceive) {
	if f.Clock != r.sent {
		w.violate(LawMatch, fmt.Sprintf("the receive says sent=%d, but this message was sent at clock %d", r.sent, f.Clock), to.at(r.line), from.at(f.Line))
	}
	if f.Clock >= r.clock {
		w.violate(LawCondition, fmt.Sprintf("received at clock %d, but sent at clock %d: a receive must be later than its send", r.clock, f.Clock), to.at(r.line), from.at(f.Line))
	}
}

// finish draws the conclusions that need whole logs.
func (w *walker) finish() {
	v := &w.verdict
	w.conserved()
	v.Open = w.open()
	switch {
	case len(v.Broken) > 0:
		v.State = Broken
	case len(v.Open) > 0:
		v.State = Incomplete
	default:
		v.State = Correct
	}
}

// open lists what is missing, and what cannot be said for that reason.
func (w *walker) open() (open []string) {
	const most = 10
	var missing []string
	broken, stopped, logs := 0, 0, 0
	for id, t := range w.tracks {
		if t == nil {
			if len(missing) < most {
				missing = append(missing, strconv.Itoa(id))
			}
			continue
		}
		logs++
		if t.stop != nil {
			stopped++
			continue
		}
		if broken++; broken <= most {
			open = append(open, t.breaksOff())
		}
	}
	if broken > most {
		open = append(open, fmt.Sprintf("%d more logs break off", broken-most))
	}
	machines := len(w.tracks)
	switch n := machines - logs; {
	case n == 1:
		open = append(open, fmt.Sprintf("the log of machine %s is missing: what it did is not known", missing[0]))
	case n > most:
		open = append(open, fmt.Sprintf("the logs of %d machines are missing, %s, …: what they did is not known", n, strings.Join(missing, ", ")))
	case n > 1:
		open = append(open, fmt.Sprintf("the logs of machines %s are missing: what they did is not known", strings.Join(missing, ", ")))
	}
	if n := w.verdict.Unmatched; n > 0 {
		open = append(open, fmt.Sprintf("receives that cannot be held against their sends, which these logs do not show: %d", n))
	}
	if stopped < machines && machines > 1 {
		open = append(open, fmt.Sprintf("whether messages were lost can be said for %d of %d links, those between machines that stopped",
			stopped*(stopped-1), machines*(machines-1)))
	}
	if n := w.verdict.Undelivered; n > 0 {
		open = append(open, fmt.Sprintf("messages that never reached their recipients, which had left or were cut off: %d", n))
	}
	return open
}

// breaksOff says how a log without a stop line ends.
func (t *track) breaksOff() string {
	after := fmt.Sprintf("what machine %d did after step %d is not known", t.id, t.last.step)
	switch {
	case t.torn:
		return fmt.Sprintf("%v:%d: the last line is torn: %s", t.log.Name, t.last.line+1, after)
	case t.last.line == 0:
		return fmt.Sprintf("%v is empty: what machine %d did is not known", t.log.Name, t.id)
	default:
		return fmt.Sprintf("%v:%d: no stop line follows (the machine died, or still runs): %s", t.log.Name, t.last.line, after)
	}
}

// conserved checks each link whose two ends have stopped: nothing is lost, and
// nothing appears.
//
// What a stop line calls undelivered is exact where the recipient had left, and
// an upper bound where it could not be asked; so it bounds what may be missing.
func (w *walker) conserved() {
	pending, undelivered := make(map[*link]uint64), make(map[*link]uint64)
	for _, t := range w.present {
		if t.stop == nil {
			continue
		}
		s := &t.stop.Stop
		w.verdict.Pending = add(w.verdict.Pending, sum(s.Pending))
		w.verdict.Undelivered = add(w.verdict.Undelivered, sum(s.Undelivered))
		for _, c := range s.Pending {
			if !w.isOther(c.Peer, t) {
				w.violate(LawConservation, fmt.Sprintf("pending messages of machine %d, which is no other machine of this run", c.Peer), t.at(t.stop.Line))
				continue
			}
			pending[w.links.get(c.Peer, t.id)] = c.Messages
		}
		for _, c := range s.Undelivered {
			if !w.isOther(c.Peer, t) {
				w.violate(LawConservation, fmt.Sprintf("undelivered messages to machine %d, which is no other machine of this run", c.Peer), t.at(t.stop.Line))
				continue
			}
			undelivered[w.links.get(t.id, c.Peer)] = c.Messages
		}
	}
	for _, l := range w.links.all() {
		from, to := w.tracks[l.from], w.tracks[l.to]
		if from == nil || from.stop == nil || to == nil || to.stop == nil {
			continue
		}
		there := add(l.receives, pending[l])
		var why string
		var clue place
		switch {
		case there > l.sends:
			why = fmt.Sprintf("%d too many", there-l.sends)
			clue = place{log: to.log, message: message{received: true, peer: l.from, seq: l.lastReceived}}
		case l.sends-there > undelivered[l]:
			why = fmt.Sprintf("%d lost", l.sends-there-undelivered[l])
			// Those that are pending are the oldest; behind them is the first
			// of which there is no trace.
			clue = place{log: from.log, message: message{peer: l.to, seq: add(add(l.lastReceived, pending[l]), 1)}}
		default:
			continue
		}
		w.violate(LawConservation, fmt.Sprintf("machine %d sent %s to machine %d, where %d are received and %d pending, with %d undelivered: %s",
			l.from, plural(l.sends, "message"), l.to, l.receives, pending[l], undelivered[l], why), to.at(to.stop.Line), from.at(from.stop.Line), clue)
	}
}

// sum returns how many messages are counted.
func sum(counts []logging.Count) (n uint64) {
	for _, c := range counts {
		n = add(n, c.Messages)
	}
	return n
}

// add returns a + b, or the largest number where that is beyond it.
func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
