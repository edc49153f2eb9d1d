package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// ErrPause is a cause to end the context of [Run] with, for a machine that is to be started
// again with Config.Resume. It does not end its run: it leaves as if it had crashed, at
// once and between two steps, and notes that in its log. Its peers keep what they have for it.
// Once its stop line is written there is nothing left to come back for, and it ends as ever.
var ErrPause = errors.New("paused")

// PausedError says that a machine has left its run for a while.
type PausedError struct {
	Step  uint64 // of its last event
	Clock clock.Time
}

func (e *PausedError) Error() string {
	return fmt.Sprintf("paused at step %d with clock %d", e.Step, e.Clock)
}

// paused reports whether a machine is to leave its run for a while.
func paused(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrPause) }

// untilPaused returns a context that ends with another one, or when the machine of ctx is to
// leave for a while.
func untilPaused(ctx, other context.Context) (context.Context, context.CancelFunc) {
	until, cancel := context.WithCancel(other)
	ignore := context.AfterFunc(ctx, func() {
		if paused(ctx) {
			cancel()
		}
	})
	return until, func() {
		ignore()
		cancel()
	}
}

// pause leaves the run open: it notes in the log how far the machine has come. Messages that
// wait are not noted: they are not acknowledged, and will be sent again.
func (s *stepper) pause(elapsed time.Duration) error {
	p := logging.Pause{Step: s.machine.Steps(), Clock: s.machine.Clock(), Elapsed: logging.Elapsed(elapsed)}
	if err := s.commit(); err != nil { // what was executed has happened, whatever becomes of the line
		return err
	}
	s.compare(true)
	s.journal.log.Pause(s.wall(), p)
	if err := s.commitLast(); err != nil {
		return err
	}
	if err := s.journal.close(); err != nil {
		return err
	}
	return &PausedError{p.Step, p.Clock}
}

// leave ends the process of a machine that is to come back.
func (r *runner) leave() error {
	now := max(r.steps.pacer.now(), int64(r.goesOn)) // if it has not gone on yet, it stands where it stood
	if r.cfg.Replay != nil {                         // whose record says where its machine was paused
		if err := r.steps.commit(); err != nil {
			return err
		}
		return &PausedError{r.steps.machine.Steps(), r.steps.machine.Clock()}
	}
	return r.steps.pause(time.Duration(r.mode.leave(now)))
}
