package trace

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
)

// checker holds a run against the laws. A walk tells it what there is, in the
// order of the walk, and it remembers what the laws need: it orders nothing itself.
type checker struct {
	all      bool          // keep every violation
	roster   roster        // the machines that are there
	accounts []*account    // theirs, in that order
	links    *links        // of these, the tallies are its own
	first    *account      // whose start line the others must fit
	plan     plan          // of the run, as its record has it
	ran      time.Duration // how long it has lasted at least, by the ticks that were executed
	verdict  Verdict
	findings []finding

	undelivered []string // by link, how many messages
}

// account is what the laws remember of a machine.
type account struct {
	id          int
	log         *Log
	start, stop *logging.Record // the first of each; start without its peers
	began       int64           // Unix µs: when the run would have begun had it never stood still
	paused      bool            // the last line is a pause line
	stray       int             // the machine that the last line names
	last        prior
	torn        bool // the line after last is
	cut         bool // as it is in compressed data: more than that line may be missing

	micro   int64 // global time of the last event, or of the start line
	setBack bool  // it has gone back by more than patience
	end     end
	marked  int64  // when the run's progress was last looked at
	haste   *haste // nil: no pace, or none that is known to be kept

	_ [56]byte // fills the cache line: the next account may be another processor's to write to
}

// prior is what a line must follow from.
type prior struct {
	step  uint64
	clock uint64
	line  int
}

// tally is what the laws remember of a link.
type tally struct {
	sends, receives        uint64 // how many lines say so
	lastSent, lastReceived uint64 // of these, but for repetitions
}

func newChecker(r *Run, links *links, all bool) *checker {
	c := &checker{all: all, roster: r.Present(), links: links, plan: newPlan(r.Record)}
	if r.unreadable != nil {
		c.verdict.Remarks = append(c.verdict.Remarks, "what the run was to be is not known: "+quote.Short(r.unreadable.Error(), 500))
	}
	c.verdict.Machines = r.Machines
	c.verdict.Broken = make(map[Law]uint64)
	for i := range r.Logs {
		l := &r.Logs[i]
		if n := len(c.accounts); n > 0 && c.accounts[n-1].id == l.ID {
			c.violate(LawRun, fmt.Sprintf("machine %d has two logs; only the other one is checked", l.ID), place{log: l, line: 1}, c.accounts[n-1].at(1))
			continue
		}
		c.accounts = append(c.accounts, &account{id: l.ID, log: l, stray: l.ID})
	}
	return c
}

// alone returns a checker for the lines of one log, in which its own account is all that it
// changes. What it counts is for c to join.
func (c *checker) alone() *checker {
	own := *c
	own.verdict = Verdict{Machines: c.verdict.Machines, Broken: make(map[Law]uint64)}
	return &own
}

// join takes in what a checker of one log has seen, in which no law is broken.
func (c *checker) join(own *checker) {
	v := &own.verdict
	c.verdict.Events += v.Events
	c.verdict.Sent += v.Sent
	c.verdict.Received += v.Received
	c.verdict.Unmatched += v.Unmatched
	c.ran = max(c.ran, own.ran)
	if own.first != nil {
		c.ofOneRun(own.first)
	}
}

// account returns what is remembered of a machine, nil where it has no log.
func (c *checker) account(id int) *account {
	if i, ok := c.roster.index(id); ok {
		return c.accounts[i]
	}
	return nil
}

func (a *account) at(line int) place { return place{log: a.log, line: line} }

// sends is the machine's first line that sends this message.
func (a *account) sends(to int, seq uint64) place {
	return place{log: a.log, message: message{peer: to, seq: seq}}
}

// receives is the machine's first line that receives it.
func (a *account) receives(from int, seq uint64) place {
	return place{log: a.log, message: message{received: true, peer: from, seq: seq}}
}

// line takes in the next line of the walk. It says of itself that it is of machine
// id; passages are what becomes of an event's messages.
func (c *checker) line(s *Step, id int, passages []passage) {
	a := c.accounts[s.Index]
	if s.Other != nil {
		c.other(a, s, id)
	} else {
		c.event(a, s, id, passages)
	}
}

