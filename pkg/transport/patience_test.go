package transport

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// When what is consumed is acknowledged.
func TestOwed(t *testing.T) {
	const window = 3200 // of which a sixteenth is 200, and more than ackCount
	for _, c := range []struct {
		name string
		owed owed
		due  bool
	}{
		{"nothing", owed{window: window, open: window, age: time.Hour, ending: true}, false},
		{"one message", owed{count: 1, open: 1, window: window}, false},
		{"too few", owed{count: ackCount - 1, open: ackCount, window: window}, false},
		{"enough", owed{count: ackCount, open: ackCount, window: window}, true},
		{"too few of a small window", owed{count: 1, open: 1, window: 32}, false},
		{"enough of a small window", owed{count: 2, open: 2, window: 32}, true},
		{"a window of one", owed{count: 1, open: 1, window: 1}, true},
		{"one, and the sender may be at the end of its window", owed{count: 1, open: window / 2, window: window}, true},
		{"one, and the sender has as much again", owed{count: 1, open: window/2 - 1, window: window}, false},
		{"one that has waited", owed{count: 1, open: 1, window: window, age: ackAge}, true},
		{"one that has not waited for as long", owed{count: 1, open: 1, window: window, age: ackAge - 1}, false},
		{"one, and the sender has said FIN", owed{count: 1, open: 1, window: window, ending: true}, true},
		{"a part of a frame is here", owed{count: 200, open: window, window: window, age: time.Hour, more: true}, false},
		{"the same, and a share is consumed", owed{count: 201, open: 201, window: window, more: true}, true},
		{"the same at the end", owed{count: 1, open: 1, window: window, more: true, ending: true}, true},
	} {
		assert.Equal(t, c.due, c.owed.due(), c.name)
	}
}

// A sender that has no room is told of whatever is consumed, however small the windows are.
func TestOwedToAFullSender(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		window := rapid.Uint64Range(1, MaxWindow).Draw(r, "window")
		o := owed{window: window, open: window, count: rapid.Uint64Range(1, window).Draw(r, "count")}
		assert.True(t, o.due())
	})
}

// When the other end is asked whether it is there, and when it is given up.
func TestVigil(t *testing.T) {
	const now = time.Hour
	quiet := vigil{now: now, interval: interval, oldest: now - SilentIntervals*interval, quiet: true}
	noisy := quiet
	noisy.quiet = false
	for _, c := range []struct {
		name      string
		vigil     vigil
		edit      func(v *vigil)
		ask, over bool
	}{
		{"both were silent", noisy, func(v *vigil) { v.heard, v.wrote = now-interval, now-interval }, true, false},
		{"it was silent", noisy, func(v *vigil) { v.heard, v.wrote = now-interval, now }, true, false},
		{"this end was silent", noisy, func(v *vigil) { v.heard, v.wrote = now, now-interval }, true, false},
		{"neither was", noisy, func(v *vigil) { v.heard, v.wrote = now-interval/2+1, now-interval/2+1 }, false, false},
		{"it was silent for too long", noisy, func(v *vigil) { v.heard, v.wrote = v.oldest-1, now }, true, true},

		{"idle", quiet, func(*vigil) {}, false, false},
		{"something is wanted, and was just said", quiet, func(v *vigil) { v.wanted, v.wrote = true, now }, false, false},
		{"something is wanted, and was just heard", quiet, func(v *vigil) { v.wanted, v.heard = true, now }, false, false},
		{"something is wanted", quiet, func(v *vigil) { v.wanted, v.wrote = true, now-interval }, true, false},
		{"it was asked, and says nothing", quiet, func(v *vigil) { v.asked, v.wrote = now-interval, now-interval }, true, false},
		{"it was asked, and has answered", quiet, func(v *vigil) { v.asked, v.heard = now-time.Minute, now-time.Minute+1 }, false, false},
		{"it was asked, and has said nothing for too long", quiet, func(v *vigil) {
			v.asked, v.wrote = now-SilentIntervals*interval, now
		}, false, true},
		{"messages are unconsumed", quiet, func(v *vigil) { v.waits = now - ackAge }, false, false},
		{"messages are unconsumed for long", quiet, func(v *vigil) { v.waits = now - ackAge - 2*interval }, true, false},
		{"the same, and it was heard", quiet, func(v *vigil) { v.waits, v.heard = 1, now-ackAge }, false, false},
	} {
		v := c.vigil
		c.edit(&v)
		ask, over := v.look()
		assert.Equal(t, c.ask, ask, "asks: %s", c.name)
		assert.Equal(t, c.over, over, "gives up: %s", c.name)
	}
}

