package vm

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/transport"
)

func parsePlan(t *testing.T, text string, machines int) *fault.Plan {
	t.Helper()
	plan, err := fault.Parse(text, machines)
	require.NoError(t, err)
	return plan.Seeded(1)
}

// wired is a connection of machine 0, with faults, to machine 1, in a bubble.
type wired struct {
	f        *faults
	near     net.Conn
	far      net.Conn
	began    time.Time
	arrivals chan arrival
}

type arrival struct {
	what string
	at   time.Duration
}

// wireUp connects machine 0, to which the plan happens from now on, with a
// goroutine that reads what comes.
func wireUp(t *testing.T, text string) *wired {
	t.Helper()
	w := &wired{f: newFaults(parsePlan(t, text, 3), 0), began: time.Now(), arrivals: make(chan arrival, 1000)}
	a, b := net.Pipe()
	w.near, w.far = w.f.wrap(a, 1, true), b
	w.f.begin(t.Context(), w.began)
	go func() {
		defer close(w.arrivals)
		var buf [64]byte
		for {
			n, err := b.Read(buf[:])
			if err != nil {
				return
			}
			w.arrivals <- arrival{string(buf[:n]), time.Since(w.began)}
		}
	}()
	return w
}

func (w *wired) say(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		n, err := w.near.Write([]byte(word))
		require.NoError(t, err)
		require.Equal(t, len(word), n)
	}
}

// arrived ends the connection and returns what has come.
func (w *wired) arrived() (all []arrival) {
	_ = w.near.Close()
	for a := range w.arrivals {
		all = append(all, a)
	}
	return all
}

func TestNothingBreaksBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "at 0s cut 0->1 for 1h; from 0s delay 0->1 1h")
		w.f.begun.Store(0)
		w.say(t, "a")
		w.f.begun.Store(time.Now().Add(time.Second).UnixNano()) // the start is agreed, but to come
		w.say(t, "b")
		assert.Equal(t, []arrival{{"a", 0}, {"b", 0}}, w.arrived())
	})
}

func TestCutHoldsBytesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "at 1s cut 0->1 for 2s; at 2s partition 0 | 1,2 for 3s; at 10s cut 1->0 for 1s; at 10s cut 0->2 for 1s")
		w.say(t, "a")
		time.Sleep(1500 * time.Millisecond)
		w.say(t, "b", "c")
		assert.Equal(t, 5*time.Second, time.Since(w.began), "the writer waits")
		time.Sleep(5500 * time.Millisecond)
		w.say(t, "d") // the way back, and another link, are of no concern
		assert.Equal(t, []arrival{{"a", 0}, {"b", 5 * time.Second}, {"c", 5 * time.Second}, {"d", 10500 * time.Millisecond}}, w.arrived())
	})
}

func TestWriteDeadlineWhileCut(t *testing.T) {
	for name, set := range map[string]func(c net.Conn, at time.Time) error{
		"write": net.Conn.SetWriteDeadline,
		"both":  net.Conn.SetDeadline,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wireUp(t, "at 0s cut 0->1 for 10s")
				require.NoError(t, set(w.near, time.Now().Add(3*time.Second)))
				n, err := w.near.Write([]byte("a"))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				var timeout net.Error
				require.True(t, errors.As(err, &timeout) && timeout.Timeout())
				assert.Zero(t, n)
				assert.Equal(t, 3*time.Second, time.Since(w.began))

				require.NoError(t, set(w.near, time.Time{}))
				w.say(t, "b")
				assert.Equal(t, []arrival{{"b", 10 * time.Second}}, w.arrived())
			})
		})
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	for _, plan := range []string{
		"at 0s cut 0->1 for 1h",
		"at 0s stop-reading 0 for 1h",
	} {
		t.Run(plan, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wireUp(t, plan)
				ended := make(chan error, 1)
				go func() {
					var err error
					if strings.Contains(plan, "cut") {
						_, err = w.near.Write([]byte("a"))
					} else {
						_, err = w.near.Read(make([]byte, 1))
					}
					ended <- err
				}()
				time.Sleep(time.Minute)
				assert.Empty(t, w.arrived())
				require.ErrorIs(t, <-ended, net.ErrClosed)
				assert.Equal(t, time.Minute, time.Since(w.began))
				assert.Empty(t, w.f.conns)
				assert.NotPanics(t, func() { _ = w.near.Close() })
			})
		})
	}
}

