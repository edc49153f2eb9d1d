package faultconn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parsePlan(t *testing.T, text string, machines int) *fault.Plan {
	t.Helper()
	plan, err := fault.Parse(text, machines)
	require.NoError(t, err)
	return plan.Seeded(1)
}

// wired is a connection of machine 0, with faults, to machine 1, in a bubble.
type wired struct {
	f        *Faults
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
	w := &wired{f: New(parsePlan(t, text, 3), 0), began: time.Now(), arrivals: make(chan arrival, 1000)}
	a, b := net.Pipe()
	w.near, w.far = w.f.decorate(a, 1, true), b
	w.f.Begin(t.Context(), w.began)
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
		w.f.clock.begun.Store(nil)
		w.say(t, "a")
		w.f.Since(time.Now().Add(time.Second)) // the start is agreed, but to come
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
		time.AfterFunc(time.Second, w.f.Lift)
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
				f := New(parsePlan(t, "at 3s reset "+c.link, 3), 0)
				var broken []string
				var conns []net.Conn
				broke := make(map[string]time.Duration)
				began := time.Now()
				names := []string{"to 1", "to 2", "from 1", "from 2"}
				ended := make(chan string, len(names))
				times := make(chan time.Duration, len(names))
				for i, name := range names {
					a, b := net.Pipe()
					conn := f.decorate(a, 1+i%2, i < 2)
					conns = append(conns, conn, b)
					go func() {
						_, _ = b.Read(make([]byte, 1))
						times <- time.Since(began)
						ended <- name
					}()
				}
				f.Begin(t.Context(), began)
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
		f := New(parsePlan(t, "at 3s reset *; at 30s reset *", 3), 0)
		c := f.decorate(w.near, 1, true)
		f.Begin(t.Context(), time.Now().Add(-10*time.Second))
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

// deeds is what was done, in order.
type deeds struct {
	mu  sync.Mutex
	all []string
}

func (d *deeds) note(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, what)
	return nil
}

func (d *deeds) list() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

// able is one end of a pipe that can do what a TCP connection can, and notes it.
type able struct {
	net.Conn
	did *deeds
}

func (a able) SetLinger(seconds int) error { return a.did.note("linger " + strconv.Itoa(seconds)) }
func (a able) CloseWrite() error           { return a.did.note("close for writing") }

func (a able) Write(p []byte) (int, error) {
	_ = a.did.note("write " + string(p))
	return len(p), nil
}

func (a able) Close() error {
	_ = a.did.note("close")
	return a.Conn.Close()
}

// overAPipe puts a plan over a connection of machine 0 to machine 1, which can do
// what wrap makes of it.
func overAPipe(t *testing.T, text string, wrap func(net.Conn) net.Conn) net.Conn {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _ = b.Close() })
	f := New(parsePlan(t, text, 2), 0)
	c := f.decorate(wrap(a), 1, true)
	t.Cleanup(func() { _ = c.Close() })
	f.Begin(t.Context(), time.Now())
	return c
}

// A reset and a half-close ask the connection for what they need, and do the next
// best where it is not there.
func TestCapabilities(t *testing.T) {
	closeWrite := func(c net.Conn) error { return c.(interface{ CloseWrite() error }).CloseWrite() }
	var did *deeds
	canAll := func(c net.Conn) net.Conn { return able{c, did} }
	canNothing := func(c net.Conn) net.Conn { return struct{ net.Conn }{c} }
	bubble := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			did = new(deeds)
			synctest.Test(t, test)
		})
	}
	bubble("reset", func(t *testing.T) {
		overAPipe(t, "at 1s reset 0->1", canAll)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"linger 0", "close"}, did.list())
	})
	bubble("reset without it", func(t *testing.T) {
		c := overAPipe(t, "at 1s reset 0->1", canNothing)
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
	bubble("half-close", func(t *testing.T) {
		c := overAPipe(t, "at 1h reset *", canAll)
		require.NoError(t, closeWrite(c))
		assert.Equal(t, []string{"close for writing"}, did.list())
	})
	bubble("half-close after what is delayed", func(t *testing.T) {
		c := overAPipe(t, "from 0s delay 0->1 50ms for 1h", canAll)
		_, err := c.Write([]byte("last words"))
		require.NoError(t, err)
		require.NoError(t, closeWrite(c))
		synctest.Wait()
		assert.Empty(t, did.list())
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, []string{"write last words", "close for writing"}, did.list())
	})
	for _, plan := range []string{"at 1h reset *", "from 0s delay 0->1 50ms for 1h"} {
		bubble("half-close without it, "+plan, func(t *testing.T) {
			c := overAPipe(t, plan, canNothing)
			require.ErrorIs(t, closeWrite(c), errors.ErrUnsupported)
		})
	}
}

// dialer makes pipes, whose other ends it drops, and tells when.
type dialer struct {
	began time.Time
	dials []time.Duration
	err   error
}

func (d *dialer) dial(context.Context, string, string) (net.Conn, error) {
	d.dials = append(d.dials, time.Since(d.began))
	if d.err != nil {
		return nil, d.err
	}
	a, b := net.Pipe()
	_ = b.Close()
	return a, nil
}

