package transport

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const interval = 2 * time.Second

// An idle link is tried now and then, stands for ever, and costs a PING and a
// PONG per interval.
func TestIdleLinksStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 2, func(c *Config) { c.PingInterval = interval })
		connect(t, nodes)
		time.Sleep(time.Hour)
		for _, n := range nodes {
			s := n.Stats()
			assert.Zero(t, s.Reconnects)
			pings := time.Hour / interval
			assert.InDelta(t, 2*int(pings), s.Frames, 4)
		}
		finish(t, nodes)
	})
}

// A busy link is tried all the same where the system does not watch it: nothing comes back on it
// for long. The acknowledgement that is due by then comes with the answer.
func TestBusyLinksAreTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, boxes := newNetwork().nodes(t, 2, func(c *Config) { c.PingInterval = interval })
		for i, b := range boxes {
			b.onDeliver = consumeAll(t, nodes, i)
		}
		connect(t, nodes)
		const count = 1000
		for seq := range uint64(count) {
			nodes[0].Send(1, numbered(seq+1))
			nodes[1].Send(0, numbered(seq+1))
			time.Sleep(interval / 4)
		}
		for _, n := range nodes {
			s := n.Stats()
			const tries = count / 4
			assert.InDelta(t, tries, s.Acks, 1)
			assert.InDelta(t, count+3*tries+2, s.Frames, 6, "messages, PING, PONG and ACK, and what the connection began with")
		}
	})
}

// A connection that carries nothing any more, without a sign from the system,
// is found out by both ends, and the link goes on over a new one.
func TestDeadConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		nodes, boxes := w.nodes(t, 2, func(c *Config) { c.PingInterval = interval })
		connect(t, nodes)
		nodes[0].Send(1, numbered(1))
		synctest.Wait()
		w.every(func(c *cable) { c.dead.Store(c.from == 0) })
		began := time.Now()
		nodes[0].Send(1, numbered(2))
		for boxes[1].got(0) < 2 {
			time.Sleep(100 * time.Millisecond)
			require.Less(t, time.Since(began), (SilentIntervals+2)*interval)
		}
		assert.Greater(t, time.Since(began), (SilentIntervals-1)*interval)
		assert.EqualValues(t, 1, nodes[0].Stats().Reconnects)
		assert.Zero(t, nodes[1].Stats().Reconnects, "the other link is not touched")
		boxes[1].check(t)
		finish(t, nodes)
	})
}

// A receiver gives up a connection on which nothing comes, so that what its
// machine held open is free again although it never comes back.
func TestReceiverGivesUpASilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, func(c *Config) { c.PingInterval = interval })
		began := time.Now()
		d.out.hearEnd()
		assert.InDelta(t, SilentIntervals*interval+interval/2, time.Since(began), float64(interval/2))
		synctest.Wait()
		assert.Nil(t, d.Node.in[1].session)
	})
}

// A sender gives up a peer that reads nothing, even in the middle of a write.
func TestSenderGivesUpAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 1<<20, func(c *Config) { c.PingInterval = interval; c.Window = 1 << 20 })
		d.sendAll(1, 100_000)
		began := time.Now()
		conn, err := d.ln.Accept()
		require.NoError(t, err)
		assert.InDelta(t, SilentIntervals*interval+interval/2, time.Since(began), float64(interval))
		conn.Close()
	})
}

// A new connection is as good as new: what the one before it has not heard does
// not count.
func TestNewConnectionIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, func(c *Config) { c.PingInterval = interval })
		l := d.Node.out[0]
		require.NoError(t, d.in.conn.Close())
		synctest.Wait()
		l.heard.Store(int64(-time.Hour))
		_, err := l.attach(newSession(&tape{}, false), greeting{welcome: welcome{window: 10}})
		require.NoError(t, err)
		_, over := l.vigil(l.n.now() - SilentIntervals*interval).look()
		assert.False(t, over)
	})
}

// Somebody who does not say who he is, or says it too slowly, is turned away in
// time.
func TestHelloTimeout(t *testing.T) {
	for name, behave := range map[string]func(p *puppet){
		"silent": func(*puppet) {},
		"a byte a second": func(p *puppet) {
			for _, b := range (hello{version: Version, run: "test"}).frame() {
				if _, err := p.conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDuet(t, 10, nil)
				p := d.net.call(t, "0")
				began := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { behave(p) })
				p.hearEnd()
				assert.Equal(t, HelloTimeout, time.Since(began))
				wg.Wait()
				synctest.Wait()
				assert.EqualValues(t, 1, d.Stats().Refused)
			})
		})
	}
}