// Where the run ends earlier than its plan, what is held back flows.
func TestFaultsAreLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "at 0s cut 0->1 for 1h; at 0s stop-reading 0 for 1h; at 2s reset *")
		time.AfterFunc(time.Second, w.f.lift)
		read := make(chan time.Duration, 1)
		go func() {
			_, _ = w.near.Read(make([]byte, 1))
			read <- time.Since(w.began)
		}()
		w.say(t, "a")
		_, err := w.far.Write([]byte("z"))
		require.NoError(t, err)
		assert.Equal(t, time.Second, <-read)
		time.Sleep(5 * time.Second)
		w.say(t, "b") // no reset any more
		assert.Equal(t, []arrival{{"a", time.Second}, {"b", 6 * time.Second}}, w.arrived())
	})
}

// What was delayed comes before what was not, also when nothing is delayed or cut
// any more.
func TestDelayKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "from 0s delay 0->1 100ms 100ms for 1s")
		var want string
		for i := range 150 {
			word := string(rune('0' + i%10))
			want += word
			w.say(t, word)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		var got string
		last, late := time.Duration(0), time.Duration(0)
		for i, a := range w.arrived() {
			got += a.what
			assert.GreaterOrEqual(t, a.at, last)
			last = a.at
			said := time.Duration(i) * 10 * time.Millisecond
			assert.LessOrEqual(t, a.at-said, 200*time.Millisecond)
			late = max(late, a.at-said)
			if said >= 1200*time.Millisecond {
				assert.Equal(t, said, a.at)
			}
		}
		assert.Equal(t, want, got)
		assert.Greater(t, late, 150*time.Millisecond)
	})
}

func TestDelaysAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "from 0s delay 0->1 100ms; from 0s delay * 20ms; from 0s delay 1->0 5s; at 50ms cut 0->1 for 1s")
		w.say(t, "a")
		// What is on its way when the link is cut stays there.
		time.Sleep(3 * time.Second)
		w.say(t, "b")
		time.Sleep(time.Second)
		assert.Equal(t, []arrival{{"a", 1050 * time.Millisecond}, {"b", 3120 * time.Millisecond}}, w.arrived())
	})
}

// Memory is bounded: a writer far ahead of what is delayed waits, as long as it
// cares to.
func TestDelayedBacklogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "from 0s delay 0->1 10s")
		require.NoError(t, w.near.SetWriteDeadline(time.Now().Add(time.Second)))
		var err error
		n := 0
		for ; err == nil && n < 5000; n++ {
			_, err = w.near.Write([]byte("x"))
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Less(t, n, 1100)
		assert.Equal(t, time.Second, time.Since(w.began))
		w.arrived()
	})
}

// A delayed write that fails later breaks the connection.
func TestDelayedWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "from 0s delay 0->1 1s")
		w.say(t, "a")
		_ = w.far.Close()
		time.Sleep(2 * time.Second)
		_, err := w.near.Write([]byte("b"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		_, err = w.near.Read(make([]byte, 1))
		require.Error(t, err)
		w.arrived()
	})
}

func TestStopReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "at 1s stop-reading 0 for 4s")
		go func() {
			for range 3 {
				_, _ = w.far.Write([]byte("a"))
				time.Sleep(2 * time.Second)
			}
		}()
		var got []time.Duration
		for range 3 {
			_, err := w.near.Read(make([]byte, 1))
			require.NoError(t, err)
			got = append(got, time.Since(w.began))
			time.Sleep(time.Second)
		}
		assert.Equal(t, []time.Duration{0, 5 * time.Second, 7 * time.Second}, got)
		time.Sleep(2 * time.Second)
		w.arrived()
	})
}

// A reset strikes the connections of its links, in their direction, and no other.
func TestResetStrikesItsLinks(t *testing.T) {
	for _, c := range []struct {
		link string
		want string // the connections that break
	}{
		{"0->1", "to 1"},
		{"1->0", "from 1"},
		{"0-1", "to 1, from 1"},
		{"0->*", "to 1, to 2"},
		{"*->0", "from 1, from 2"},
		{"1-2", ""},
		{"*", "to 1, to 2, from 1, from 2"},
	} {
		t.Run(c.link, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFaults(parsePlan(t, "at 3s reset "+c.link, 3), 0)
				var broken []string
				var conns []net.Conn
				broke := make(map[string]time.Duration)
				began := time.Now()
				names := []string{"to 1", "to 2", "from 1", "from 2"}
				ended := make(chan string, len(names))
				times := make(chan time.Duration, len(names))
				for i, name := range names {
					a, b := net.Pipe()
					conn := f.wrap(a, 1+i%2, i < 2)
					conns = append(conns, conn, b)
					go func() {
						_, _ = b.Read(make([]byte, 1))
						times <- time.Since(began)
						ended <- name
					}()
				}
				f.begin(t.Context(), began)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				for range len(ended) {
					broke[<-ended] = <-times
				}
				for _, name := range names {
					if at, ok := broke[name]; ok {
						assert.Equal(t, 3*time.Second, at)
						broken = append(broken, name)
					}
				}
				assert.Equal(t, c.want, strings.Join(broken, ", "))
				for _, conn := range conns {
					_ = conn.Close()
				}
				assert.Empty(t, f.conns)
			})
		})
	}
}

