package transport

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A message that comes after Drain has returned is not taken: the caller has
// written down by then what it holds.
func TestDrainTakesNothingAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.out.data(1, 2)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.Drain(ctx)
		d.out.data(3, 4)
		d.out.say(frameFin, 4, 0, uint64(heldAfter)) // which is right, and too late
		d.out.hearNothing()
		assert.EqualValues(t, 2, d.box.got(1))
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.False(t, d.Settle(ctx), "machine 1 has not come to its end")
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed), "machine 1 learns that the rest was not taken")
	})
}

// CLOSED lets the sender forget its messages, so it comes when they are safe: all
// consumed, or noted at the receiver's end. HELD comes within a moment.
func TestClosedComesWhenAllIsSafe(t *testing.T) {
	fin := func(t *testing.T) *duet {
		d := newDuet(t, 10, nil)
		d.out.data(1, 3)
		d.out.say(frameFin, 3, 0, uint64(heldAfter))
		assert.EqualValues(t, 3, d.out.hearNumber(frameHeld))
		d.Consumed(1, 2)
		assert.EqualValues(t, 2, d.out.hearNumber(frameAck))
		return d
	}
	t.Run("the peer has left, then the last is consumed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t)
			d.in.say(frameClosed, 0)
			d.out.hearNothing()
			d.Consumed(1, 3)
			assert.EqualValues(t, 3, d.out.hearNumber(frameClosed))
		})
	})
	t.Run("the last is consumed, then the peer leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t)
			d.Consumed(1, 3)
			assert.EqualValues(t, 3, d.out.hearNumber(frameAck))
			d.out.hearNothing()
			d.in.say(frameClosed, 0)
			assert.EqualValues(t, 3, d.out.hearNumber(frameClosed))
		})
	})
	t.Run("the peer has left, and its last messages come late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, 10, nil)
			d.in.say(frameClosed, 0)
			d.out.hearNothing()
			d.out.data(1, 1)
			synctest.Wait()
			d.Consumed(1, 1)
			assert.EqualValues(t, 1, d.out.hearNumber(frameAck))
			d.out.hearNothing()
			d.out.say(frameFin, 1, 0, uint64(heldAfter))
			assert.EqualValues(t, 1, d.out.hearNumber(frameClosed))
		})
	})
	t.Run("the end of both", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t)
			assert.Empty(t, d.Drain(within(t)), "nothing is missing")
			d.out.hearNothing()
			settled := make(chan bool)
			go func() { settled <- d.Settle(within(t)) }()
			assert.EqualValues(t, 3, d.out.hearNumber(frameClosed))
			assert.Zero(t, d.in.hearNumber(frameFin))
			d.in.say(frameClosed, 0)
			assert.True(t, <-settled)
		})
	})
}

// A machine that was started again cannot tell whether its peer has left early or
// has heard the FIN of its earlier process. It does not let it go before its own
// end: killed once more, it would find nobody.
func TestClosedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, func(c *Config) { c.Past = []Past{{Peer: 1, Consumed: 2, Sent: 4}} })
		rejoined := make(chan error)
		go func() { rejoined <- d.rejoin(within(t), time.Now()) }()
		d.accept(t, welcome{window: 10, consumed: 3, held: 4})
		require.NoError(t, <-rejoined)
		d.in.hear(frameStarted)
		d.in.say(frameClosed, 4)
		d.in.hear(frameBye)

		assert.EqualValues(t, 2, d.call(t, 1).consumed)
		d.out.say(frameFin, 2, 0, uint64(heldAfter))
		time.Sleep(2 * heldAfter)
		d.out.hearNothing() // one that has said CLOSED does not wait for HELD
		assert.Empty(t, d.Drain(within(t)))
		d.out.hearNothing()
		assert.True(t, d.Settle(within(t)))
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed))
		closed := make(chan struct{})
		go func() { d.Close(within(t)); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("the peer has not said that it knows")
		default:
		}
		d.out.say(frameBye)
		d.out.hearEnd()
		<-closed
	})
}

