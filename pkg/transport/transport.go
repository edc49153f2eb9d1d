// Package transport carries byte strings between the machines of a run over
// TCP: reliably, in order, exactly once, across broken connections. It knows
// nothing of clocks.
//
// Each ordered pair of machines has a link of its own: machine i dials j and
// sends on that connection; j's acknowledgements come back on it. A message is
// kept by its sender until the receiver has said that it has consumed it
// (not merely received it), and is numbered 1, 2, 3, … on its link, so
// whatever a broken connection leaves unknown is sent again and dropped if it
// was there already.
//
// A [Node] is one machine's end of all its links. Its life: [New],
// [Node.Connect] until the mesh stands, [Node.Barrier] for a common start,
// [Node.Send] and [Node.Consumed] while it runs, [Node.Finish], [Node.Close].
//
// Nothing above [net.Conn] is assumed: Config.Dial and the listener are where
// faults or TLS are put underneath.
package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// DefaultWindow is how many messages a link holds unconsumed before its sender
// has to wait.
const DefaultWindow = 262_144

// AnyID stands for the id of a peer of which only the address is known; the peer
// says it when the connection is made.
const AnyID = -1

// Peer is another machine of the run.
type Peer struct {
	ID   int    // 0 … machines-1, or AnyID
	Addr string // host:port
}

// Config is what a node needs to know. ID, Run, Peers and Handler must be set.
type Config struct {
	ID      int
	Run     string // machines of another run are refused; up to MaxRun bytes
	Peers   []Peer // all other machines
	Handler Handler

	// Incarnation tells the processes of one machine apart: a later one
	// has a larger number.
	Incarnation uint64
	// Window is the most messages per link that may be unconsumed,
	// DefaultWindow if 0. Of two ends' windows the smaller holds.
	Window int
	// PingInterval is after how long a silent connection is tried, 2 s if 0;
	// one that stays silent for three intervals is closed and dialled again.
	PingInterval time.Duration
	// Dial makes a connection, a net.Dialer's DialContext if nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger is for people, a null logger if nil.
	Logger hclog.Logger
}

// Handler is told what comes in. Its methods are called from the node's
// goroutines, must not block, and must not call the node.
type Handler interface {
	// Deliver hands over consecutive messages of one link, numbers first,
	// first+1, …. The payloads are valid during the call only.
	Deliver(from int, first uint64, payloads [][]byte)
	// Room says that the link to a machine, which was full when
	// Node.Room was asked, can take messages again.
	Room(to int)
}

const (
	defaultPing      = 2 * time.Second
	silentIntervals  = 3
	helloTimeout     = 3 * time.Second  // for somebody unknown to say who it is
	welcomeTimeout   = 10 * time.Second // a busy peer may take longer to answer
	errorTimeout     = time.Second
	redialFirst      = 10 * time.Millisecond
	redialMost       = time.Second
	unknownAtOnce    = 256 // connections that have not said who they are, beside one per machine
	stillWaitingTick = 10 * time.Second
)

// Node is one machine's end of its links.
type Node struct {
	cfg    Config
	log    hclog.Logger
	ln     net.Listener
	gate   *gate
	epoch  time.Time // what monotonic readings count from
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	out []*outLink // one per peer, in the order of Config.Peers
	in  []*inLink  // by machine id; nil for this machine

	refused atomic.Uint64
	readyAt atomic.Int64 // the start this machine proposes, Unix ns; 0: not ready

	mu      sync.Mutex    // guards what follows, and the fields of links that say so
	changed chan struct{} // closed and replaced when any of it changes
	err     error         // why this node cannot be part of the run
	byID    []*outLink    // out, by machine id as far as known
	started bool          // the barrier is passed: refusals are no longer final
}

