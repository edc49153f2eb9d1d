package transport

import (
	"context"
	"errors"
	"fmt"
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

func TestNewSaysWhatIsWrong(t *testing.T) {
	peer := func(ids ...int) (peers []Peer) {
		for i, id := range ids {
			peers = append(peers, Peer{id, "host:" + strconv.Itoa(i)})
		}
		return peers
	}
	window := MaxWindow
	window++ // where an int has 32 bits, it is negative
	for _, c := range []struct {
		want string
		cfg  Config
	}{
		{"machine id 2 with 1 peer: ids are 0 to 1", Config{ID: 2, Peers: peer(0)}},
		{"machine id -1 with 1 peer: ids are 0 to 1", Config{ID: -1, Peers: peer(0)}},
		{"run name of 65 bytes: at most 64", Config{Run: string(make([]byte, 65)), Peers: peer(1)}},
		{"window of -1 messages: want 1 to 2147483647", Config{Window: -1, Peers: peer(1)}},
		{fmt.Sprintf("window of %d messages: want 1 to 2147483647", window), Config{Window: window, Peers: peer(1)}},
		{"ping interval of -1ns: want more than 0", Config{PingInterval: -1, Peers: peer(1)}},
		{"peer host:1 has this machine's own id 1", Config{ID: 1, Peers: peer(0, 1)}},
		{"peer host:0 has id 2: with 1 peer, ids are 0 to 1", Config{Peers: peer(2)}},
		{"peers host:0 and host:1 have one id, 1", Config{Peers: peer(1, 1)}},
		{"1 secret for 2 peers", Config{Peers: peer(1, 2), Secrets: make([]Secret, 1)}},
	} {
		_, err := New(c.cfg, nil)
		assert.EqualError(t, err, c.want)
	}
}

// The order in which machines are started does not matter, nor how long they
// take, nor which ids are known beforehand.
func TestConnectInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			w := newNetwork()
			nodes, boxes := w.nodes(t, 4, func(c *Config) {
				for i := range c.Peers {
					if rng.IntN(2) == 0 {
						c.Peers[i].ID = AnyID
					}
				}
				rng.Shuffle(len(c.Peers), func(i, j int) { c.Peers[i], c.Peers[j] = c.Peers[j], c.Peers[i] })
			})
			starts := make([]time.Duration, len(nodes))
			for i := range nodes {
				starts[i] = time.Duration(rng.Int64N(int64(time.Minute)))
			}
			// A machine that is not started does not listen either.
			lns := w.listeners
			w.listeners = map[string]*memoryListener{}
			each(nodes, func(i int, n *Node) {
				time.Sleep(starts[i])
				w.mu.Lock()
				w.listeners[strconv.Itoa(i)] = lns[strconv.Itoa(i)]
				w.mu.Unlock()
				require.NoError(t, n.Connect(t.Context()))
			})
			for i, n := range nodes {
				for j := range nodes {
					if j != i {
						assert.Equal(t, strconv.Itoa(j), n.byID[j].addr, "machine %d is known by its address", j)
						n.Send(j, numbered(1))
					}
				}
			}
			finish(t, nodes)
			for i, b := range boxes {
				b.check(t)
				assert.Len(t, b.last, len(nodes)-1, "machine %d has heard from all", i)
			}
		})
	}
}

// A mesh stands when all its links do, in both directions.
func TestConnectWaitsForBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, nil)
		connected := make(chan error, 1)
		go func() { connected <- d.Connect(t.Context()) }()
		d.accept(t, welcome{window: 10})
		synctest.Wait()
		require.Empty(t, connected)
		d.call(t, 1)
		require.NoError(t, <-connected)
	})
}

