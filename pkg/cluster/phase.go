package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/summary"
)

// stage is how far a run is. It only moves forward.
type stage uint8

const (
	beginning stage = iota // some machines have not begun yet
	running                // all have
	stopping               // all were told to end
	killing                // all were killed
)

// nextStages says which stages may follow each.
var nextStages = [...][]stage{
	beginning: {running, stopping},
	running:   {stopping},
	stopping:  {killing},
	killing:   {},
}

func (s stage) String() string {
	return [...]string{"beginning", "running", "stopping", "killing"}[s]
}

// milestone is how far a machine or one of its processes has come.
type milestone uint8

const (
	absent  milestone = iota // it has not reported
	arrived                  // it has
	begun                    // it has agreed with the others on the start
)

// phase is how it stands with a machine.
type phase uint8

const (
	up       phase = iota // its process is there
	held                  // up, and stopped for a while by the plan
	doomed                // killed by the plan, but its end is not known yet
	recalled              // doomed, and the plan has ordered it back already
	felled                // dead by the plan, which will order it back
	down                  // dead, and to be started again at restartAt
	starting              // a start is under way
	lost                  // dead, and given up
	ended                 // has ended in order
)

// nextPhases says which phases may follow each. A machine is waited for until
// it is lost or has ended.
var nextPhases = [...][]phase{
	up:       {held, doomed, down, lost, ended},
	held:     {up, doomed, down, lost, ended},
	doomed:   {recalled, felled, down, lost, ended},
	recalled: {doomed, down, lost, ended},
	felled:   {down},
	down:     {felled, starting, lost},
	starting: {up, lost},
	lost:     {},
	ended:    {},
}

func (p phase) String() string {
	return [...]string{"up", "held", "doomed", "recalled", "felled", "down", "starting", "lost", "ended"}[p]
}

const (
	// soon is how short a life says that a machine cannot live.
	soon = 2 * time.Second
	// maxQuick is after how many such lives in a row it is given up.
	maxQuick = 10
	// firstPause is how long a machine stays down, doubled for each quick
	// death up to lastPause.
	firstPause = 20 * time.Millisecond
	lastPause  = 2 * time.Second
)

// supervised is what a supervisor knows of one machine.
type supervised struct {
	phase     phase
	milestone milestone // the furthest of all its processes
	restarts  int
	down      time.Duration // in all
	quick     int           // deaths in a row that came soon after a start

	// From the first death on.
	death *Death    // the latest
	died  time.Time // when it did
	// heldAt is, when held, since when.
	heldAt time.Time
	// restartAt is, when down, before when no due counts: one may be on its
	// way that was asked for before the plan killed the machine once more.
	restartAt time.Time
}

func (m *supervised) become(next phase) {
	if !slices.Contains(nextPhases[m.phase], next) {
		panic(fmt.Sprintf("cluster: a machine that is %v cannot become %v", m.phase, next))
	}
	m.phase = next
}

// process says how it stands with the machine's process, as far as its end is known.
func (m *supervised) process() summary.Process {
	switch m.phase {
	case held:
		return summary.Process{State: summary.Paused, Since: m.heldAt}
	case felled:
		return summary.Process{State: summary.Down, Since: m.died}
	case down, starting:
		return summary.Process{State: summary.Restarting, Since: m.died}
	case lost:
		return summary.Process{State: summary.Lost, Since: m.died}
	}
	return summary.Process{}
}

// revive takes in how a process has died, and returns after what pause its machine
// is to be started again. It reports false where that would be in vain: the machine
// has refused to go on, or dies again and again.
func (m *supervised) revive(e exited) (pause time.Duration, ok bool) {
	if e.lived > soon || e.ending == control.Crashed {
		m.quick = 0
	}
	m.quick++
	speechless := e.milestone == absent && e.ending != control.Killed
	// A Go program that panics has the same exit code, but comes later.
	refused := e.milestone < begun && e.ending == control.Refused
	if m.quick > maxQuick || speechless || refused || e.ending == control.Differed {
		return 0, false
	}
	return min(firstPause<<(m.quick-1), lastPause), true
}