// New makes a node that accepts on ln, which it closes in the end. It makes and
// accepts no connection before [Node.Connect]. An error says which part of the
// configuration is wrong.
func New(cfg Config, ln net.Listener) (*Node, error) {
	machines := len(cfg.Peers) + 1
	switch {
	case cfg.ID < 0 || cfg.ID >= machines:
		return nil, fmt.Errorf("machine id %d with %d peers: ids are 0 to %d", cfg.ID, len(cfg.Peers), machines-1)
	case len(cfg.Run) > MaxRun:
		return nil, fmt.Errorf("run name of %d bytes: at most %d", len(cfg.Run), MaxRun)
	case cfg.Window < 0:
		return nil, fmt.Errorf("window of %d messages: want at least 1", cfg.Window)
	}
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.PingInterval == 0 {
		cfg.PingInterval = defaultPing
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: welcomeTimeout}).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	n := &Node{
		cfg:     cfg,
		log:     cfg.Logger,
		ln:      ln,
		gate:    newGate(unknownAtOnce + machines),
		epoch:   time.Now(),
		in:      make([]*inLink, machines),
		byID:    make([]*outLink, machines),
		changed: make(chan struct{}),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for _, p := range cfg.Peers {
		l := newOutLink(n, p)
		if p.ID != AnyID {
			switch {
			case p.ID == cfg.ID:
				return nil, fmt.Errorf("peer %s has this machine's own id %d", p.Addr, p.ID)
			case p.ID < 0 || p.ID >= machines:
				return nil, fmt.Errorf("peer %s has id %d: with %d peers, ids are 0 to %d", p.Addr, p.ID, len(cfg.Peers), machines-1)
			case n.byID[p.ID] != nil:
				return nil, fmt.Errorf("peers %s and %s have one id, %d", n.byID[p.ID].addr, p.Addr, p.ID)
			}
			n.byID[p.ID] = l
		}
		n.out = append(n.out, l)
	}
	for id := range n.in {
		if id != cfg.ID {
			n.in[id] = newInLink(n, id)
		}
	}
	return n, nil
}

// Connect dials the peers, as often as it takes, and returns when all links
// stand in both directions. The order in which machines are started does not
// matter. It fails with a [RefusedError] where a peer does not belong to this
// run, and when ctx ends, naming who is missing.
func (n *Node) Connect(ctx context.Context) error {
	n.wg.Go(n.accept)
	n.wg.Go(n.keep)
	for _, l := range n.out {
		n.wg.Go(l.run)
	}
	standing := func() bool {
		for _, l := range n.out {
			if !l.up || !l.synced {
				return false
			}
		}
		for _, l := range n.in {
			if l != nil && l.session == nil {
				return false
			}
		}
		return true
	}
	for {
		tick, cancel := context.WithTimeout(ctx, stillWaitingTick)
		err := n.await(tick, standing)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if ctx.Err() != nil {
			return errors.New(n.missing())
		}
		n.log.Info("waiting", "for", n.missing())
	}
}

// missing says in words which links do not stand, and why as far as is known.
func (n *Node) missing() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var parts []string
	for _, l := range n.out {
		if l.up {
			continue
		}
		why := "no answer"
		if l.why != nil {
			why = l.why.Error()
		}
		parts = append(parts, fmt.Sprintf("%s cannot be reached: %s", l.name(), why))
	}
	if len(parts) == 0 {
		for _, l := range n.in {
			if l != nil && l.session == nil {
				parts = append(parts, fmt.Sprintf("machine %d has not connected to this one: is %s among its peers?", l.from, n.ln.Addr()))
			}
		}
	}
	if len(parts) == 0 {
		return "the first answer of every peer"
	}
	return strings.Join(parts, "; ")
}

