// Package health is what a running machine answers to those who ask how it is: probes of
// container engines, systemd, Prometheus, and people.
//
// A [Monitor] looks at the machine ([vm.Probe]) and judges: how it stands ([State]), whether it
// lives and whether it is ready. [Monitor.Serve] answers over HTTP, [Monitor.Answer] on the
// machine's own port, where strangers may ask too and so hear one word; [Ask] is the other
// end of both. A [ReadyFile] and a [Notifier] say it without being asked.
package health

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/vm"
)

// State is how it stands with a machine, as it sees it itself. Where the live view of a run
// shows the same, it has the same name.
type State uint8

// The states.
const (
	Connecting   State = iota // waits for its peers
	Running                   // ticks
	Late                      // its last tick was nearer to the next one's time than to its own
	Stalled                   // its next step waits for a full link
	Reconnecting              // the run goes on, and a link does not stand
	Stuck                     // the run goes on, and nothing is executed
	Ending                    // waits for the last messages
	Done                      // its log is closed
)

var states = [...]struct {
	name        string
	live, ready bool
}{
	Connecting:   {"connecting", true, false},
	Running:      {"running", true, true},
	Late:         {"late", true, true},
	Stalled:      {"stalled", true, true},
	Reconnecting: {"reconnecting", true, false},
	Stuck:        {"stuck", false, false},
	Ending:       {"ending", true, false},
	Done:         {"done", true, false},
}

// String returns the state's name.
func (s State) String() string { return states[s].name }

// Live reports whether the machine's process does what it should. One that does not can
// only be started again.
func (s State) Live() bool { return states[s].live }

// Ready reports whether the machine is in its run with all links up.
func (s State) Ready() bool { return states[s].ready }

// judge says how it stands with a machine that has done no step for so many looks at it,
// which are a second apart.
func judge(r *vm.Report, idle int) State {
	switch r.Phase {
	case summary.Done:
		return Done
	case summary.Ending:
		return Ending
	case summary.Running:
	default:
		return Connecting
	}
	switch {
	case !r.Mesh():
		return Reconnecting
	case r.Stalled:
		return Stalled
	case !r.Waits && idle > patience(r.Rate):
		return Stuck
	case r.Rate != clock.Unpaced && r.Late > max(tolerance, time.Duration(r.Rate.Due(1))/2):
		return Late
	}
	return Running
}

const (
	// look is how often a monitor looks at its machine.
	look = time.Second
	// tolerance is how late a tick may be at any rate, as in the live view.
	tolerance = 5 * time.Millisecond
)

// patience is how many looks may find nothing done: some, since a host can be busy and a disk
// slow, and several periods of a machine that is slower than that.
func patience(rate clock.Rate) int {
	const least, periods = 30, 3
	if rate == clock.Unpaced {
		return least
	}
	return int(min(least+periods*rate.Due(1)/int64(look), 1<<30))
}

// Monitor looks at a machine once a second, and judges how it stands. That costs the
// machine nothing.
type Monitor struct {
	report  func() vm.Report
	version string       // of the program
	idle    atomic.Int32 // how many looks have found nothing done
	stop    chan struct{}
	stopped sync.WaitGroup
}

// NewMonitor returns a monitor of the machine of which report says how it stands ([vm.Probe.Report]), in a
// program of this version. It looks at it until it is closed. tell, if not nil, is called after each look.
func NewMonitor(report func() vm.Report, version string, tell func(State, *vm.Report)) *Monitor {
	m := &Monitor{report: report, version: version, stop: make(chan struct{})}
	m.stopped.Go(func() {
		tick := time.NewTicker(look)
		defer tick.Stop()
		var before vm.Report
		for {
			select {
			case <-m.stop:
				return
			case <-tick.C:
			}
			r := report()
			m.look(&before, &r)
			before = r
			if tell != nil {
				tell(m.judge(&r), &r)
			}
		}
	})
	return m
}

// look counts how often nothing was done since the look before. The run must have begun by then,
// and what makes its steps wait does not count.
func (m *Monitor) look(before, r *vm.Report) {
	if before.Phase != summary.Running || r.Phase != summary.Running || r.Steps != before.Steps || r.Stalled || time.Now().Before(r.Start) {
		m.idle.Store(0)
		return
	}
	m.idle.Add(1)
}

func (m *Monitor) judge(r *vm.Report) State { return judge(r, int(m.idle.Load())) }

// State returns how it stands with the machine now.
func (m *Monitor) State() State {
	r := m.report()
	return m.judge(&r)
}

// Close ends the monitor.
func (m *Monitor) Close() {
	close(m.stop)
	m.stopped.Wait()
}
