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
// [Node.Connect] until the mesh stands, [Node.Barrier] and [Node.Begun] for a common start,
// [Node.Send] and [Node.Consumed] while it runs, [Node.Drain] or [Node.Leave],
// [Node.Settle], [Node.Close].
//
// Nothing above [net.Conn] is assumed: Config.Dial and the listener are where faults
// are put underneath, and Config.TLS has the machines prove who they are.
package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

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

	// Life tells the processes of one machine apart: a later one has a larger number.
	Life uint64
	// Secrets are those of the links to Peers, in their order, as [Node.Secrets] said to
	// an earlier process. nil, or zero for a link: a new one is made.
	Secrets []Secret
	// Window is the most messages per link that may be unconsumed,
	// DefaultWindow if 0. Of two ends' windows the smaller holds.
	Window int
	// PingInterval is after how long a silent connection is tried, 0:
	// DefaultPingInterval, or longer where there are many machines. One that stays
	// silent for SilentIntervals of these is closed and dialled again; none is in
	// Connect and Barrier.
	PingInterval time.Duration
	// Dial makes a connection, a net.Dialer's DialContext if nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Accepted, if not nil, decorates a connection that a machine has made, as
	// Dial can decorate those that this one makes.
	Accepted func(conn net.Conn, from int) net.Conn
	// Allow, if not nil, says who may come as far as a HELLO, by the address from which
	// it calls. It may take its time, until ctx ends. [Sources.Allow] is one.
	Allow func(ctx context.Context, from netip.Addr) bool
	// TLS, if not nil, is under each connection, over what Dial and the listener make. Nobody
	// without the certificate of a machine gets as far as a HELLO, or as its answer.
	TLS *TLS
	// Apart has each link on a connection of its own even under TLS, so that Dial and
	// Accepted see which of them it is. Else, where both ends can, one connection carries
	// both links between two machines, at the price of one handshake.
	Apart bool
	// Past is what an earlier process of this machine has left behind, for
	// each peer; none for a machine that begins.
	Past []Past
	// Ended says that an earlier process of this machine has noted for good what became of
	// all messages: nothing more is taken, and [Node.Settle] may be called at once.
	Ended bool
	// Wall is this host's system clock, which may be set at any time, time.Now if nil.
	Wall func() time.Time
	// Logger is for people; nil: nothing is said.
	Logger *slog.Logger

	// Terms are what this machine says of itself to each peer that it meets, up to
	// MaxTerms bytes. They mean nothing here.
	Terms []byte
	// Meet, if not nil, is told a peer's Terms whenever a connection has been made, at
	// both ends of it. An error says that there can be no run with this peer: it is
	// refused with CodeTerms and the error's text, which therefore both ends get to
	// know. It must not call the node.
	Meet func(peer int, terms []byte) error

	// Asked, if not nil, is given a connection on which somebody asks something in HTTP
	// ("GET …") instead of saying who it is, and what has been read of the question. It must
	// tell nothing that is secret. The connection has a deadline, and is closed afterwards.
	Asked func(conn net.Conn, read []byte)
}

// Past is what a machine that is started again knows of its links with a peer.
// Its log has to hold all of it: peers rely on what was said once.
type Past struct {
	Peer int
	// Secret is that of the link from the peer, as [Node.Secrets] said: nobody is
	// taken for the peer who does not know it. Zero: whoever comes first is.
	Secret Secret
	// Consumed and Held are of the peer's messages. Those between the two are
	// noted, though not consumed: 0 or the same as Consumed where none are.
	Consumed, Held uint64
	Sent           uint64 // the number of the last message to the peer
	// Unconsumed are the last messages to the peer, up to number Sent: all that
	// it may not have consumed. A window of them is enough.
	Unconsumed [][]byte
}

// Handler is told what comes in. Its methods are called from the node's
// goroutines, must not block, and must not call the node.
type Handler interface {
	// Deliver hands over consecutive messages of one link, numbers first,
	// first+1, …. The payloads are valid during the call only.
	//
	// An error refuses them all: none counts as held, and the connection is
	// closed with CodeProtocol, the error's text, and counted as refused. The
	// link is made again, and the messages come again.
	Deliver(from int, first uint64, payloads [][]byte) error
	// Room says that the link to a machine, which was full when
	// Node.Room was asked, can take messages again.
	Room(to int)
}

