package gather

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/filelock"
)

// cutting makes connections each of which breaks after as many bytes as the next budget
// says, in both directions together; when there are none left, they last.
type cutting struct {
	mu      sync.Mutex
	budgets []int
	flip    int    // a byte sent there is changed, behind the fields of the requests; 0: none
	spent   func() // called when the last one has broken
	dialer  net.Dialer
}

type cutConn struct {
	net.Conn
	c    *cutting
	mu   sync.Mutex
	left int // below 0: no limit
	flip int
	last bool
}

var errCut = errors.New("cut by the test")

func (c *cutting) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cut := &cutConn{Conn: conn, c: c, left: -1, flip: c.flip}
	c.flip = 0
	if len(c.budgets) > 0 {
		cut.left, c.budgets = c.budgets[0], c.budgets[1:]
		cut.last = len(c.budgets) == 0
	}
	return cut, nil
}

// take returns how many of n bytes may still pass.
func (c *cutConn) take(n int) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < 0 {
		return n, false
	}
	n = min(n, c.left)
	c.left -= n
	return n, c.left == 0
}

func (c *cutConn) end() error {
	_ = c.Close()
	if c.last && c.c.spent != nil {
		c.c.spent()
	}
	return errCut
}

func (c *cutConn) Write(b []byte) (int, error) {
	n, cut := c.take(len(b))
	out := b[:n]
	c.mu.Lock()
	if c.flip > 0 {
		if c.flip < n {
			out = bytes.Clone(out)
			out[c.flip] ^= 0x10
			c.flip = 0
		} else {
			c.flip -= n
		}
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(out)
	if cut {
		return n, c.end()
	}
	return n, err
}

func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if got, cut := c.take(n); cut {
		return got, c.end()
	}
	return n, err
}

// killed stops a gathering as kill -9 does: nothing is put in order.
func (s *gatherer) killed() {
	for _, m := range s.machines {
		for _, p := range []*place{m.log, m.other} {
			p.confirmed = 0 // so that nothing is cut
		}
	}
	s.stop()
}

// Whatever breaks while a machine delivers its growing log, and whoever is killed: what is
// gathered is a beginning of it, and in the end the same bytes. The twin is the log itself.
func TestAnyInterleavingEndsWithTheSameBytes(t *testing.T) {
	whole := aLog(t, "r", 1, 2, 3000, true)
	rapid.Check(t, func(rt *rapid.T) {
		base := t.TempDir()
		dir, file := filepath.Join(base, "run"), filepath.Join(base, "vm_1_1.log")
		cfg := Config{Dir: dir, Run: "r", Machines: 2, careless: true}
		g := serve(t, cfg)
		size := 0
		deliver := func(c *cutting, killedAtLast bool) error {
			client := NewClient(g.addr, nil)
			defer client.Close()
			client.retry = time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			if killedAtLast {
				c.spent = cancel
			}
			client.transport.DialContext = c.dial
			return client.Deliver(ctx, file, &About{Host: "h"})
		}
		for range rapid.IntRange(1, 4).Draw(rt, "deliveries") {
			size = rapid.IntRange(size, len(whole)).Draw(rt, "size") // in the middle of a line too
			require.NoError(rt, os.WriteFile(file, whole[:size], 0o600))
			c := &cutting{budgets: rapid.SliceOfN(rapid.IntRange(1, 20_000), 0, 5).Draw(rt, "budgets")}
			if rapid.IntRange(0, 3).Draw(rt, "corrupt") == 0 {
				c.flip = rapid.IntRange(4_000, 20_000).Draw(rt, "flip")
			}
			killed := len(c.budgets) > 0 && rapid.Bool().Draw(rt, "killed")
			err := deliver(c, killed)
			lines := bytes.LastIndexByte(whole[:size], '\n') + 1
			confirmed := int64(0)
			if d := g.Machines()[1].Delivery; d != nil {
				confirmed = d.Bytes
				got, err := os.ReadFile(filepath.Join(dir, d.File))
				require.NoError(rt, err)
				require.True(rt, bytes.HasPrefix(whole, got[:confirmed]))
			}
			switch {
			case lines == 0:
				require.ErrorIs(rt, err, ErrNothing)
			case killed && err != nil:
				require.ErrorAs(rt, err, new(*UnreachedError))
			default:
				require.NoError(rt, err)
				require.EqualValues(rt, lines, confirmed)
			}
			require.False(rt, g.Machines()[1].Other, "nothing was taken for another log")
			switch rapid.IntRange(0, 3).Draw(rt, "gathering") {
			case 0:
				g.stop()
				g = serve(t, cfg)
			case 1:
				g.killed()
				g = serve(t, cfg)
			}
		}
		require.NoError(rt, os.WriteFile(file, whole, 0o600))
		require.NoError(rt, deliver(&cutting{}, false))
		d := g.Machines()[1]
		require.True(rt, d.Ended)
		g.stop()
		got, err := os.ReadFile(filepath.Join(dir, d.File))
		require.NoError(rt, err)
		require.True(rt, bytes.Equal(whole, got))
		require.NoError(rt, os.RemoveAll(base))
	})
}

// The lock of a gathering that is there keeps a second one out.
func TestOneGatheringAtATime(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "r", Machines: 2}
	g := serve(t, cfg)
	if f, err := os.Open(filepath.Join(cfg.Dir, dirName)); err == nil && filelock.Try(f) {
		_ = f.Close()
		t.Skip("there are no locks here")
	}
	_, err := Open(cfg)
	require.ErrorIs(t, err, ErrBusy)
	g.stop()
	other, err := Open(cfg)
	require.NoError(t, err)
	require.NoError(t, other.Close())
}
