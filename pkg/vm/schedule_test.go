package vm

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

const ms, s = int64(time.Millisecond), int64(time.Second)

func parseRate(t require.TestingT, text string) clock.Rate {
	r, err := clock.ParseRate(text)
	require.NoError(t, err)
	return r
}

func TestSchedule(t *testing.T) {
	type tick struct {
		now    int64
		late   int64
		missed uint64
		next   uint64 // after it
	}
	tests := []struct {
		name     string
		rate     string
		duration time.Duration
		ticks    []tick
	}{
		{"on time", "1", 0, []tick{{s, 0, 0, 2}, {2 * s, 0, 0, 3}, {3 * s, 0, 0, 4}}},
		{"a little late, every time anew", "1", 0, []tick{{s + 7, 7, 0, 2}, {2*s + 3, 3, 0, 3}}},
		{"a fraction", "0.5", 0, []tick{{2 * s, 0, 0, 2}, {4*s + 1, 1, 0, 3}}},
		{"due times are rounded down from the start", "3", 0, []tick{
			{333_333_333, 0, 0, 2}, {666_666_666, 0, 0, 3}, {s, 0, 0, 4}, {1_333_333_333, 0, 0, 5}}},
		{"the fastest", "1000000", 0, []tick{{1000, 0, 0, 2}, {2000, 0, 0, 3}}},

		{"slow and 500 ms late, but no period: it stays", "1", 0, []tick{{s + 500*ms, 500 * ms, 0, 2}, {2 * s, 0, 0, 3}}},
		{"one period late, to the nanosecond: it stays", "1", 0, []tick{{2 * s, s, 0, 2}, {2 * s, 0, 0, 3}}},
		{"more than a period late: the schedule moves", "1", 0, []tick{{2*s + 1, 1, 1, 3}, {3 * s, 0, 0, 4}}},
		{"three and a half periods late", "1", 0, []tick{{4*s + 500*ms, 500 * ms, 3, 5}, {5 * s, 0, 0, 6}}},

		{"fast and many periods late, but less than 100 ms: caught up", "1000", 0, []tick{
			{51 * ms, 50 * ms, 0, 2}, {51 * ms, 49 * ms, 0, 3}, {51 * ms, 48 * ms, 0, 4}}},
		{"100 ms late, to the nanosecond: caught up", "1000", 0, []tick{{101 * ms, 100 * ms, 0, 2}}},
		{"fast and more than 100 ms late: the schedule moves", "1000", 0, []tick{
			{101*ms + 1, 1, 100, 102}, {102 * ms, 0, 0, 103}}},
		{"10 Hz: 100 ms are a period", "10", 0, []tick{{200 * ms, 100 * ms, 0, 2}, {300 * ms, 100 * ms, 0, 3}, {400*ms + 1, 1, 1, 5}}},

		{"woken after the end: what was due later never was", "1", 5 * time.Second, []tick{
			{s, 0, 0, 2}, {90 * s, 85 * s, 3, 6}}},
		{"the last tick is late: it is executed", "1", 2 * time.Second, []tick{{s, 0, 0, 2}, {9 * s, 7 * s, 0, 3}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sch := newSchedule(parseRate(t, tt.rate), tt.duration)
			for _, k := range tt.ticks {
				require.False(t, sch.over())
				late, missed := sch.tick(k.now)
				assert.Equal(t, time.Duration(k.late), late, "lateness at %d", k.now)
				assert.Equal(t, k.missed, missed, "missed at %d", k.now)
				assert.Equal(t, k.next, sch.next, "next after %d", k.now)
			}
		})
	}
}

func TestScheduleIsOverWithItsRun(t *testing.T) {
	tests := []struct {
		rate     string
		duration time.Duration
		ticks    uint64
	}{
		{"1", time.Minute, 60}, // the one that is due at the very end too
		{"1", time.Minute - 1, 59},
		{"5", 900 * time.Millisecond, 4},
		{"0.25", time.Second, 0},
		{"0.000000001", math.MaxInt64, 9},
		{"1000000", time.Hour, 3_600_000_000},
	}
	for _, tt := range tests {
		sch := newSchedule(parseRate(t, tt.rate), tt.duration)
		assert.Equal(t, tt.ticks, sch.last, "rate %s for %v", tt.rate, tt.duration)
		assert.Equal(t, tt.ticks == 0, sch.over())
		sch.next = tt.ticks + 1
		assert.True(t, sch.over())
	}
	assert.False(t, newSchedule(clock.Hertz, 0).over(), "without end")
}

