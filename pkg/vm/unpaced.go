package vm

import (
	"time"

	"github.com/scalemodel/lamport/pkg/event"
)

// unpaced executes instructions as fast as it can.
type unpaced struct {
	*stepper
	alone
}

func newUnpaced(s *stepper) *unpaced {
	s.take = s.machine.DeliverAll
	return &unpaced{stepper: s}
}

func (u *unpaced) comeBack()             { u.resume() }
func (u *unpaced) exact() bool           { return false }
func (u *unpaced) leave(now int64) int64 { return now }

func (u *unpaced) over(ran time.Duration) (elapsed time.Duration, measured bool) { return ran, true }

func (u *unpaced) drive() error {
	for {
		if going, err := u.burst(); !going || err != nil {
			return err
		}
		if err := u.commit(); err != nil {
			return err
		}
		select {
		case <-u.stop:
			return nil
		default:
		}
		if u.pacer.now() >= u.end {
			return nil
		}
	}
}

// burst executes what is committed at once.
func (u *unpaced) burst() (going bool, err error) {
	var ev event.Event
	for range commitSteps {
		if going, err := u.step(&ev); !going || err != nil {
			return false, err
		}
		u.record(u.instant(), &ev)
		if u.journal.full() {
			break
		}
	}
	return true, nil
}
