package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newShared returns both ends of a connection that is shared.
func newShared(t testing.TB) (dialer, acceptor *shared) {
	var ends [2]*shared
	near, far := net.Pipe()
	for i, conn := range []net.Conn{near, far} {
		n, err := New(Config{ID: i, Run: "test", Peers: []Peer{{ID: 1 - i, Addr: "x"}}, Handler: newInbox()}, newNetwork().listen("x"))
		require.NoError(t, err)
		ends[i] = n.share(conn)
		t.Cleanup(func() { n.Close(cancelled()) })
	}
	return ends[0], ends[1]
}

// Each stream carries its own bytes, in both directions at once, in whatever pieces.
func TestStreamsAreApart(t *testing.T) {
	dialer, acceptor := newShared(t)
	text := func(of int) []byte { return bytes.Repeat([]byte{byte(of), 1, 2, 3, 5, 8, 13}, 40_000) }
	type way struct {
		from, to *stream
		text     []byte
	}
	var ways []way
	for i := range dialer.streams {
		ways = append(ways,
			way{&dialer.streams[i], &acceptor.streams[i], text(i)},
			way{&acceptor.streams[i], &dialer.streams[i], text(10 + i)})
	}
	var reading sync.WaitGroup
	for i, w := range ways {
		go func() {
			for b, n := w.text, 1; len(b) > 0; n = 3*n + i {
				n = min(n, len(b))
				written, err := writeAll(w.from, [][]byte{b[:n/2], b[n/2 : n]})
				assert.NoError(t, err)
				assert.EqualValues(t, n, written)
				b = b[n:]
			}
			assert.NoError(t, w.from.CloseWrite())
		}()
		reading.Go(func() {
			got, err := io.ReadAll(w.to)
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(w.text, got), "way %d", i)
		})
	}
	reading.Wait()
}

// The end of one stream is not that of the other; that of both is the connection's.
func TestStreamsEndApart(t *testing.T) {
	dialer, acceptor := newShared(t)
	a, b := &dialer.streams[0], &dialer.streams[1]
	require.NoError(t, a.Close())
	require.ErrorIs(t, a.Close(), net.ErrClosed)
	_, err := acceptor.streams[0].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = acceptor.streams[0].Write([]byte("nobody reads this"))
	require.NoError(t, err)
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = a.Read(nil)
	require.ErrorIs(t, err, net.ErrClosed)

	go func() { _, _ = b.Write([]byte("still here")) }()
	got := make([]byte, 10)
	_, err = io.ReadFull(&acceptor.streams[1], got)
	require.NoError(t, err)
	assert.Equal(t, "still here", string(got))
	require.NoError(t, b.Close())
	<-dialer.over
	<-acceptor.over
}

// Whoever waits on a stream is woken by a deadline, by its end, and by the connection's.
func TestStreamsDoNotWaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, _ := newShared(t)
		s := &dialer.streams[0]
		began := time.Now()
		_ = s.SetReadDeadline(began.Add(time.Minute))
		_, err := s.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(began))
		_ = s.SetReadDeadline(time.Time{})

		read := make(chan error, 1)
		go func() { _, err := s.Read(make([]byte, 1)); read <- err }()
		synctest.Wait()
		_ = s.Close()
		require.ErrorIs(t, <-read, net.ErrClosed)

		other := &dialer.streams[1]
		go func() { _, err := other.Read(make([]byte, 1)); read <- err }()
		synctest.Wait()
		dialer.close()
		require.ErrorIs(t, <-read, net.ErrClosed)
	})
}

// A peer that does not read holds nobody up: neither a write with a deadline, nor one that
// waits behind another, nor the close of a stream on which something is being written.
func TestStreamsToADeafPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		n, err := New(Config{ID: 0, Run: "test", Peers: []Peer{{ID: 1, Addr: "x"}}, Handler: newInbox()}, newNetwork().listen("x"))
		require.NoError(t, err)
		defer n.Close(cancelled())
		c := n.share(near)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := c.streams[0].Write([]byte("x")); first <- err }()
		synctest.Wait()
		began := time.Now()
		go func() { _, err := c.streams[1].Write([]byte("y")); second <- err }()
		synctest.Wait()
		_ = c.streams[1].SetWriteDeadline(began.Add(time.Second))
		require.ErrorIs(t, <-second, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		began = time.Now()
		_ = c.streams[0].Close()
		require.Error(t, <-first)
		assert.LessOrEqual(t, time.Since(began), closingMoment)
		<-c.over
	})
}

// What bounds a write counts for one that has begun and has not written its first byte.
func TestWriteIsBoundedAsItBegins(t *testing.T) {
	for name, bound := range map[string]func(s *stream) error{
		"a deadline": func(s *stream) error { return s.SetWriteDeadline(time.Now().Add(closingMoment)) },
		"the close":  func(s *stream) error { return s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe() // nobody reads
				defer far.Close()
				n, err := New(Config{ID: 0, Run: "test", Peers: []Peer{{ID: 1, Addr: "x"}}, Handler: newInbox()}, newNetwork().listen("x"))
				require.NoError(t, err)
				defer n.Close(cancelled())
				c := n.share(near)
				c.limit(time.Now().Add(time.Minute)) // as a write before has left it
				s := &c.streams[0]
				require.NoError(t, s.beginWrite())
				began := time.Now()
				require.NoError(t, bound(s))
				_, err = c.write(s, [][]byte{[]byte("x")}, false)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				assert.LessOrEqual(t, time.Since(began), closingMoment)
				<-c.writing
			})
		})
	}
}