// Ticks that stand close together share one wake-up, with the last of them. No other tick
// is later for it.
func TestTicksThatWakeUpTogether(t *testing.T) {
	const µs = int64(time.Microsecond)
	tests := []struct {
		name string
		rate string
		next uint64
		last uint64 // 0: without end
		wake int64
	}{
		{"a lone tick", "1", 1, 0, s},
		{"1 kHz", "1000", 5, 0, 5 * ms},
		{"just too far apart", "9999", 1, 0, 100_010},
		{"the second is as far behind as may be", "10000", 1, 0, 200 * µs},
		{"50 kHz", "50000", 1, 0, 120 * µs},
		{"50 kHz, later", "50000", 7, 0, 240 * µs},
		{"the fastest", "1000000", 1, 0, 101 * µs},
		{"no more than the run has", "50000", 7, 8, 160 * µs},
		{"the run's last", "50000", 8, 8, 160 * µs},
		{"a tick that is due after 292 years", "0.000000001", 10, 0, math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sch := newSchedule(parseRate(t, tt.rate), 0)
			sch.next = tt.next
			if tt.last != 0 {
				sch.last = tt.last
			}
			assert.Equal(t, tt.wake, sch.wake())
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		sch := newSchedule(clock.Rate(rapid.Uint64Range(1, uint64(clock.MaxRate)).Draw(t, "rate")), time.Minute)
		if sch.over() {
			return
		}
		sch.next = rapid.Uint64Range(1, sch.last).Draw(t, "next")
		due, wake := sch.due(), sch.wake()
		assert.True(t, due <= wake && wake <= due+int64(together), "due at %d, woken at %d", due, wake)
		for sch.next < sch.last && sch.due() < wake {
			sch.next++
		}
		assert.Equal(t, wake, sch.due(), "a tick is due then")
		if sch.next++; !sch.over() {
			assert.Greater(t, sch.due(), due+int64(together), "and the next one later")
		}
	})
}

// A run that stood still goes on on a busy host, where a process comes back late. What came due
// meanwhile is late, and only what the machine had missed before, or misses later, is missed.
func TestNothingIsMissedOnTheWayBack(t *testing.T) {
	type tick struct {
		at     int64
		step   uint64 // which one it is
		missed uint64
	}
	for _, tt := range []struct {
		name  string
		rate  string
		next  uint64        // after the pause
		delay time.Duration // of the process, until it goes on at from
		from  int64
		ticks []tick
	}{
		{"in time", "10", 101, 3 * time.Second, 10*s + 50*ms, []tick{{10100 * ms, 101, 0}, {10200 * ms, 102, 0}}},
		{"late by five ticks", "10", 101, 3 * time.Second, 10550 * ms, []tick{
			{10550 * ms, 101, 0}, {10550 * ms, 102, 0}, {10550 * ms, 103, 0}, {10550 * ms, 104, 0}, {10551 * ms, 105, 0}, {10600 * ms, 106, 0},
		}},
		{"held up again afterwards", "10", 101, 3 * time.Second, 10250 * ms, []tick{{10250 * ms, 101, 0}, {10900 * ms, 102, 0}, {10900 * ms, 109, 6}}},
		{"the run went on without it before", "10", 51, time.Second, 10*s + 5*ms, []tick{{10*s + 5*ms, 91, 40}, {10*s + 6*ms, 92, 0}}},
		{"later than can be caught up", "10", 101, time.Minute, 20*s + 5*ms, []tick{{20*s + 5*ms, 181, 80}, {20*s + 6*ms, 182, 0}}},
		{"a slow machine", "0.5", 5, time.Second, 13 * s, []tick{{13 * s, 6, 1}, {14 * s, 7, 0}}},
		{"it stood still for no time", "10", 101, 0, 10550 * ms, []tick{{10550 * ms, 105, 4}, {10600 * ms, 106, 0}}},
		{"the first tick", "10", 1, time.Hour, 350 * ms, []tick{{350 * ms, 1, 0}, {350 * ms, 2, 0}, {350 * ms, 3, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sch := newSchedule(parseRate(t, tt.rate), 0)
			sch.next = tt.next
			sch.comeBack(tt.from, tt.delay)
			for _, want := range tt.ticks {
				late, missed := sch.tick(want.at)
				assert.Equal(t, want, tick{want.at, sch.next - 1, missed})
				assert.EqualValues(t, want.at-sch.rate.Due(want.step), late)
			}
		})
	}
	// Nor is anything missed where it is paused once more before it has caught up.
	sch := newSchedule(10*clock.Hertz, 0)
	sch.next = 101
	sch.comeBack(10550*ms, time.Second)
	sch.tick(10550 * ms)
	reached, missed := sch.leave(10560 * ms)
	assert.Equal(t, []any{10200 * ms, uint64(0)}, []any{reached, missed})
}

func TestAbandonedTicksAreMissed(t *testing.T) {
	tests := []struct {
		name   string
		now    int64
		missed uint64
	}{
		{"nothing is due", 2*s + 999*ms, 0},
		{"before the start", -5, 0},
		{"one is due", 3 * s, 1},
		{"three are due", 5*s + 1, 3},
		{"no more than the run has", 90 * s, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sch := newSchedule(clock.Hertz, 10*time.Second)
			sch.tick(s)
			sch.tick(2 * s)
			assert.Equal(t, tt.missed, sch.abandon(tt.now))
			assert.Equal(t, 3+tt.missed, sch.next)
			assert.Zero(t, sch.abandon(tt.now), "a second time")
		})
	}
}