// torn takes in that the next line of a log, its last one, breaks off, or in
// compressed data that something does after the last line.
func (c *checker) torn(index int, err error) {
	a := c.accounts[index]
	a.torn, a.cut = true, errors.Is(err, logging.ErrBreaksOff)
	if a.hasStopped() && !a.cut {
		c.violate(LawRun, "the log goes on after its stop line", a.at(a.last.line+1), a.at(a.stop.Line))
	}
}

// hasStopped reports whether the last line is the first stop line.
func (a *account) hasStopped() bool { return a.stop != nil && a.last.line == a.stop.Line }

// cycle takes in that a walk has come upon a cycle of happened-before.
func (c *checker) cycle(hops []hop) {
	const maxShown = 4
	var what []string
	var places []place
	for _, h := range hops[:min(len(hops), maxShown)] {
		a := c.account(h.machine)
		what = append(what, fmt.Sprintf("machine %d receives message %d of machine %d before it sends message %d to machine %d",
			h.machine, h.received, h.from, h.sent, h.to))
		places = append(places, a.at(h.line), a.sends(h.to, h.sent))
	}
	if len(hops) > maxShown {
		what = append(what, fmt.Sprintf("and so on round %d machines", len(hops)))
	}
	c.violate(LawAcyclic, "each of these happened before itself: "+strings.Join(what, "; "), places...)
}

// belongs checks that a line may stand where it stands in this log.
func (c *checker) belongs(a *account, s *Step, id int) {
	isStart := s.Other != nil && s.Other.Kind == logging.StartRecord
	if id != a.stray && id != a.id { // said once for lines that follow each other
		c.violate(LawRun, fmt.Sprintf("a line of machine %d in the log of machine %d", id, a.id), a.at(s.Line))
	}
	a.stray = id
	switch {
	case a.hasStopped(): // likewise
		c.violate(LawRun, "the log goes on after its stop line", a.at(s.Line), a.at(a.stop.Line))
	case a.last.line == 0 && !isStart:
		c.violate(LawRun, "the log does not open with a start line", a.at(s.Line))
	case a.start != nil && isStart:
		c.violate(LawRun, "a second start line", a.at(s.Line), a.at(a.start.Line))
	case a.paused && (s.Other == nil || s.Other.Kind != logging.ResumeRecord):
		c.violate(LawRun, "the machine goes on after its pause line without a resume line", a.at(s.Line), a.at(a.last.line))
	}
	a.paused = false
}

// other holds a line that is no event against the laws.
func (c *checker) other(a *account, s *Step, id int) {
	c.belongs(a, s, id)
	switch s.Other.Kind {
	case logging.OffsetRecord: // it says nothing of what the machine does
		if a.last.line != 0 {
			return
		}
	case logging.StartRecord:
		if a.start == nil {
			c.started(a, s)
		}
	case logging.PauseRecord:
		p := s.Other.Pause
		c.repeats(a, s, "pause", p.Step, p.Clock)
		a.paused = true
	case logging.ResumeRecord:
		r := s.Other.Resume
		c.repeats(a, s, "resume", r.Step, r.Clock)
		if r.Elapsed > 0 {
			a.began = beganBefore(s.Micro, r.Elapsed)
		}
		c.goesOn(a, s.Micro)
	case logging.StopRecord:
		stop := &s.Other.Stop
		c.repeats(a, s, "stop", stop.Step, stop.Clock)
		if pending := sum(stop.Pending); pending != uint64(stop.Queue) {
			c.violate(LawConservation, fmt.Sprintf("queue=%d, but pending lists %s", stop.Queue, figure.Plural(pending, "message")), a.at(s.Line))
		}
		if a.stop == nil {
			a.stop = s.Other
		}
	}
	a.last.line = s.Line
}

