package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/transport"
)

// past is what the log of an earlier process of the machine says. All of the
// machine's state is in there: the events, redone in their order, lead back to
// it, and whatever a peer has been told was written before.
type past struct {
	lines int           // in all
	start time.Time     // agreed; zero: the run had not begun
	stop  *logging.Stop // nil: the run had not ended
	// sent are, by recipient, the stamps of the last messages: at least those
	// that may be unconsumed, which the link's window bounds.
	sent [][]clock.Time
	seq  []uint64 // by recipient: the number of the last message
	// consumed is, by sender, the number of the last message that was received.
	consumed []uint64
}

func newPast(machines int) past {
	return past{
		sent:     make([][]clock.Time, machines),
		seq:      make([]uint64, machines),
		consumed: make([]uint64, machines),
	}
}

// recover opens the machine's log again and brings the machine back to where it
// ends. Where there is no log, the machine begins.
func (r *runner) recover() error {
	var err error
	r.file, err = logging.Reopen(r.cfg.LogDir, r.cfg.ID, r.cfg.Rate, r.redo)
	if errors.Is(err, fs.ErrNotExist) {
		r.file, err = logging.Create(r.cfg.LogDir, r.cfg.ID, r.cfg.Rate)
	}
	var at *logging.Error
	if errors.As(err, &at) {
		return fmt.Errorf("%w; the log is damaged or not this machine's, and nothing is guessed: put the right one back, or move it away and begin a new run", err)
	}
	return err
}

// redo takes in one record of the log.
func (r *runner) redo(rec *logging.Record) error {
	r.past.lines = rec.Line
	switch {
	case rec.ID != r.cfg.ID:
		return fmt.Errorf("a line of machine %d", rec.ID)
	case r.past.stop != nil:
		return errors.New("a line after the stop line")
	case r.past.start.IsZero() != (rec.Kind == logging.StartRecord):
		return errors.New("expected one start line, and that first")
	}
	switch rec.Kind {
	case logging.StartRecord:
		return r.redoStart(rec)
	case logging.ResumeRecord:
		return r.standsAt("resume", rec.Resume.Step, rec.Resume.Clock)
	case logging.StopRecord:
		stop := rec.Stop
		r.past.stop = &stop
		return r.standsAt("stop", stop.Step, stop.Clock)
	default:
		return r.redoEvent(&rec.Event)
	}
}

// redoStart makes the machine that the log is of.
func (r *runner) redoStart(rec *logging.Record) error {
	s, machines := &rec.Start, len(r.cfg.Peers)+1
	switch {
	case s.Run != r.cfg.Run:
		return fmt.Errorf("the log is of run %q, this is run %q", s.Run, r.cfg.Run)
	case s.Machines != machines:
		return fmt.Errorf("the log is of a run of %d machines, this is one of %d", s.Machines, machines)
	case s.Rate != r.cfg.Rate:
		return fmt.Errorf("the log is of a machine with rate %v, this one has %v", s.Rate, r.cfg.Rate)
	}
	r.past.start = rec.Time()
	r.cfg.Seed, r.cfg.Die = s.Seed, s.Die
	var err error
	r.machine, err = machine.New(machine.Config{ID: r.cfg.ID, Machines: machines, Die: s.Die, Seed: s.Seed})
	return err
}

func (r *runner) standsAt(kind string, step uint64, c clock.Time) error {
	if step != r.machine.Steps() || c != r.machine.Clock() {
		return fmt.Errorf("%s at step %d with clock %d, but the log has come to step %d with clock %d", kind, step, c, r.machine.Steps(), r.machine.Clock())
	}
	return nil
}

func (r *runner) redoEvent(ev *event.Event) error {
	if ev.Kind == event.Receive {
		m := ev.Messages()[0]
		switch from := int(m.From); {
		case from >= len(r.past.consumed) || from == r.cfg.ID:
			return fmt.Errorf("a message from machine %d, which is no peer", from)
		case m.Seq != r.past.consumed[from]+1:
			return fmt.Errorf("message %d of machine %d follows message %d", m.Seq, from, r.past.consumed[from])
		default:
			r.past.consumed[from] = m.Seq
		}
	}
	if err := r.machine.Redo(ev); err != nil {
		return err
	}
	r.figures.Observe(ev)
	if ev.Kind == event.Send {
		for _, m := range ev.Messages() {
			r.past.keep(m, r.window())
		}
	}
	return nil
}

// keep remembers a message that was sent, of so many to its recipient.
func (p *past) keep(m event.Message, most int) {
	sent := append(p.sent[m.To], m.Sent)
	if len(sent) >= 2*most {
		sent = sent[:copy(sent, sent[len(sent)-most:])]
	}
	p.sent[m.To], p.seq[m.To] = sent, m.Seq
}

func (r *runner) window() int {
	if r.cfg.Window == 0 {
		return transport.DefaultWindow
	}
	return r.cfg.Window
}

// links returns the past of each link, as the node has to know it.
func (r *runner) links() []transport.Past {
	if r.past.start.IsZero() {
		return nil
	}
	pending := make(map[int]uint64)
	if r.past.stop != nil {
		for _, c := range r.past.stop.Pending {
			pending[c.Peer] = c.Messages
		}
	}
	var links []transport.Past
	for id := range r.past.consumed {
		if id == r.cfg.ID {
			continue
		}
		p := transport.Past{
			Peer:     id,
			Consumed: r.past.consumed[id],
			Held:     r.past.consumed[id] + pending[id],
			Sent:     r.past.seq[id],
		}
		sent := r.past.sent[id]
		for _, stamp := range sent[max(0, len(sent)-r.window()):] {
			p.Unconsumed = append(p.Unconsumed, appendPayload(nil, stamp))
		}
		links = append(links, p)
	}
	return links
}
