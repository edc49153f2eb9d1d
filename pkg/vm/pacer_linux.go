package vm

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// tuneThread keeps the calling goroutine on its thread and asks the kernel not to
// gather this thread's timers with others (50 µs by default). It returns what
// undoes that.
func tuneThread() (undo func()) {
	runtime.LockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func() {
		if err == nil {
			_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
		}
		runtime.UnlockOSThread()
	}
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
