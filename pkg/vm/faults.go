package vm

import (
	"bytes"
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/transport"
)

// faults does to a machine's connections what the plan says: it holds back
// bytes, delays them, leaves them unread, and resets connections. It stands
// between the links and the network, so the links have to survive it as they
// would survive a real one. Where there is no plan, it is not in the way at all.
type faults struct {
	plan  *fault.Plan
	me    int
	begun atomic.Int64  // agreed start of the run, Unix ns; 0: nothing breaks yet
	over  chan struct{} // closed: nothing breaks any more
	lift  func()        // closes over

	mu    sync.Mutex
	conns map[*faultyConn]bool
}

func newFaults(plan *fault.Plan, me int) *faults {
	over := make(chan struct{})
	return &faults{plan: plan, me: me, over: over, lift: sync.OnceFunc(func() { close(over) }), conns: make(map[*faultyConn]bool)}
}

// begin counts the plan's times from start on, until ctx ends: then all is
// lifted, so that the run can come to its end.
func (f *faults) begin(ctx context.Context, start time.Time) {
	f.begun.Store(start.UnixNano())
	context.AfterFunc(ctx, f.lift)
	go f.reset(start)
}

// now returns the plan's time. Before the start nothing breaks, nor after the end.
func (f *faults) now() (at time.Duration, begun bool) {
	start := f.begun.Load()
	if start == 0 {
		return 0, false
	}
	select {
	case <-f.over:
		return 0, false
	default:
	}
	at = time.Duration(time.Now().UnixNano() - start)
	return at, at >= 0
}

// reset breaks connections when the plan says so.
func (f *faults) reset(start time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for a := range f.plan.Actions(fault.Forever) {
		if a.Kind != fault.Reset {
			continue
		}
		wait := time.Until(start.Add(a.At))
		if wait < -time.Second {
			continue // of an earlier life of this machine
		}
		timer.Reset(wait)
		select {
		case <-f.over:
			return
		case <-timer.C:
		}
		f.mu.Lock()
		for c := range f.conns {
			if c.on(a.Link) {
				c.reset()
			}
		}
		f.mu.Unlock()
	}
}

// dial waits while the plan lets no connection to the peer come about.
func (f *faults) dial(peers []transport.Peer) func(ctx context.Context, network, addr string) (net.Conn, error) {
	ids := make(map[string]int)
	for _, p := range peers {
		ids[p.Addr] = p.ID
	}
	var dialer net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		for {
			until, blocked := f.blocked(ids[addr])
			if !blocked {
				conn, err := dialer.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return f.wrap(conn, ids[addr], true), nil
			}
			select {
			case <-ctx.Done():
				return nil, os.ErrDeadlineExceeded
			case <-f.over:
			case <-time.After(until):
			}
		}
	}
}

// blocked reports whether bytes are held back in either direction between this
// machine and a peer, and for how long at least.
func (f *faults) blocked(peer int) (left time.Duration, blocked bool) {
	at, begun := f.now()
	if !begun {
		return 0, false
	}
	for _, way := range [2][2]int{{f.me, peer}, {peer, f.me}} {
		if until, b := f.plan.Blocked(way[0], way[1], at); b {
			left, blocked = max(left, until-at), true
		}
	}
	return left, blocked
}

// accepted decorates a connection that a peer has made.
func (f *faults) accepted(conn net.Conn, peer int) net.Conn { return f.wrap(conn, peer, false) }

// wrap decorates a connection with a peer; dialed tells who made it.
func (f *faults) wrap(conn net.Conn, peer int, dialed bool) net.Conn {
	c := &faultyConn{Conn: conn, f: f, peer: peer, dialed: dialed, closed: make(chan struct{})}
	f.mu.Lock()
	f.conns[c] = true
	f.mu.Unlock()
	return c
}

// faultyConn is a connection to which the plan's faults happen.
type faultyConn struct {
	net.Conn
	f      *faults
	peer   int
	dialed bool

	closing sync.Once
	closed  chan struct{}

	mu       sync.Mutex
	deadline time.Time // for writes
	writes   uint64
	delayed  chan delayedWrite // nil: nothing was delayed yet
	failed   error             // of a delayed write
}