// naive is the schedule as one would first write it down: big numbers, and a
// loop over every tick that is missed.
type naive struct {
	rate     uint64
	duration int64
	next     int64
}

// due is ⌊k·10¹⁸ / rate⌋.
func (n *naive) due(k int64) int64 {
	x := new(big.Int).Mul(big.NewInt(k), big.NewInt(1e18))
	x.Div(x, new(big.Int).SetUint64(n.rate))
	if !x.IsInt64() {
		return math.MaxInt64
	}
	return x.Int64()
}

func (n *naive) inRun(k int64) bool { return n.duration == 0 || n.due(k) <= n.duration }

func (n *naive) tick(now int64) (late int64, missed uint64) {
	if now-n.due(n.next) > 100*ms && now > n.due(n.next+1) {
		for n.due(n.next+1) <= now && n.inRun(n.next+1) {
			n.next++
			missed++
		}
	}
	late = now - n.due(n.next)
	n.next++
	return late, missed
}

func (n *naive) abandon(now int64) (missed uint64) {
	for n.due(n.next) <= now && n.inRun(n.next) {
		n.next++
		missed++
	}
	return missed
}

func TestScheduleEqualsItsNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Rates of all magnitudes, so slow that all ticks can be walked.
		rate := rapid.Uint64Range(1, 2000).Draw(t, "rate") * uint64(math.Pow10(rapid.IntRange(6, 9).Draw(t, "power")))
		duration := rapid.SampledFrom([]int64{0, s / 3, s, 5 * s}).Draw(t, "duration")
		sch := newSchedule(clock.Rate(rate), time.Duration(duration))
		twin := &naive{rate: rate, duration: duration, next: 1}
		now, executed, missed := int64(0), uint64(0), uint64(0)
		for range rapid.IntRange(0, 30).Draw(t, "ticks") {
			require.Equal(t, !twin.inRun(twin.next), sch.over())
			if sch.over() {
				break
			}
			require.Equal(t, twin.due(twin.next), sch.due())
			// A machine does not tick before it is due; mostly it is on
			// time, sometimes it slept.
			now = max(now, sch.due()) + rapid.OneOf(
				rapid.Int64Range(0, 10), rapid.Int64Range(0, 10*ms),
				rapid.Int64Range(99*ms, 101*ms), rapid.Int64Range(0, 3*s),
			).Draw(t, "late")
			wantLate, wantMissed := twin.tick(now)
			late, m := sch.tick(now)
			require.Equal(t, wantLate, int64(late))
			require.Equal(t, wantMissed, m)
			require.EqualValues(t, twin.next, sch.next)
			executed, missed = executed+1, missed+m
			require.Equal(t, sch.next-1, executed+missed, "every tick is executed or missed")
		}
		now += rapid.Int64Range(0, 3*s).Draw(t, "end")
		wantMissed := twin.abandon(now)
		m := sch.abandon(now)
		require.Equal(t, wantMissed, m)
		if duration == 0 {
			duration = math.MaxInt64
		}
		require.Equal(t, clock.Rate(rate).Ticks(min(now, duration)), executed+missed+m, "every tick that was due")
	})
}

// After a billion ticks, one is due to the nanosecond when it was in theory. A
// schedule that adds up periods of whole nanoseconds is a third of a second off
// by then at 3 ticks a second.
func TestNoErrorAddsUp(t *testing.T) {
	for _, text := range []string{"3", "7", "0.3", "5.999999999", "1000", "999.999", "44100", "1000000"} {
		rate := parseRate(t, text)
		sch := newSchedule(rate, 0)
		twin := &naive{rate: uint64(rate)}
		for _, k := range []uint64{1, 999_999_937, 1_000_000_000} {
			sch.next = k
			want := twin.due(int64(k))
			require.Equal(t, want, sch.due(), "tick %d at %s", k, text)
			late, missed := sch.tick(want)
			require.Zero(t, late)
			require.Zero(t, missed)
		}
	}
}