// What a peer is known to hold at the end, and what it is not.
func TestUndeliveredByWhatIsHeld(t *testing.T) {
	drain := func(t *testing.T, say func(t *testing.T, d *duet)) map[int]uint64 {
		var undelivered map[int]uint64
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, 10, nil)
			d.sendAll(1, 5)
			d.in.hearData(1, 5)
			d.in.say(frameAck, 1)
			say(t, d)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			undelivered = d.Drain(ctx)
		})
		return undelivered
	}
	assert.Equal(t, map[int]uint64{1: 4}, drain(t, func(*testing.T, *duet) {}))
	assert.Equal(t, map[int]uint64{1: 2}, drain(t, func(_ *testing.T, d *duet) { d.in.say(frameHeld, 3) }))
	assert.Empty(t, drain(t, func(_ *testing.T, d *duet) { d.in.say(frameHeld, 5) }))
	assert.Equal(t, map[int]uint64{1: 4}, drain(t, func(_ *testing.T, d *duet) { d.out.say(frameFin, 0, 0, uint64(heldAfter)) }), "that it has finished says nothing of what it holds")
	assert.Equal(t, map[int]uint64{1: 3}, drain(t, func(_ *testing.T, d *duet) { d.in.say(frameClosed, 2) }), "it has left")
	assert.Equal(t, map[int]uint64{1: 4}, drain(t, func(t *testing.T, d *duet) {
		// It has died with its queue, and not heard the rest again.
		d.in.say(frameHeld, 5)
		synctest.Wait()
		d.in.conn.Close()
		d.accept(t, welcome{window: 10, consumed: 1, held: 1})
	}))
}

// A machine that comes back is what its log says: what it has consumed is not
// sent to it again, what it has sent and nobody has consumed is not lost.
func TestPast(t *testing.T) {
	for _, known := range []int{1, AnyID} {
		synctest.Test(t, func(t *testing.T) {
			past := Past{Peer: 1, Consumed: 7, Sent: 12}
			for seq := uint64(9); seq <= 12; seq++ {
				past.Unconsumed = append(past.Unconsumed, numbered(seq))
			}
			d := startDuet(t, func(c *Config) {
				c.Peers[0].ID = known
				c.Past = []Past{past}
			})
			if known != AnyID {
				assert.Equal(t, DefaultWindow-4, d.Room(1))
			}
			start := time.Now().Add(-time.Minute)
			rejoined := make(chan error)
			go func() { rejoined <- d.rejoin(within(t), start) }()
			synctest.Wait() // where it is known who is where, it has nothing to wait for
			d.accept(t, welcome{window: 10, consumed: 8, held: 10})
			require.NoError(t, <-rejoined)
			if known == AnyID { // the link stands before the run's time is known
				d.in.hearDataAndStarted(t, start)
			} else {
				assert.Equal(t, start.UnixNano(), int64(d.in.hearStarted(time.Minute)), "it does not propose another start")
				d.in.hearData(11, 12)
			}
			d.in.hearNothing()
			assert.EqualValues(t, 13, d.Send(1, numbered(13)))
			d.in.hearData(13, 13)
			d.in.say(frameAck, 13)
			synctest.Wait()
			assert.Equal(t, 10, d.Room(1))
			s := d.Stats()
			assert.EqualValues(t, 1, s.Messages, "of this process")
			assert.EqualValues(t, 2, s.Resent)

			d.box.last[1] = 7
			w := d.call(t, 1)
			assert.EqualValues(t, 7, w.consumed)
			assert.EqualValues(t, 7, w.held)
			d.out.data(8, 9)
			synctest.Wait()
			d.Consumed(1, 9)
			assert.EqualValues(t, 9, d.out.hearNumber(frameAck))
			d.box.check(t)
		})
	}
}

// hearDataAndStarted hears messages 11 and 12, and when the run began, in some order.
func (p *puppet) hearDataAndStarted(t *testing.T, start time.Time) {
	t.Helper()
	var got []frameType
	for len(got) < 3 {
		typ, body := p.next()
		if typ == framePing {
			continue
		}
		got = append(got, typ)
		if typ == frameStarted {
			var at, ago uint64
			require.NoError(t, parseNumbers(typ, body, &at, &ago))
			assert.EqualValues(t, start.UnixNano(), at, "it does not propose another start")
		}
	}
	assert.ElementsMatch(t, []frameType{frameStarted, frameData, frameData}, got)
}