type delayedWrite struct {
	due  time.Time
	data []byte
	last bool // nothing follows: close for writing
}

// on reports whether the connection is one of a link.
func (c *faultyConn) on(l fault.Link) bool {
	if c.dialed {
		return l.Has(c.f.me, c.peer)
	}
	return l.Has(c.peer, c.f.me)
}

// reset ends the connection as a broken network does: what is under way is lost.
func (c *faultyConn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

func (c *faultyConn) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		c.f.mu.Lock()
		delete(c.f.conns, c)
		c.f.mu.Unlock()
	})
	return c.Conn.Close()
}

// Read leaves the network alone while the machine is not to read.
func (c *faultyConn) Read(p []byte) (int, error) {
	for {
		at, begun := c.f.now()
		if !begun {
			break
		}
		until, stopped := c.f.plan.NotReading(c.f.me, at)
		if !stopped {
			break
		}
		if err := c.wait(until-at, time.Time{}); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write holds the bytes back while nothing flows to the peer, and sends them
// later where the plan delays them. What is delayed keeps its order.
func (c *faultyConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	if err := c.hold(deadline); err != nil {
		return 0, err
	}
	var delay time.Duration
	at, begun := c.f.now()
	c.mu.Lock()
	if begun {
		c.writes++
		delay = c.f.plan.Delay(c.f.me, c.peer, at, c.writes)
	}
	if delay == 0 && c.delayed == nil {
		c.mu.Unlock()
		return c.Conn.Write(p)
	}
	if c.delayed == nil {
		c.delayed = make(chan delayedWrite, 1024)
		go c.sendDelayed(c.delayed)
	}
	queue, failed := c.delayed, c.failed
	c.mu.Unlock()
	if failed != nil {
		return 0, failed
	}
	var expired <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case queue <- delayedWrite{due: time.Now().Add(delay), data: bytes.Clone(p)}:
		return len(p), nil
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// hold waits while nothing flows to the peer.
func (c *faultyConn) hold(deadline time.Time) error {
	for {
		at, begun := c.f.now()
		if !begun {
			return nil
		}
		until, blocked := c.f.plan.Blocked(c.f.me, c.peer, at)
		if !blocked {
			return nil
		}
		if err := c.wait(until-at, deadline); err != nil {
			return err
		}
	}
}

// sendDelayed writes what was delayed when it is due, in order: no write
// overtakes the one before it.
func (c *faultyConn) sendDelayed(queue <-chan delayedWrite) {
	for {
		select {
		case <-c.closed:
			return
		case w := <-queue:
			err := c.wait(time.Until(w.due), time.Time{})
			if err == nil {
				err = c.hold(time.Time{}) // a cut holds back what is on its way too
			}
			switch {
			case err != nil: // closed
			case w.last:
				err = c.closeWrite()
			default:
				_, err = c.Conn.Write(w.data)
			}
			if err != nil {
				c.mu.Lock()
				c.failed = err
				c.mu.Unlock()
				_ = c.Conn.Close()
				return
			}
		}
	}
}

// CloseWrite closes the sending direction, after what is delayed.
func (c *faultyConn) CloseWrite() error {
	c.mu.Lock()
	queue := c.delayed
	c.mu.Unlock()
	if queue == nil {
		return c.closeWrite()
	}
	select {
	case queue <- delayedWrite{last: true}:
	case <-c.closed:
	}
	return nil
}

func (c *faultyConn) closeWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}

func (c *faultyConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *faultyConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

// wait waits for d, or until the faults are lifted. It fails if the connection is
// closed or the deadline passes first.
func (c *faultyConn) wait(d time.Duration, deadline time.Time) error {
	var expires error
	if !deadline.IsZero() && time.Until(deadline) < d {
		d, expires = time.Until(deadline), os.ErrDeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return expires
	case <-c.f.over:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}
