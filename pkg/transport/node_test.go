package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inbox is a Handler that checks, for each link, that what comes is 1, 2, 3, …
// and holds its own number.
type inbox struct {
	mu      sync.Mutex
	last    map[int]uint64
	errs    []error
	arrived chan struct{} // one token after each delivery
	room    chan int
	// onDeliver, if set, is called with the lock held.
	onDeliver func(from int, last uint64)
}

func newInbox() *inbox {
	return &inbox{last: map[int]uint64{}, arrived: make(chan struct{}, 1), room: make(chan int, 16)}
}

func (b *inbox) Deliver(from int, first uint64, payloads [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range payloads {
		seq := first + uint64(i)
		if seq != b.last[from]+1 || binary.BigEndian.Uint64(p) != seq {
			b.errs = append(b.errs, fmt.Errorf("from %d: message %d with payload %x after %d", from, seq, p, b.last[from]))
		}
		b.last[from] = seq
	}
	if b.onDeliver != nil {
		b.onDeliver(from, b.last[from])
	}
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

func (b *inbox) Room(to int) { b.room <- to }

func (b *inbox) got(from int) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[from]
}

func (b *inbox) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.errs)
}

func numbered(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// deadline is how long a test waits for what must happen.
const deadline = 30 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, deadline, time.Millisecond, what)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// mesh makes n nodes that know each other's addresses; edit may change each
// configuration.
func mesh(t testing.TB, n int, edit func(*Config)) ([]*Node, []*inbox) {
	t.Helper()
	lns := make([]net.Listener, n)
	for i := range lns {
		lns[i] = listen(t)
	}
	nodes, boxes := make([]*Node, n), make([]*inbox, n)
	for i := range nodes {
		boxes[i] = newInbox()
		cfg := Config{ID: i, Run: "test", Handler: boxes[i], Incarnation: 1}
		for j := range lns {
			if j != i {
				cfg.Peers = append(cfg.Peers, Peer{ID: j, Addr: lns[j].Addr().String()})
			}
		}
		if edit != nil {
			edit(&cfg)
		}
		var err error
		nodes[i], err = New(cfg, lns[i])
		require.NoError(t, err)
	}
	return nodes, boxes
}

// each runs f for all nodes at once and waits.
func each(nodes []*Node, f func(i int, n *Node)) {
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { f(i, n) })
	}
	wg.Wait()
}

func connect(t *testing.T, nodes []*Node) {
	t.Helper()
	ctx := within(t)
	each(nodes, func(_ int, n *Node) { assert.NoError(t, n.Connect(ctx)) })
	require.False(t, t.Failed())
	t.Cleanup(func() { each(nodes, func(_ int, n *Node) { n.Close(cancelled()) }) })
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestMessagesArriveInOrderOnEveryLink(t *testing.T) {
	const count = 5000
	nodes, boxes := mesh(t, 4, nil)
	connect(t, nodes)
	each(nodes, func(i int, n *Node) {
		for seq := uint64(1); seq <= count; seq++ {
			for j := range nodes {
				if j != i {
					assert.Equal(t, seq, n.Send(j, numbered(seq)))
				}
			}
		}
	})
	ctx := within(t)
	each(nodes, func(i int, n *Node) {
		assert.Empty(t, n.Finish(ctx))
		n.Close(ctx)
	})
	require.NoError(t, ctx.Err(), "nobody waited in vain at the end")
	for i, b := range boxes {
		b.check(t)
		for j := range nodes {
			if j != i {
				assert.EqualValues(t, count, b.got(j), "%d → %d", j, i)
			}
		}
	}
}

// resetter dials connections and breaks them at random.
type resetter struct {
	mu    sync.Mutex
	rng   *rand.Rand
	conns map[net.Conn]bool
	count int
}

func (r *resetter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err == nil {
		r.mu.Lock()
		r.conns[c] = true
		r.mu.Unlock()
	}
	return c, err
}

// breakOne resets one connection: what is in flight in both directions is lost.
func (r *resetter) breakOne() {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.rng.IntN(max(len(r.conns), 1))
	for c := range r.conns {
		if n--; n >= 0 {
			continue
		}
		tcp := c.(*net.TCPConn)
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
		delete(r.conns, c)
		r.count++
		return
	}
}

// The claim of the package: whatever happens to connections, each message is
// delivered once and in order. Three machines send under load while
// connections are reset hundreds of times.
func TestResetsLoseRepeatAndReorderNothing(t *testing.T) {
	const resets = 400
	r := &resetter{rng: rand.New(rand.NewPCG(1, 2)), conns: map[net.Conn]bool{}}
	nodes, boxes := mesh(t, 3, func(c *Config) { c.Dial, c.Window = r.dial, 2000 })
	for i, b := range boxes {
		b.onDeliver = func(from int, last uint64) { go nodes[i].Consumed(from, last) }
	}
	connect(t, nodes)
	stop := make(chan struct{})
	sent := make([][]uint64, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		sent[i] = make([]uint64, len(nodes))
		wg.Go(func() {
			for running := true; running; {
				select {
				case <-stop:
					running = false
				case <-boxes[i].room:
				default:
				}
				for j := range nodes {
					if j != i && n.Room(j) > 0 {
						sent[i][j]++
						n.Send(j, numbered(sent[i][j]))
					}
				}
			}
		})
	}
	for r.count < resets {
		before := boxes[0].got(1) + boxes[1].got(2) + boxes[2].got(0)
		r.breakOne()
		// The next reset comes when traffic flows again: a link that is
		// broken all the time carries nothing.
		eventually(t, "traffic goes on", func() bool {
			return boxes[0].got(1)+boxes[1].got(2)+boxes[2].got(0) > before+50
		})
	}
	close(stop)
	wg.Wait()
	ctx := within(t)
	var total Stats
	each(nodes, func(i int, n *Node) {
		assert.Empty(t, n.Finish(ctx))
		n.Close(ctx)
	})
	for i, b := range boxes {
		b.check(t)
		s := nodes[i].Stats()
		total.add(&s)
		for j := range nodes {
			if j != i {
				assert.Equal(t, sent[j][i], b.got(j), "%d → %d", j, i)
			}
		}
	}
	assert.GreaterOrEqual(t, total.Reconnects, uint64(resets/2))
	assert.Positive(t, total.Resent)
	t.Logf("%d resets: %+v", r.count, total)
}