const (
	underWay         = time.Second // what takes longer was not sent before
	redialFirst      = 10 * time.Millisecond
	redialMax        = time.Second
	stillWaitingTick = 10 * time.Second
	rejoiningTick    = 2 * time.Second
)

// Node is one machine's end of its links.
type Node struct {
	cfg    Config
	log    *slog.Logger
	ln     net.Listener
	gate   *gate
	epoch  time.Time // what monotonic readings count from
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	dials  chan struct{} // as many as may be made at one time, while the node starts

	half ownHalf // of the peers, where connections are shared

	lingering chan struct{} // as many as are turned away are heard out at one time

	// While all gather, in Connect and Barrier, no connection is tried or found too
	// silent: the others may be held up by their own start.
	gathering atomic.Bool
	gathered  atomic.Int64 // when that ended, as now

	out []*outLink // one per peer, in the order of Config.Peers
	in  []*inLink  // by machine id; nil for this machine

	// changes tells of all that somebody waits for: of links, and of the node.
	changes  broadcast
	fresh    atomic.Bool   // some peer's clock has been compared, and nobody has been told
	lead     time.Duration // of the system clock on the monotonic one, as keep has seen it last
	refused  atomic.Uint64
	received atomic.Uint64            // bytes
	refusals reasons                  // for the log
	callers  callers                  // for whoever waits
	start    atomic.Pointer[proposal] // what the peers are told of when this machine starts; nil: it is not ready

	// mu guards what follows. Whoever holds it may take a link's lock.
	mu     sync.Mutex
	stage  stage
	failed chan struct{} // closed when err is set
	err    error         // why this node cannot be part of the run
	past   map[int]Past  // of links whose peer is not known yet
	agreed *proposal     // the run's start, as Barrier has returned it
	// byID is out, by machine id as far as known. It is whole when Connect or
	// Rejoin has returned, and from then on read without the lock.
	byID []*outLink
}

// stage is how far a node has come.
type stage uint8

const (
	stageStarting stage = iota // refusals are final
	stageRunning               // a refused link is tried again
	stageRejoined              // the same, once a link has met its peer: an earlier process was in the run
	stageOver                  // no link is made any more
)

// broadcast wakes all that wait for something to change. Its lock is the last one
// that anybody takes.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that the next notify closes.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *broadcast) notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// newNode makes a node without a link.
func newNode(ctx context.Context, cfg Config, ln net.Listener) *Node {
	cfg.complete()
	machines := len(cfg.Peers) + 1
	n := &Node{
		cfg:    cfg,
		log:    cfg.Logger,
		ln:     ln,
		gate:   newGate(unknownLimits(machines, maxDescriptors())),
		epoch:  time.Now(),
		in:     make([]*inLink, machines),
		byID:   make([]*outLink, machines),
		failed: make(chan struct{}),
		dials:  make(chan struct{}, MaxDials),
		past:   make(map[int]Past),
		half:   ownHalf{done: make(chan struct{})},

		lingering: make(chan struct{}, maxLingering),
	}
	n.ctx, n.cancel = context.WithCancel(ctx)
	return n
}

// New makes a node that accepts on ln, which it closes in the end. It makes and
// accepts no connection before [Node.Connect]. An error says which part of the
// configuration is wrong.
func New(cfg Config, ln net.Listener) (*Node, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	n := newNode(context.Background(), cfg, ln)
	cfg, machines := n.cfg, len(n.in)
	for i, p := range cfg.Peers {
		l := newOutLink(n, p, cfg.Secrets[i])
		if p.ID != AnyID && dialsFirst(cfg.ID, p.ID, machines) {
			l.own = true
			n.half.left++
		}
		if p.ID != AnyID {
			n.byID[p.ID] = l
		}
		n.out = append(n.out, l)
	}
	for id := range n.in {
		if id != cfg.ID {
			n.in[id] = newInLink(n, id)
		}
	}
	for _, p := range cfg.Past {
		n.restore(p)
	}
	if cfg.Ended {
		n.freeze()
	}
	return n, nil
}