// A machine that had noted what stood in its queue when it ended is not sent it
// again, and can say CLOSED at once.
func TestPastThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, func(c *Config) { c.Past = []Past{{Peer: 1, Consumed: 7, Held: 9, Sent: 4}} })
		rejoined := make(chan error)
		go func() { rejoined <- d.rejoin(within(t), time.Now()) }()
		d.accept(t, welcome{window: 10, consumed: 4, held: 4})
		require.NoError(t, <-rejoined)
		settled := make(chan bool)
		go func() { settled <- d.Settle(within(t)) }()
		d.in.hear(frameStarted)
		assert.EqualValues(t, 4, d.in.hearNumber(frameFin))
		d.in.say(frameClosed, 4)
		assert.True(t, <-settled)
		w := d.call(t, 1)
		assert.EqualValues(t, 9, w.held)
		assert.EqualValues(t, 9, d.out.hearNumber(frameClosed))
	})
}

// What comes to a machine whose log has ended, before it can say so, it must not take: that is
// in nobody's log, and CLOSED would promise it.
func TestNothingIsTakenAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, func(c *Config) {
			c.Past, c.Ended = []Past{{Peer: 1, Secret: puppetSecret, Consumed: 7, Held: 9, Sent: 4}}, true
		})
		rejoined := make(chan error)
		go func() { rejoined <- d.rejoin(within(t), time.Now()) }()
		d.accept(t, welcome{window: 10, consumed: 4, held: 4})
		require.NoError(t, <-rejoined)
		w := d.call(t, 1)
		assert.EqualValues(t, 9, w.held)
		d.out.data(10, 10)
		d.out.say(framePing, 1)
		d.out.hear(framePong)
		assert.Zero(t, d.box.got(1))
		go d.Settle(within(t))
		assert.EqualValues(t, 9, d.out.hearNumber(frameClosed))
	})
}

func TestPastOfNobody(t *testing.T) {
	for _, peer := range []int{-1, 0, 2} {
		_, err := New(Config{Peers: []Peer{{1, "1"}}, Past: []Past{{Peer: peer}}}, nil)
		assert.EqualError(t, err, "a past with machine "+strconv.Itoa(peer)+" in a run of 2 machines")
	}
}

// A machine whose log and whose peers contradict each other cannot go on. Once
// they have agreed, a refusal is tried again, as in any run.
func TestRejoinRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, nil)
		rejoined := make(chan error)
		go func() { rejoined <- d.rejoin(within(t), time.Now()) }()
		require.NoError(t, <-rejoined, "who is where is known")
		d.accept(t, welcome{window: 10, consumed: 1, held: 1})
		_ = d.in.hearError()
		<-d.Failed()
		const want = "machine 1 holds 1 message of machine 0, which has sent 0: machine 0 was started again without its log"
		require.EqualError(t, d.Err(), want)
	})
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, nil)
		require.NoError(t, d.rejoin(within(t), time.Now()))
		d.accept(t, welcome{window: 10})
		synctest.Wait()
		d.in.conn.Close()
		d.accept(t, welcome{window: 10, consumed: 1, held: 1})
		_ = d.in.hearError()
		d.in.conn.Close()
		d.accept(t, welcome{window: 10})
		synctest.Wait()
		require.NoError(t, d.Err())
	})
}

// A machine that has died in its start, before its log said when the run began,
// begins when the others have begun.
func TestBarrierOfARunThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = time.Hour
		d := newDuetAhead(t, ahead, 10, nil)
		began := time.Now().Add(-time.Minute)
		d.out.say(frameStarted, uint64(began.Add(ahead).UnixNano()), uint64(time.Minute))
		start, err := d.Barrier(within(t))
		require.NoError(t, err)
		d.Begun()
		assert.True(t, start.Equal(began), "%v, want %v", start, began)

		// From now on it says so itself.
		d.in.conn.Close()
		d.accept(t, welcome{window: 10})
		assert.EqualValues(t, began.UnixNano(), d.in.hearStarted(time.Minute))
	})
}