// Nobody is dialed while nothing flows to or from him.
func TestDialWaits(t *testing.T) {
	for name, c := range map[string]struct {
		plan string
		want time.Duration
	}{
		"cut both ways":       {"at 0s cut 1->0 for 100ms; at 0s cut 0->1 for 50ms", 100 * time.Millisecond},
		"cut again":           {"at 0s cut 1->0 for 100ms; at 80ms cut 0->1 for 50ms", 130 * time.Millisecond},
		"another peer is cut": {"at 0s cut 0->2 for 1h", 0},
		"cut later":           {"at 1ms cut 0->1 for 1h", 0},
		"lifted":              {"at 0s cut 1->0 for 1h", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := New(parsePlan(t, c.plan, 3), 0), &dialer{began: time.Now()}
				f.Begin(t.Context(), d.began)
				time.AfterFunc(time.Minute, f.Lift)
				conn, err := f.Dial(d.dial, func(addr string) int { return map[string]int{"one": 1}[addr] })(t.Context(), "tcp", "one")
				require.NoError(t, err)
				assert.Equal(t, []time.Duration{c.want}, d.dials)
				assert.Len(t, f.conns, 1)
				_ = conn.Close()
				assert.Empty(t, f.conns)
			})
		})
	}
}

func TestDialGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := New(parsePlan(t, "at 0s cut 1->0 for 1h", 2), 0), &dialer{began: time.Now(), err: io.ErrNoProgress}
		f.Begin(t.Context(), d.began)
		dial := f.Dial(d.dial, func(string) int { return 1 })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := dial(ctx, "tcp", "one")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, 10*time.Millisecond, time.Since(d.began))
		assert.Empty(t, d.dials)
		f.Lift()
		_, err = dial(t.Context(), "tcp", "one")
		require.ErrorIs(t, err, io.ErrNoProgress, "the dialer's own")
		assert.Empty(t, f.conns)
	})
}

// A machine to which nothing happens is not in any way of its connections.
func TestNothingToDo(t *testing.T) {
	for _, plan := range []*fault.Plan{nil, parsePlan(t, "at 1s cut 1->2 for 1h", 3)} {
		f, d := New(plan, 0), &dialer{}
		f.Since(time.Now())
		f.Begin(t.Context(), time.Now())
		a, _ := net.Pipe()
		assert.Same(t, a, f.Accepted(a, 1))
		dialed, err := f.Dial(d.dial, nil)(t.Context(), "tcp", "one")
		require.NoError(t, err)
		_, decorated := dialed.(*conn)
		assert.False(t, decorated)
		assert.Empty(t, f.conns)
		f.Lift()
		f.Lift()
	}
}

// passing is an able end of a pipe whose writes arrive.
type passing struct{ able }

func (p passing) Write(b []byte) (int, error) {
	_ = p.did.note("write")
	return p.Conn.Write(b)
}

// overTLS connects machine 0, under a plan, with machine 1 by TLS over a pipe.
func overTLS(t *testing.T, plan string, did *deeds) (near, far net.Conn) {
	t.Helper()
	cert, roots := certificate(t)
	a, b := net.Pipe()
	far = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true})
	t.Cleanup(func() { _ = b.Close() })
	shook := make(chan error, 1)
	go func() { shook <- far.(*tls.Conn).HandshakeContext(t.Context()) }()
	f := New(parsePlan(t, plan, 2), 0)
	near, err := f.Dial(func(ctx context.Context, _, _ string) (net.Conn, error) {
		c := tls.Client(passing{able{a, did}}, &tls.Config{RootCAs: roots, ServerName: "one"})
		return c, c.HandshakeContext(ctx)
	}, func(string) int { return 1 })(t.Context(), "tcp", "one")
	require.NoError(t, err)
	require.NoError(t, <-shook)
	t.Cleanup(func() { _ = near.Close() })
	f.Begin(t.Context(), time.Now())
	return near, far
}

// TLS can lie under the faults. It is closed for writing with a goodbye, and broken
// without.
func TestFaultsOverTLS(t *testing.T) {
	type end struct {
		text string
		err  error
		at   time.Duration
	}
	listen := func(far net.Conn) <-chan end {
		began, heard := time.Now(), make(chan end, 1)
		go func() {
			text, err := io.ReadAll(far)
			heard <- end{string(text), err, time.Since(began)}
		}()
		return heard
	}
	t.Run("half-close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			near, far := overTLS(t, "from 0s delay 0->1 1s", new(deeds))
			heard := listen(far)
			_, err := near.Write([]byte("last words"))
			require.NoError(t, err)
			require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
			assert.Equal(t, end{"last words", nil, time.Second}, <-heard)
		})
	})
	t.Run("reset", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var did deeds
			_, far := overTLS(t, "at 10s reset *", &did)
			before := did.list()
			assert.Equal(t, 10*time.Second, (<-listen(far)).at)
			assert.Equal(t, append(before, "linger 0", "close"), did.list())
		})
	})
}

// certificate returns one that machine "one" can show, and who vouches for it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"one"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
