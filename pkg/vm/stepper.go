package vm

import (
	"fmt"
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/summary"
)

// stepper executes a machine's instructions: it takes in what has come, waits
// for room on the links, and notes what was done. When each is executed is for a
// [mode] to say.
type stepper struct {
	machine *machine.Machine
	inbox   *inbox
	journal *journal
	figures summary.Collector
	watcher *watcher
	peers   comparing        // nil: nobody's clock is compared
	wall    func() time.Time // the system's clock, for stamps
	// take is given the messages that have come, in the order of their links. The
	// mode delivers them to the machine, or holds each until its turn; it keeps nothing of
	// the slice.
	take func([]event.Message)

	// The bounds of the run, set when it begins.
	pacer *pacer
	end   int64           // nanoseconds since the start
	stop  <-chan struct{} // closed: it ends now
	// came is for how long the run has been going on as this process comes back to it,
	// 0 where it did not stand still meanwhile.
	came time.Duration
	// delay is for how long this process was on its way back to a run that stood still
	// meanwhile, 0 where it did not.
	delay time.Duration

	// at is the last reading of wall, which the lines of so many more steps may carry.
	at     time.Time
	shares int

	late    time.Duration // how late the last tick was, of a schedule
	stalls  uint64
	stalled time.Duration
}

// begin sets the bounds of a run of this length, 0 for one without end. Ticks that
// have to come on the instant take an exact pacer, which binds the goroutine to its
// thread until it is closed.
func (s *stepper) begin(start time.Time, duration time.Duration, exact bool, stop <-chan struct{}) {
	s.pacer, s.end, s.stop = newPacer(start, exact), math.MaxInt64, stop
	s.pacer.called, s.pacer.answer = s.inbox.many, s.collect
	if duration > 0 {
		s.end = int64(duration)
	}
}

// until waits for an instant, in nanoseconds since the start. It reports false if
// the run was stopped first.
func (s *stepper) until(at int64) bool { return s.pacer.until(at, s.stop) }

// sharing is how many steps one reading of the system's clock serves, at most, where a
// machine does not wait between them: a reading takes as long as a third of a step, and
// so many steps take one or two microseconds, which is as fine as lines tell times.
const sharing = 8

// instant returns when the last step was executed, for its line: now, or the time of a
// step shortly before. The clock is read again where something has come meanwhile, and
// after each commit. So a message that is sent after an instant is received after it, too, as
// far as the clocks of the two agree: it leaves with the commit, behind the reading for its
// send, and the reading for its receive is behind its arrival.
func (s *stepper) instant() time.Time {
	if s.shares == 0 {
		s.at, s.shares = s.wall(), sharing
	}
	s.shares--
	return s.at
}

// step executes one instruction and describes it in ev, for the caller to record.
// It reports false when the run has ended before that could be done.
func (s *stepper) step(ev *event.Event) (going bool, err error) {
	s.collect()
	if s.journal.tight && !s.room() {
		if going, err := s.stall(); !going || err != nil {
			return false, err
		}
	}
	if err := s.machine.Step(ev); err != nil {
		return false, fmt.Errorf("step %d: %w", s.machine.Steps()+1, err)
	}
	return true, nil
}

// record notes what the machine has done at this instant.
func (s *stepper) record(at time.Time, ev *event.Event) {
	s.journal.record(at, ev)
	s.figures.Observe(ev)
}

// resume notes that an earlier process of the machine has come as far as this.
func (s *stepper) resume() {
	s.journal.log.Resume(s.wall(), logging.Resume{Step: s.machine.Steps(), Clock: s.machine.Clock(), Elapsed: s.came})
}

// collect takes in what has come.
func (s *stepper) collect() {
	if s.inbox.drain(s.take) {
		s.shares = 0
	}
}

// commit makes known what has happened since the last commit: to the log, then to
// the peers, then to who watches.
func (s *stepper) commit() error {
	s.compare(false)
	return s.commitLast()
}

// commitLast is commit after a line that no other may follow.
func (s *stepper) commitLast() error {
	if err := s.journal.commit(); err != nil {
		return fmt.Errorf("the event log cannot be written, so the machine stops at step %d (nothing that is not logged was sent or acknowledged): %w", s.machine.Steps(), err)
	}
	s.shares = 0
	s.inbox.clock.Store(uint64(s.machine.Clock()))
	s.watcher.reached(s.machine, &s.figures, s.late)
	return nil
}

// room reports whether the links can take what the next step would send.
func (s *stepper) room() bool {
	next := s.machine.NextRecipients()
	for i := range next.Len() {
		if !s.journal.room(next.At(i)) {
			return false
		}
	}
	return true
}

// stall waits until the next step can be executed: its link has room again, or a
// message has come, so that the step is a receive. Were the send itself held
// instead, machines that wait for each other in a ring would wait for ever.
// It reports false when the run ends first.
func (s *stepper) stall() (going bool, err error) {
	// The messages that fill the link may be this commit's.
	if err := s.commit(); err != nil {
		return false, err
	}
	if s.room() {
		return true, nil
	}
	s.stalls++
	s.watcher.stalls.Store(s.stalls)
	began := time.Now()
	s.watcher.stalled.Store(true)
	defer func() {
		s.watcher.stalled.Store(false)
		s.stalled += time.Since(began)
		s.watcher.stalledFor.Store(int64(s.stalled))
	}()
	var over <-chan time.Time // nil: never
	if s.end != math.MaxInt64 {
		timer := time.NewTimer(time.Duration(s.end - s.pacer.now()))
		defer timer.Stop()
		over = timer.C
	}
	for !s.room() {
		select {
		case <-s.inbox.wake:
			s.collect()
		case <-over:
			return false, nil
		case <-s.stop:
			return false, nil
		}
	}
	return true, nil
}