// A machine that was started again in the middle of a run does not do over what
// was done before its time.
func TestResetsOfAnEarlierLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireUp(t, "at 0s cut 2->1 for 1ms") // nothing for this link
		f := newFaults(parsePlan(t, "at 3s reset *; at 30s reset *", 3), 0)
		c := f.wrap(w.near, 1, true)
		f.begin(t.Context(), time.Now().Add(-10*time.Second))
		time.Sleep(19 * time.Second)
		_, err := c.Write([]byte("a"))
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		_, err = c.Write([]byte("b"))
		require.Error(t, err)
		_ = c.Close()
		w.arrived()
	})
}

// Over TCP a reset loses what is under way, and closing for writing comes after
// what is delayed.
func TestFaultsOverTCP(t *testing.T) {
	pair := func(t *testing.T, plan string) (near, far net.Conn) {
		ln := listen(t)
		near, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		far, err = ln.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = far.Close() })
		f := newFaults(parsePlan(t, plan, 2), 0)
		c := f.wrap(near, 1, true)
		t.Cleanup(func() { _ = c.Close() })
		f.begin(t.Context(), time.Now())
		require.NoError(t, far.SetReadDeadline(time.Now().Add(deadline)))
		return c, far
	}
	t.Run("reset", func(t *testing.T) {
		_, far := pair(t, "at 10ms reset 0->1")
		_, err := far.Read(make([]byte, 1))
		assert.ErrorContains(t, err, "reset")
	})
	t.Run("close for writing", func(t *testing.T) {
		near, far := pair(t, "from 0s delay 0->1 50ms for 1h")
		_, err := near.Write([]byte("last words"))
		require.NoError(t, err)
		require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
		b, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.Equal(t, "last words", string(b))
	})
	t.Run("close for writing, undelayed", func(t *testing.T) {
		near, far := pair(t, "at 1h reset *")
		require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
		_, err := far.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
	})
}

// Nobody is dialed while nothing flows to or from him.
func TestDialWaits(t *testing.T) {
	ln := listen(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	peers := []transport.Peer{{ID: 1, Addr: ln.Addr().String()}}
	f := newFaults(parsePlan(t, "at 0s cut 1->0 for 100ms; at 0s cut 0->1 for 50ms", 2), 0)
	began := time.Now()
	f.begin(t.Context(), began)
	c, err := f.dial(peers)(t.Context(), "tcp", peers[0].Addr)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
	_ = c.Close()

	f = newFaults(parsePlan(t, "at 0s cut 1->0 for 1h", 2), 0)
	f.begin(t.Context(), time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = f.dial(peers)(ctx, "tcp", peers[0].Addr)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	time.AfterFunc(10*time.Millisecond, f.lift)
	c, err = f.dial(peers)(t.Context(), "tcp", peers[0].Addr)
	require.NoError(t, err)
	_ = c.Close()
	require.NoError(t, ln.Close())
}

// Connections break and stall in a run at full speed, and it is correct.
func TestRunWithFaults(t *testing.T) {
	plan := parsePlan(t, "random reset every 100ms; random cut every 200ms for 50ms; from 0s delay 0->1 5ms 5ms; at 300ms stop-reading 2 for 200ms; at 500ms partition 0 | 1 | 2 for 100ms", 3)
	plan, err := plan.Within(time.Second)
	require.NoError(t, err)
	f := newFleet(t, []string{"max", "500", "max"}, func(_ int, cfg *Config) {
		cfg.Duration, cfg.Faults, cfg.Window = time.Second, plan, 100
	})
	f.run()
	f.check()
	reconnects := uint64(0)
	for _, m := range f.results {
		reconnects += m.Wire.Reconnects
		assert.Empty(t, m.Undelivered)
	}
	assert.NotZero(t, reconnects)
}

// A run that is stopped while nothing flows comes to its end all the same.
func TestRunIsStoppedInAPartition(t *testing.T) {
	plan := parsePlan(t, "at 100ms partition 0 | 1 for 1h; at 200ms stop-reading 1 for 1h", 2)
	f := newFleet(t, []string{"400", "400"}, func(_ int, cfg *Config) { cfg.Duration, cfg.Faults = 0, plan })
	f.start(0)
	f.start(1)
	time.Sleep(600 * time.Millisecond) // this is what it is about
	for _, stop := range f.stops {
		stop(nil)
	}
	f.wait()
	f.check()
	for id, m := range f.results {
		require.NoError(t, f.errs[id])
		assert.Empty(t, m.Undelivered)
	}
}