// Connections can be decorated on both sides.
func TestAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		decorated := map[int]*decoration{}
		d := newDuet(t, 10, func(c *Config) {
			c.Accepted = func(conn net.Conn, from int) net.Conn {
				mu.Lock()
				defer mu.Unlock()
				decorated[from] = &decoration{Conn: conn}
				return decorated[from]
			}
		})
		d.out.data(1, 1)
		d.out.say(frameFin, 1, 0, uint64(heldAfter))
		d.out.hear(frameHeld)
		go d.Settle(cancelled())
		d.out.hear(frameClosed)
		d.out.say(frameBye)
		d.out.hearEnd()
		synctest.Wait()
		c := decorated[1]
		assert.Equal(t, len(appendData(nil, 1, numbered(1)))+29+5, c.read, "all but HELLO")
		assert.Equal(t, len(welcome{}.frame())+2*13, c.written)
		assert.True(t, c.closed)
	})
}

type decoration struct {
	net.Conn
	read, written int
	closed        bool
}

func (c *decoration) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read += n
	return n, err
}

func (c *decoration) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written += n
	return n, err
}

func (c *decoration) Close() error {
	c.closed = true
	return c.Conn.Close()
}

// mortal is a machine of two that dies now and then and comes back. What it
// knows between its lives is its log, in which it has consumed and sent what it
// tells others only afterwards.
type mortal struct {
	t   *testing.T
	id  int
	w   *network
	rng *rand.Rand

	start          time.Time // zero: it has not begun
	secrets        LinkSecrets
	consumed, sent uint64
	stopped        bool // held is noted
	held           uint64
	ended          context.Context // done when it has gone for good
	end            context.CancelFunc
}

const (
	mortalWindow = 20
	mortalCount  = 300 // messages that each sends in all its lives
)

// life is one process of it.
type life struct {
	*mortal
	node *Node
	mu   sync.Mutex
	held uint64
}

func (l *life) Deliver(from int, first uint64, payloads [][]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Equal(l.t, 1-l.id, from)
	assert.Equal(l.t, l.held+1, first, "machine %d", l.id)
	for _, p := range payloads {
		l.held++
		assert.Equal(l.t, numbered(l.held), p, "machine %d", l.id)
	}
	return nil
}

func (l *life) Room(int) {}

func (l *life) holds() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// live begins a life, from the log.
func (m *mortal) live(number uint64) *life {
	l := &life{mortal: m, held: m.consumed}
	cfg := Config{
		ID: m.id, Run: "test", Handler: l, Life: number, Window: mortalWindow,
		Peers: []Peer{{ID: 1 - m.id, Addr: strconv.Itoa(1 - m.id)}}, Dial: m.w.dialer(m.id),
		Secrets: []Secret{m.secrets.To},
	}
	if !m.start.IsZero() {
		past := Past{Peer: 1 - m.id, Secret: m.secrets.From, Consumed: m.consumed, Sent: m.sent}
		if m.stopped {
			past.Held = m.held
		}
		for seq := m.sent - min(m.sent, mortalWindow) + 1; seq <= m.sent; seq++ {
			past.Unconsumed = append(past.Unconsumed, numbered(seq))
		}
		cfg.Past = []Past{past}
	}
	var err error
	l.node, err = New(cfg, m.w.listen(strconv.Itoa(m.id)))
	require.NoError(m.t, err)
	if m.start.IsZero() {
		assert.NoError(m.t, l.node.Connect(m.t.Context()))
		m.secrets = l.node.Secrets()[0]
		start, err := l.node.Barrier(m.t.Context())
		assert.NoError(m.t, err)
		m.secrets = l.node.Secrets()[0]
		m.start = start
		l.node.Begun()
	} else {
		assert.NoError(m.t, l.node.rejoin(m.t.Context(), m.start))
	}
	return l
}