// Whatever is wanted, and whenever: who does not answer is given up within a bound, and nobody
// who answers ever is.
func TestVigilIsBounded(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := vigil{interval: interval, quiet: true, wanted: true}
		died := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(r, "died"))
		tick := time.Duration(rapid.Int64Range(1, int64(interval)).Draw(r, "phase"))
		for ; ; tick += interval {
			v.now, v.oldest = tick, tick-SilentIntervals*interval
			ask, over := v.look()
			if over {
				require.Greater(t, v.now, died, "it is alive")
				break
			}
			require.LessOrEqual(t, v.now, died+(SilentIntervals+2)*interval)
			if ask {
				if v.asked <= v.heard {
					v.asked = v.now
				}
				if v.wrote = v.now; v.now < died {
					v.heard = v.now
				}
			}
		}
	})
}

// HELD waits for CLOSED, but not for long, and comes behind what is consumed.
func TestHeldWaits(t *testing.T) {
	fin := func(t *testing.T, patience time.Duration) *duet {
		d := newDuet(t, 10, func(c *Config) { c.Window = 1000 })
		d.out.data(1, 3)
		synctest.Wait()
		d.Consumed(1, 2)
		d.out.hearNothing()
		d.out.say(frameFin, 3, 0, uint64(patience))
		return d
	}
	for _, c := range []struct{ patience, wait time.Duration }{
		{0, 0}, {20 * time.Millisecond, 20 * time.Millisecond}, {heldAfter, heldAfter}, {time.Hour, heldAfter}, {-1, heldAfter},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t, c.patience)
			began := time.Now()
			assert.EqualValues(t, 2, d.out.hearNumber(frameAck), "at once: it wants to know")
			assert.EqualValues(t, 3, d.out.hearNumber(frameHeld))
			assert.Equal(t, c.wait, time.Since(began))
		})
	}
	t.Run("it has ended itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t, heldAfter)
			d.out.hear(frameAck)
			go d.Finish(within(t))
			assert.EqualValues(t, 3, d.out.hearNumber(frameClosed))
			time.Sleep(2 * heldAfter)
			d.out.hearNothing()
		})
	})
	t.Run("the peer waits for it no more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t, heldAfter)
			d.out.hear(frameAck)
			d.in.say(frameClosed, 0)
			time.Sleep(2 * heldAfter)
			d.out.hearNothing()
		})
	})
	t.Run("the connection breaks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := fin(t, heldAfter)
			d.out.hear(frameAck)
			require.NoError(t, d.out.conn.Close())
			synctest.Wait()
			assert.EqualValues(t, 3, d.call(t, 1).held)
			time.Sleep(2 * heldAfter)
			d.out.hearNothing() // it knows
			d.out.say(frameFin, 3, 0, 0)
			assert.EqualValues(t, 3, d.out.hearNumber(frameHeld))
		})
	})
}

// A peer that has come to its end as well says with its FIN what it holds: nothing else is
// waited for. That counts if it is said by the process that this machine is connected with.
func TestFinSaysWhatIsHeld(t *testing.T) {
	for _, c := range []struct {
		name        string
		life, held  uint64
		undelivered map[int]uint64
	}{
		{"all", 1, 3, map[int]uint64{}},
		{"not all", 1, 2, map[int]uint64{1: 1}},
		{"more than all", 1, 4, map[int]uint64{1: 3}},
		{"all, as an earlier process of it says", 2, 3, map[int]uint64{1: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := startDuet(t, nil)
				connected := make(chan error, 1)
				go func() { connected <- d.Connect(t.Context()) }()
				d.accept(t, welcome{window: 10, life: c.life})
				d.call(t, 1)
				require.NoError(t, <-connected)
				d.sendAll(1, 3)
				ctx, cancel := context.WithTimeout(t.Context(), interval) // in which it stands
				defer cancel()
				began := time.Now()
				ended := make(chan map[int]uint64, 1)
				go func() { ended <- d.Drain(ctx) }()
				d.in.hearData(1, 3)
				d.in.hear(frameFin)
				d.out.say(frameFin, 0, c.held, uint64(heldAfter))
				assert.Equal(t, c.undelivered, <-ended)
				if len(c.undelivered) == 0 {
					assert.Zero(t, time.Since(began))
				}
			})
		})
	}
}

// Between two processes of one host nothing is said on a link that is idle, and whoever is asked
// answers: here the clocks are turned by hand, so the test waits for nothing.
func TestQuietLinks(t *testing.T) {
	nodes, _ := mesh(t, 2, nil)
	connect(t, nodes)
	for _, n := range nodes {
		out, in := n.out[0], n.in[1-n.cfg.ID]
		assert.True(t, out.session.quiet)
		assert.True(t, in.session.quiet)
		for range 10 {
			out.heard.Store(int64(-time.Hour))
			in.heard.Store(int64(-time.Hour))
			out.keep(n.now())
			in.keep(n.now())
		}
		assert.EqualValues(t, 2, n.Stats().Frames, "HELLO and WELCOME")
	}
	for _, n := range nodes {
		in := n.in[1-n.cfg.ID]
		in.ask()
		eventually(t, "it answers", func() bool { return in.lastHeard() > 0 })
	}
	finish(t, nodes)
}

