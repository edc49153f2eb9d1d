package vm

import (
	"time"
)

// A pacer waits for instants. It belongs to the goroutine that made it.
type pacer struct {
	start time.Time // with its monotonic reading
	timer *time.Timer
	sleep func(time.Duration) // for the last moment of a wait
	close func()

	// While it waits, but for the last moment, the pacer answers whenever it is called.
	called <-chan struct{} // nil: never
	answer func()
}

// coarse is how long before an instant the pacer leaves Go's timers, which fire
// up to a millisecond late but can be interrupted, for the system's own.
const coarse = 1500 * time.Microsecond

// newPacer returns a pacer for a start given by the system's clock, or with a reading of
// the monotonic one. From then on only the monotonic clock counts: a correction of the system's time
// while the machine runs does not change its rate. With exact, the calling
// goroutine is bound to its thread until it closes the pacer.
func newPacer(start time.Time, exact bool) *pacer {
	now := time.Now()
	p := &pacer{
		start: now.Add(start.Sub(now)),
		timer: time.NewTimer(time.Hour),
		sleep: time.Sleep,
		close: func() {},
	}
	p.timer.Stop()
	if exact {
		p.sleep, p.close = sleep, tuneThread()
	}
	return p
}

// now returns the nanoseconds since the start, negative before it.
func (p *pacer) now() int64 { return int64(time.Since(p.start)) }

// until waits for an instant, in nanoseconds since the start, or for stop. It
// reports false if stop came first. A machine that is so fast or so late that it
// never has to wait long must hear of stop too, so it is looked at in any case.
func (p *pacer) until(at int64, stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
	}
	for {
		left := at - p.now()
		if left <= 0 {
			return true
		}
		if left <= int64(coarse) {
			p.sleep(time.Duration(left))
			continue
		}
		p.timer.Reset(time.Duration(left) - coarse)
		select {
		case <-stop:
			p.timer.Stop()
			return false
		case <-p.called:
			p.timer.Stop()
			p.answer()
		case <-p.timer.C:
		}
	}
}
