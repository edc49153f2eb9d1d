package trace

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
)

// A machine that is late again and again, and catches up slowly, executes most
// stretches of its steps faster than its rate. It may: it was late before.
func TestCatchingUpIsNoHaste(t *testing.T) {
	const rate = 100 * clock.Hertz
	for _, late := range [][]time.Duration{ // at the ends of blocks, again and again
		{99 * time.Millisecond, 75 * time.Millisecond, 50 * time.Millisecond, 25 * time.Millisecond, 0},
		{0, 99 * time.Millisecond},
		{0},
	} {
		h := newHaste(rate, 0)
		steps := h.every
		for k := uint64(1); k <= 400*steps; k++ {
			at := rate.Due(k)
			if k%steps == 0 {
				at += int64(late[k/steps%uint64(len(late))])
			}
			h.step(int(k), at/1000)
		}
		require.Nil(t, h.proven, "%v", late)
	}
	require.Nil(t, newHaste(clock.Unpaced, 0))
}

// Whatever the times are that lines claim, nothing overflows.
func TestBetween(t *testing.T) {
	const first, last = 0, 253402300799999999 // years 1970 and 9999
	require.Equal(t, time.Second, between(1_000_000, 2_000_000))
	require.Greater(t, between(first, last), 290*365*24*time.Hour)
	require.Equal(t, between(first, last), -between(last, first))
}
