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
	asked := func() time.Duration {
		attr, err := unix.SchedGetAttr(0, 0)
		require.NoError(t, err)
		return time.Duration(attr.Runtime)
	}
	before, long := slack(), asked()
	require.NotEqual(t, 1, before)
	p := newPacer(time.Now(), true)
	assert.Equal(t, 1, slack())
	if long != 0 { // else the kernel is too old
		require.Greater(t, long, slice)
		assert.Equal(t, slice, asked())
	}
	p.close()
	assert.Equal(t, before, slack())
	assert.Equal(t, long, asked())
	assert.Contains(t, header(), "locked to thread", "the caller's own binding stays")
}
