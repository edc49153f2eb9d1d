package faultconn

import (
	"sync"
	"sync/atomic"
	"time"
)

// clock tells the plan's time, which there is from the start of a run until the
// faults are lifted.
type clock struct {
	begun atomic.Pointer[time.Time] // agreed start of the run; nil: not agreed
	over  chan struct{}             // closed: nothing breaks any more
	lift  func()                    // closes over
}

func newClock() *clock {
	over := make(chan struct{})
	return &clock{over: over, lift: sync.OnceFunc(func() { close(over) })}
}

// start sets the instant from which the plan's times count. One with a reading of the
// monotonic clock is not moved when the system's clock is set.
func (c *clock) start(at time.Time) { c.begun.Store(&at) }

// now returns the plan's time, and false before the start and after the end.
func (c *clock) now() (at time.Duration, begun bool) {
	start := c.begun.Load()
	if start == nil {
		return 0, false
	}
	select {
	case <-c.over:
		return 0, false
	default:
	}
	at = time.Since(*start)
	return at, at >= 0
}