// check says what is wrong with a configuration.
func (c *Config) check() error {
	machines := len(c.Peers) + 1
	switch {
	case c.ID < 0 || c.ID >= machines:
		return fmt.Errorf("machine id %d with %s: ids are 0 to %d", c.ID, plural(len(c.Peers), "peer"), machines-1)
	case len(c.Run) > MaxRun:
		return fmt.Errorf("run name of %d bytes: at most %d", len(c.Run), MaxRun)
	case len(c.Terms) > MaxTerms:
		return fmt.Errorf("terms of %d bytes: at most %d", len(c.Terms), MaxTerms)
	case c.Window < 0 || c.Window > MaxWindow:
		return fmt.Errorf("window of %d messages: want 1 to %d", c.Window, MaxWindow)
	case c.PingInterval < 0:
		return fmt.Errorf("ping interval of %v: want more than 0", c.PingInterval)
	case c.Secrets != nil && len(c.Secrets) != len(c.Peers):
		return fmt.Errorf("%s for %s", plural(len(c.Secrets), "secret"), plural(len(c.Peers), "peer"))
	}
	for _, p := range c.Past {
		if p.Peer < 0 || p.Peer >= machines || p.Peer == c.ID {
			return fmt.Errorf("a past with machine %d in a run of %s", p.Peer, plural(machines, "machine"))
		}
	}
	return c.checkPeers()
}

// checkPeers says which of the peers cannot have the id that it is said to have.
func (c *Config) checkPeers() error {
	machines := len(c.Peers) + 1
	addrs := make(map[int]string)
	for _, p := range c.Peers {
		if p.ID == AnyID {
			continue
		}
		other, taken := addrs[p.ID]
		switch {
		case p.ID == c.ID:
			return fmt.Errorf("peer %s has this machine's own id %d", p.Addr, p.ID)
		case p.ID < 0 || p.ID >= machines:
			return fmt.Errorf("peer %s has id %d: with %s, ids are 0 to %d", p.Addr, p.ID, plural(len(c.Peers), "peer"), machines-1)
		case taken:
			return fmt.Errorf("peers %s and %s have one id, %d", other, p.Addr, p.ID)
		}
		addrs[p.ID] = p.Addr
	}
	return nil
}

