//go:build !linux

package vm

import "time"

func tuneThread() (undo func()) { return func() {} }

func sleep(d time.Duration) { time.Sleep(d) }