// Machines that do not belong together refuse each other. The reason stands in the log
// of the one that refuses; the one that dials hears always the same.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(c *Config)
		want string // in one machine's log
	}{
		{
			"another run", func(c *Config) { c.Run = []string{"test", "exam"}[c.ID] },
			`machine 1 of 2 in run "exam" meets machine 0 of 2 in run "test"`,
		},
		{
			"another number of machines", func(c *Config) {
				if c.ID == 1 {
					c.Peers = append(c.Peers, Peer{2, "2"})
				}
			},
			"machine 1 is in a run of 3 machines, machine 0 in one of 2",
		},
		{
			"the wrong address", func(c *Config) {
				if c.ID == 0 {
					c.Peers = []Peer{{2, "1"}, {1, "2"}}
				} else {
					c.Peers = append(c.Peers, Peer{2, "2"})
				}
			},
			"machine 0 wants machine 2, but this is machine 1",
		},
		{
			"one id twice", func(c *Config) {
				c.ID = 0
				c.Peers[0].ID = 1
			},
			"two machines with id 0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logs [2]diary
				who := 0
				nodes, _ := newNetwork().nodes(t, 2, func(cfg *Config) {
					cfg.Logger = logs[who].logger()
					who++
					c.edit(cfg)
				})
				var errs [2]error
				each(nodes, func(i int, n *Node) {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					errs[i] = n.Connect(ctx)
				})
				each(nodes, func(_ int, n *Node) { n.Close(cancelled()) })
				dialer := 0 // the one that is refused as the text says
				if logs[0].contains(c.want) {
					dialer = 1
				}
				var refused *RefusedError
				require.ErrorAs(t, errs[dialer], &refused)
				assert.Equal(t, CodeStranger, refused.Code)
				cfg := nodes[dialer].cfg
				assert.Equal(t, fmt.Sprintf("%d does not take this machine for one of its run: this is machine %d of %d in run %q", 1-dialer, cfg.ID, len(cfg.Peers)+1, cfg.Run), refused.Error())
				assert.True(t, logs[1-dialer].contains(c.want), "%s", &logs[1-dialer])
				assert.Positive(t, nodes[1-dialer].Stats().Refused)
			})
		})
	}
}

// What a node says to a puppet that introduces itself wrongly.
func TestHelloIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(p *puppet)
		code Code
		want string
	}{
		{"another version", func(p *puppet) { p.hello(func(h *hello) { h.version = 1 }) }, CodeVersion, "protocol version 1 meets version 4"},
		{"no such machine", func(p *puppet) { p.hello(func(h *hello) { h.from = 2 }) }, CodeStranger, strangerText},
		{"its own id", func(p *puppet) { p.hello(func(h *hello) { h.from = 0 }) }, CodeStranger, strangerText},
		{"no secret", func(p *puppet) { p.hello(func(h *hello) { h.secret = Secret{} }) }, CodeProtocol, "HELLO without a secret"},
		{"another frame", func(p *puppet) { p.say(frameReady, 1) }, CodeProtocol, "READY, expected HELLO"},
		{"a large frame", func(p *puppet) { p.send([]byte{0, 0, 1, 1}) }, CodeProtocol, "a frame of 257 bytes, want 1 to 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDuet(t, 10, nil)
				p := d.net.call(t, "0")
				c.say(p)
				assert.Equal(t, &RefusedError{Code: c.code, Text: c.want, heard: true}, p.hearError())
				p.hearEnd()
				assert.EqualValues(t, 1, d.Stats().Refused)
				// The run is not disturbed.
				d.out.data(1, 1)
				d.out.say(frameFin, 1, 0, uint64(heldAfter))
				assert.EqualValues(t, 1, d.out.hearNumber(frameHeld))
			})
		})
	}
}

// A machine with its own address among its peers finds out from itself.
func TestSelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 2, func(c *Config) { c.Peers = []Peer{{AnyID, strconv.Itoa(c.ID)}} })
		err := nodes[0].Connect(within(t))
		require.EqualError(t, err, "machine 0 has its own address among its peers: 0")
		each(nodes, func(_ int, n *Node) { n.Close(cancelled()) })
	})
}

