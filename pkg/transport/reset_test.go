package transport

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// resetter dials connections that are reset after some bytes, up to a number of
// resets.
type resetter struct {
	mu     sync.Mutex
	rng    *rand.Rand
	bytes  func(rng int) int
	left   int // resets to come
	resets atomic.Int64
}

func newResetter(seed uint64, resets int, bytes func(rng int) int) *resetter {
	return &resetter{rng: rand.New(rand.NewPCG(seed, 0)), left: resets, bytes: bytes}
}

func (r *resetter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return conn, nil
	}
	r.left--
	c := &fragile{Conn: conn, resets: &r.resets}
	c.bytes.Store(int64(r.bytes(r.rng.Int())))
	return c, nil
}

// fragile is a connection that is reset when so many bytes have gone through it,
// in both directions together, most likely in the middle of a frame. (It embeds
// the interface: a *net.TCPConn would let net.Buffers go past its Write.)
type fragile struct {
	net.Conn
	bytes  atomic.Int64
	once   sync.Once
	resets *atomic.Int64
}

func (c *fragile) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.bytes.Add(-int64(n)) < 0 {
		return 0, c.reset()
	}
	return n, err
}

func (c *fragile) Write(b []byte) (int, error) {
	left := c.bytes.Add(-int64(len(b)))
	if left >= 0 {
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:max(0, int64(len(b))+left)])
	return n, c.reset()
}

func (c *fragile) reset() error {
	c.once.Do(func() {
		c.resets.Add(1)
		_ = c.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
		_ = c.Close()
	})
	return syscall.ECONNRESET
}

// The claim of the package: whatever happens to connections, each message is
// delivered once and in order. Three machines send under load while their
// connections are reset hundreds of times.
func TestResetsLoseRepeatAndReorderNothing(t *testing.T) {
	const resets = 600
	r := newResetter(1, resets, func(rng int) int { return 100 + rng%50_000 })
	nodes, boxes := mesh(t, 3, func(c *Config) { c.Dial, c.Window = r.dial, 500 })
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	sent := make([][]uint64, len(nodes))
	each(nodes, func(i int, n *Node) {
		sent[i] = make([]uint64, len(nodes))
		for r.resets.Load() < resets {
			full := true
			for j := range nodes {
				if j != i && n.Room(j) > 0 {
					sent[i][j]++
					n.Send(j, numbered(sent[i][j]))
					full = false
				}
			}
			if full {
				<-boxes[i].room
			}
		}
	})
	finish(t, nodes)
	var total Stats
	for i, b := range boxes {
		b.check(t)
		total.Add(nodes[i].Stats())
		for j := range nodes {
			if j != i {
				assert.Equal(t, sent[j][i], b.got(j), "%d → %d", j, i)
			}
		}
	}
	assert.GreaterOrEqual(t, total.Reconnects, uint64(resets/2))
	assert.Positive(t, total.Resent)
	t.Logf("%d resets: %+v", r.resets.Load(), total)
}

// An ERROR arrives although its receiver sends all the time, and has more under
// way than the other end will ever read.
func TestErrorArrivesUnderLoad(t *testing.T) {
	var log, peerLog diary
	nodes, boxes := mesh(t, 2, func(c *Config) {
		c.Window = 1 << 20
		if c.ID == 1 {
			c.Logger = peerLog.logger()
			return
		}
		c.Logger = log.logger()
		dial := new(net.Dialer).DialContext
		first := true
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err == nil && first {
				first = false
				conn = &forger{Conn: conn}
			}
			return conn, err
		}
	})
	connect(t, nodes)
	const count = 200_000
	for seq := range uint64(count) {
		nodes[0].Send(1, numbered(seq+1))
	}
	eventually(t, "the ERROR", func() bool { return log.contains("connection lost") })
	require.True(t, log.contains("reason=message 1152921504606846976 follows message"), "%s", &log)
	eventually(t, "the line of the one who refused", func() bool {
		return peerLog.contains("by=this machine reason=message 1152921504606846976 follows message")
	})
	finish(t, nodes)
	assert.EqualValues(t, count, boxes[1].got(0))
	boxes[1].check(t)
}

// forger spoils what it is given to write, but not the first frames.
type forger struct {
	net.Conn
	written int
}

func (c *forger) Write(b []byte) (int, error) {
	if c.written += len(b); c.written > 100_000 {
		b = append(b[:0:0], b...)
		b = appendNumbers(b, frameData, 1<<60)
	}
	return c.Conn.Write(b)
}
