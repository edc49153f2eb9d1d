package vm

import (
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Probe is where anybody may look at a machine at any time, from any goroutine, and
// whether or not the machine has anything to say: it is not asked, it is read. The zero value is ready
// for the [Config] of one machine.
type Probe struct{ runner atomic.Pointer[runner] }

// Report is how it stands with a machine. Events are counted from the start of the run on, be it
// by an earlier process of the machine, and all else from the start of this one.
type Report struct {
	summary.Status
	ID       int
	Machines int // in the run; 0: the machine is not made yet
	Rate     clock.Rate
	// Waits says that the machine does what a record says, when its messages come. So
	// nobody knows when its next step is due.
	Waits bool

	Internal, Sends, Receives uint64
	Missed                    uint64 // ticks that never ran
	Lateness                  LatenessHistogram
	Stalls                    uint64        // steps that were held back by a full link
	StalledFor                time.Duration // in all, but for the one that goes on

	Links    []transport.LinkStats
	Wire     transport.Stats
	Received uint64 // bytes, of all links
	Log      string // path of the event log
}

// Mesh reports whether all links stand, in both directions, but for those to peers
// that have left.
func (r *Report) Mesh() bool {
	for i := range r.Links {
		if !r.Links[i].Stands() {
			return false
		}
	}
	return true
}

// LatenessBounds are the upper bounds of the classes of a [LatenessHistogram], but for the
// last class, which has none.
var LatenessBounds = [...]time.Duration{
	10 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, time.Second,
}

// LatenessHistogram says how many ticks were how late.
type LatenessHistogram struct {
	Ticks [len(LatenessBounds) + 1]uint64 // by class: later than the bound before, up to its own
	Sum   time.Duration
}

// Report returns how it stands now. Before the machine is made it is connecting.
func (p *Probe) Report() Report {
	r := p.runner.Load()
	if r == nil {
		return Report{Status: summary.Status{Phase: summary.Connecting}}
	}
	w := r.steps.watcher
	report := Report{
		Status:     w.status(),
		ID:         r.cfg.ID,
		Machines:   len(r.cfg.Peers) + 1,
		Rate:       r.cfg.Rate,
		Waits:      r.cfg.Replay != nil,
		Internal:   w.internal.Load(),
		Sends:      w.sends.Load(),
		Receives:   w.received.Load(),
		Missed:     w.missed.Load(),
		Stalls:     w.stalls.Load(),
		StalledFor: time.Duration(w.stalledFor.Load()),
		Links:      r.node.Links(),
		Wire:       r.node.Stats(),
		Received:   r.node.Received(),
		Log:        r.file.Name(),
	}
	for i := range w.lateness.ticks {
		report.Lateness.Ticks[i] = w.lateness.ticks[i].Load()
	}
	report.Lateness.Sum = time.Duration(w.lateness.sum.Load())
	return report
}

// attach lets the probe see the machine.
func (p *Probe) attach(r *runner) {
	if p != nil {
		p.runner.Store(r)
	}
}

// figures are what a [Probe] sees besides. Only the machine's goroutine writes.
type figures struct {
	internal, sends, missed atomic.Uint64
	stalls                  atomic.Uint64
	stalledFor              atomic.Int64 // ns
	lateness                lateTicks
}

type lateTicks struct {
	ticks [len(LatenessBounds) + 1]atomic.Uint64
	sum   atomic.Int64 // ns
}

func (f *figures) reached(c *summary.Collector) {
	internal, sends, _, missed := c.Events()
	f.internal.Store(internal)
	f.sends.Store(sends)
	f.missed.Store(missed)
}

// ticked notes how late a tick was.
func (w *watcher) ticked(late time.Duration) {
	if !w.probed {
		return
	}
	late = max(late, 0)
	class := 0
	for class < len(LatenessBounds) && late > LatenessBounds[class] {
		class++
	}
	w.lateness.ticks[class].Add(1)
	w.lateness.sum.Add(int64(late))
}
