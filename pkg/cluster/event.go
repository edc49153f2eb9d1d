package cluster

import (
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/fault"
)

// event is something that happens in a run.
type event interface{ isEvent() }

type (
	// reached: a process has come to a milestone.
	reached struct {
		id        int
		milestone milestone
		start     time.Time // of the run, with begun
	}
	// exited: a process has ended.
	exited struct {
		id        int
		death     *Death // nil: in order
		ending    control.Ending
		milestone milestone // of this process
		lived     time.Duration
	}
	// due: the time of a restart has come.
	due struct{ id int }
	// started: the answer to a start, before any other event.
	started struct {
		id  int
		err error
	}
	// struck: the fault plan says so.
	struck struct{ fault.Action }
	// interrupted: the run is to stop. It comes once at most.
	interrupted struct{}
	// overdue: the time of the last overdueAt has come.
	overdue struct{}
)

func (reached) isEvent()     {}
func (exited) isEvent()      {}
func (due) isEvent()         {}
func (started) isEvent()     {}
func (struck) isEvent()      {}
func (interrupted) isEvent() {}
func (overdue) isEvent()     {}

// action is something to be done.
type action interface{ isAction() }

type (
	// openGate lets the machines look for each other.
	openGate struct{}
	// restart asks for a due of a machine at a time.
	restart struct {
		id int
		at time.Time
	}
	// start starts a machine's process again.
	start struct{ id int }
	// stopAll tells all machines to end in order, stop one of them.
	stopAll struct{ linger time.Duration }
	stop    struct {
		id     int
		linger time.Duration
	}
	killAll struct{}
	kill    struct{ id int }
	// hold stops a process for a while (on), or lets it go on.
	hold struct {
		id int
		on bool
	}
	// note writes a line to the faults' log.
	note struct{ text string }
	// playFaults begins to hand out what the plan says, endFaults ends that.
	playFaults struct{ start time.Time }
	endFaults  struct{}
	// overdueAt asks for an overdue, in place of the one before; zero: for none.
	overdueAt struct{ at time.Time }
)

func (openGate) isAction()   {}
func (restart) isAction()    {}
func (start) isAction()      {}
func (stopAll) isAction()    {}
func (stop) isAction()       {}
func (killAll) isAction()    {}
func (kill) isAction()       {}
func (hold) isAction()       {}
func (note) isAction()       {}
func (playFaults) isAction() {}
func (endFaults) isAction()  {}
func (overdueAt) isAction()  {}