// One machine under two addresses: the second is refused, and told so.
func TestTwoAddressesOfOneMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		ln, one := w.listen("0"), w.listen("1")
		w.listeners["2"] = one
		n, err := New(Config{
			Run: "test", Handler: newInbox(), Life: 1, Dial: w.dialer(0),
			Peers: []Peer{{AnyID, "1"}, {AnyID, "2"}},
		}, ln)
		require.NoError(t, err)
		failed := make(chan error)
		go func() { failed <- n.Connect(within(t)) }()
		var puppets [2]*puppet
		for i := range puppets {
			conn, err := one.Accept()
			require.NoError(t, err)
			puppets[i] = newPuppet(t, conn)
			puppets[i].hear(frameHello)
			puppets[i].send(welcome{version: Version, id: 1, window: 1}.frame())
			synctest.Wait()
		}
		const want = "both say that they are machine 1"
		told := puppets[1].hearError()
		assert.Equal(t, CodeDuplicate, told.Code)
		assert.Contains(t, told.Text, want)
		require.ErrorContains(t, <-failed, want)
		n.Close(cancelled())
	})
}

// A peer that answers with what cannot be is told so too.
func TestWelcomeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		w    welcome
		code Code
		want string
	}{
		{"more held than sent", welcome{version: Version, id: 1, window: 10, consumed: 1, held: 3}, CodeStale, "machine 1 holds 3 messages of machine 0, which has sent 2: machine 0 was started again without its log"},
		{"less held than consumed", welcome{version: Version, id: 1, window: 10, consumed: 0, held: 0}, CodeStale, "machine 1 holds 0 messages of machine 0 but had consumed 1: machine 1 was started again without its log"},
		{"another machine", welcome{version: Version, id: 0, window: 10, consumed: 1, held: 1}, CodeSelf, "peer 1 is this machine itself, or another with its id 0"},
		{"no such machine", welcome{version: Version, id: 2, window: 10, consumed: 1, held: 1}, CodeMachines, "peer 1 is machine 2: with 1 peer, ids are 0 to 1"},
		{"another version", welcome{version: 1, id: 1, window: 10, consumed: 1, held: 1}, CodeVersion, "protocol version 1 meets version 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log diary
				d := newDuet(t, 10, func(c *Config) { c.Logger = log.logger() })
				d.Send(1, numbered(1))
				d.Send(1, numbered(2))
				d.in.hearData(1, 2)
				d.in.say(frameAck, 1)
				synctest.Wait()
				require.NoError(t, d.in.conn.Close())

				conn, err := d.ln.Accept()
				require.NoError(t, err)
				p := newPuppet(t, conn)
				p.hear(frameHello)
				p.send(c.w.frame())
				assert.Equal(t, &RefusedError{Code: c.code, Text: c.want, heard: true}, p.hearError())
				p.conn.Close()
				if c.code == CodeStale {
					assert.Equal(t, 9, d.Room(1), "nothing of it is believed")
				}
				synctest.Wait()
			})
		})
	}
}

// Before the start a refusal is final; in a run the link is tried again.
func TestRefusalDuringARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log diary
		d := newDuet(t, 10, func(c *Config) { c.Logger = log.logger() })
		d.out.say(frameReady, 1)
		_, err := d.Barrier(t.Context())
		require.NoError(t, err)
		d.Begun()
		require.NoError(t, d.in.conn.Close())
		for range 3 {
			conn, err := d.ln.Accept()
			require.NoError(t, err)
			p := newPuppet(t, conn)
			p.hear(frameHello)
			p.send(errorFrame(refuse(CodeRun, "not now")))
			p.conn.Close()
		}
		d.accept(t, welcome{window: 10})
		d.in.hear(frameStarted)
		d.Send(1, numbered(1))
		d.in.hearData(1, 1)
		assert.True(t, log.contains("not now"))
	})
}

