package clock_test

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

// mutexClock is the dumb twin of [clock.Lamport]: the two rules in the plainest
// words, behind a mutex.
type mutexClock struct {
	mu  sync.Mutex
	now clock.Time
}

func (c *mutexClock) Tick() (clock.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == clock.Max {
		return c.now, clock.ErrSaturated
	}
	c.now++
	return c.now, nil
}

func (c *mutexClock) Receive(sent clock.Time) (clock.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == clock.Max || sent == clock.Max {
		return c.now, clock.ErrSaturated
	}
	if sent > c.now {
		c.now = sent
	}
	c.now++
	return c.now, nil
}

func (c *mutexClock) Now() clock.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func TestTickIsLaterByOne(t *testing.T) { // Lamport 1978, IR1
	for _, from := range []clock.Time{0, 1, 41, 1 << 32, clock.Max - 1} {
		got, err := from.Tick()
		require.NoError(t, err)
		assert.Equal(t, from+1, got)
	}
}

func TestReceiveAdvancesClock(t *testing.T) { // Lamport 1978, IR2
	for _, c := range []struct {
		name      string
		now, sent clock.Time
		want      clock.Time
	}{
		{"the first event is a receipt", 0, 1, 2},
		{"sender ahead: jump past the send", 3, 7, 8},
		{"sender behind: the clock moves all the same", 7, 3, 8},
		{"sender equal: later than both", 7, 7, 8},
		{"a stamp that no send carries is harmless", 7, 0, 8},
		{"sender ahead by one", 7, 8, 9},
		{"the last timestamp, from the message", 0, clock.Max - 1, clock.Max},
		{"the last timestamp, from the clock", clock.Max - 1, 0, clock.Max},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.now.Receive(c.sent)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)

			l := clock.NewLamport(c.now)
			got, err = l.Receive(c.sent)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want, l.Now())
		})
	}
}

// A clock that wrapped to 0 would put its next event before all others.
func TestSaturatesInsteadOfWrapping(t *testing.T) {
	const never = clock.Time(0) // no message
	for _, c := range []struct {
		name      string
		now, sent clock.Time
	}{
		{"tick at the last timestamp", clock.Max, never},
		{"receive at the last timestamp", clock.Max, 1},
		{"receive the last timestamp", 5, clock.Max},
		{"receive the last timestamp, fresh clock", 0, clock.Max},
		{"receive the last timestamp at the last timestamp", clock.Max, clock.Max},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := clock.NewLamport(c.now)
			var value, shared clock.Time
			var valueErr, sharedErr error
			if c.sent == never {
				value, valueErr = c.now.Tick()
				shared, sharedErr = l.Tick()
			} else {
				value, valueErr = c.now.Receive(c.sent)
				shared, sharedErr = l.Receive(c.sent)
			}
			assert.ErrorIs(t, valueErr, clock.ErrSaturated)
			assert.ErrorIs(t, sharedErr, clock.ErrSaturated)
			assert.Equal(t, c.now, value)
			assert.Equal(t, c.now, shared)
			assert.Equal(t, c.now, l.Now(), "the clock has not moved")
		})
	}
}

func TestReceiveWithinRefusesForgedStamps(t *testing.T) {
	for _, c := range []struct {
		name      string
		now, sent clock.Time
		jump      uint64
		want      clock.Time
		err       string // of the refusal; empty: accepted
	}{
		{"exactly as far as allowed", 10, 15, 5, 16, ""},
		{"one further", 10, 16, 5, 10, "logical clock jumps too far: from 10 to 16, 5 allowed"},
		{"old stamps never jump", 10, 3, 0, 11, ""},
		{"no jump allowed, none made", 10, 10, 0, 11, ""},
		{"no jump allowed, one made", 10, 11, 0, 10, "logical clock jumps too far: from 10 to 11, 0 allowed"},
		{"a stamp made to use up the clock", 10, clock.Max, 1e6, 10,
			"logical clock jumps too far: from 10 to 18446744073709551615, 1000000 allowed"},
		{"any jump allowed", 0, clock.Max - 1, math.MaxUint64, clock.Max, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.now.ReceiveWithin(c.sent, c.jump)
			assert.Equal(t, c.want, got)
			if c.err == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, clock.ErrJump)
			assert.EqualError(t, err, c.err)
		})
	}

	// The largest allowance still does not let a clock past its end.
	got, err := clock.Time(10).ReceiveWithin(clock.Max, math.MaxUint64)
	assert.ErrorIs(t, err, clock.ErrSaturated)
	assert.Equal(t, clock.Time(10), got)
}