// The other end hears that a stream is closed even where there was no time to say first that
// nothing follows.
func TestStreamEndIsSaidAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, acceptor := newShared(t)
		s := &dialer.streams[0]
		dialer.writing <- struct{}{} // the other stream writes
		_ = s.SetWriteDeadline(time.Now().Add(time.Second))
		require.ErrorIs(t, s.CloseWrite(), os.ErrDeadlineExceeded)
		<-dialer.writing
		require.NoError(t, s.Close())
		_ = acceptor.streams[0].SetReadDeadline(time.Now().Add(time.Minute))
		_, err := acceptor.streams[0].Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

// Each pair of machines shakes hands once, whoever of the two dials, unless its links are
// to be apart; and all messages arrive.
func TestOneHandshakePerPair(t *testing.T) {
	const machines = 7
	for _, c := range []struct {
		name  string
		apart bool
		dials int64
	}{{"shared", false, machines * (machines - 1) / 2}, {"apart", true, machines * (machines - 1)}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := newAuthority(t), newNetwork()
				var dials atomic.Int64
				nodes, boxes := w.nodes(t, machines, func(cfg *Config) {
					cfg.TLS, cfg.Apart = a.machine(cfg.ID), c.apart
					dial := cfg.Dial
					cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
						dials.Add(1)
						return dial(ctx, network, addr)
					}
				})
				for i, b := range boxes {
					b.onDeliver = consumeAll(t, nodes, i)
				}
				connect(t, nodes)
				assert.Equal(t, c.dials, dials.Load())
				each(nodes, func(i int, n *Node) {
					for j := range nodes {
						for seq := uint64(1); j != i && seq <= 100; seq++ {
							n.Send(j, numbered(seq))
						}
					}
				})
				finish(t, nodes)
				for i, b := range boxes {
					b.check(t)
					for j := range nodes {
						assert.EqualValues(t, 100*min(1, (i-j)*(i-j)), b.got(j), "from %d to %d", j, i)
					}
				}
			})
		})
	}
}

// Of each two machines exactly one dials first, and each machine to about half of the others.
func TestDialsFirst(t *testing.T) {
	for machines := 2; machines <= 101; machines++ {
		for me := range machines {
			count := 0
			for peer := range machines {
				if peer == me {
					continue
				}
				assert.NotEqual(t, dialsFirst(me, peer, machines), dialsFirst(peer, me, machines), "%d and %d of %d", me, peer, machines)
				if dialsFirst(me, peer, machines) {
					count++
				}
			}
			assert.InDelta(t, float64(machines-1)/2, count, 0.5, "%d of %d", me, machines)
		}
	}
}

// A machine whose peer cannot dial it dials itself.
func TestWhoIsNotCalledCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, w := newAuthority(t), newNetwork()
		nodes, _ := w.nodes(t, 2, func(cfg *Config) {
			cfg.TLS = a.machine(cfg.ID)
			if dialsFirst(cfg.ID, 1-cfg.ID, 2) {
				cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrPermission }
			}
		})
		began := time.Now()
		connect(t, nodes)
		assert.Less(t, time.Since(began), 4*callTime)
		finish(t, nodes)
	})
}

// FuzzShared reads arbitrary bytes as chunks, and finds what a reader finds that has all of
// them before it.
func FuzzShared(f *testing.F) {
	chunk := func(stream uint32, text string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, stream*chunkStream|uint32(len(text))), text...)
	}
	f.Add(bytes.Join([][]byte{chunk(0, "hello"), chunk(1, "welcome"), chunk(0, ""), chunk(1, "more"), chunk(1, "")}, nil))
	f.Add(chunk(0, "hello")[:7])
	f.Add([]byte{0x80, 1, 0, 0, 1})
	f.Add(chunk(1, string(bytes.Repeat([]byte("x"), 5000))))
	f.Fuzz(func(t *testing.T, words []byte) {
		if len(words) > maxUnread/2 {
			return // nobody reads here
		}
		var want [2][]byte
		var over [2]bool
		valid := true
		for b := words; len(b) >= chunkHeader && valid; {
			head := binary.BigEndian.Uint32(b)
			i, n := head>>31, int(head&^(1<<31))
			if valid = n <= maxChunk; !valid {
				break
			}
			part := b[chunkHeader:min(len(b), chunkHeader+n)]
			if !over[i] {
				want[i] = append(want[i], part...)
			}
			over[i] = over[i] || n == 0
			b = b[chunkHeader+len(part):]
		}
		near, far := net.Pipe()
		c := &shared{conn: near, over: make(chan struct{})}
		for i := range c.streams {
			c.streams[i].changed.L = &c.streams[i].mu
		}
		go func() { _, _ = far.Write(words); _ = far.Close() }()
		err := c.read()
		assert.Equal(t, valid, unsaid(err) == nil, "%v", err)
		_ = near.Close()
		for i := range c.streams {
			assert.Equal(t, string(want[i]), string(c.streams[i].unread))
			assert.Equal(t, over[i], c.streams[i].err == io.EOF)
		}
	})
}