// Whoever is missing is named, with what is known of it.
func TestConnectNamesWhoIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		nodes, _ := w.nodes(t, 4, func(c *Config) {
			c.Peers[2].ID = AnyID // of machine 0: machine 3
			if c.ID == 1 {
				c.Peers[0].Addr = "lost" // so it does not reach machine 0
			}
		})
		var log diary
		nodes[0].log = log.logger()
		began := time.Now()
		go func() { _ = nodes[1].Connect(t.Context()) }()
		defer nodes[1].Close(cancelled())
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		w.mu.Lock()
		delete(w.listeners, "2")
		w.mu.Unlock()
		go func() { _ = nodes[3].Connect(t.Context()) }()
		defer nodes[3].Close(cancelled())
		err := nodes[0].Connect(ctx)
		require.EqualError(t, err, "machine 2 (2) cannot be reached: connection refused")
		assert.Equal(t, 25*time.Second, time.Since(began))
		assert.Equal(t, 2, log.count("waiting: for="), "every ten seconds it says so")

		// All that are dialled answer, and one does not dial.
		go func() { _ = nodes[2].Connect(t.Context()) }()
		defer nodes[2].Close(cancelled())
		w.mu.Lock()
		w.listeners["2"] = nodes[2].ln.(*memoryListener)
		w.mu.Unlock()
		defer nodes[0].Close(cancelled())
		synctest.Wait()
		time.Sleep(2 * time.Second)
		assert.Equal(t, "machine 1 has not connected to this one: is 0 among its peers?", nodes[0].missing().Error())
	})
}

// Who was turned away may be who is missing, so whoever waits says so: what it asked for,
// and from where.
func TestConnectNamesWhoWasTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log diary
		d := startDuet(t, func(c *Config) { c.Logger = log.logger() })
		require.NoError(t, d.ln.Close())
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		failed := make(chan error)
		go func() { failed <- d.Connect(ctx) }()
		for _, edit := range []func(*hello){
			func(h *hello) { h.run = "exam" },
			func(h *hello) { h.run = "exam" },
			func(h *hello) { h.machines = 3 },
		} {
			p := d.net.call(t, "0")
			p.hello(edit)
			assert.Equal(t, CodeStranger, p.hearError().Code)
		}
		const want = "machine 1 (1) cannot be reached: connection refused; " +
			`turned away pipe (2 times): machine 1 of 2 in run "exam" meets machine 0 of 2 in run "test"; ` +
			"turned away pipe: machine 1 is in a run of 3 machines, machine 0 in one of 2"
		err := <-failed
		require.EqualError(t, err, want)
		assert.True(t, log.contains("waiting: for="+want), "%s", &log)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, CodeMachines, refused.Code, "the newest")
	})
}

// However many are turned away, a few are remembered.
func TestCallers(t *testing.T) {
	var c callers
	for i := range 10 {
		for range i {
			c.turnedAway(&net.TCPAddr{IP: net.IPv4(192, 0, 2, byte(i)), Port: 4000 + i}, refuse(CodeRun, "no"))
		}
	}
	assert.Equal(t, "[turned away 192.0.2.6 (6 times): no turned away 192.0.2.7 (7 times): no turned away 192.0.2.8 (8 times): no turned away 192.0.2.9 (9 times): no]", fmt.Sprint(c.all()))
	c.turnedAway(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1}, refuse(CodeRun, "no"))
	assert.Equal(t, "turned away 192.0.2.7 (8 times): no", c.all()[maxCallers-1].String())
}

// Machines that belong to one run tell each other their terms when they meet. Where one
// of them says that there can be no run, both know why.
func TestTerms(t *testing.T) {
	type meeting struct {
		me, peer int
		terms    string
	}
	connect := func(t *testing.T, judge func(me int) error) (met map[meeting]int, errs [2]error, logs *[2]diary) {
		met, logs = make(map[meeting]int), new([2]diary)
		var mu sync.Mutex
		nodes, _ := newNetwork().nodes(t, 2, func(c *Config) {
			id := c.ID
			c.Logger, c.Terms = logs[id].logger(), []byte{'a' + byte(id)}
			c.Meet = func(peer int, terms []byte) error {
				mu.Lock()
				defer mu.Unlock()
				met[meeting{id, peer, string(terms)}]++
				return judge(id)
			}
		})
		each(nodes, func(i int, n *Node) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			errs[i] = n.Connect(ctx)
		})
		each(nodes, func(_ int, n *Node) { n.Close(cancelled()) })
		return met, errs, logs
	}
	t.Run("both hear", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			met, errs, _ := connect(t, func(int) error { return nil })
			assert.Equal(t, map[meeting]int{{0, 1, "b"}: 2, {1, 0, "a"}: 2}, met, "once on each link")
			assert.Equal(t, [2]error{}, errs)
		})
	})
	const text = "machine 1 throws another die"
	for name, refuses := range map[string]func(me int) bool{
		"both refuse": func(int) bool { return true },
		"one refuses": func(me int) bool { return me == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, errs, logs := connect(t, func(me int) error {
					if refuses(me) {
						return errors.New(text)
					}
					return nil
				})
				for i, err := range errs {
					var refused *RefusedError
					require.ErrorAs(t, err, &refused, "machine %d", i)
					assert.Equal(t, CodeTerms, refused.Code)
					assert.Contains(t, err.Error(), text, "machine %d\n%s", i, &logs[i])
				}
			})
		})
	}
}

