package vm

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// slacks returns the slack of so many threads: each waits until all are bound to one.
func slacks(t *testing.T, threads int) []time.Duration {
	t.Helper()
	all := make(chan time.Duration)
	done := make(chan struct{})
	for range threads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
			assert.NoError(t, err)
			all <- time.Duration(ns)
			<-done
		}()
	}
	defer close(done)
	var found []time.Duration
	for range threads {
		found = append(found, <-all)
	}
	return found
}

// All threads that there are, and those that they make.
func TestTimersOfAllThreadsAreLoosened(t *testing.T) {
	before := slacks(t, 4)
	tighten := loosenTimers(startingSlack)
	if tighten == nil {
		t.Skip("with cgo, not all threads are known: CGO_ENABLED=0 go test tests this")
	}
	for _, slack := range slacks(t, 8) {
		assert.Equal(t, startingSlack, slack)
	}
	tighten()
	require.NotContains(t, before, startingSlack)
	for _, slack := range slacks(t, 8) {
		assert.Contains(t, before, slack)
	}
}
