package vm

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In a bubble of testing/synctest time passes only while everybody waits, so a
// pacer with Go's own sleep is exact there.

func TestPacerIsThereWhenTicksAreDue(t *testing.T) {
	for _, text := range []string{"0.25", "1", "3", "7", "100", "666", "667", "1000", "999.999", "20000"} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rate := parseRate(t, text)
				start := time.Now().Add(1234567 * time.Microsecond)
				p := newPacer(start, false)
				for k := range uint64(2001) { // 0: the start itself
					require.True(t, p.until(rate.Due(k), nil))
					require.Equal(t, rate.Due(k), p.now(), "tick %d", k)
					require.EqualValues(t, rate.Due(k), time.Since(start))
				}
			})
		})
	}
}

func TestStartInThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := newPacer(began.Add(-3*time.Second), false)
		assert.Equal(t, 3*s, p.now())
		require.True(t, p.until(0, nil))
		require.True(t, p.until(3*s, nil))
		assert.Zero(t, time.Since(began), "no time was lost")
		require.True(t, p.until(4*s, nil))
		assert.Equal(t, time.Second, time.Since(began))
	})
}

func TestStopEndsALongWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(time.Now().Add(time.Hour), false)
		stop := make(chan struct{})
		const after = 1234567891 * time.Nanosecond
		time.AfterFunc(after, func() { close(stop) })
		began := time.Now()
		assert.False(t, p.until(0, stop))
		assert.Equal(t, after, time.Since(began))
		assert.False(t, p.until(0, stop), "and every wait after it")
		assert.Equal(t, after, time.Since(began))
	})
}

// A tick of a fast machine is nearer than what a timer is used for, and one of
// a machine that cannot keep up is in the past: neither ever waits for stop.
func TestStopIsHeardByAMachineThatNeverWaitsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(time.Now(), false)
		stop := make(chan struct{})
		assert.True(t, p.until(1*ms, stop))
		close(stop)
		assert.False(t, p.until(2*ms, stop), "due in a millisecond")
		assert.False(t, p.until(1*ms, stop), "due now")
		assert.False(t, p.until(-1, stop), "overdue")
	})
}

// Hiccups are caught up to the last tick. What a longer stop takes is missed, and
// no more than that.
func TestPaceAfterHiccupsAndStops(t *testing.T) {
	tests := []struct {
		name     string
		rate     string
		stop     time.Duration // after every 100th tick
		executed uint64
	}{
		{"no stop", "100", 0, 6000},
		{"less than 100 ms", "100", 95 * time.Millisecond, 6000},
		{"slow, and less than a period", "1", 999 * time.Millisecond, 60},
		// After tick 100 the machine stands until 3.005 s: it goes on with
		// tick 300, which was due 5 ms ago, and 101 … 299 are missed; and so on.
		{"two seconds", "100", 2*time.Second + 5*time.Millisecond, 2020},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sch := newSchedule(parseRate(t, tt.rate), time.Minute)
				p := newPacer(time.Now(), false)
				var executed, missed uint64
				for !sch.over() {
					require.True(t, p.until(sch.due(), nil))
					now := p.now()
					late, m := sch.tick(now)
					require.GreaterOrEqual(t, late, time.Duration(0))
					executed++
					missed += m
					if executed%100 == 0 {
						time.Sleep(tt.stop)
					}
				}
				assert.Equal(t, tt.executed, executed)
				assert.Equal(t, sch.last, executed+missed)
				p.until(60*s, nil)
				assert.Zero(t, sch.abandon(p.now()))
			})
		})
	}
}

// header is the goroutine's line in a stack trace, which says whether it is
// bound to a thread.
func header() string {
	b := make([]byte, 4096)
	line, _, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), "\n")
	return line
}

func TestExactPacer(t *testing.T) {
	const bound = "locked to thread"
	require.NotContains(t, header(), bound)
	p := newPacer(time.Now(), true)
	if runtime.GOOS == "linux" {
		assert.Contains(t, header(), bound)
	}
	for k := range int64(20) {
		require.True(t, p.until(k*ms, nil))
		require.GreaterOrEqual(t, p.now(), k*ms, "never early")
	}
	p.close()
	assert.NotContains(t, header(), bound)
}