// complete puts the defaults in the place of what is not said.
func (c *Config) complete() {
	if c.Secrets == nil {
		c.Secrets = make([]Secret, len(c.Peers))
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.PingInterval == 0 {
		c.PingInterval = pingInterval(len(c.Peers) + 1)
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.TLS == nil {
		c.Apart = true
	}
	if !c.Apart {
		c.TLS = c.TLS.sharing()
	}
	if c.Meet == nil {
		c.Meet = func(int, []byte) error { return nil }
	}
}

// restore puts back what an earlier process of this machine knew of its links with a
// peer.
func (n *Node) restore(p Past) {
	in := n.in[p.Peer]
	in.consumed, in.held = p.Consumed, max(p.Consumed, p.Held)
	in.peer = sender{secret: p.Secret, settled: p.Secret != Secret{}}
	if out := n.byID[p.Peer]; out != nil {
		out.restore(p)
	} else {
		n.past[p.Peer] = p
	}
}

// Connect dials the peers, as often as it takes, and returns when all links
// stand in both directions. The order in which machines are started does not
// matter. It fails with a [RefusedError] where a peer does not belong to this
// run, and when ctx ends, naming who is missing.
func (n *Node) Connect(ctx context.Context) error {
	defer n.gather()()
	n.open()
	standing := func() bool {
		return all(n.out, func(l *outLink) bool { return l.stands() }) &&
			all(n.in, func(l *inLink) bool { return l.connected() })
	}
	return n.awaitAloud(ctx, stillWaitingTick, standing)
}

// Rejoin is [Node.Connect] for a machine that was started again in a run that has
// begun. It fails where a peer contradicts what this machine says of the past, which
// can show on either link, and when ctx ends before it is known which peer is behind
// which address.
//
// It returns when every peer has answered on both links, or when hear ends. A peer
// that was not heard by then is still contacted; [Node.Failed] tells if it has
// something to say against this machine after all.
//
// It returns for how long the run has been going on, by those peers that know,
// ascending. None of them takes that from a clock that can be set.
//
// Where hear ends and no peer knows, the run may stand still until all are back. Then
// whole, if not nil, is asked how long to wait for them: until its result ends, which is an
// error that says who is missing; nil: no longer.
func (n *Node) Rejoin(ctx, hear context.Context, whole func() context.Context) (elapsed []time.Duration, err error) {
	n.mu.Lock()
	n.stage = stageRejoined
	n.mu.Unlock()
	n.open()
	err = n.await(ctx, func() bool {
		return all(n.in, func(l *inLink) bool { return n.to(l.from) != nil })
	})
	if err != nil {
		return nil, err
	}
	answered := func() bool {
		return all(n.out, func(l *outLink) bool { return l.end().answered() }) &&
			all(n.in, func(l *inLink) bool { return l.answered() })
	}
	err = n.awaitAloud(hear, rejoiningTick, answered)
	if err != nil && n.Err() == nil && len(n.elapsed()) == 0 && whole != nil {
		if company := whole(); company != nil {
			err = n.awaitAloud(company, stillWaitingTick, func() bool { return answered() || len(n.elapsed()) > 0 })
			if err != nil && n.Err() == nil {
				return nil, err
			}
		}
	}
	if failed := n.Err(); failed != nil {
		return nil, failed
	}
	if err != nil && !errors.Is(err, context.Canceled) { // else it is told to end, or has nothing to go on with
		n.log.Warn("going on without an answer of all peers", "missing", err)
	}
	return n.elapsed(), nil
}

// elapsed returns for how long the run has been going on, by those peers that have said so,
// ascending.
func (n *Node) elapsed() (elapsed []time.Duration) {
	for _, l := range n.in {
		if l == nil {
			continue
		}
		if p := l.proposed(); p.agreed {
			elapsed = append(elapsed, n.now()-p.began)
		}
	}
	slices.Sort(elapsed)
	return elapsed
}

// Resume says, after [Node.Rejoin], when the run began: at start, by the log of this
// machine, and so long ago.
func (n *Node) Resume(start time.Time, elapsed time.Duration) {
	n.start.Store(&proposal{at: start.UnixNano(), agreed: true, began: n.now() - elapsed})
	for _, l := range n.out {
		l.ready()
	}
	n.askAll(FirstQuestions)
}

// awaitAloud is await for what can take long: now and then it says who is missing, and so
// does its error when ctx ends.
func (n *Node) awaitAloud(ctx context.Context, every time.Duration, ok func() bool) error {
	for {
		tick, cancel := context.WithTimeout(ctx, every)
		err := n.await(tick, ok)
		cancel()
		switch {
		case err == nil, n.Err() != nil:
			return err
		case ctx.Err() == nil:
			n.log.Info("waiting", "for", n.missing())
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return n.missing()
		default:
			return err
		}
	}
}

// open begins to accept and to dial.
func (n *Node) open() {
	n.wg.Go(n.accept)
	n.wg.Go(n.keep)
	n.half.begin(n.now())
	// Each machine begins with another one, so that they do not all meet at the first.
	for i := range n.out {
		n.wg.Go(n.out[(i+n.cfg.ID)%len(n.out)].run)
	}
}

// gather begins a time in which all gather, and returns what ends it.
func (n *Node) gather() (end func()) {
	n.gathering.Store(true)
	return func() {
		n.gathered.Store(int64(n.now()))
		n.gathering.Store(false)
	}
}

// starting reports whether the run has not begun yet, as far as this machine knows.
func (n *Node) starting() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stage == stageStarting
}

// isOver reports whether there are only questions to be answered.
func (n *Node) isOver() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stage == stageOver
}

// paced calls dial, while the node starts not for more than MaxDials peers at once:
// all machines of a run start together, and a host that is given all its
// connections at one instant answers none of them in time.
func (n *Node) paced(dial func() error) error {
	if !n.starting() {
		return dial()
	}
	select {
	case n.dials <- struct{}{}:
		defer func() { <-n.dials }()
		return dial()
	case <-n.ctx.Done():
		return n.ctx.Err()
	}
}

// missing says for whom this machine waits.
func (n *Node) missing() *MissingError {
	var parts []string
	var why []error
	for _, l := range n.out {
		missing, reason := l.missing()
		if missing != "" {
			parts = append(parts, missing)
		}
		if reason != nil {
			why = append(why, reason)
		}
	}
	if len(parts) == 0 {
		for _, l := range n.in {
			if l != nil && !l.connected() {
				parts = append(parts, fmt.Sprintf("machine %d has not connected to this one: is %s among its peers?", l.from, n.ln.Addr()))
			}
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "the first word of every peer")
	}
	return &MissingError{strings.Join(parts, "; "), why, n.callers.all()}
}

// Send puts a message on the link to a machine and returns its number. The
// payload is copied. Send never waits: ask [Node.Room] first. What is sent to a
// machine that has left is numbered, and counted as undelivered.
func (n *Node) Send(to int, payload []byte) uint64 {
	return n.SendAll(to, [][]byte{payload})
}

