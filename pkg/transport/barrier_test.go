package transport

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The clocks are compared as in RFC 5905: the sample's error is at most half of
// its round trip.
func TestPongMeasuresTheClocks(t *testing.T) {
	type sample struct{ t0, t1, t2, t3 int64 }
	for _, c := range []struct {
		name        string
		samples     []sample
		rtt, offset time.Duration // of the quickest
		used        time.Duration
	}{
		{"one clock, even ways", []sample{{100, 110, 112, 122}}, 20, 0, 0},
		{"one clock, all the delay on one way", []sample{{100, 200, 200, 200}}, 100, 50, 0},
		{"ahead by 1000", []sample{{100, 1110, 1112, 122}}, 20, 1000, 1000},
		{"behind by 1000", []sample{{2000, 1010, 1012, 2022}}, 20, -1000, -1000},
		{"ahead by less than can be told", []sample{{100, 119, 119, 120}}, 20, 9, 0},
		{"ahead by just more than can be told", []sample{{100, 121, 121, 120}}, 20, 11, 11},
		{"the quickest counts, first", []sample{{0, 1010, 1010, 20}, {0, 1900, 1900, 1000}}, 20, 1000, 1000},
		{"the quickest counts, last", []sample{{0, 1900, 1900, 1000}, {0, 1010, 1010, 20}}, 20, 1000, 1000},
		{"a clock that was set meanwhile", []sample{{100, 110, 500, 120}}, 0, 195, 195},
	} {
		n, _ := fuzzNode(t)
		l := n.out[0]
		for _, s := range c.samples {
			l.pong(s.t0, s.t1, s.t2, s.t3)
		}
		assert.True(t, l.clocks.synced, c.name)
		assert.Equal(t, c.rtt, l.clocks.rtt, "%s: round trip", c.name)
		assert.Equal(t, c.offset, l.clocks.offset, "%s: offset", c.name)
		assert.Equal(t, c.used, l.clocks.ahead(), "%s: offset that is used", c.name)
	}
}

// waitForAll is Barrier where it must not fail.
func waitForAll(ctx context.Context, t testing.TB, n *Node) time.Time {
	t.Helper()
	start, err := n.Barrier(ctx)
	assert.NoError(t, err)
	return start
}

// barrier lets the nodes wait for each other, each after so long, and returns
// the instants that they got.
func barrier(t *testing.T, nodes []*Node, after ...time.Duration) []time.Time {
	t.Helper()
	starts := make([]time.Time, len(nodes))
	each(nodes, func(i int, n *Node) {
		time.Sleep(after[i])
		starts[i] = waitForAll(t.Context(), t, n)
		assert.False(t, time.Now().After(starts[i]), "machine %d hears of the start in time", i)
	})
	return starts
}

func assertSame(t *testing.T, starts []time.Time) {
	t.Helper()
	for i, s := range starts {
		assert.True(t, s.Equal(starts[0]), "machine %d starts at %v, machine 0 at %v", i, s, starts[0])
	}
}

func TestBarrierGivesAllOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 5, nil)
		connect(t, nodes)
		began := time.Now()
		starts := barrier(t, nodes, 0, 0, 3*time.Second, time.Second, 0)
		assertSame(t, starts)
		assert.Equal(t, 3*time.Second+25*time.Millisecond, starts[0].Sub(began), "the last one's proposal holds")
		finish(t, nodes)
	})
}

// The same in real time over TCP, where all processes share one clock.
func TestBarrierOverTCP(t *testing.T) {
	nodes, _ := mesh(t, 5, nil)
	connect(t, nodes)
	starts := make([]time.Time, len(nodes))
	each(nodes, func(i int, n *Node) { starts[i] = waitForAll(within(t), t, n) })
	assertSame(t, starts)
	finish(t, nodes)
}

// A READY is not lost with the connection that it was sent on.
func TestBarrierAcrossReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		nodes, _ := w.nodes(t, 3, nil)
		connect(t, nodes)
		go func() {
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				w.every(func(c *cable) { c.cut() })
			}
		}()
		assertSame(t, barrier(t, nodes, 0, 500*time.Millisecond, 3*time.Second))
		finish(t, nodes)
	})
}

// READY on a connection that stands, READY at the start of one that comes later,
// and none before the barrier.
func TestReadyIsSentOnEveryConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.Send(1, numbered(1))
		typ, _ := d.in.next()
		require.Equal(t, frameData, typ)
		starts := make(chan time.Time)
		go func() { starts <- waitForAll(t.Context(), t, d.Node) }()
		proposal := d.in.hearNumber(frameReady)
		require.NoError(t, d.in.conn.Close())
		d.accept(t, welcome{window: 10, consumed: 1, held: 1})
		assert.Equal(t, proposal, d.in.hearNumber(frameReady), "it proposes what it has proposed")
		synctest.Wait()
		select {
		case <-starts:
			t.Error("a start without machine 1")
		default:
		}
		d.out.say(frameReady, proposal+77)
		start := <-starts
		assert.EqualValues(t, proposal+77, start.UnixNano())
	})
}

// A proposal from a host whose clock is an hour ahead means an instant an hour
// before what it says.
func TestBarrierAllowsForAnotherClock(t *testing.T) {
	const ahead = time.Hour
	synctest.Test(t, func(t *testing.T) {
		d := newDuetAhead(t, ahead, 10, nil)
		proposal := time.Now().Add(ahead + 5*time.Second)
		d.out.say(frameReady, uint64(proposal.UnixNano()))
		start, err := d.Barrier(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 5*time.Second, time.Until(start))
	})
}

func TestBarrierEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 2, nil)
		connect(t, nodes)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := nodes[0].Barrier(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
