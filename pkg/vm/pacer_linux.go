package vm

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// tuneThread keeps the calling goroutine on its thread, asks the kernel not to
// gather this thread's timers with others (50 µs by default), and not to let it wait
// for threads that have work for long. It returns what undoes that.
func tuneThread() (undo func()) {
	over := ours.beExact()
	runtime.LockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	lengthen := shortenSlice()
	return func() {
		lengthen()
		if err == nil {
			_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
		}
		runtime.UnlockOSThread()
		over()
	}
}

// slice is for how long a tick takes the processor, with some to spare.
const slice = 100 * time.Microsecond

// shortenSlice tells the scheduler that this thread wants the processor for short times
// only. A thread that wakes up takes it from one whose slice is longer at once, where it
// would wait for up to 3 ms otherwise; it gets no larger share (EEVDF, since Linux 6.12:
// sched_attr(7); older ones take no notice). A thread that is scheduled in another way, which somebody
// has chosen, stays as it is.
func shortenSlice() (undo func()) {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL {
		return func() {}
	}
	before := *attr
	attr.Runtime = uint64(slice)
	if unix.SchedSetAttr(0, attr, 0) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetAttr(0, &before, 0) }
}

// sleep waits with the system's own timer, to an absolute instant: a signal
// that interrupts it does not make it longer.
func sleep(d time.Duration) {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		time.Sleep(d)
		return
	}
	at := unix.NsecToTimespec(now.Nano() + int64(d))
	for {
		switch err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil); err {
		case unix.EINTR:
		case nil:
			return
		default:
			time.Sleep(d)
			return
		}
	}
}