// step consumes what has come, or some of it, and sends a message. If it is cut
// short, what stands in the log does not leave the process any more.
func (l *life) step(cutShort bool) {
	cutConsumed := cutShort && l.rng.IntN(2) == 0
	time.Sleep(time.Duration(l.rng.IntN(2000)) * time.Microsecond)
	if held := l.holds(); held > l.consumed {
		l.consumed += 1 + l.rng.Uint64N(held-l.consumed)
		if cutConsumed {
			return
		}
		l.node.Consumed(1-l.id, l.consumed)
	}
	if l.sent < mortalCount && l.node.Room(1-l.id) > 0 {
		l.sent++
		if cutShort {
			return
		}
		assert.Equal(l.t, l.sent, l.node.Send(1-l.id, numbered(l.sent)))
	}
}

// finish comes to the end, and dies on the way there as often as is drawn.
func (m *mortal) finish(incarnation uint64, other *mortal) {
	defer m.end()
	for {
		incarnation++
		l := m.live(incarnation)
		if !m.stopped {
			// What it leaves in its queue fits into the window, else the
			// other could not send it.
			for m.sent < mortalCount || m.consumed < mortalCount-m.rng.Uint64N(mortalWindow) {
				l.step(false)
			}
			ctx, cancel := context.WithTimeout(m.t.Context(), time.Hour) // of virtual time
			assert.Empty(m.t, l.node.Drain(ctx))
			cancel()
			if m.rng.IntN(3) > 0 {
				m.stopped, m.held = true, l.holds()
			}
		}
		if !m.stopped || m.rng.IntN(2) == 0 {
			l.node.Close(cancelled())
			continue
		}
		// An earlier life, after the stop line, may have heard the other's last
		// words, and the other be gone. While it is not, it may need this one.
		l.node.Settle(other.ended)
		l.node.Close(other.ended)
		return
	}
}

// Two machines are killed again and again, at any instant, and started again from
// their logs. Each message is consumed once, or stands in the stop line.
func TestKilledAgainAndAgain(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newNetwork()
			machines := make([]*mortal, 2)
			var wg sync.WaitGroup
			for i := range machines {
				m := &mortal{t: t, id: i, w: w, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
				m.ended, m.end = context.WithCancel(t.Context())
				machines[i] = m
			}
			for i, m := range machines {
				wg.Go(func() {
					incarnation := uint64(0)
					for range 10 {
						incarnation++
						l := m.live(incarnation)
						for range m.rng.IntN(50) {
							l.step(false)
						}
						l.step(true)
						l.node.Close(cancelled())
						time.Sleep(time.Duration(m.rng.IntN(100)) * time.Millisecond)
					}
					m.finish(incarnation, machines[1-i])
				})
			}
			wg.Wait()
			for i, m := range machines {
				assert.EqualValues(t, mortalCount, m.held, "machine %d holds all", i)
				assert.LessOrEqual(t, m.consumed, m.held)
			}
		})
		require.False(t, t.Failed(), "seed %d", seed)
	}
}