// times draws timestamps from all over the range, its ends above all.
var times = rapid.Custom(func(t *rapid.T) clock.Time {
	return clock.Time(rapid.OneOf(
		rapid.Uint64Range(0, 20),
		rapid.Uint64Range(math.MaxUint64-20, math.MaxUint64),
		rapid.Uint64(),
	).Draw(t, "time"))
})

// What Lamport's proof needs of a receipt: it is later than the process's last
// event and later than the send, and by no more than that takes.
func TestReceiveIsTheNextTimeAfterBoth(t *testing.T) { // Lamport 1978, IR2
	rapid.Check(t, func(t *rapid.T) {
		now, sent := times.Draw(t, "now"), times.Draw(t, "sent")
		got, err := now.Receive(sent)
		if now == clock.Max || sent == clock.Max {
			assert.ErrorIs(t, err, clock.ErrSaturated)
			assert.Equal(t, now, got)
			return
		}
		require.NoError(t, err)
		assert.Greater(t, got, now)
		assert.Greater(t, got, sent)
		assert.True(t, got-1 == now || got-1 == sent, "%d is later than needed after %d and %d", got, now, sent)
	})
}

func TestReceiveWithinIsReceiveOrRefusal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, sent := times.Draw(t, "now"), times.Draw(t, "sent")
		jump := uint64(times.Draw(t, "jump"))
		got, err := now.ReceiveWithin(sent, jump)
		if sent > now && uint64(sent)-uint64(now) > jump {
			assert.ErrorIs(t, err, clock.ErrJump)
			assert.Equal(t, now, got)
			return
		}
		want, wantErr := now.Receive(sent)
		assert.Equal(t, want, got)
		assert.Equal(t, wantErr, err)
	})
}

func TestStampCompare(t *testing.T) { // Lamport 1978, the relation "⇒"
	inOrder := []clock.Stamp{ // each before the next
		{Time: 0, ID: 0},
		{Time: 1, ID: 0},
		{Time: 1, ID: 1},
		{Time: 1, ID: 7},
		{Time: 2, ID: 0},
		{Time: clock.Max, ID: 0},
		{Time: clock.Max, ID: math.MaxInt},
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			assert.Equal(t, cmp.Compare(i, j), a.Compare(b), "%v against %v", a, b)
		}
	}
}

// A strict total order: any two stamps compare in exactly one way, and a set of
// events has one order however it was collected.
func TestStampCompareIsAStrictTotalOrder(t *testing.T) { // Lamport 1978, the relation "⇒"
	stamps := rapid.Custom(func(t *rapid.T) clock.Stamp {
		return clock.Stamp{Time: times.Draw(t, "time"), ID: rapid.IntRange(0, 4).Draw(t, "id")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := stamps.Draw(t, "a"), stamps.Draw(t, "b"), stamps.Draw(t, "c")
		same := a
		assert.Zero(t, a.Compare(same), "irreflexive")
		assert.Equal(t, -a.Compare(b), b.Compare(a), "antisymmetric")
		assert.Equal(t, a == b, a.Compare(b) == 0, "total: only a stamp itself is its equal")
		if a.Compare(b) < 0 && b.Compare(c) < 0 {
			assert.Negative(t, a.Compare(c), "transitive")
		}
		if a.Time < b.Time {
			assert.Negative(t, a.Compare(b), "the timestamp decides first")
		}

		all := rapid.SliceOfN(stamps, 1, 20).Draw(t, "stamps")
		other := rapid.Permutation(all).Draw(t, "other order")
		slices.SortFunc(all, clock.Stamp.Compare)
		slices.SortFunc(other, clock.Stamp.Compare)
		assert.Equal(t, all, other)
	})
}

func TestLamportStartsWhereItIsTold(t *testing.T) {
	var zero clock.Lamport
	assert.Zero(t, zero.Now())
	assert.Equal(t, clock.Time(41), clock.NewLamport(41).Now())
}

func TestLamportEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := times.Draw(t, "start")
		l, twin := clock.NewLamport(start), &mutexClock{now: start}
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			var got, want clock.Time
			var err, wantErr error
			if rapid.Bool().Draw(t, "receive") {
				sent := times.Draw(t, "sent")
				got, err = l.Receive(sent)
				want, wantErr = twin.Receive(sent)
			} else {
				got, err = l.Tick()
				want, wantErr = twin.Tick()
			}
			require.Equal(t, want, got)
			require.ErrorIs(t, err, wantErr)
			require.Equal(t, twin.Now(), l.Now())
		}
	})
}

type shared interface {
	Tick() (clock.Time, error)
	Receive(clock.Time) (clock.Time, error)
	Now() clock.Time
}

// occurrence is one event of a crowd: what was asked of the clock, and what it said.
type occurrence struct {
	goroutine int
	receive   bool
	sent, at  clock.Time
}

