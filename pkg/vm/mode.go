package vm

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// A mode is a way to go through a run: by a schedule, as fast as it goes, or as a
// record says. It drives a stepper, and each is in a file of its own.
type mode interface {
	driving
	closing
}

// driving is a mode's part in the run.
type driving interface {
	// comeBack is called, before drive, where an earlier process has begun the
	// run. It notes that in the log if that is for this process to say.
	comeBack()
	// exact reports whether ticks have to come on the instant.
	exact() bool
	// drive executes instructions until the run is over.
	drive() error
	// leave takes in that the machine leaves for a while a run of which so much is over, in
	// nanoseconds. It returns how much of it the machine has done: no tick that is due
	// before is left to be executed.
	leave(now int64) (reached int64)
	// over takes in how long the run took, 0 if this process had no part in it.
	// It returns that, and false where the figures know it better from the
	// ticks.
	over(ran time.Duration) (elapsed time.Duration, measured bool)
}

// closing is a mode's part in the end.
type closing interface {
	// endless reports whether the peers are waited for without limit, as long as
	// nobody stops the machine.
	endless() bool
	// release delivers what was held back, for nothing will be executed any more.
	release()
	// check holds the stop line against what is expected; all tells whether the
	// peers' messages were waited for to the last.
	check(stop logging.Stop, all bool) error
}

// newMode returns the mode that a configuration asks for, at the step to which an
// earlier process has come.
func newMode(cfg *Config, s *stepper, p *past) (mode, error) {
	switch {
	case cfg.Replay != nil:
		return newRecorded(cfg, s, p)
	case cfg.Rate == clock.Unpaced:
		return newUnpaced(s), nil
	default:
		return newPaced(cfg, s, p), nil
	}
}

// alone is the end of a machine that has nothing to be held against.
type alone struct{}

func (alone) endless() bool                  { return false }
func (alone) release()                       {}
func (alone) check(logging.Stop, bool) error { return nil }