// A peer that takes the connection and then says nothing is tried again.
func TestWelcomeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		ln := w.listen("1")
		n, err := New(Config{Run: "test", Peers: []Peer{{1, "1"}}, Handler: newInbox(), Dial: w.dialer(0)}, w.listen("0"))
		require.NoError(t, err)
		go func() { _ = n.Connect(t.Context()) }()
		defer n.Close(cancelled())
		conn, err := ln.Accept()
		require.NoError(t, err)
		p := newPuppet(t, conn)
		p.hear(frameHello)
		began := time.Now()
		p.hearEnd()
		assert.Equal(t, WelcomeTimeout, time.Since(began))
		conn, err = ln.Accept()
		require.NoError(t, err)
		conn.Close()
	})
}

// The limit of those who have not said who they are: one more, and the one that
// has waited for longest has to go. A machine comes through in between.
func TestGateEvicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		limit := d.gate.perSource // all come from one address
		assert.Equal(t, MaxUnknown/2+2, limit)
		var strangers []*puppet
		for range limit {
			strangers = append(strangers, d.net.call(t, "0"))
			synctest.Wait()
		}
		require.Zero(t, d.Stats().Refused)
		assert.EqualValues(t, 0, d.call(t, 1).held, "a machine is let in although it is full")
		assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: "silent while others wait", heard: true}, strangers[0].hearError())
		strangers[0].hearEnd()
		synctest.Wait()
		assert.EqualValues(t, 1, d.Stats().Refused)

		strangers[1].hello(func(h *hello) { h.run = "exam" }) // the second is still there
		assert.Equal(t, CodeStranger, strangers[1].hearError().Code)
		for _, p := range strangers[2:] {
			p.conn.Close()
		}
		synctest.Wait()
		assert.EqualValues(t, limit, d.Stats().Refused, "each is counted once")
		assert.Empty(t, d.gate.at)
	})
}

// Attempts to dial come quickly at first and never rarer than once a second.
func TestRedial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		var attempts []time.Time
		down := true
		nodes, _ := w.nodes(t, 2, func(c *Config) {
			if c.ID == 1 {
				return
			}
			dial := c.Dial
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				w.mu.Lock()
				attempts = append(attempts, time.Now())
				refuse := down
				w.mu.Unlock()
				if refuse {
					addr = "nowhere"
				}
				return dial(ctx, network, addr)
			}
		})
		defer each(nodes, func(_ int, n *Node) { n.Close(cancelled()) })
		for _, n := range nodes {
			go func() { assert.NoError(t, n.Connect(t.Context())) }()
		}
		time.Sleep(time.Minute)
		w.mu.Lock()
		most := redialFirst
		for i := range attempts[1:] {
			pause := attempts[i+1].Sub(attempts[i])
			assert.GreaterOrEqual(t, pause, time.Millisecond, "attempt %d", i)
			assert.LessOrEqual(t, pause, most+time.Millisecond, "attempt %d", i)
			most = min(2*most, redialMax)
		}
		assert.Greater(t, len(attempts), 80, "with full jitter, two a second in the mean")
		down = false
		w.mu.Unlock()
		time.Sleep(2 * time.Second) // it has come through
		w.mu.Lock()
		was := len(attempts)
		w.mu.Unlock()
		w.every(func(c *cable) { c.cut() })
		began := time.Now()
		synctest.Wait()
		time.Sleep(redialFirst + time.Millisecond)
		w.mu.Lock()
		assert.Len(t, attempts, was+1, "after a connection, the first pause is short again")
		assert.LessOrEqual(t, attempts[was].Sub(began), redialFirst+time.Millisecond)
		w.mu.Unlock()
	})
}

// A connection that is closed for a reason will be closed again: then the
// pauses grow.
func TestRedialAfterAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		began := time.Now()
		const times = 30
		for range times {
			d.in.send(errorFrame(refuse(CodeProtocol, "no")))
			d.accept(t, welcome{window: 10})
		}
		assert.Greater(t, time.Since(began), times/5*redialMax, "half a second each, in the mean")
	})
}