// A stranger does not hear the terms, nor what they are held against.
func TestStrangersHearNoTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, func(c *Config) {
			c.Terms = []byte("precious")
			c.Meet = func(int, []byte) error { return nil }
		})
		d.cfg.Meet = func(int, []byte) error { t.Error("a stranger is judged"); return errors.New("precious") }
		d.out.say(frameReady, 1) // from now on the link is its secret's
		for _, edit := range []func(*hello){
			func(h *hello) { h.run = "exam" },
			func(h *hello) { h.machines = 3 },
			func(h *hello) { h.secret = Secret{1} },
		} {
			synctest.Wait()
			p := d.net.call(t, "0")
			p.hello(edit)
			assert.Equal(t, &RefusedError{Code: CodeStranger, Text: strangerText, heard: true}, p.hearError())
		}
	})
}

// Something else listens at a peer's address.
func TestConnectToSomethingElse(t *testing.T) {
	for _, c := range []struct{ says, want string }{
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "machine 1 (1) cannot be reached: what answers at 1 is not a machine of a run (a frame of 1213486160 bytes, want 1 to 65536)"},
		{"", "machine 1 (1) cannot be reached: the connection was closed without a reply"},
		{"\x00\x00\x00\x01\x05", "machine 1 (1) cannot be reached: PING from 1, expected WELCOME"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newNetwork()
			n, err := New(Config{Run: "test", Peers: []Peer{{1, "1"}}, Handler: newInbox(), Dial: w.dialer(0)}, w.listen("0"))
			require.NoError(t, err)
			ln := w.listen("1")
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					_, _, _ = newFrameReader(conn, MaxHello).next() // else it is closed while HELLO is written
					_, _ = conn.Write([]byte(c.says))
					_ = conn.Close()
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			require.EqualError(t, n.Connect(ctx), c.want)
			_ = ln.Close()
			n.Close(cancelled())
		})
	}
}

// A resumed process of a machine replaces the one that died, which may not be
// heard to have died; a second process beside a living one is refused.
func TestLives(t *testing.T) {
	const interval = 2 * time.Second
	startLogging := func(t *testing.T, log *diary) *duet {
		d := newDuet(t, 10, func(c *Config) { c.PingInterval, c.Logger = interval, log.logger() })
		d.out.data(1, 2)
		d.Send(1, numbered(1))
		d.in.hearData(1, 1)
		synctest.Wait()
		return d
	}
	start := func(t *testing.T) *duet { return startLogging(t, new(diary)) }
	t.Run("the old one is gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := start(t)
			d.out.say(frameReady, 1)
			synctest.Wait()
			require.NoError(t, d.out.conn.Close())
			synctest.Wait()
			w := d.call(t, 2)
			synctest.Wait()
			assert.EqualValues(t, 2, w.held)
			assert.EqualValues(t, 1, w.start, "what the old one has proposed")
			assert.Zero(t, d.Node.in[1].proposed().at, "the new one is not ready because the old one was")
			d.out.data(3, 3)
			synctest.Wait()
			assert.EqualValues(t, 3, d.box.got(1))
		})
	})
	t.Run("the old one is silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := start(t)
			began := time.Now()
			w := d.call(t, 2)
			assert.EqualValues(t, 2, w.held)
			assert.LessOrEqual(t, time.Since(began), 4*interval)
			d.out.data(3, 3)
			synctest.Wait()
			assert.EqualValues(t, 3, d.box.got(1))
		})
	})
	t.Run("the old one lives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log diary
			d := startLogging(t, &log)
			second := d.net.call(t, "0")
			go func() {
				time.Sleep(underWay + time.Second)
				d.out.say(framePing, 1)
			}()
			second.hello(func(h *hello) { h.life = 2 })
			assert.Equal(t, CodeStranger, second.hearError().Code)
			d.out.hear(framePong)
			synctest.Wait()
			assert.True(t, log.contains("reason=a machine with id 1 is connected already, from pipe"), "%s", &log)
		})
	})
	t.Run("the last words of the old one come late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := start(t)
			old := d.out
			go func() {
				time.Sleep(underWay / 2)
				old.data(3, 4)
				time.Sleep(underWay)
				old.conn.Close()
			}()
			w := d.call(t, 2)
			assert.EqualValues(t, 4, w.held)
		})
	})
	t.Run("the old one comes back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log diary
			d := startLogging(t, &log)
			require.NoError(t, d.out.conn.Close())
			synctest.Wait()
			d.call(t, 2)
			old := d.net.call(t, "0")
			old.hello(nil)
			assert.Equal(t, CodeStranger, old.hearError().Code)
			synctest.Wait()
			assert.True(t, log.contains("reason=machine 1 has been started again: this process of it is not the newest"), "%s", &log)
		})
	})
}