// The same over TLS, whose end the system sees just as well.
func TestQuietLinksOverTLS(t *testing.T) {
	a := newAuthority(t)
	nodes, _ := mesh(t, 2, func(c *Config) { c.TLS = a.machine(c.ID) })
	connect(t, nodes)
	for _, n := range nodes {
		assert.True(t, n.out[0].session.quiet)
		assert.True(t, n.in[1-n.cfg.ID].session.quiet)
	}
	finish(t, nodes)
}

// Where something stands between two machines, the system sees only the nearer half; and of a
// connection that is decorated, nothing.
func TestLinksThatAreNotQuiet(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, c *Config){
		"a proxy": func(t *testing.T, c *Config) { c.Peers[0].Addr = proxy(t, c.Peers[0].Addr) },
		"decorated by who dials": func(_ *testing.T, c *Config) {
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return struct{ net.Conn }{conn}, err
			}
		},
		"decorated by who accepts": func(_ *testing.T, c *Config) {
			c.Accepted = func(conn net.Conn, _ int) net.Conn { return struct{ net.Conn }{conn} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, _ := mesh(t, 2, func(c *Config) { edit(t, c) })
			connect(t, nodes)
			for _, n := range nodes {
				assert.False(t, n.out[0].session.quiet)
				assert.False(t, n.in[1-n.cfg.ID].session.quiet)
			}
			finish(t, nodes)
		})
	}
}

// proxy returns where somebody listens who carries all bytes to an address and back.
func proxy(t *testing.T, to string) string {
	t.Helper()
	ln := listen(t)
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			carry := func(from, to net.Conn) {
				buf := make([]byte, 4<<10)
				for {
					n, err := from.Read(buf)
					_, _ = to.Write(buf[:n])
					if err != nil {
						_ = to.Close()
						return
					}
				}
			}
			go carry(near, far)
			go carry(far, near)
		}
	}()
	return ln.Addr().String()
}

// Another process of a machine takes the link of one that is there but says nothing, once that
// was asked in vain; the link of one that answers it does not get.
func TestNewcomerOnAQuietLink(t *testing.T) {
	for name, answers := range map[string]bool{"it answers": true, "it says nothing": false} {
		t.Run(name, func(t *testing.T) {
			const interval = 20 * time.Millisecond
			ln := listen(t)
			n, err := New(Config{ID: 0, Run: "test", Peers: []Peer{{1, "127.0.0.1:1"}}, Handler: newInbox(), Life: 1, PingInterval: interval}, ln)
			require.NoError(t, err)
			t.Cleanup(func() { n.Close(cancelled()) })
			n.open()
			call := func(life uint64) *puppet {
				conn, err := net.Dial("tcp", ln.Addr().String())
				require.NoError(t, err)
				p := newPuppet(t, conn)
				p.hello(func(h *hello) { h.life, h.port = life, port(conn.LocalAddr()) })
				return p
			}
			first := call(1)
			assert.True(t, first.hearWelcome().quiet)
			second := call(2)
			first.hear(framePing)
			if answers {
				first.say(framePing, 1)
				// What the newcomer hears, a stranger hears; the log has the reason.
				assert.Equal(t, CodeStranger, second.hearError().Code)
				first.hear(framePong)
				return
			}
			assert.EqualValues(t, 0, second.hearWelcome().held)
			first.hearEnd()
		})
	}
}

// A receiver says what it has consumed when the first of it is a minute old, or when it says
// anything else.
func TestAcknowledgementsOfAnIdleLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, func(c *Config) { c.Window = 1000 })
		d.out.data(1, 3)
		synctest.Wait()
		began := time.Now()
		_ = d.out.conn.SetDeadline(began.Add(2 * ackAge))
		d.Consumed(1, 1)
		for time.Since(began) < ackAge-interval {
			d.out.say(frameStarted, 1, 1) // or the connection is closed for its silence
			time.Sleep(interval)
		}
		d.Consumed(1, 2)
		d.out.say(frameStarted, 1, 1)
		assert.EqualValues(t, 2, d.out.hearNumber(frameAck))
		assert.InDelta(t, ackAge, time.Since(began), float64(interval))
		d.Consumed(1, 3)
		d.out.hearNothing()
		d.out.say(framePing, 5)
		d.out.hear(framePong)
		assert.EqualValues(t, 3, d.out.hearNumber(frameAck))
	})
}
