// Package windows runs the parts of a model side by side, window by window of virtual
// time. It is what package sim is built on, and it knows no machine.
//
// As long as a window is no longer than the look-ahead of the model, the least time from
// a cause in one part to its effect in another, nothing that is sent in a window is due
// in it. So within a window no part knows of any other, and each may be run on a core of
// its own (conservative synchronization; R. M. Fujimoto, "Parallel Discrete Event
// Simulation", CACM 33(10), 1990). What a part has to do it finds in a [Wheel]; what it
// sends to others it leaves in an [Outbox].
package windows

import (
	"math"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Shift returns the base-2 logarithm of the longest window for a look-ahead, and
// whether there is one: a look-ahead of nothing allows no windows. A power of two takes
// no division. No window is longer than 2³² units: that serves nothing.
func Shift(lookahead int64) (shift uint8, ok bool) {
	if lookahead < 1 {
		return 0, false
	}
	return min(uint8(63-bits.LeadingZeros64(uint64(lookahead))), 32), true
}

// None stands behind all windows.
const None = math.MaxUint64

// Part is a part of a model. Its methods are called by one goroutine, in turns: Collect
// before each window and at the end, Execute for each window.
type Part interface {
	// Collect takes what all parts have sent to this one in the window before.
	Collect()
	// Execute does what is due in a window.
	Execute(window uint64) Outcome
}

// Outcome is what a part tells the others at the end of a window.
type Outcome struct {
	// Next is the first window after this in which the part has something to do, or has
	// given another something to do. [None]: there is none.
	Next   uint64
	Events uint64 // executed since the beginning
	Stop   bool   // ends the run with this window
}

// cell is an outcome that shares no cache line with another core's.
type cell struct {
	Outcome
	_ [104]byte
}

// Run executes all windows from the first until nothing is left to do, or a part says
// stop: then it reports true. After each window, passed is told of it, and of the events
// of all parts, by the goroutine that runs the first part; the others may be ahead.
func Run(parts []Part, first uint64, passed func(window, events uint64)) (stopped bool) {
	if len(parts) == 1 {
		return alone(parts[0], first, passed)
	}
	r := &run{gate: barrier{n: int32(len(parts))}}
	for p := range r.cells {
		r.cells[p] = make([]cell, len(parts))
	}
	var others sync.WaitGroup
	for i := range parts[1:] {
		others.Go(func() { r.run(parts[i+1], i+1, first, nil) })
	}
	stopped = r.run(parts[0], 0, first, passed)
	others.Wait()
	return stopped
}

// alone is Run where there is nobody to wait for.
func alone(part Part, window uint64, passed func(window, events uint64)) (stopped bool) {
	for window != None && !stopped {
		part.Collect()
		o := part.Execute(window)
		passed(window, o.Events)
		window, stopped = o.Next, o.Stop
	}
	part.Collect()
	return stopped
}

type run struct {
	// cells are those of the parts, by the parity of the window's number in the run: what
	// one of them has written is read while another is in the next window.
	cells [2][]cell
	gate  barrier
}

func (r *run) run(part Part, me int, window uint64, passed func(window, events uint64)) (stopped bool) {
	for parity := 0; window != None && !stopped; parity = 1 - parity {
		part.Collect()
		cells := r.cells[parity]
		cells[me].Outcome = part.Execute(window)
		r.gate.wait()
		next, events := uint64(None), uint64(0)
		for i := range cells {
			o := &cells[i].Outcome
			next, events, stopped = min(next, o.Next), events+o.Events, stopped || o.Stop
		}
		if passed != nil {
			passed(window, events)
		}
		window = next
	}
	part.Collect()
	return stopped
}

// barrier lets nobody pass until all have come.
type barrier struct {
	n       int32
	arrived atomic.Int32
	_       [56]byte
	round   atomic.Uint32
}

func (b *barrier) wait() {
	round := b.round.Load()
	if b.arrived.Add(1) == b.n {
		b.arrived.Store(0)
		b.round.Add(1)
		return
	}
	// The others are mostly a few microseconds away; where one is not, as on
	// a host with other work, this core is given away.
	for spins := 0; b.round.Load() == round; spins++ {
		switch {
		case spins < 1000:
		case spins < 1100:
			runtime.Gosched()
		default:
			time.Sleep(20 * time.Microsecond)
		}
	}
}
