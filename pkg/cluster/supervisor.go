package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
)

// supervisor decides what is to be done when something happens in a run. It neither
// waits nor starts nor kills: a [conductor] tells it of the events and carries out
// the actions. It is used by one goroutine.
type supervisor struct {
	limits   limits
	duration time.Duration // of the run, 0: until stopped
	restarts bool          // a machine that dies is started again
	returns  bool          // a machine may be started again, if only by the plan
	faults   bool          // there is a plan

	stage    stage
	linger   time.Duration // that all were told when the run was stopped
	machines []supervised
	// endless is when a run without an end has begun whose machines may return;
	// zero: it has not, or is none. How long they need to read what they have
	// done is known only at its end.
	endless time.Time
	late    string // what is said of machines that are killed because of overdue
	first   *Death // of a machine that was lost

	actions []action // of the event at hand
}

// newSupervisor returns the supervisor of a run whose machines were all started.
func newSupervisor(cfg *Config, l limits) *supervisor {
	return &supervisor{
		limits:   l,
		duration: cfg.Duration,
		restarts: cfg.Restart,
		returns:  cfg.restarts(),
		faults:   !cfg.Faults.Empty(),
		machines: make([]supervised, len(cfg.Rates)),
	}
}

// begin returns what is to be done before the first event.
func (s *supervisor) begin(now time.Time) []action {
	// A machine gives up by itself when it does not find its peers.
	limit := s.limits.connect + s.limits.patience
	s.late = fmt.Sprintf("it had not begun within %v", limit)
	return []action{overdueAt{now.Add(limit)}}
}

// on takes in an event and returns what is to be done, in that order.
func (s *supervisor) on(now time.Time, e event) []action {
	s.actions = nil
	switch e := e.(type) {
	case reached:
		s.reached(e)
	case exited:
		s.exited(now, e)
	case due:
		s.due(now, e.id)
	case started:
		s.started(now, e)
	case struck:
		s.struck(now, e.Action)
	case interrupted:
		s.interrupted(now)
	case overdue:
		s.overdue(now)
	}
	return s.actions
}

// over reports whether no machine is waited for any more.
func (s *supervisor) over() bool {
	return !slices.ContainsFunc(s.machines, func(m supervised) bool { return m.phase < lost })
}

// hasBegun reports whether any machine has begun.
func (s *supervisor) hasBegun() bool {
	return slices.ContainsFunc(s.machines, func(m supervised) bool { return m.milestone == begun })
}

func (s *supervisor) do(a action) { s.actions = append(s.actions, a) }

func (s *supervisor) become(next stage) {
	if !slices.Contains(nextStages[s.stage], next) {
		panic(fmt.Sprintf("cluster: a run that is %v cannot become %v", s.stage, next))
	}
	s.stage = next
}

// slowest returns the milestone that all machines have come to.
func (s *supervisor) slowest() milestone {
	least := begun
	for i := range s.machines {
		least = min(least, s.machines[i].milestone)
	}
	return least
}

func (s *supervisor) reached(e reached) {
	m := &s.machines[e.id]
	first, before := !s.hasBegun(), s.slowest()
	m.milestone = max(m.milestone, e.milestone)
	if first && s.hasBegun() {
		s.firstHasBegun(e.start)
	}
	if s.stage != beginning {
		return
	}
	now := s.slowest()
	// Did the first ones look for each other already, the last ones would have
	// little of the processor to come up.
	if before < arrived && now >= arrived {
		s.do(openGate{})
	}
	if now == begun {
		s.allHaveBegun(e.start)
	}
}

func (s *supervisor) firstHasBegun(start time.Time) {
	if s.duration == 0 && s.returns {
		s.endless = start
	}
	if s.faults && s.stage < stopping {
		s.do(playFaults{start})
	}
}

func (s *supervisor) allHaveBegun(start time.Time) {
	s.become(running)
	if s.duration == 0 {
		s.do(overdueAt{})
		return
	}
	limit := s.limits.linger + s.limits.patience
	s.late = fmt.Sprintf("it had not ended %v after its time", limit)
	s.do(overdueAt{start.Add(s.duration + limit)})
}

