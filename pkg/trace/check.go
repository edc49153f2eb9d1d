package trace

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// other holds a start, resume or stop line against the laws.
func (w *walker) other(t *track, e *entry) {
	w.belongs(t, e)
	switch e.other.Kind {
	case logging.StartRecord:
		w.started(t, e)
	case logging.ResumeRecord:
		r := e.other.Resume
		w.continues(t, e, "resume", r.Step, r.Clock)
	case logging.StopRecord:
		s := e.other.Stop
		w.continues(t, e, "stop", s.Step, s.Clock)
		var pending uint64
		for _, c := range s.Pending {
			pending += c.Messages
		}
		if pending != uint64(s.Queue) {
			w.violate(LawConservation, fmt.Sprintf("queue=%d, but %d messages are pending", s.Queue, pending), t.ref(e))
		}
		t.stop = e.other
	}
	t.last.line = e.line
}

// belongs checks that a line may stand where it stands in this log.
func (w *walker) belongs(t *track, e *entry) {
	isStart := e.other != nil && e.other.Kind == logging.StartRecord
	switch {
	case e.id != t.id:
		w.violate(LawRun, fmt.Sprintf("a line of machine %d in the log of machine %d", e.id, t.id), t.ref(e))
	case t.stop != nil:
		w.violate(LawRun, "the log goes on after its stop line", t.at(t.stop.Line), t.ref(e))
	case t.last.line == 0 && !isStart:
		w.violate(LawRun, "the log does not open with a start line", t.ref(e))
	case t.start != nil && isStart:
		w.violate(LawRun, "a second start line", t.ref(e), t.at(t.start.Line))
	}
}

