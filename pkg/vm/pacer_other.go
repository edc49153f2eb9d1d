//go:build !linux

package vm

import "time"

func tuneThread() {}

func sleep(d time.Duration) { time.Sleep(d) }