func (s *supervisor) exited(now time.Time, e exited) {
	m := &s.machines[e.id]
	if e.death == nil {
		m.become(ended)
		return
	}
	m.death, m.died = e.death, now
	switch {
	case s.stage == killing:
		s.lose(now, e.id)
		return
	case m.phase == doomed && s.stage < stopping:
		m.become(felled)
		return
	case m.phase == doomed, m.phase == recalled: // once stopping, the plan orders nobody back
		s.bringBack(e.id, now)
		return
	}
	if s.restarts {
		if pause, ok := m.revive(e); ok {
			s.bringBack(e.id, now.Add(pause))
			return
		}
	}
	s.lose(now, e.id)
}

// bringBack has a machine that is dead started again.
func (s *supervisor) bringBack(id int, at time.Time) {
	m := &s.machines[id]
	m.become(down)
	m.restartAt = at
	s.do(restart{id, at})
}

// lose gives up a machine that is dead. A run without it is none.
func (s *supervisor) lose(now time.Time, id int) {
	m := &s.machines[id]
	m.become(lost)
	if s.first == nil {
		first := *m.death
		if s.stage == killing {
			first.State += ", by the launcher: " + s.late
		}
		s.first = &first
	}
	s.stop(now, s.limits.shortLinger)
}

func (s *supervisor) due(now time.Time, id int) {
	if m := &s.machines[id]; m.phase == down && !now.Before(m.restartAt) {
		m.become(starting)
		s.do(start{id})
	}
}

func (s *supervisor) started(now time.Time, e started) {
	m := &s.machines[e.id]
	if e.err != nil {
		m.death = &Death{ID: e.id, State: e.err.Error()}
		s.lose(now, e.id)
		return
	}
	m.become(up)
	m.restarts++
	m.down += now.Sub(m.died)
	if s.stage == stopping {
		s.do(stop{e.id, s.linger}) // with more, it would be killed while it waits for one that is lost
	}
}

// struck takes in what the plan does to processes, and what it does to connections,
// which the machines do themselves by the same plan.
func (s *supervisor) struck(now time.Time, a fault.Action) {
	if s.stage >= stopping {
		return // it was on its way when the plan ended
	}
	s.do(note{a.String()})
	for _, id := range a.Machines {
		switch {
		case a.Kind == fault.Kill && !a.Over:
			s.fell(id)
		case a.Kind == fault.Kill:
			s.recall(now, id)
		case a.Kind == fault.Pause:
			s.hold(now, id, !a.Over)
		}
	}
}

func (s *supervisor) fell(id int) {
	switch m := &s.machines[id]; m.phase {
	case up, held, recalled:
		m.become(doomed)
		s.do(kill{id})
	case down:
		m.become(felled)
	}
}

func (s *supervisor) recall(now time.Time, id int) {
	switch m := &s.machines[id]; m.phase {
	case doomed:
		m.become(recalled)
	case felled:
		s.bringBack(id, now)
	}
}

// hold is done to a process in any phase: where there is none, the faults' log is
// to say so.
func (s *supervisor) hold(now time.Time, id int, on bool) {
	switch m := &s.machines[id]; {
	case on && m.phase == up:
		m.become(held)
		m.heldAt = now
	case !on && m.phase == held:
		m.become(up)
	}
	s.do(hold{id, on})
}

func (s *supervisor) interrupted(now time.Time) {
	if !s.endless.IsZero() {
		s.limits.linger += now.Sub(s.endless)
	}
	if s.stage < stopping {
		s.late = fmt.Sprintf("it had not stopped %v after it was told to", s.limits.linger+s.limits.patience)
	}
	s.stop(now, s.limits.linger)
}

// stop ends the run in order, if that was not begun before.
func (s *supervisor) stop(now time.Time, linger time.Duration) {
	if s.stage >= stopping {
		return
	}
	s.become(stopping)
	s.linger = linger
	s.do(endFaults{})
	s.lift(now)
	s.do(stopAll{linger})
	s.do(overdueAt{now.Add(linger + s.limits.patience)})
}

// lift ends what the plan has done to processes, so that all can come to their end.
func (s *supervisor) lift(now time.Time) {
	for id := range s.machines {
		switch s.machines[id].phase {
		case held:
			s.hold(now, id, false)
		case felled:
			s.bringBack(id, now)
		}
	}
}

func (s *supervisor) overdue(now time.Time) {
	// After a pause of this very process, the machines' ends may be there to
	// be read: they get their second chance too.
	if s.stage < stopping {
		s.stop(now, s.limits.shortLinger)
		return
	}
	if s.stage == killing {
		return
	}
	s.become(killing)
	s.do(killAll{})
	for id := range s.machines {
		if s.machines[id].phase == down {
			s.lose(now, id)
		}
	}
}