// A machine that comes back hears every peer on both links: what it has of the peer may be
// contradicted on the one that it accepts. Until then it says whom it waits for.
func TestRejoinHearsEveryPeer(t *testing.T) {
	type result struct {
		elapsed []time.Duration
		err     error
	}
	var whole func() context.Context
	begin := func(t *testing.T, patience time.Duration) (d *duet, log *diary, ended chan result) {
		log, ended = new(diary), make(chan result, 1)
		d = startDuet(t, func(c *Config) { c.Past, c.Logger = []Past{{Peer: 1, Consumed: 7, Sent: 4}}, log.logger() })
		hear, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		go func() {
			elapsed, err := d.Rejoin(t.Context(), hear, whole)
			ended <- result{elapsed, err}
		}()
		return d, log, ended
	}
	t.Run("it has heard of the run's time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, log, ended := begin(t, time.Hour)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			time.Sleep(5 * time.Second)
			assert.Equal(t, 2, log.count("waiting: for=machine 1 has not connected to this one"))
			d.call(t, 1)
			synctest.Wait()
			require.Empty(t, ended, "the peer may find that this machine lacks messages")
			d.out.send(append((&proposal{at: 1, agreed: true, began: 0}).append(nil, time.Minute), appendNumbers(nil, framePing, 1)...))
			assert.Equal(t, result{[]time.Duration{time.Minute}, nil}, <-ended)
		})
	})
	t.Run("the peer comes back, too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, _, ended := begin(t, time.Hour)
			d.call(t, 1)
			d.out.say(framePing, 1)
			synctest.Wait()
			require.Empty(t, ended)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			assert.Equal(t, result{}, <-ended)
		})
	})
	t.Run("contradicted on the link that it accepts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, _, ended := begin(t, time.Hour)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			d.call(t, 1)
			d.out.send(errorFrame(refuse(CodeStale, "machine 0 holds 7 messages of machine 1 but had consumed 9")))
			r := <-ended
			require.EqualError(t, r.err, "machine 0 holds 7 messages of machine 1 but had consumed 9")
			assert.Equal(t, r.err, d.Err())
		})
	})
	t.Run("contradicted when it has gone on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, log, ended := begin(t, 5*time.Second)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			assert.Equal(t, result{}, <-ended)
			assert.Equal(t, 1, log.count("going on without an answer of all peers: missing=machine 1 has not connected"))
			d.Resume(time.Now(), time.Minute)
			d.call(t, 1)
			d.out.send(errorFrame(refuse(CodeStale, "but had consumed 9")))
			<-d.Failed()
			require.EqualError(t, d.Err(), "but had consumed 9")
		})
	})
	t.Run("the run stands still", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			asked := make(chan bool, 1)
			whole = func() context.Context { asked <- true; return t.Context() }
			defer func() { whole = nil }()
			d, log, ended := begin(t, 5*time.Second)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			time.Sleep(time.Hour)
			require.Len(t, asked, 1)
			require.Empty(t, ended)
			assert.Zero(t, log.count("going on without an answer"))
			d.call(t, 1)
			d.out.send((&proposal{at: 1, agreed: true, began: 0}).append(nil, time.Minute))
			assert.Equal(t, result{[]time.Duration{time.Minute}, nil}, <-ended)
		})
	})
	t.Run("the run stands still, and the peer does not come", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			patience, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			whole = func() context.Context { return patience }
			defer func() { whole = nil }()
			d, _, ended := begin(t, 5*time.Second)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			require.ErrorAs(t, (<-ended).err, new(*MissingError))
			require.Error(t, patience.Err())
			require.NoError(t, d.Err())
		})
	})
	t.Run("it does not stand still", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			whole = func() context.Context { return nil }
			defer func() { whole = nil }()
			d, log, ended := begin(t, 5*time.Second)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			assert.Equal(t, result{}, <-ended)
			assert.Equal(t, 1, log.count("going on without an answer of all peers: missing=machine 1 has not connected"))
		})
	})
	t.Run("once they have agreed, it is a refusal like any other", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, _, ended := begin(t, time.Hour)
			d.accept(t, welcome{window: 10, consumed: 4, held: 4})
			d.call(t, 1)
			d.out.say(framePing, 1)
			d.out.hear(framePong)
			require.NoError(t, (<-ended).err)
			d.out.send(errorFrame(refuse(CodeStale, "machine 1 was started again without its log")))
			d.out.hearEnd()
			synctest.Wait()
			require.NoError(t, d.Err())
		})
	})
}

// A machine that has died in its start and finds a run that goes on hears for how long it
// has been going on, whatever the peer's clock was set to since.
func TestBarrierOfARunWhoseClockWasSet(t *testing.T) {
	for _, set := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, 10, nil)
			began := time.Now().Add(-time.Minute)
			d.out.say(frameStarted, uint64(began.Add(set).UnixNano()), uint64(time.Minute))
			start, err := d.Barrier(within(t))
			require.NoError(t, err)
			assert.True(t, start.Equal(began), "%v, want %v", start, began)
		})
	}
}

// Whoever comes back is called at once by peers that have found nobody for a while.
func TestWhoIsCalledCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, nil)
		require.NoError(t, d.ln.Close())
		go func() { _ = d.Connect(t.Context()) }()
		time.Sleep(time.Minute)
		d.ln = d.net.listen("1")
		d.call(t, 1)
		began := time.Now()
		d.accept(t, welcome{window: 10})
		assert.LessOrEqual(t, time.Since(began), 2*time.Millisecond)
	})
}