// SendAll is [Node.Send] for many messages, which get consecutive numbers. It
// returns the first. It costs much less than as many calls of Send.
func (n *Node) SendAll(to int, payloads [][]byte) (first uint64) {
	for _, p := range payloads {
		if len(p) > MaxPayload {
			panic(fmt.Sprintf("transport: payload of %d bytes, at most %d are allowed", len(p), MaxPayload))
		}
	}
	return n.byID[to].send(payloads)
}

// Room returns how many messages the link to a machine can take. Where it is 0,
// Handler.Room tells when that has changed.
func (n *Node) Room(to int) int { return n.byID[to].room() }

// Consumed says that all messages from a machine, up to this number, have been
// consumed and need not be sent again.
func (n *Node) Consumed(from int, seq uint64) { n.in[from].consume(seq) }

// Drain says on all links that nothing follows, and returns when in each direction all
// that was sent is known to have come, or when ctx ends. From then on nothing more is
// delivered.
//
// It returns how many messages to each machine must be taken for lost: what was
// sent to a machine that had left before (an exact number), or is not known to have
// come in time (an upper bound).
func (n *Node) Drain(ctx context.Context) (undelivered map[int]uint64) {
	return n.Leave(ctx, context.Background())
}

// Leave is [Node.Drain] for a machine that others may go on without. Once company has
// ended, before ctx, it does not wait for the ends of those, but only for each to say that it holds
// all that was sent to it, which takes them no time if they live. What they have not
// consumed by then they would lose if they died, as this machine will not be there to
// send it again; so it counts as undelivered, too (an upper bound).
func (n *Node) Leave(ctx, company context.Context) (undelivered map[int]uint64) {
	n.askAll(LastQuestions)
	n.finish(heldWait(ctx))
	defer context.AfterFunc(company, n.changes.notify)()
	leaving := false
	err := n.await(ctx, func() (settled bool) {
		var wait bool
		leaving = leaving || company.Err() != nil && ctx.Err() == nil // they may end together
		wait, undelivered = settle(n.ends(), leaving, false)
		return !wait
	})
	n.freeze()
	if err != nil { // somebody did not answer in time
		_, undelivered = settle(n.ends(), leaving, true)
	}
	if leaving {
		for _, e := range n.ends() {
			if e.leavable() {
				n.to(e.peer).leaveBehind()
			}
		}
	}
	return undelivered
}

// freeze takes nothing more on any link.
func (n *Node) freeze() {
	for _, l := range n.in {
		if l != nil {
			l.freeze()
		}
	}
}

// finish says on all links that nothing follows, and for how long an answer may wait.
func (n *Node) finish(patience time.Duration) {
	for _, l := range n.out {
		var holds uint64
		if id := l.peerID(); id != AnyID {
			holds = n.in[id].holds()
		}
		l.finish(holds, patience)
	}
}

// heldWait returns for how long HELD may wait for a machine that waits for it until ctx ends: not at
// all where that is soon.
func heldWait(ctx context.Context) time.Duration {
	if until, bounded := ctx.Deadline(); bounded && time.Until(until) < 20*heldAfter {
		return 0
	}
	return heldAfter
}

// ends returns what is known of the links with each peer.
func (n *Node) ends() []ends {
	var all []ends
	for id, l := range n.in {
		if l != nil {
			all = append(all, ends{peer: id, in: l.life(), out: n.to(id).end().told(l.told())})
		}
	}
	return all
}

// Settle tells the peers, after [Node.Drain] or [Node.Leave], that all that came from them is
// safe, so that they may forget it: the caller has noted for good what it
// consumed and what it did not. It returns when all of them have said the same, but for
// those that go on without this machine, or when ctx ends; it reports whether they have.
func (n *Node) Settle(ctx context.Context) bool {
	n.finish(heldAfter) // a machine that is started again after its end does not drain
	for _, l := range n.in {
		if l != nil {
			l.close()
		}
	}
	return n.await(ctx, func() bool {
		return all(n.out, func(l *outLink) bool { return l.isOver() })
	}) == nil
}

