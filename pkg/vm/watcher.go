package vm

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/summary"
)

// watcher reports how far a machine is. The machine's goroutine tells it, which
// costs a few stores; reports may come from another one.
type watcher struct {
	tell   func(summary.Status) // nil: nobody watches
	probed bool                 // somebody may want to know the figures, too
	figures

	reporting sync.Mutex   // held while tell is called
	phase     atomic.Value // summary.Phase
	start     atomic.Int64 // agreed, Unix ns; 0: not yet
	steps     atomic.Uint64
	clock     atomic.Uint64
	queue     atomic.Int64
	sent      atomic.Uint64
	received  atomic.Uint64
	late      atomic.Int64 // ns
	stalled   atomic.Bool
}

func newWatcher(tell func(summary.Status), probed bool) *watcher {
	w := &watcher{tell: tell, probed: probed}
	w.phase.Store(summary.Connecting)
	return w
}

// enter reports a new phase.
func (w *watcher) enter(p summary.Phase) {
	w.phase.Store(p)
	w.report(nil)
}

// run enters the phase of a run that starts, or has started, at this instant.
func (w *watcher) run(start time.Time) {
	w.start.Store(start.UnixNano())
	w.enter(summary.Running)
}

// reached notes where a machine is, what it has done, and how late its last tick
// was; the next report says it.
func (w *watcher) reached(m *machine.Machine, figures *summary.Collector, late time.Duration) {
	w.steps.Store(m.Steps())
	w.clock.Store(uint64(m.Clock()))
	w.queue.Store(int64(m.QueueLen()))
	sent, received := figures.Messages()
	w.sent.Store(sent)
	w.received.Store(received)
	w.late.Store(int64(late))
	if w.probed {
		w.figures.reached(figures)
	}
}

// done reports the result, the last that is ever said.
func (w *watcher) done(result *summary.Machine) {
	w.phase.Store(summary.Done)
	w.report(result)
}

// report may be called from any goroutine. What is said is found out under the
// lock, so nothing is said after what is newer.
func (w *watcher) report(result *summary.Machine) {
	if w.tell == nil {
		return
	}
	w.reporting.Lock()
	defer w.reporting.Unlock()
	s := w.status()
	s.Machine = result
	w.tell(s)
}

// status returns how far the machine is.
func (w *watcher) status() summary.Status {
	s := summary.Status{
		Phase:    w.phase.Load().(summary.Phase),
		Steps:    w.steps.Load(),
		Clock:    clock.Time(w.clock.Load()),
		Queue:    int(w.queue.Load()),
		Sent:     w.sent.Load(),
		Received: w.received.Load(),
		Late:     time.Duration(w.late.Load()),
		Stalled:  w.stalled.Load(),
	}
	if ns := w.start.Load(); ns != 0 {
		s.Start = time.Unix(0, ns)
	}
	return s
}

// keepReporting reports now and then once the machine runs, never if every is 0,
// until the returned function has returned.
func (w *watcher) keepReporting(every time.Duration) (stop func()) {
	if w.tell == nil || every <= 0 {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if w.phase.Load() != summary.Connecting { // which is told once
					w.report(nil)
				}
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}
