package faultconn

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
)

// backlog is how many delayed writes may be on their way, so that memory is
// bounded.
const backlog = 1024

// conn is a connection to which the faults happen. It asks the plan and its clock,
// and knows nothing of other connections.
type conn struct {
	net.Conn
	plan  *fault.Plan
	clock *clock
	me    int
	peer  int
	made  fault.Link // from whoever made the connection

	closing sync.Once
	closed  chan struct{}
	forget  func(*conn) // is told when the connection is closed

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

// What a connection may be able to do beside a net.Conn: the first two as
// *net.TCPConn is, the last as *tls.Conn.
type (
	lingerer   interface{ SetLinger(seconds int) error }
	halfCloser interface{ CloseWrite() error }
	layer      interface{ NetConn() net.Conn }
)

// reset ends the connection as a broken network does, which says no goodbye: what
// is under way is lost, as far as the connection can do that.
func (c *conn) reset() {
	network := c.Conn
	for {
		above, ok := network.(layer)
		if !ok {
			break
		}
		network = above.NetConn()
	}
	if l, ok := network.(lingerer); ok {
		_ = l.SetLinger(0)
	}
	_ = network.Close()
}

func (c *conn) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		c.forget(c)
	})
	return c.Conn.Close()
}

// Read leaves the network alone while the machine is not to read.
func (c *conn) Read(p []byte) (int, error) {
	for {
		at, begun := c.clock.now()
		if !begun {
			break
		}
		until, stopped := c.plan.NotReading(c.me, at)
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
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	if err := c.hold(deadline); err != nil {
		return 0, err
	}
	delay, queue, err := c.route()
	switch {
	case err != nil:
		return 0, err
	case queue == nil:
		return c.Conn.Write(p)
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

// route says how long a write of now is delayed, and where it has to queue up: not
// at all before the first that is delayed, and behind that one ever after.
func (c *conn) route() (delay time.Duration, queue chan<- delayedWrite, err error) {
	at, begun := c.clock.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if begun {
		c.writes++
		delay = c.plan.Delay(c.me, c.peer, at, c.writes)
	}
	if delay > 0 && c.delayed == nil {
		c.delayed = make(chan delayedWrite, backlog)
		go c.sendDelayed(c.delayed)
	}
	return delay, c.delayed, c.failed
}

// hold waits while nothing flows to the peer.
func (c *conn) hold(deadline time.Time) error {
	for {
		at, begun := c.clock.now()
		if !begun {
			return nil
		}
		until, blocked := c.plan.Blocked(c.me, c.peer, at)
		if !blocked {
			return nil
		}
		if err := c.wait(until-at, deadline); err != nil {
			return err
		}
	}
}

// sendDelayed writes what was delayed when it is due, in order: no write
// overtakes the one before it. One that fails breaks the connection.
func (c *conn) sendDelayed(queue <-chan delayedWrite) {
	for {
		select {
		case <-c.closed:
			return
		case w := <-queue:
			if err := c.send(w); err != nil {
				c.mu.Lock()
				c.failed = err
				c.mu.Unlock()
				_ = c.Conn.Close()
				return
			}
		}
	}
}

// send writes what was delayed, when it is due and not held back.
func (c *conn) send(w delayedWrite) error {
	if err := c.wait(time.Until(w.due), time.Time{}); err != nil {
		return err
	}
	if err := c.hold(time.Time{}); err != nil { // a cut holds back what is on its way too
		return err
	}
	if w.last {
		return c.Conn.(halfCloser).CloseWrite()
	}
	_, err := c.Conn.Write(w.data)
	return err
}

// CloseWrite closes the sending direction, after what is delayed. It fails with
// [errors.ErrUnsupported] where the connection underneath has no such thing.
func (c *conn) CloseWrite() error {
	under, ok := c.Conn.(halfCloser)
	if !ok {
		return errors.ErrUnsupported
	}
	c.mu.Lock()
	queue := c.delayed
	c.mu.Unlock()
	if queue == nil {
		return under.CloseWrite()
	}
	select {
	case queue <- delayedWrite{last: true}:
	case <-c.closed:
	}
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.noteDeadline(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) SetDeadline(t time.Time) error {
	c.noteDeadline(t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) noteDeadline(t time.Time) {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
}

// wait waits for d, or until the faults are lifted. It fails if the connection is
// closed or the deadline passes first.
func (c *conn) wait(d time.Duration, deadline time.Time) error {
	var expires error
	if !deadline.IsZero() && time.Until(deadline) < d {
		d, expires = time.Until(deadline), os.ErrDeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return expires
	case <-c.clock.over:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}