// started holds a start line against the file's name and the other logs' start
// lines.
func (w *walker) started(t *track, e *entry) {
	s := &e.other.Start
	if t.start == nil {
		t.start = e.other
	}
	if name := logging.FileName(t.id, s.Rate); name != filepath.Base(t.feed.log.Path) {
		w.violate(LawRun, fmt.Sprintf("the log of a machine with rate %v is named %s, not %s", s.Rate, name, filepath.Base(t.feed.log.Path)), t.ref(e))
	}
	if t.id >= s.Machines {
		w.violate(LawRun, fmt.Sprintf("machine %d in a run of %d machines", t.id, s.Machines), t.ref(e))
	}
	if !isAllOthers(s.Peers, t.id, s.Machines) {
		w.violate(LawRun, fmt.Sprintf("peers are not all the other machines of %d", s.Machines), t.ref(e))
	}
	if w.first == nil {
		w.first = t
		return
	}
	f := &w.first.start.Start
	differs := ""
	switch {
	case s.Run != f.Run:
		differs = fmt.Sprintf("run %q and run %q", s.Run, f.Run)
	case s.Machines != f.Machines:
		differs = fmt.Sprintf("%d and %d machines", s.Machines, f.Machines)
	case s.Die != f.Die:
		differs = fmt.Sprintf("dice of %d and %d faces", s.Die, f.Die)
	default:
		return
	}
	w.violate(LawRun, "the logs are not of one run: "+differs, t.ref(e), w.first.at(w.first.start.Line))
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

// continues checks that a resume or stop line stands where the events before it
// have led.
func (w *walker) continues(t *track, e *entry, kind string, step uint64, c clock.Time) {
	if step != t.last.step {
		w.violate(LawStep, fmt.Sprintf("%s at step %d after step %d", kind, step, t.last.step), t.withPrevious(e)...)
	}
	if uint64(c) != t.last.clock {
		w.violate(LawIncrement, fmt.Sprintf("%s with clock %d after clock %d", kind, c, t.last.clock), t.withPrevious(e)...)
	}
	t.last.step, t.last.clock = step, uint64(c)
}

// withPrevious returns the line e and the line before it.
func (t *track) withPrevious(e *entry) []Ref {
	if t.last.line == 0 {
		return []Ref{t.ref(e)}
	}
	return []Ref{t.ref(e), t.at(t.last.line)}
}

// event holds an event against the laws.
func (w *walker) event(t *track, e *entry) {
	w.verdict.Events++
	if e.id != t.id || t.stop != nil || t.last.line == 0 {
		w.belongs(t, e)
	}
	ev := &e.event
	if ev.Step != t.last.step+1 {
		w.violate(LawStep, fmt.Sprintf("step %d after step %d", ev.Step, t.last.step), t.withPrevious(e)...)
	}
	if t.vector != nil {
		t.vector[t.id]++
	}
	switch ev.Kind {
	case event.Receive:
		w.received(t, e)
	default:
		if uint64(ev.Clock) != t.last.clock+1 {
			w.violate(LawIncrement, fmt.Sprintf("clock %d after clock %d, expected %d", ev.Clock, t.last.clock, t.last.clock+1), t.withPrevious(e)...)
		}
		for _, m := range ev.Messages() {
			w.sent(t, e, m)
		}
	}
	if t.vector != nil {
		w.step.Vector = t.vector
	}
	t.last = prior{step: ev.Step, clock: uint64(ev.Clock), line: e.line}
}

// sent takes in one message of a send.
func (w *walker) sent(t *track, e *entry, m event.Message) {
	w.verdict.Sent++
	to := int(m.To)
	if to >= len(w.tracks) || to == t.id {
		w.violate(LawMatch, fmt.Sprintf("a message to machine %d, which is no other machine of this run of %d", to, len(w.tracks)), t.ref(e))
		return
	}
	l := w.links.get(t.id, to)
	l.sent++
	switch {
	case m.Seq <= l.lastSent:
		w.violate(LawMatch, fmt.Sprintf("message %d to machine %d is sent a second time (the last was %d)", m.Seq, to, l.lastSent), t.ref(e))
		return
	case m.Seq != l.lastSent+1:
		w.violate(LawFIFO, fmt.Sprintf("message %d to machine %d follows message %d", m.Seq, to, l.lastSent), t.ref(e))
	}
	l.lastSent = m.Seq
	f := Flight{Seq: m.Seq, Clock: e.event.Clock, Micro: e.micro, Line: e.line}
	if early, ok := l.ahead[m.Seq]; ok { // its receive had to go first
		delete(l.ahead, m.Seq)
		w.pair(t, &f, w.tracks[to], early)
		return
	}
	if t.vector != nil {
		f.Vector = slices.Clone(t.vector)
	}
	l.push(f)
	if r := w.tracks[to]; r.waitsFor == t.id && r.waitsSeq <= m.Seq {
		w.wake(r)
	}
}

// received holds a receive against the laws.
func (w *walker) received(t *track, e *entry) {
	w.verdict.Received++
	ev := &e.event
	m := ev.Messages()[0]
	if want := max(t.last.clock, uint64(m.Sent)) + 1; uint64(ev.Clock) != want {
		w.violate(LawReceive, fmt.Sprintf("clock %d, expected max(%d, %d) + 1 = %d", ev.Clock, t.last.clock, m.Sent, want), t.withPrevious(e)...)
	}
	from := int(m.From)
	if from >= len(w.tracks) || from == t.id {
		w.violate(LawMatch, fmt.Sprintf("a message from machine %d, which is no other machine of this run of %d", from, len(w.tracks)), t.ref(e))
		return
	}
	l := w.links.get(from, t.id)
	l.received++
	again := m.Seq <= l.lastReceived
	switch {
	case again:
		w.violate(LawFIFO, fmt.Sprintf("message %d of machine %d is received after message %d: a second time, or overtaken", m.Seq, from, l.lastReceived), t.ref(e))
	case m.Seq != l.lastReceived+1:
		w.violate(LawFIFO, fmt.Sprintf("message %d of machine %d is received next after message %d", m.Seq, from, l.lastReceived), t.ref(e))
	}
	l.lastReceived = max(l.lastReceived, m.Seq)
	if _, early := l.ahead[m.Seq]; early {
		return // compared when its send comes
	}
	f := l.take(m.Seq)
	sender := w.tracks[from]
	switch {
	case f != nil:
		w.pair(sender, f, t, aheadReceive{line: e.line, sent: m.Sent, clock: ev.Clock})
		w.step.Sent = f
		for i, n := range f.Vector {
			t.vector[i] = max(t.vector[i], n)
		}
	case sender.stop == nil && m.Seq > l.lastSent:
		// The sender's log is missing or breaks off before this send.
		w.verdict.Unmatched++
	case !again:
		w.violate(LawMatch, fmt.Sprintf("machine %d has never sent message %d to machine %d", from, m.Seq, t.id), t.ref(e))
	}
}

// pair holds a receive against its send.
func (w *walker) pair(from *track, f *Flight, to *track, r aheadReceive) {
	if f.Clock != r.sent {
		w.violate(LawMatch, fmt.Sprintf("sent=%d, but the send of this message has clock %d", r.sent, f.Clock), to.at(r.line), from.at(f.Line))
	}
	if f.Clock >= r.clock {
		w.violate(LawCondition, fmt.Sprintf("the receive has clock %d, its send has clock %d", r.clock, f.Clock), to.at(r.line), from.at(f.Line))
	}
}

// finish draws the conclusions that need whole logs.
func (w *walker) finish() {
	v := &w.verdict
	open := func(format string, args ...any) { v.Open = append(v.Open, fmt.Sprintf(format, args...)) }
	for _, t := range w.tracks {
		switch {
		case t.feed == nil:
			open("the log of machine %d is missing: what it sent and received is not known", t.id)
		case t.torn:
			open("%s breaks off in the middle of line %d, so what machine %d did after step %d is not known", t.feed.log.Path, t.last.line+1, t.id, t.last.step)
		case t.stop == nil:
			open("%s has no stop line (the machine died, or still runs), so what machine %d did after step %d is not known", t.feed.log.Path, t.id, t.last.step)
		}
	}
	if v.Unmatched > 0 {
		open("%d receives name sends that these logs do not show", v.Unmatched)
	}
	v.Undelivered = w.conserved()
	if v.Undelivered > 0 {
		open("%d messages were never held by their recipients, which had left or could not be reached", v.Undelivered)
	}
	switch {
	case len(v.Broken) > 0:
		v.State = Broken
	case len(v.Open) > 0:
		v.State = Incomplete
	default:
		v.State = Correct
	}
}

// conserved checks each link whose two ends have stopped: nothing is lost, and
// nothing appears. It returns how many messages are undelivered.
//
// What a stop line calls undelivered is exact where the recipient had left, and
// an upper bound where it could not be asked; so it bounds what may be missing.
func (w *walker) conserved() (undelivered uint64) {
	type ends struct{ pending, undelivered uint64 }
	stopped := make(map[*link]*ends)
	of := func(l *link) *ends {
		if stopped[l] == nil {
			stopped[l] = new(ends)
		}
		return stopped[l]
	}
	for _, t := range w.tracks {
		if t.stop == nil {
			continue
		}
		for _, c := range t.stop.Stop.Pending {
			w.verdict.Pending += c.Messages
			if c.Peer < len(w.tracks) && c.Peer != t.id {
				of(w.links.get(c.Peer, t.id)).pending = c.Messages
			} else {
				w.violate(LawConservation, fmt.Sprintf("pending messages of machine %d, which is no other machine of this run", c.Peer), t.at(t.stop.Line))
			}
		}
		for _, c := range t.stop.Stop.Undelivered {
			undelivered += c.Messages
			if c.Peer < len(w.tracks) && c.Peer != t.id {
				of(w.links.get(t.id, c.Peer)).undelivered = c.Messages
			} else {
				w.violate(LawConservation, fmt.Sprintf("undelivered messages to machine %d, which is no other machine of this run", c.Peer), t.at(t.stop.Line))
			}
		}
	}
	var all []*link
	w.links.each(func(l *link) { all = append(all, l) })
	slices.SortFunc(all, func(a, b *link) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.to - b.to
	})
	for _, l := range all {
		from, to := w.tracks[l.from], w.tracks[l.to]
		if from.stop == nil || to.stop == nil {
			continue
		}
		e := of(l)
		arrived := l.received + e.pending
		if arrived > l.sent || arrived+e.undelivered < l.sent {
			w.violate(LawConservation, fmt.Sprintf("machine %d sent %d messages to machine %d: %d received + %d pending + %d undelivered", l.from, l.sent, l.to, l.received, e.pending, e.undelivered),
				to.at(to.stop.Line), from.at(from.stop.Line))
		}
	}
	return undelivered
}

// quote fills in the text of the lines that the violations name.
func (w *walker) quote() error {
	wanted := make(map[string]map[int]*string)
	for _, v := range w.verdict.Violations {
		for _, e := range v.Events {
			if wanted[e.File] == nil {
				wanted[e.File] = make(map[int]*string)
			}
			wanted[e.File][e.Line] = new(string)
		}
	}
	for file, lines := range wanted {
		if err := readLines(file, lines); err != nil {
			return err
		}
	}
	for _, v := range w.verdict.Violations {
		for i, e := range v.Events {
			v.Events[i].Text = *wanted[e.File][e.Line]
		}
	}
	return nil
}

// readLines reads the wanted lines of a file.
func readLines(path string, wanted map[int]*string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, logging.MaxLine)
	left := len(wanted)
	for n := 1; left > 0 && lines.Scan(); n++ {
		if text, ok := wanted[n]; ok {
			*text = lines.Text()
			left--
		}
	}
	return lines.Err()
}
