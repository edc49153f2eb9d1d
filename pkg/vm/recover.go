package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// past is what the journals of a machine's earlier processes have let out, by their
// log: nothing where there is none.
type past struct {
	lines int           // in all, but for offsets
	start time.Time     // agreed; zero: the run had not begun
	seed  uint64        // by the start line
	last  time.Time     // of the last line
	stop  *logging.Stop // nil: the run had not ended
	// began is when the run would have begun had it never stood still: start, if it has
	// not.
	began time.Time
	stood bool // the run has stood still, so that what it did proves nothing of its time
	// paused is for how long the run had been going on when the machine was paused, 0 if
	// that is not the last that the log says.
	paused time.Duration
	// sent are, by recipient, the stamps of the last messages: at least those
	// that may be unconsumed, which the link's window bounds.
	sent [][]clock.Time
	seq  []uint64 // by recipient: the number of the last message
	// consumed is, by sender, the number of the last message that was received.
	consumed []uint64
}

// begun reports whether an earlier process has begun the run.
func (p *past) begun() bool { return !p.start.IsZero() }

// recovery brings a machine back to where its log ends. All of its state is in
// there: the events, redone in their order, lead back to it, and whatever a peer
// has been told was written before.
type recovery struct {
	cfg      *Config
	machines int
	window   int // messages per link

	past    past
	machine *machine.Machine
	die     int    // of the machine
	seed    uint64 // of its dice
	figures summary.Collector
}

// newRecovery returns a machine that has no past yet.
func newRecovery(cfg *Config) (*recovery, error) {
	machines := len(cfg.Peers) + 1
	r := &recovery{cfg: cfg, machines: machines, window: cfg.Window, past: past{
		sent:     make([][]clock.Time, machines),
		seq:      make([]uint64, machines),
		consumed: make([]uint64, machines),
	}}
	if r.window <= 0 { // below 0, the node will refuse it
		r.window = transport.DefaultWindow
	}
	return r, r.create(cfg.Die, cfg.Seed)
}

// create makes the machine as it was before its first step.
func (r *recovery) create(die int, seed uint64) (err error) {
	r.die, r.seed = die, seed
	r.machine, err = machine.New(machine.Config{ID: r.cfg.ID, Machines: r.machines, Die: die, Seed: seed})
	return err
}

// reopen opens the machine's log again and brings the machine back to where it
// ends. Where there is no log, the machine begins.
func (r *recovery) reopen() (*logging.File, error) {
	file, err := logging.Reopen(r.cfg.LogDir, r.cfg.ID, r.cfg.Rate, r.redo)
	if errors.Is(err, fs.ErrNotExist) {
		return logging.Create(r.cfg.LogDir, r.cfg.ID, r.cfg.Rate)
	}
	if _, damaged := errors.AsType[*logging.Error](err); damaged {
		return nil, fmt.Errorf("%w; the log is damaged or not this machine's, and nothing is guessed: put the right one back, or move it away and begin a new run", err)
	}
	return file, err
}

// redo takes in one record of the log.
func (r *recovery) redo(rec *logging.Record) error {
	r.past.last = rec.Time()
	if rec.Kind != logging.OffsetRecord {
		r.past.lines++
	}
	switch {
	case rec.ID != r.cfg.ID:
		return fmt.Errorf("a line of machine %d", rec.ID)
	case r.past.stop != nil:
		return errors.New("a line after the stop line")
	case r.past.begun() == (rec.Kind == logging.StartRecord):
		return errors.New("expected one start line, and that first")
	case r.past.paused > 0 && rec.Kind != logging.ResumeRecord:
		return errors.New("expected a resume line after the pause line")
	}
	switch rec.Kind {
	case logging.StartRecord:
		return r.redoStart(rec)
	case logging.OffsetRecord:
		return nil
	case logging.PauseRecord:
		r.past.paused = rec.Pause.Elapsed
		return r.standsAt("pause", rec.Pause.Step, rec.Pause.Clock)
	case logging.ResumeRecord:
		r.past.paused = 0
		if elapsed := rec.Resume.Elapsed; elapsed > 0 {
			r.past.began, r.past.stood = rec.Time().Add(-elapsed), true
		}
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
func (r *recovery) redoStart(rec *logging.Record) error {
	s := &rec.Start
	switch {
	case s.Run != r.cfg.Run:
		return fmt.Errorf("the log is of run %q, this is run %q", s.Run, r.cfg.Run)
	case s.Machines != r.machines:
		return fmt.Errorf("the log is of a run of %s, this is one of %d", figure.Plural(s.Machines, "machine"), r.machines)
	case s.Rate != r.cfg.Rate:
		return fmt.Errorf("the log is of a machine with rate %v, this one has %v", s.Rate, r.cfg.Rate)
	}
	r.past.seed = s.Seed
	r.past.start, r.past.began = rec.Time(), rec.Time()
	return r.create(s.Die, s.Seed)
}

func (r *recovery) standsAt(kind string, step uint64, c clock.Time) error {
	if step != r.machine.Steps() || c != r.machine.Clock() {
		return fmt.Errorf("%s at step %d with clock %d, but the log has come to step %d with clock %d", kind, step, c, r.machine.Steps(), r.machine.Clock())
	}
	return nil
}

func (r *recovery) redoEvent(ev *event.Event) error {
	if ev.Kind == event.Receive {
		if err := r.consume(ev.Messages()[0]); err != nil {
			return err
		}
	}
	if err := r.machine.Redo(ev); err != nil {
		return err
	}
	r.figures.Observe(ev)
	if ev.Kind == event.Send {
		for _, m := range ev.Messages() {
			r.past.keep(m, r.window)
		}
	}
	return nil
}

// consume notes that a message was received, the next one of its link.
func (r *recovery) consume(m event.Message) error {
	from := int(m.From)
	if from >= r.machines || from == r.cfg.ID {
		return fmt.Errorf("a message from machine %d, which is no peer", from)
	}
	if last := r.past.consumed[from]; m.Seq != last+1 {
		return fmt.Errorf("message %d of machine %d follows message %d", m.Seq, from, last)
	}
	r.past.consumed[from] = m.Seq
	return nil
}

// keep remembers a message that was sent, and of those to its recipient at least
// the last window.
func (p *past) keep(m event.Message, window int) {
	sent := append(p.sent[m.To], m.Sent)
	if len(sent)-window >= window { // twice the largest window is no int of 32 bits
		sent = sent[:copy(sent, sent[len(sent)-window:])]
	}
	p.sent[m.To], p.seq[m.To] = sent, m.Seq
}

// links returns the past of each link, as the node has to know it.
func (r *recovery) links() []transport.Past {
	if !r.past.begun() {
		return nil
	}
	var pending map[int]uint64
	if r.past.stop != nil {
		pending = logging.ByPeer(r.past.stop.Pending)
	}
	var links []transport.Past
	for id, consumed := range r.past.consumed {
		if id == r.cfg.ID {
			continue
		}
		p := transport.Past{
			Peer:     id,
			Consumed: consumed,
			Held:     consumed + pending[id],
			Sent:     r.past.seq[id],
		}
		sent := r.past.sent[id]
		for _, stamp := range sent[max(0, len(sent)-r.window):] {
			p.Unconsumed = append(p.Unconsumed, appendPayload(nil, stamp))
		}
		links = append(links, p)
	}
	return links
}
