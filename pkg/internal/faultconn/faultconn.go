// Package faultconn does to the connections of one machine what a fault plan
// says: it holds back bytes, delays them, leaves them unread, and breaks
// connections. It decorates what it is given and makes nothing of its own, so
// whatever is a [net.Conn] can lie under it: TCP, TLS, a pipe.
//
// What it decorates has to survive it as it would survive a real network. Two
// faults ask for more than a [net.Conn] can do, and do the next best where it
// cannot:
//
//   - A reset loses what is under way, by SetLinger(0) of the lowest connection
//     that NetConn leads to. One without SetLinger is closed, and what is under
//     way may still arrive.
//   - CloseWrite waits for what is delayed. Of a connection without CloseWrite it
//     fails with [errors.ErrUnsupported]; the other end hears of the end
//     with Close.
package faultconn

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
)

// DialFunc makes a connection, as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Faults is what happens to one machine's connections. Before [Faults.Begin], and
// after [Faults.Lift], nothing does. All methods are safe for concurrent use.
type Faults struct {
	plan  *fault.Plan // nil: nothing ever happens to this machine
	me    int
	clock *clock

	mu    sync.Mutex
	conns map[*conn]bool // open
}

// New returns the faults of a machine by a plan, nil for none. Where the plan has
// nothing for that machine, its connections are not decorated at all.
func New(plan *fault.Plan, me int) *Faults {
	if !plan.Touches(me) {
		plan = nil
	}
	return &Faults{plan: plan, me: me, clock: newClock(), conns: make(map[*conn]bool)}
}

// Any reports whether the plan has anything that can happen to this machine's connections.
func (f *Faults) Any() bool { return f.plan != nil }

// Since counts the plan's times from start on, without resets. A machine that comes
// back to a run has to make its connections under the faults of that run.
func (f *Faults) Since(start time.Time) { f.clock.start(start) }

// Begin counts the plan's times from start on, until ctx ends: then all is
// lifted, so that the run can come to its end.
func (f *Faults) Begin(ctx context.Context, start time.Time) {
	if f.plan == nil {
		return
	}
	f.Since(start)
	context.AfterFunc(ctx, f.Lift)
	go f.resets(start)
}

// Lift ends all faults for good: what was held back flows.
func (f *Faults) Lift() { f.clock.lift() }

// Dial decorates a dial function: no connection to a peer comes about while the plan
// lets nothing flow between the two, and what comes about is decorated. Which
// machine has an address is for peer to say.
func (f *Faults) Dial(dial DialFunc, peer func(addr string) int) DialFunc {
	if f.plan == nil {
		return dial
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		id := peer(addr)
		if err := f.reachable(ctx, id); err != nil {
			return nil, err
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return f.decorate(conn, id, true), nil
	}
}

// Accepted decorates a connection that a peer has made.
func (f *Faults) Accepted(conn net.Conn, peer int) net.Conn {
	if f.plan == nil {
		return conn
	}
	return f.decorate(conn, peer, false)
}

// decorate puts the faults over a connection with a peer; dialed tells who made it.
func (f *Faults) decorate(under net.Conn, peer int, dialed bool) net.Conn {
	link := fault.Link{From: f.me, To: peer}
	if !dialed {
		link = fault.Link{From: peer, To: f.me}
	}
	c := &conn{Conn: under, plan: f.plan, clock: f.clock, me: f.me, peer: peer, made: link, closed: make(chan struct{}), forget: f.forget}
	f.mu.Lock()
	f.conns[c] = true
	f.mu.Unlock()
	return c
}

func (f *Faults) forget(c *conn) {
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
}

// reachable waits until bytes flow between this machine and a peer.
func (f *Faults) reachable(ctx context.Context, peer int) error {
	for {
		left, blocked := f.blocked(peer)
		if !blocked {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return os.ErrDeadlineExceeded // as if nobody had answered
		case <-f.clock.over:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// blocked reports whether bytes are held back in either direction between this
// machine and a peer, and for how long at least.
func (f *Faults) blocked(peer int) (left time.Duration, blocked bool) {
	at, begun := f.clock.now()
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

// resets breaks connections when the plan says so, until the faults are lifted.
func (f *Faults) resets(start time.Time) {
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
		case <-f.clock.over:
			return
		case <-timer.C:
		}
		f.reset(a.Link)
	}
}

// reset breaks the connections of some links.
func (f *Faults) reset(links fault.Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		if links.Has(c.made.From, c.made.To) {
			c.reset()
		}
	}
}