// Barrier tells all peers that this machine's mesh stands, waits until all have
// said so, and returns the instant at which all are to start, by this host's
// clock.
//
// Every machine proposes an instant and the latest proposal holds, so no
// machine needs to be special. A proposal from a host whose clock differs is
// moved by the difference, as far as it was measured to be one.
func (n *Node) Barrier(ctx context.Context) (time.Time, error) {
	n.mu.Lock()
	// All must have heard of the last proposal before its instant comes.
	margin := 20*time.Millisecond + time.Duration(len(n.in))*time.Millisecond
	for _, l := range n.out {
		margin = max(margin, 20*time.Millisecond+2*l.rtt)
	}
	n.mu.Unlock()
	start := time.Now().Add(margin).UnixNano()
	n.readyAt.Store(start) // before the loop: connections made from now on say it themselves
	for _, l := range n.out {
		l.control(appendNumbers(nil, frameReady, uint64(start)))
	}
	err := n.await(ctx, func() bool {
		for _, l := range n.in {
			if l != nil && l.readyAt == 0 {
				return false
			}
		}
		return true
	})
	if err != nil {
		return time.Time{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.started = true
	for id, l := range n.in {
		if l != nil {
			start = max(start, l.readyAt-int64(n.byID[id].clockOffset()))
		}
	}
	return time.Unix(0, start), nil
}

// Send puts a message on the link to a machine and returns its number. The
// payload is copied. Send never waits: ask [Node.Room] first. What is sent to a
// machine that has left is numbered, and counted as undelivered.
func (n *Node) Send(to int, payload []byte) uint64 { return n.byID[to].send(payload) }

// Room returns how many messages the link to a machine can take. Where it is 0,
// Handler.Room tells when that has changed.
func (n *Node) Room(to int) int { return n.byID[to].room() }

// Consumed says that all messages from a machine, up to this number, have been
// consumed and need not be sent again.
func (n *Node) Consumed(from int, seq uint64) { n.in[from].consume(seq) }

// Finish says on all links that nothing follows, and returns when everything
// sent in either direction is held by its recipient, or when ctx ends. From
// then on nothing more is delivered. It returns how many messages to each
// machine are not known to be held by it: what was sent to a machine that had
// left before (an exact number), or one that could not be reached at the end
// (an upper bound).
func (n *Node) Finish(ctx context.Context) (undelivered map[int]uint64) {
	for _, l := range n.out {
		l.finish()
	}
	// An error here means that somebody did not answer in time; the counts
	// below say what follows from that.
	_ = n.await(ctx, func() bool {
		for _, l := range n.out {
			if !l.done {
				return false
			}
		}
		for _, l := range n.in {
			if l != nil && !l.finished {
				return false
			}
		}
		return true
	})
	for _, l := range n.in {
		if l != nil {
			l.close()
		}
	}
	undelivered = make(map[int]uint64)
	for id, l := range n.byID {
		if l == nil {
			continue
		}
		if lost := l.undelivered(); lost > 0 {
			undelivered[id] = lost
		}
	}
	return undelivered
}

// Left returns the machines that left the run before this one called
// [Node.Finish], sorted.
func (n *Node) Left() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []int
	for id, l := range n.byID {
		if l != nil && l.left {
			ids = append(ids, id)
		}
	}
	return ids
}

// Close ends all connections. After [Node.Finish] it first waits, until ctx
// ends, for the peers to have read this machine's last word.
func (n *Node) Close(ctx context.Context) {
	_ = n.await(ctx, func() bool {
		for _, l := range n.in {
			if l != nil && l.closing && !l.gone {
				return false
			}
		}
		return true
	})
	n.cancel()
	_ = n.ln.Close()
	n.gate.close()
	n.wg.Wait()
}

// change changes what mu guards and wakes those who wait for it.
func (n *Node) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

// await returns when ok does, evaluated under mu, or with the error that ended
// the node or ctx.
func (n *Node) await(ctx context.Context, ok func() bool) error {
	for {
		n.mu.Lock()
		done, err, changed := ok(), n.err, n.changed
		n.mu.Unlock()
		switch {
		case err != nil:
			return err
		case done:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fail ends the node's start with err, unless the run has begun already: then
// the refused link is tried again for as long as the run goes on.
func (n *Node) fail(err error) (final bool) {
	n.change(func() {
		if final = !n.started; final && n.err == nil {
			n.err = err
		}
	})
	return final
}

// learn notes that the peer behind l is machine id.
func (n *Node) learn(l *outLink, id int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case id == n.cfg.ID:
		return refuse(CodeSelf, "peer %s is this machine itself, or another with its id %d", l.addr, id)
	case id >= len(n.byID):
		return refuse(CodeMachines, "peer %s is machine %d: with %d peers, ids are 0 to %d", l.addr, id, len(n.out), len(n.byID)-1)
	case n.byID[id] != nil && n.byID[id] != l:
		return refuse(CodeDuplicate, "peers %s and %s both say that they are machine %d: give each its own --id", n.byID[id].addr, l.addr, id)
	case l.id != AnyID && l.id != id:
		return refuse(CodeDestination, "peer %s is machine %d, expected machine %d", l.addr, id, l.id)
	}
	if l.id == AnyID { // else it stands already, and is read without the lock
		l.id, n.byID[id] = id, l
	}
	return nil
}

// keep sends the pings and closes connections that have fallen silent.
func (n *Node) keep() {
	tick := time.NewTicker(n.cfg.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		oldest := n.now() - silentIntervals*n.cfg.PingInterval
		for _, l := range n.out {
			l.keep(oldest)
		}
		for _, l := range n.in {
			if l != nil {
				l.keep(oldest)
			}
		}
	}
}

// now reads the monotonic clock, as the time since the node was made.
func (n *Node) now() time.Duration { return time.Since(n.epoch) }

// Stats is what a node has sent, and what it has done about the rest.
type Stats struct {
	Messages   uint64 // given to Send
	Frames     uint64 // sent, of all types
	Bytes      uint64 // sent, with all headers of this protocol
	Writes     uint64 // calls to the operating system that sent them
	Acks       uint64 // acknowledgements among the frames
	Resent     uint64 // messages sent again after a connection broke
	Duplicates uint64 // messages that came again and were dropped
	Reconnects uint64 // connections made after the first, per link
	Refused    uint64 // incoming connections that were turned away
}

// Stats returns the figures so far, over all links.
func (n *Node) Stats() Stats {
	s := Stats{Refused: n.refused.Load()}
	for _, l := range n.out {
		l.addStats(&s)
	}
	for _, l := range n.in {
		if l != nil {
			l.addStats(&s)
		}
	}
	return s
}