// A connection that only one end believes in gives way to the next one of the
// same process.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.out.data(1, 3)
		synctest.Wait()
		old := d.out
		began := time.Now()
		w := d.call(t, 1)
		assert.EqualValues(t, 3, w.held)
		assert.Zero(t, time.Since(began), "nothing is waited for")
		old.hearEnd()
		d.out.data(4, 5)
		synctest.Wait()
		assert.EqualValues(t, 5, d.box.got(1))
		d.box.check(t)
	})
}

// A resumed process finds what it had not consumed, and a node that goes on.
func TestResumedPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		nodes, boxes := w.nodes(t, 2, nil)
		connect(t, nodes)
		for seq := range uint64(5) {
			nodes[0].Send(1, numbered(seq+1))
		}
		synctest.Wait()
		require.EqualValues(t, 5, boxes[1].got(0))
		nodes[1].Close(cancelled()) // it dies: nothing is consumed

		box := newInbox()
		resumed, err := New(Config{
			ID: 1, Run: "test", Peers: []Peer{{0, "0"}}, Handler: box, Life: 2, Dial: w.dialer(1),
		}, w.listen("1"))
		require.NoError(t, err)
		require.NoError(t, resumed.Connect(within(t)))
		nodes[0].Send(1, numbered(6))
		resumed.Send(0, numbered(1))
		finish(t, []*Node{nodes[0], resumed})
		assert.EqualValues(t, 6, box.got(0))
		assert.EqualValues(t, 1, boxes[0].got(1))
		assert.EqualValues(t, 5, nodes[0].Stats().Resent)
		box.check(t)
	})
}

// A node that was never connected can be closed, and one that is connecting.
func TestCloseAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		nodes, _ := w.nodes(t, 2, nil)
		nodes[0].Close(cancelled())
		_, err := w.dialer(1)(t.Context(), "", "0")
		require.Error(t, err, "the listener is closed")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, nodes[1].Connect(ctx), "cannot be reached")
		nodes[1].Close(cancelled())
	})
}

// Whoever waits in vain finds the reasons of both sides: why others were turned away, and why
// this machine could not reach them.
func TestMissingErrorHasAllReasons(t *testing.T) {
	n, _ := fuzzNode(t)
	cause := errors.New("another authority")
	n.out[0].why = &RefusedError{Code: CodeCertificate, Text: "not ours", passing: true, cause: cause}
	n.callers.turnedAway(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, refuse(CodeRun, "another run"))
	err := n.missing()
	require.ErrorIs(t, err, cause)
	refused, ok := errors.AsType[*RefusedError](error(err))
	require.True(t, ok)
	assert.Equal(t, CodeRun, refused.Code, "who was turned away comes first")
}