// Left returns the machines that left the run before this one called
// [Node.Drain], sorted.
func (n *Node) Left() []int {
	var ids []int
	for id := range n.in {
		if n.hasLeft(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Close ends all connections. After [Node.Settle] it first waits, until ctx
// ends, for the peers to have read this machine's last words. That a peer is no
// longer there cannot be told from that it is late, so ctx should end soon.
func (n *Node) Close(ctx context.Context) {
	_ = n.await(ctx, func() bool {
		return all(n.in, func(l *inLink) bool { return !l.awaitsBye() }) &&
			all(n.out, func(l *outLink) bool { return !l.byeDue() })
	})
	n.cancel()
	_ = n.ln.Close()
	n.wg.Wait()
}

// Failed is closed when the node cannot be part of the run; then [Node.Err] says
// why.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err returns why the node cannot be part of the run, nil if it can.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// await returns when ok does, asked whenever something has changed, or with the
// error that ended the node or ctx.
func (n *Node) await(ctx context.Context, ok func() bool) error {
	for {
		changed := n.changes.wait()
		if err := n.Err(); err != nil {
			return err
		}
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// all reports whether ok holds for every link.
func all[L outLink | inLink](links []*L, ok func(*L) bool) bool {
	return !slices.ContainsFunc(links, func(l *L) bool { return l != nil && !ok(l) })
}

// to returns the link to a machine, nil while it is not known which one that is.
func (n *Node) to(id int) *outLink {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byID[id]
}

// hasLeft reports whether a machine has left the run before this one's end.
func (n *Node) hasLeft(id int) bool {
	l := n.to(id)
	return l != nil && l.life() == phaseLeft
}

// rejoined reports whether an earlier process of this machine was in the run.
func (n *Node) rejoined() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stage == stageRejoined
}

// fail ends the node's start with err, unless the run has begun already: then
// the refused link is tried again for as long as the run goes on.
// Nor may a machine that was started again go on where its peers contradict its
// log; met says that the refused link was connected before.
func (n *Node) fail(err error, met bool) (final bool) {
	n.mu.Lock()
	switch n.stage {
	case stageStarting:
		final = true
	case stageRejoined:
		final = !met
	}
	if final && n.err == nil {
		n.err = err
		close(n.failed)
	}
	n.mu.Unlock()
	n.changes.notify()
	return final
}

// DescriptorsError says that a process may not have as many files open as the links
// of its machine need.
type DescriptorsError struct {
	Machines int   // in the run
	Err      error // the system's
}

func (e *DescriptorsError) Error() string {
	return fmt.Sprintf("%v: in a run of %d machines, each needs %d file descriptors", e.Err, e.Machines, Descriptors(e.Machines))
}

func (e *DescriptorsError) Unwrap() error { return e.Err }

// lacksDescriptors reports whether an error is that of a process with too many files
// open, and ends the node's start with it: others would wait for this machine in vain.
// In a run that has begun, some may come free.
func (n *Node) lacksDescriptors(err error) bool {
	var number syscall.Errno
	if !errors.As(err, &number) || number != syscall.EMFILE && number != syscall.ENFILE {
		return false
	}
	return n.fail(&DescriptorsError{Machines: len(n.in), Err: number}, true)
}

// learn notes that the peer behind l is machine id.
func (n *Node) learn(l *outLink, said uint32) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := int(said)
	switch {
	case said >= uint32(len(n.byID)):
		return refuse(CodeMachines, "peer %s is machine %d: with %s, ids are 0 to %d", l.addr, said, plural(len(n.out), "peer"), len(n.byID)-1)
	case id == n.cfg.ID:
		return refuse(CodeSelf, "peer %s is this machine itself, or another with its id %d", l.addr, id)
	case l.id != AnyID && l.id != id:
		return refuse(CodeDestination, "peer %s is machine %d, expected machine %d", l.addr, id, l.id)
	case n.byID[id] != nil && n.byID[id] != l:
		return refuse(CodeDuplicate, "peers %s and %s both say that they are machine %d", n.byID[id].addr, l.addr, id)
	}
	if l.id == AnyID { // else it stands already, and is read without the lock
		if p, ok := n.past[id]; ok {
			l.restore(p)
		}
		l.identify(id)
		n.byID[id] = l
		n.changes.notify()
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
		if n.gathering.Load() {
			continue
		}
		oldest := n.now() - SilentIntervals*n.cfg.PingInterval
		if oldest < time.Duration(n.gathered.Load()) {
			oldest = 0 // until then, nobody was asked for a word
		}
		n.askAgain()
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