// started holds a start line against the file's name and the other logs' start
// lines.
func (c *checker) started(a *account, s *Step) {
	kept := *s.Other
	kept.Start.Peers = nil // all logs' together are many
	a.start = &kept
	start := &s.Other.Start
	a.micro, a.began = s.Micro, s.Micro
	c.fits(a, s.Line)
	if c.plan.keepsPace() {
		a.haste = newHaste(start.Rate, s.Micro)
	}
	if name := logging.FileName(a.id, start.Rate); a.log.File != "" && a.log.File != name {
		c.violate(LawRun, fmt.Sprintf("the log of machine %d with rate %v is called %s, not %s", a.id, start.Rate, name, a.log.File), a.at(s.Line))
	}
	if a.id >= start.Machines {
		c.violate(LawRun, fmt.Sprintf("machine %d in a run of %s: the last is %d", a.id, figure.Plural(start.Machines, "machine"), start.Machines-1), a.at(s.Line))
	} else if !isAllOthers(start.Peers, a.id, start.Machines) {
		c.violate(LawRun, fmt.Sprintf("the peers of machine %d are not the %s of 0 to %d", a.id, figure.Plural(start.Machines-1, "other"), start.Machines-1), a.at(s.Line))
	}
	c.ofOneRun(a)
}

// ofOneRun holds a start line against that of the first log that has shown its own.
func (c *checker) ofOneRun(a *account) {
	if c.first == nil {
		c.first = a
		return
	}
	start, f := &a.start.Start, &c.first.start.Start
	var differs []string
	if start.Run != f.Run {
		differs = append(differs, fmt.Sprintf("run %.64q here, %.64q there", start.Run, f.Run))
	}
	if start.Machines != f.Machines {
		differs = append(differs, fmt.Sprintf("%s here, %d there", figure.Plural(start.Machines, "machine"), f.Machines))
	}
	if start.Die != f.Die {
		differs = append(differs, fmt.Sprintf("a die of %s here, %d there", figure.Plural(start.Die, "face"), f.Die))
	}
	if differs != nil {
		c.violate(LawRun, "two logs are not of one run: "+strings.Join(differs, ", "), a.at(a.start.Line), c.first.at(c.first.start.Line))
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

// beganBefore returns when a run would have begun that has been going on for so long at
// micro, had it never stood still.
func beganBefore(micro int64, elapsed time.Duration) int64 { return micro - elapsed.Microseconds() }

// repeats checks that a pause, resume or stop line says where the events before it have
// led.
func (c *checker) repeats(a *account, s *Step, kind string, step uint64, now clock.Time) {
	if step != a.last.step {
		c.violate(LawStep, fmt.Sprintf("%s at step %d, but the last step was %d", kind, step, a.last.step), a.withPrevious(s)...)
	}
	if uint64(now) != a.last.clock {
		c.violate(LawIncrement, fmt.Sprintf("%s at clock %d, but the last clock was %d", kind, now, a.last.clock), a.withPrevious(s)...)
	}
	a.last.step, a.last.clock = step, uint64(now)
}

// withPrevious returns the line of a step and the line before it.
func (a *account) withPrevious(s *Step) []place {
	if a.last.line == 0 {
		return []place{a.at(s.Line)}
	}
	return []place{a.at(s.Line), a.at(a.last.line)}
}

// event holds an event against the laws.
func (c *checker) event(a *account, s *Step, id int, passages []passage) {
	c.verdict.Events++
	if id != a.stray || a.stop != nil || a.last.line == 0 || a.paused {
		c.belongs(a, s, id)
	}
	ev := s.Event
	if !follows(ev.Step, a.last.step) {
		c.violate(LawStep, fmt.Sprintf("step %d after step %d, expected %s", ev.Step, a.last.step, next(a.last.step)), a.withPrevious(s)...)
	}
	if ev.Kind == event.Receive {
		c.received(a, s, &ev.Messages()[0], &passages[0])
	} else {
		if !follows(uint64(ev.Clock), a.last.clock) {
			c.violate(LawIncrement, fmt.Sprintf("clock %d after clock %d, expected %s", ev.Clock, a.last.clock, next(a.last.clock)), a.withPrevious(s)...)
		}
		messages := ev.Messages()
		for i := range messages {
			c.sent(a, s, &messages[i], &passages[i])
		}
	}
	a.last = prior{step: ev.Step, clock: uint64(ev.Clock), line: s.Line}
	a.setBack = a.setBack || s.Micro < a.micro-patience.Microseconds()
	a.micro = s.Micro
	c.goesOn(a, s.Micro)
	if a.haste != nil {
		a.haste.step(s.Line, s.Micro)
	}
}

// next says in words what follows n.
func next(n uint64) string {
	if n == math.MaxUint64 {
		return "nothing, since that is the largest number"
	}
	return strconv.FormatUint(n+1, 10)
}

// sent takes in one message of a send.
func (c *checker) sent(a *account, s *Step, m *event.Message, p *passage) {
	c.verdict.Sent++
	to := int(m.To)
	if p.outcome == foreign {
		c.violate(LawMatch, fmt.Sprintf("a message to machine %d, which is no other machine of this run of %d", to, c.verdict.Machines), a.at(s.Line))
		return
	}
	l := &p.link.tally
	l.sends++
	if p.outcome == repeated {
		c.violate(LawMatch, fmt.Sprintf("message %d to machine %d is sent a second time", m.Seq, to), a.at(s.Line), a.sends(to, m.Seq))
		return
	}
	if !follows(m.Seq, l.lastSent) {
		what, places := fmt.Sprintf("message %d to machine %d is sent", m.Seq, to), []place{a.at(s.Line)}
		if l.sends > 1 {
			places = append(places, a.sends(to, l.lastSent))
		}
		c.violate(LawFIFO, what+after(l.sends > 1, l.lastSent), places...)
	}
	l.lastSent = m.Seq
	if p.outcome == answered {
		c.pair(a, s.Line, s.Event.Clock, c.account(to), *p.early)
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
func (c *checker) received(a *account, s *Step, m *event.Message, p *passage) {
	c.verdict.Received++
	now := s.Event.Clock
	if latest := max(a.last.clock, uint64(m.Sent)); !follows(uint64(now), latest) {
		c.violate(LawReceive, fmt.Sprintf("clock %d, expected max(previous %d, sent %d) + 1 = %s", now, a.last.clock, m.Sent, next(latest)), a.withPrevious(s)...)
	}
	from := int(m.From)
	if p.outcome == foreign {
		c.violate(LawMatch, fmt.Sprintf("a message from machine %d, which is no other machine of this run of %d", from, c.verdict.Machines), a.at(s.Line))
		return
	}
	l := &p.link.tally
	l.receives++
	if p.outcome == repeated {
		c.violate(LawFIFO, fmt.Sprintf("message %d of machine %d is received a second time", m.Seq, from), a.at(s.Line), a.receives(from, m.Seq))
		return
	}
	sender := c.account(from)
	if !follows(m.Seq, l.lastReceived) {
		what, places := fmt.Sprintf("message %d of machine %d is received", m.Seq, from), []place{a.at(s.Line)}
		if l.receives > 1 {
			places = append(places, a.receives(from, l.lastReceived))
		}
		if sender != nil {
			places = append(places, sender.sends(a.id, l.lastReceived+1))
		}
		c.violate(LawFIFO, what+after(l.receives > 1, l.lastReceived), places...)
	}
	l.lastReceived = m.Seq
	switch p.outcome {
	case arrived:
		c.pair(sender, s.Sent.Line, s.Sent.Clock, a, earlyReceive{line: s.Line, sent: m.Sent, clock: now})
	case orphan:
		c.violate(LawMatch, fmt.Sprintf("machine %d never sent message %d to machine %d", from, m.Seq, a.id), a.at(s.Line))
	case unknown:
		c.verdict.Unmatched++
	}
}

// pair holds a receive against its send, which is at a clock and in a line of from.
func (c *checker) pair(from *account, line int, sent clock.Time, to *account, r earlyReceive) {
	if sent != r.sent {
		c.violate(LawMatch, fmt.Sprintf("the receive says sent=%d, but this message was sent at clock %d", r.sent, sent), to.at(r.line), from.at(line))
	}
	if sent >= r.clock {
		c.violate(LawCondition, fmt.Sprintf("received at clock %d, but sent at clock %d: a receive must be later than its send", r.clock, sent), to.at(r.line), from.at(line))
	}
}