// crowd lets many goroutines use one clock at the same time, each doing what do
// says for its number and its last event, and returns all that happened in the
// order of the timestamps.
func crowd(t *testing.T, c shared, do func(goroutine, i int, last clock.Time) (receive bool, sent clock.Time)) []occurrence {
	t.Helper()
	const goroutines, each = 4, 50_000
	done := make([][]occurrence, goroutines)
	start := make(chan struct{})
	var all sync.WaitGroup
	for g := range goroutines {
		done[g] = make([]occurrence, 0, each)
		all.Go(func() {
			<-start
			var last clock.Time
			for i := range each {
				o := occurrence{goroutine: g}
				var err error
				if o.receive, o.sent = do(g, i, last); o.receive {
					o.at, err = c.Receive(o.sent)
				} else {
					o.at, err = c.Tick()
				}
				if err != nil {
					t.Error(err)
					return
				}
				done[g] = append(done[g], o)
				last = o.at
			}
		})
	}
	close(start)
	all.Wait()
	byTime := func(a, b occurrence) int { return cmp.Compare(a.at, b.at) }
	for g, own := range done {
		require.True(t, slices.IsSortedFunc(own, byTime), "C1: time goes on within goroutine %d", g)
	}
	events := slices.Concat(done...)
	slices.SortFunc(events, byTime)
	return events
}

// untilCrowded repeats a round until the goroutines have really been at the clock
// side by side: on a busy host they often run one after the other, and any
// clock is right then.
func untilCrowded(t *testing.T, round func() []occurrence) {
	t.Helper()
	const enough, patience = 5000, 2 * time.Second
	met := 0
	for begin := time.Now(); time.Since(begin) < patience; {
		events := round()
		for i := range len(events) - 1 {
			if events[i].goroutine != events[i+1].goroutine {
				met++
			}
		}
		if met >= enough || t.Failed() || runtime.GOMAXPROCS(0) == 1 {
			return
		}
	}
	t.Logf("the goroutines met %d times only", met)
}

// Whatever the goroutines did, one order of whole events must explain it: in the
// order of their timestamps, executed again one by one on a clock that cannot
// race, they get the same timestamps. All of IR1 and IR2 is in that, and that no
// two events share a timestamp. Receipts jump a few ticks ahead all the time, so
// that a clock fails which raises itself to the message's time and ticks in a
// second step.
func TestLamportIsLinearizable(t *testing.T) { // Lamport 1978, IR1 and IR2
	untilCrowded(t, func() []occurrence {
		var l clock.Lamport
		events := crowd(t, &l, func(g, i int, last clock.Time) (bool, clock.Time) {
			return (g+i)%2 == 0, last + clock.Time(i%20)
		})
		var twin mutexClock
		for i, e := range events {
			before := twin.Now()
			var want clock.Time
			if e.receive {
				want, _ = twin.Receive(e.sent)
			} else {
				want, _ = twin.Tick()
			}
			if e.at != want {
				t.Fatalf("event %d: from %d to %d (receive %t, sent %d), want to %d", i, before, e.at, e.receive, e.sent, want)
			}
		}
		require.Equal(t, twin.Now(), l.Now(), "the clock stands at its last event")
		return events
	})
}

// Laws that hold for every schedule, so that two clocks can be compared that were
// never scheduled the same way.
func TestLamportObeysTheLawsOfItsTwin(t *testing.T) {
	for name, fresh := range map[string]func() shared{
		"lamport": func() shared { return new(clock.Lamport) },
		"mutex":   func() shared { return new(mutexClock) },
	} {
		t.Run(name, func(t *testing.T) {
			untilCrowded(t, func() []occurrence {
				// The goroutines receive stamps of their own clock: no message is ahead
				// of it, and each event moves it by exactly one.
				var link [64]atomic.Uint64
				c := fresh()
				events := crowd(t, c, func(g, i int, last clock.Time) (bool, clock.Time) {
					link[(g*i)%len(link)].Store(uint64(last))
					return i%3 == 0, clock.Time(link[i%len(link)].Load())
				})
				for i, e := range events {
					if e.at != clock.Time(i+1) {
						t.Fatalf("event %d is stamped %d: a timestamp was given twice, or to nobody", i+1, e.at)
					}
					if e.receive && e.at <= e.sent {
						t.Fatalf("sent at %d, received at %d", e.sent, e.at)
					}
				}
				require.EqualValues(t, len(events), c.Now(), "the clock has counted the events")
				return events
			})
		})
	}
}

func TestLamportAllocatesNothing(t *testing.T) {
	var l clock.Lamport
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		sent, _ := l.Tick()
		_, _ = l.Receive(sent)
	}))
}
