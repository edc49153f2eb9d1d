package transport

import (
	"math"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// host is a simulated one: a system clock that is wrong by a constant and drifts, and a
// monotonic one that drifts with it.
type host struct {
	rate  float64 // seconds of its clocks in a second
	ahead int64   // of its system clock at time 0, ns
}

func (h *host) mono(at int64) time.Duration { return time.Duration(float64(at) * h.rate) }
func (h *host) wall(at int64) int64         { return 1_800_000_000_000_000_000 + h.ahead + int64(h.mono(at)) }

// Whatever the ways take, and however unlike they are, the truth lies within what a round
// of questions says: when it is over, and as long after as the drift is bounded.
func TestOffsetIsWithinItsBounds(t *testing.T) { // Cristian 1989
	rapid.Check(t, func(t *rapid.T) {
		drift := rapid.Float64Range(1-MaxDrift/2.02, 1+MaxDrift/2.02)
		ahead := rapid.Int64Range(-int64(24*time.Hour), int64(24*time.Hour))
		me := host{drift.Draw(t, "my rate"), ahead.Draw(t, "my offset")}
		peer := host{drift.Draw(t, "its rate"), ahead.Draw(t, "its offset")}
		way := rapid.Int64Range(0, int64(rapid.SampledFrom([]time.Duration{50 * time.Microsecond, time.Millisecond, 2 * time.Second}).Draw(t, "slowest")))
		at := rapid.Int64Range(0, int64(time.Hour)).Draw(t, "at")
		questions := rapid.IntRange(1, 9).Draw(t, "questions")
		a := asking{}.begin(questions)
		var shortest time.Duration = math.MaxInt64
		for i := range questions {
			asked := at
			got := asked + way.Draw(t, "there")
			answered := got + way.Draw(t, "held")
			at = answered + way.Draw(t, "back")
			held := peer.mono(answered) - peer.mono(got)
			var more bool
			a, more = a.heard(question{me.mono(asked), me.mono(at), peer.wall(got), held})
			require.Equal(t, i < questions-1, more)
			shortest = min(shortest, max(me.mono(at)-me.mono(asked)-held, 0))
		}
		require.True(t, a.fresh)
		assert.Equal(t, shortest, a.known.rtt)
		for range 3 {
			o := a.known.offset(span{int64(me.mono(at)), int64(me.mono(at))}, me.wall(at))
			truth := time.Duration(peer.wall(at) - me.wall(at))
			assert.LessOrEqual(t, (o.Ahead - truth).Abs(), o.Within+8, "after %v: %v ± %v", time.Duration(at), o.Ahead, o.Within)
			at += rapid.Int64Range(0, int64(time.Hour)).Draw(t, "later")
		}
	})
}

// More answers never say less, and the bound is no worse than half of the shortest trip.
func TestRoundNarrows(t *testing.T) {
	q := func(asked, there, held, back time.Duration) question {
		return question{asked, asked + there + held + back, int64(asked + there), held}
	}
	var r round
	r = r.take(q(0, 100, 5, 100))
	assert.Equal(t, round{1, 205, span{-100, 100}, 200}, r)
	r = r.take(q(300, 10, 0, 190)) // one way is quick: the other end is not wrong by much on this side
	assert.Equal(t, round{2, 500, span{-100, 10}, 200}, r)
	r = r.take(q(600, 150, 0, 20))
	assert.Equal(t, round{3, 770, span{-20, 10}, 170}, r)
	set := q(800, 10, 0, 10)
	set.got += 1000
	assert.Equal(t, round{4, 820, span{990, 1010}, 20}, r.take(set), "its clock was set: the newest counts")
	for name, bad := range map[string]question{
		"held for longer than it took": {0, 10, 5, 15},
		"held for less than no time":   {0, 10, 5, -1},
		"before 1970":                  {0, 10, -1, 0},
		"the end of time":              {0, 10, math.MaxInt64, 0},
	} {
		assert.Equal(t, r, r.take(bad), name)
	}
}

// When a peer is asked is a matter of time and of what was answered.
func TestWhenToAsk(t *testing.T) {
	answer := func(a asking, at time.Duration) (asking, bool) {
		return a.heard(question{asked: at - 10, heard: at, got: int64(at)})
	}
	var a asking
	assert.False(t, a.due(time.Hour), "nobody has begun")
	a, more := answer(a, 50)
	assert.False(t, more, "an answer to what keeps the link alive")
	assert.False(t, a.fresh)
	a = a.begin(2)
	assert.False(t, a.due(time.Hour), "a round is under way")
	a, more = answer(a, 100)
	assert.True(t, more)
	a, more = answer(a, 200)
	assert.False(t, more)
	assert.True(t, a.fresh)
	assert.False(t, a.due(200+AskAgain-1))
	assert.True(t, a.due(200+AskAgain))
	a.fresh = false
	a = a.begin(2).ended()
	assert.False(t, a.fresh, "nothing was answered")
	assert.Equal(t, 2, a.known.answers, "and what was known still is")
	a, _ = answer(a.begin(2), 300)
	a = a.ended()
	assert.True(t, a.fresh)
	assert.Equal(t, 1, a.known.answers)
}

func TestOneHost(t *testing.T) {
	for _, c := range []struct {
		local, remote string
		want          bool
	}{
		{"127.0.0.1:1", "127.0.0.1:2", true},
		{"[::1]:1", "[::1]:2", true},
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"[::ffff:192.0.2.1]:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.2:2", false},
		{"[fe80::1%eth0]:1", "[fe80::2%eth0]:2", false},
		{"pipe", "pipe", false},
	} {
		assert.Equal(t, c.want, oneHost(addressed{local: c.local, remote: c.remote}), "%s to %s", c.local, c.remote)
	}
}

