package vm

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loosenTimers lets the timers of all threads of the process be late by so much, so that the
// system can gather them. It returns what puts back what was, nil where it could not change
// that: with cgo, Go knows only some of the threads.
func loosenTimers(by time.Duration) (tighten func()) {
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slacken(uintptr(by)) != nil {
		return nil
	}
	return func() { _ = slacken(uintptr(before)) }
}

func slacken(ns uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, ns, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
