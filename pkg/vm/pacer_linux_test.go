package vm

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Run is a library call: the thread that it ran on may not stay tuned.
func TestTuningOfTheThreadIsUndone(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack := func() int {
		ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		require.NoError(t, err)
		return ns
	}
	before := slack()
	require.NotEqual(t, 1, before)
	p := newPacer(time.Now(), true)
	assert.Equal(t, 1, slack())
	p.close()
	assert.Equal(t, before, slack())
	assert.Contains(t, header(), "locked to thread", "the caller's own binding stays")
}