type addressed struct {
	net.Conn
	local, remote string
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

func (a addressed) LocalAddr() net.Addr  { return address(a.local) }
func (a addressed) RemoteAddr() net.Addr { return address(a.remote) }

// answers answers PINGs as a machine whose clock is ahead, after so long on each way,
// until something else comes or nothing does any more.
func (d *duet) answers(ahead, way time.Duration) (questions int) {
	for {
		_ = d.in.conn.SetWriteDeadline(time.Time{})
		_ = d.in.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		typ, body, err := d.in.frames.next()
		if err != nil {
			_ = d.in.conn.SetReadDeadline(time.Time{})
			return questions
		}
		if typ != framePing {
			continue
		}
		var sent uint64
		require.NoError(d.in.t, parseNumbers(framePing, body, &sent))
		questions++
		time.Sleep(way)
		got := uint64(time.Now().Add(ahead).UnixNano())
		time.Sleep(way)
		d.in.say(framePong, sent, got, got)
	}
}

// A machine asks the peers with higher ids: some questions at the start, fewer each
// minute, and two at the end. A clock that is set shows in the next round.
func TestNodeAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrong atomic.Int64 // by how much this host's own clock is ahead
		wall := func() time.Time { return time.Now().Add(time.Duration(wrong.Load())) }
		d := newDuet(t, 10, func(c *Config) { c.Wall, c.PingInterval = wall, time.Second })
		const way = 100 * time.Microsecond
		d.out.say(frameReady, uint64(time.Now().UnixNano()))
		waitForAll(t.Context(), t, d.Node)
		_ = d.out.conn.SetDeadline(time.Time{})
		assert.Zero(t, d.answers(0, way), "the run has not begun")
		d.Begun()
		// Without a word for its messages, the link is tried now and then as well: what
		// keeps it alive asks in the same words, and each answer counts once.
		assert.GreaterOrEqual(t, d.answers(time.Hour, way), FirstQuestions)
		want := func(ahead time.Duration) {
			t.Helper()
			require.True(t, d.Fresh())
			offsets := d.Offsets(false)
			require.Len(t, offsets, 1)
			o := offsets[0]
			assert.Equal(t, 1, o.Peer)
			assert.Equal(t, 2*way, o.RTT)
			assert.LessOrEqual(t, (o.Ahead - ahead).Abs(), o.Within)
			assert.Less(t, o.Within, way+time.Millisecond, "and little for the time since")
			assert.False(t, d.Fresh())
			assert.Empty(t, d.Offsets(false), "said once")
		}
		want(time.Hour)
		pass := func(ahead time.Duration) {
			for began := time.Now(); time.Since(began) < AskAgain+5*time.Second; {
				d.answers(ahead, way)
				d.out.say(framePing, 1) // so that this side is heard
				d.out.hear(framePong)
			}
		}
		pass(-time.Hour)
		want(-time.Hour)
		wrong.Store(int64(3 * time.Second))
		pass(-time.Hour)
		want(-time.Hour - 3*time.Second)

		go d.Drain(t.Context())
		synctest.Wait()
		_, sent := d.in.next()
		at := uint64(wall().Add(time.Minute).UnixNano())
		var said uint64
		require.NoError(t, parseNumbers(framePing, sent, &said))
		d.in.say(framePong, said, at, at)
		synctest.Wait()
		assert.Empty(t, d.Offsets(false), "one of two")
		last := d.Offsets(true)
		require.Len(t, last, 1)
		assert.LessOrEqual(t, (last[0].Ahead - time.Minute).Abs(), last[0].Within+time.Millisecond)
	})
}

// A round of questions that a broken connection has cut off is asked again on the next one.
func TestRoundIsAskedAgain(t *testing.T) {
	n, err := New(Config{ID: 0, Run: "test", Peers: []Peer{{ID: 1, Addr: "x"}}, Handler: newInbox()}, newNetwork().listen("x"))
	require.NoError(t, err)
	defer n.Close(cancelled())
	n.Resume(time.Now(), 0)
	l := n.out[0]
	conn := addressed{local: "192.0.2.1:1", remote: "192.0.2.2:2"}
	connection := func() {
		_, err := l.attach(newSession(conn, true), greeting{welcome: welcome{id: 1, window: 1, life: 1}})
		require.NoError(t, err)
	}
	connection()
	n.askAgain()
	assert.Equal(t, LaterQuestions, l.asking.left)
	connection()
	assert.True(t, l.asking.due(n.now()))
	n.askAgain()
	assert.Equal(t, LaterQuestions, l.asking.left)
}

// Machines that share a clock do not ask each other, and send what they ever sent.
func TestOneHostIsNotAsked(t *testing.T) {
	nodes, _ := mesh(t, 2, nil)
	connect(t, nodes)
	barrier(t, nodes, 0, 0)
	for _, n := range nodes {
		n.Begun()
		n.askAgain()
		n.out[0].mu.Lock()
		assert.Zero(t, n.out[0].asking)
		n.out[0].mu.Unlock()
		assert.Empty(t, n.Offsets(true))
	}
}
