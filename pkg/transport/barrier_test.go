package transport

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
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
			l.clocks.sample(s.t0, s.t1, s.t2, s.t3)
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

// model is a barrier on paper: who proposes what, what comes of it where, and when.
type model struct {
	proposed []int64           // of each machine, in Unix ns by its own clock
	ahead    []int64           // by how much its clock is ahead of the true one
	up       []int64           // when its monotonic clock was at 0, true
	clocks   [][]clocks        // [i][p]: what i knows of p's clock
	clear    [][]time.Duration // [i][p]: by how much that may be wrong, and not more
}

// drawModel draws one in which links may be as slow as those of a host that starts
// hundreds of processes.
func drawModel(t *rapid.T, skewed bool) *model {
	const origin = 1_800_000_000_000_000_000
	n := rapid.IntRange(2, 6).Draw(t, "machines")
	delay := rapid.Int64Range(0, int64(5*time.Second))
	m := &model{}
	for range n {
		ahead := int64(0)
		if skewed {
			ahead = rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "ahead")
		}
		ready := origin + rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "ready")
		margin := rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "margin")
		m.proposed = append(m.proposed, ready+margin+ahead)
		m.ahead = append(m.ahead, ahead)
		m.up = append(m.up, ready-rapid.Int64Range(0, int64(time.Minute)).Draw(t, "up"))
	}
	for i := range n {
		m.clocks, m.clear = append(m.clocks, make([]clocks, n)), append(m.clear, make([]time.Duration, n))
		for p := range n {
			c := &m.clocks[i][p]
			for range rapid.IntRange(1, 3).Draw(t, "samples") {
				t0 := int64(origin)
				t1 := t0 + delay.Draw(t, "there")
				t2 := t1 + delay.Draw(t, "answer")
				t3 := t2 + delay.Draw(t, "back")
				c.sample(t0+m.ahead[i], t1+m.ahead[p], t2+m.ahead[p], t3+m.ahead[i])
			}
			m.clear[i][p] = c.rtt/2 + 1
			if c.ahead() == 0 { // what cannot be told from none counts as none
				m.clear[i][p] = c.rtt + 1
			}
		}
	}
	return m
}

// start returns when machine i starts, true, if it decides at this instant and has heard
// this word of each peer.
func (m *model) start(i int, decides int64, word func(p int) proposal) int64 {
	var peers []measure
	for p := range m.proposed {
		if p != i {
			peers = append(peers, measure{word(p), m.clocks[i][p].ahead()})
		}
	}
	return common(m.proposed[i], peers, decides+m.ahead[i], time.Duration(decides-m.up[i])) - m.ahead[i]
}

// Machines of one host start at one instant, to the nanosecond, however busy it is, and
// whoever among them knows it already when its word goes out. That may be before the instant
// comes, and on its way for as long as it likes.
func TestBarrierOfABusyHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, false)
		want := slices.Max(m.proposed)
		took := rapid.Int64Range(0, int64(20*time.Second))
		for i := range m.proposed {
			decides := want + rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "decides") - int64(10*time.Second)
			start := m.start(i, decides, func(p int) proposal {
				heard := decides - took.Draw(t, "since then")
				if !rapid.Bool().Draw(t, "agreed") {
					return proposal{at: m.proposed[p]}
				}
				said := heard - took.Draw(t, "under way")
				stands := said - took.Draw(t, "stood before")
				says := numbers{uint64(want), uint64(said - want)}
				return heardProposal(frameStarted, says, time.Duration(heard-m.up[i]), time.Duration(stands-m.up[i]))
			})
			if start != want {
				t.Fatalf("machine %d starts %v after the others", i, time.Duration(start-want))
			}
		}
	})
}

// Machines on several hosts start no further apart than what each may be wrong about the
// clock of whoever proposes the latest instant. So the quickest round trip counts.
func TestBarrierOfSeveralHosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, true)
		starts := make([]int64, len(m.proposed))
		for i := range starts {
			starts[i] = m.start(i, m.up[i], func(p int) proposal { return proposal{at: m.proposed[p]} })
		}
		for i := range starts {
			for j := range starts {
				var bound time.Duration
				for p := range m.proposed {
					var wrong time.Duration
					if p != i {
						wrong += m.clear[i][p]
					}
					if p != j {
						wrong += m.clear[j][p]
					}
					bound = max(bound, wrong)
				}
				if apart := time.Duration(starts[i] - starts[j]); apart.Abs() > bound {
					t.Fatalf("machines %d and %d start %v apart, and should %v", i, j, apart, bound)
				}
			}
		}
	})
}

// STARTED may come from a machine that has heard of all and whose READY was not written
// yet; the instant then is still to come.
func TestBarrierAgreedBeforeItsInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		at := time.Now().Add(6 * time.Second)
		d.out.send((&proposal{at: at.UnixNano(), agreed: true, began: 6 * time.Second}).append(nil, 0))
		time.Sleep(time.Second)
		start, err := d.Barrier(within(t))
		require.NoError(t, err)
		assert.True(t, start.Equal(at), "%v, want %v", start, at)
	})
}

// A clock that was compared in a slow round trip is compared once more before anything
// is proposed.
func TestBarrierComparesClocksAgain(t *testing.T) {
	const ahead = time.Second
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, nil)
		connected := make(chan error, 1)
		go func() { connected <- d.Connect(t.Context()) }()
		there := func() uint64 { return uint64(time.Now().Add(ahead).UnixNano()) }
		got := there()
		time.Sleep(4 * time.Second) // HELLO is on its way for so long, or WELCOME is
		d.accept(t, welcome{window: 10, got: got, answered: got})
		d.call(t, 1)
		require.NoError(t, <-connected)
		starts := make(chan time.Time, 1)
		go func() { starts <- waitForAll(t.Context(), t, d.Node) }()
		sent := d.in.hearNumber(framePing)
		d.in.say(framePong, sent, there(), there())
		proposed := d.in.hearNumber(frameReady)
		assert.Equal(t, margin(2, 0), time.Until(time.Unix(0, int64(proposed))), "the slow way is forgotten")
		theirs := time.Now().Add(time.Minute)
		d.out.say(frameReady, uint64(theirs.Add(ahead).UnixNano()))
		assert.True(t, theirs.Equal(<-starts))
	})
}

// A machine that has died in its start proposes what a peer has heard of it before, as others
// may have agreed on that. What it has agreed on itself it says once it cannot forget
// it.
func TestBarrierOfOneThatHasProposedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, nil)
		connected := make(chan error, 1)
		go func() { connected <- d.Connect(t.Context()) }()
		before := uint64(time.Now().Add(time.Second).UnixNano())
		d.accept(t, welcome{window: 10, start: before})
		assert.Zero(t, d.call(t, 1).start, "nothing was proposed here")
		require.NoError(t, <-connected)
		starts := make(chan time.Time, 1)
		go func() { starts <- waitForAll(t.Context(), t, d.Node) }()
		assert.Equal(t, before, d.in.hearNumber(frameReady))
		d.out.say(frameReady, before-5)
		assert.EqualValues(t, before, (<-starts).UnixNano())

		again := func() {
			require.NoError(t, d.in.conn.Close())
			d.accept(t, welcome{window: 10})
		}
		again()
		assert.Equal(t, before, d.in.hearNumber(frameReady))
		d.Begun()
		again()
		assert.Equal(t, before, d.in.hearStarted(0))
		require.NoError(t, d.out.conn.Close())
		assert.Equal(t, before-5, d.call(t, 2).start)
	})
}
