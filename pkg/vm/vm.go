// Package vm runs one machine as a process: paced by the real clock, its links
// over TCP, its events in its log.
//
// The event log is written ahead (output commit; Elnozahy, Alvisi, Wang,
// Johnson, ACM CSUR 34(3), 2002): a message leaves the process only after the
// line of its send has been handed to the operating system, and a message is
// acknowledged only after the line of its receive has. So whatever moment the
// process dies at, no peer knows more of it than its log.
package vm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Config is what one machine of a run is started with. The fields up to LogDir
// must be set.
type Config struct {
	ID       int
	Rate     clock.Rate
	Die      int
	Seed     uint64
	Run      string        // the run's name, see CheckRun
	Duration time.Duration // 0: until stopped
	Peers    []transport.Peer
	LogDir   string // an existing directory

	// Gate, if not nil, holds the machine back from its peers until it is closed:
	// of many machines on one host the last is started much sooner if the
	// others do not talk to each other already. A machine that comes back to
	// its run does not wait for it.
	Gate <-chan struct{}
	// ConnectTimeout is how long to wait for the peers, 0 for ever.
	ConnectTimeout time.Duration
	// Linger is how long to wait at the end for the peers' last messages,
	// and for them to take this machine's.
	Linger time.Duration
	// Resume goes on where the log of an earlier process of this machine ends,
	// if there is one. Seed and Die are taken from it.
	Resume bool
	// Replay, if not nil, is the record of this machine in an earlier run, which
	// it is to do again: each receive waits for its turn. ID, Rate, Die, Seed
	// and Run must be the record's; there is no Duration.
	Replay *replay.Track
	// AtPace keeps the pace of the record; else it is replayed as fast as the
	// messages come.
	AtPace bool
	// Faults are done to the machine's connections; nil: none. Kills and
	// pauses are not this package's. All peers must have ids.
	Faults *fault.Plan
	// Sync makes what is sent or acknowledged survive a loss of power, at the
	// price of a wait for the disk per commit.
	Sync bool
	// Window is the most messages per link that may be unconsumed,
	// transport.DefaultWindow if 0.
	Window int
	Logger hclog.Logger // talk; nil: none
	// Watch, if not nil, is told of each phase, and every WatchEvery between
	// if that is not 0: one call at a time, and no phase after a later one.
	Watch      func(summary.Status)
	WatchEvery time.Duration
}

var runName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// CheckRun says what is wrong with the name of a run.
func CheckRun(name string) error {
	if !runName.MatchString(name) {
		return fmt.Errorf("run name %q: want 1 to %d letters, digits, dots, dashes or underscores", name, transport.MaxRun)
	}
	return nil
}

func check(cfg *Config) error {
	if err := CheckRun(cfg.Run); err != nil {
		return err
	}
	switch {
	case cfg.Rate == 0 || cfg.Rate > clock.MaxRate && cfg.Rate != clock.Unpaced:
		return fmt.Errorf("rate %s: want above 0 and at most %s ticks per second, or max", cfg.Rate, clock.MaxRate)
	case cfg.Duration < 0 || cfg.ConnectTimeout < 0 || cfg.Linger < 0:
		return fmt.Errorf("duration %v, connect timeout %v, linger %v: none can be negative", cfg.Duration, cfg.ConnectTimeout, cfg.Linger)
	case cfg.Replay != nil:
		return checkRecord(cfg)
	}
	return nil
}

// StartError says why a machine could not begin its run. Nothing is left of it.
type StartError struct{ Err error }

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// StopWithin is a cause to end the context of [Run] with. It replaces the
// configured linger, where some peers are known not to answer any more.
type StopWithin struct{ Linger time.Duration }

func (s StopWithin) Error() string {
	return "stopped, with " + s.Linger.String() + " for last messages"
}

// endGrace is how long a machine that has ended waits for its peers to read its
// last word.
const endGrace = time.Second

// Run executes a machine from its first instruction to its last: until its
// duration has passed (0: for ever) or ctx ends. It listens on ln, which it
// closes. A [StartError] says that the run has not begun; any other
// error that it broke off, with a log that is whole up to where it ends. A run
// that ctx ended is not an error, unless it had not begun.
func Run(ctx context.Context, cfg Config, ln net.Listener) (*summary.Machine, error) {
	r, err := newRunner(cfg, ln)
	if err != nil {
		_ = ln.Close()
		return nil, &StartError{err}
	}
	r.cfg.Logger.Info("starting", "listening", ln.Addr(), "rate", cfg.Rate, "seed", cfg.Seed, "run", cfg.Run)
	return r.run(ctx)
}

// runner is a machine in its run. Its methods are called by one goroutine,
// except where they say otherwise.
type runner struct {
	cfg     Config
	log     *logging.Writer
	file    *logging.File
	machine *machine.Machine
	inbox   *inbox
	node    *transport.Node
	figures summary.Collector

	past   past
	faults *faults   // nil: none
	follow *follower // nil: no replay

	schedule *schedule // nil: unpaced
	pacer    *pacer
	started  time.Time     // measured; zero: stopped before the start
	elapsed  time.Duration // of an unpaced machine

	// What the log's unflushed lines have sent and consumed, and what the
	// outside must therefore not see yet.
	unsent    outgoing
	consumed  []uint64 // by sender: the last message taken from its link
	unacked   []int    // senders whose count has moved
	isUnacked []bool
	tight     bool // some link may be out of room before the next commit

	stalls  uint64
	stalled time.Duration

	reporting sync.Mutex // held while Watch is called
	status    struct {   // for the watcher
		phase atomic.Value // summary.Phase
		start atomic.Int64 // Unix ns
		steps atomic.Uint64
		clock atomic.Uint64
		queue atomic.Int64
	}
}

func newRunner(cfg Config, ln net.Listener) (_ *runner, err error) {
	if err := check(&cfg); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	machines := len(cfg.Peers) + 1
	r := &runner{
		cfg:       cfg,
		inbox:     newInbox(cfg.ID),
		unsent:    newOutgoing(machines),
		consumed:  make([]uint64, machines),
		isUnacked: make([]bool, machines),
	}
	if cfg.Replay != nil {
		r.follow = newFollower(cfg.Replay, machines)
	} else if cfg.Rate != clock.Unpaced {
		r.schedule = newSchedule(cfg.Rate, cfg.Duration)
	}
	defer func() {
		if err != nil && r.file != nil {
			_ = r.file.Discard()
		}
	}()
	r.status.phase.Store(summary.Connecting)
	r.machine, err = machine.New(machine.Config{ID: cfg.ID, Machines: machines, Die: cfg.Die, Seed: cfg.Seed})
	if err != nil {
		return nil, err
	}
	if cfg.Resume {
		if err := r.recover(); err != nil {
			return nil, err
		}
		if r.schedule != nil {
			r.schedule.next = r.machine.Steps() + 1
		}
		if r.follow != nil {
			if err := r.follow.skip(r.past.lines); err != nil {
				return nil, err
			}
		}
	}
	links := transport.Config{
		ID:          cfg.ID,
		Run:         cfg.Run,
		Peers:       cfg.Peers,
		Handler:     r.inbox,
		Incarnation: uint64(time.Now().UnixNano()),
		Window:      cfg.Window,
		Past:        r.links(),
		Logger:      cfg.Logger,
	}
	if cfg.Faults.Touches(cfg.ID) {
		r.faults = newFaults(cfg.Faults, cfg.ID)
		links.Dial, links.Accepted = r.faults.dial(cfg.Peers), r.faults.accepted
	}
	r.node, err = transport.New(links, ln)
	if err != nil {
		return nil, err
	}
	// The file comes last: a start that fails before it leaves nothing.
	if r.file == nil {
		if r.file, err = logging.Create(cfg.LogDir, cfg.ID, cfg.Rate); err != nil {
			return nil, err
		}
	}
	r.past.sent = nil // the node has it now
	r.log = logging.NewWriter(r.file, cfg.ID)
	return r, nil
}

// run takes the machine through all phases, and leaves nothing open.
func (r *runner) run(ctx context.Context) (*summary.Machine, error) {
	defer func() { _ = r.file.Discard() }()
	// A machine that does not come to its end says no goodbye: what its log
	// lacks must be neither sent nor acknowledged.
	abrupt, cancel := context.WithCancel(context.Background())
	cancel()
	defer r.node.Close(abrupt)
	if r.faults != nil {
		defer r.faults.lift() // what waits for one to be over would not end
	}

	start, err := r.join(ctx)
	if err != nil {
		return nil, &StartError{err}
	}
	unwatch := r.watch()
	defer unwatch()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer r.onFailure(stop)()
	if r.faults != nil {
		r.faults.begin(ctx, start)
	}
	if r.past.stop == nil {
		if err := r.execute(ctx, start); err != nil {
			return nil, err
		}
		if err := r.node.Err(); err != nil {
			return nil, err
		}
	}
	m, err := r.end(ctx)
	if err != nil {
		return nil, err
	}
	unwatch() // the result is the last that Watch hears
	r.status.phase.Store(summary.Done)
	r.report(m)
	return m, nil
}

// onFailure stops the machine where its peers turn out to contradict its log. The
// returned function ends that.
func (r *runner) onFailure(stop context.CancelCauseFunc) (unwatch func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-r.node.Failed():
			stop(r.node.Err())
		case <-done:
		}
	}()
	return func() { close(done) }
}

// join waits for the peers and returns the instant at which all start, or have
// started.
func (r *runner) join(ctx context.Context) (time.Time, error) {
	// A single machine would not notice. One that comes back has a run to end.
	if ctx.Err() != nil && r.past.start.IsZero() {
		return time.Time{}, ctx.Err()
	}
	r.phase(summary.Connecting)
	if r.cfg.Gate != nil && r.past.start.IsZero() {
		select {
		case <-r.cfg.Gate:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	if r.cfg.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.cfg.ConnectTimeout)
		defer cancel()
	}
	if start := r.past.start; !start.IsZero() {
		if r.faults != nil { // the links are to be made in the run
			r.faults.begun.Store(start.UnixNano())
		}
		r.cfg.Logger.Info("resuming", "step", r.machine.Steps(), "clock", r.machine.Clock())
		return start, r.node.Rejoin(ctx, start)
	}
	if err := r.node.Connect(ctx); err != nil {
		return time.Time{}, err
	}
	r.cfg.Logger.Info("all links stand; waiting for the others")
	start, err := r.node.Barrier(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("the other machines are connected to this one, but not all to each other: does each have all others as peers?")
	}
	return start, err
}

// execute runs the machine until its time is over or ctx ends.
func (r *runner) execute(ctx context.Context, start time.Time) error {
	cfg := r.cfg
	resumed := !r.past.start.IsZero()
	switch {
	case !resumed:
		r.logStart(start)
	case r.follow == nil: // else the record says which crashes there were
		r.logResume()
	}
	if err := r.commit(); err != nil {
		return err
	}
	r.status.start.Store(start.UnixNano())
	r.phase(summary.Running)
	r.pacer = newPacer(start, r.schedule != nil || cfg.AtPace)
	defer r.pacer.close()
	if !r.pacer.until(0, ctx.Done()) {
		return nil
	}
	if !resumed {
		r.started = time.Now()
	}

	end := int64(math.MaxInt64)
	if cfg.Duration > 0 {
		end = int64(cfg.Duration)
	}
	var err error
	switch {
	case resumed && r.pacer.now() >= end: // the run has ended meanwhile
	case r.follow != nil:
		err = r.tickAsRecorded(ctx.Done())
	case r.schedule == nil:
		err = r.tickUnpaced(end, ctx.Done())
	default:
		err = r.tickPaced(end, ctx.Done())
	}
	if r.schedule == nil {
		r.elapsed = time.Duration(min(r.pacer.now(), end))
	} else {
		r.figures.Missed(r.schedule.abandon(r.pacer.now()))
	}
	return err
}

func (r *runner) logStart(start time.Time) {
	cfg := &r.cfg
	r.log.Start(start, logging.Start{
		Version:  logging.Version,
		Run:      cfg.Run,
		Machines: len(cfg.Peers) + 1,
		Rate:     cfg.Rate,
		Seed:     cfg.Seed,
		Die:      cfg.Die,
		Peers:    r.peerIDs(),
	})
}

func (r *runner) logResume() {
	r.log.Resume(time.Now(), logging.Resume{Step: r.machine.Steps(), Clock: r.machine.Clock()})
}

// tickPaced executes instructions by the schedule, until end or stop.
func (r *runner) tickPaced(end int64, stop <-chan struct{}) error {
	for !r.schedule.over() {
		if !r.pacer.until(r.schedule.due(), stop) {
			return nil
		}
		if going, err := r.step(end, stop); !going || err != nil {
			return err
		}
		// A burst is committed at once.
		if r.schedule.due() > r.pacer.now() || r.log.Buffered() >= commitBytes {
			if err := r.commit(); err != nil {
				return err
			}
		}
	}
	r.pacer.until(end, stop) // for the others, the run is not over
	return nil
}

// tickUnpaced executes instructions as fast as it can, until end or stop.
func (r *runner) tickUnpaced(end int64, stop <-chan struct{}) error {
	for {
		for range commitSteps {
			if going, err := r.step(end, stop); !going || err != nil {
				return err
			}
			if r.log.Buffered() >= commitBytes {
				break
			}
		}
		if err := r.commit(); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		default:
		}
		if r.pacer.now() >= end {
			return nil
		}
	}
}

// What is committed at once, at most.
const (
	commitBytes = 32 << 10
	commitSteps = 1024
)

// step executes one instruction. It reports false when the run has ended before
// that could be done.
func (r *runner) step(end int64, stop <-chan struct{}) (going bool, err error) {
	if err := r.collect(); err != nil {
		return false, err
	}
	if r.tight && !r.room() {
		if going, err := r.stall(end, stop); !going || err != nil {
			return false, err
		}
	}
	var ev event.Event
	if err := r.machine.Step(&ev); err != nil {
		return false, fmt.Errorf("step %d: %w", r.machine.Steps()+1, err)
	}
	if r.follow != nil {
		if err := r.follow.track.Compare(&ev); err != nil {
			return false, err
		}
	}
	now := time.Now()
	if r.schedule != nil {
		late, missed := r.schedule.tick(int64(now.Sub(r.pacer.start)))
		if missed > 0 {
			r.figures.Missed(missed)
			r.cfg.Logger.Warn("ticks missed: the machine was held up, or the host cannot keep its rate", "ticks", missed, "step", ev.Step)
		}
		r.figures.Tick(late)
	}
	r.log.Event(now, &ev)
	r.figures.Observe(&ev)
	switch ev.Kind {
	case event.Send:
		r.unsent.add(ev.Messages())
	case event.Receive:
		m := ev.Messages()[0]
		r.consumed[m.From] = m.Seq
		if !r.isUnacked[m.From] {
			r.isUnacked[m.From] = true
			r.unacked = append(r.unacked, int(m.From))
		}
	}
	return true, nil
}

// collect takes in what has come. In a replay, it is held until its turn.
func (r *runner) collect() error {
	if r.follow != nil {
		return r.inbox.drain(r.follow.hold)
	}
	return r.inbox.drain(r.machine.Deliver)
}

// commit hands the log's lines to the operating system, and only then lets the
// world see what they say.
func (r *runner) commit() error {
	err := r.log.Flush()
	if err == nil && r.cfg.Sync {
		err = r.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("the event log cannot be written, so the machine stops at step %d (nothing that is not logged was sent or acknowledged): %w", r.machine.Steps(), err)
	}
	r.unsent.send(r.node.SendAll)
	for _, from := range r.unacked {
		r.node.Consumed(from, r.consumed[from])
		r.isUnacked[from] = false
	}
	r.unacked = r.unacked[:0]
	r.tight = r.scarce()
	r.status.steps.Store(r.machine.Steps())
	r.status.clock.Store(uint64(r.machine.Clock()))
	r.status.queue.Store(int64(r.machine.QueueLen()))
	return nil
}

// scarce reports whether any link could be full before the next commit, so that
// each step has to ask.
func (r *runner) scarce() bool {
	for id := range r.consumed {
		if id != r.cfg.ID && r.node.Room(id) < commitSteps {
			return true
		}
	}
	return false
}

// room reports whether the links can take what the next step would send.
func (r *runner) room() bool {
	next := r.machine.NextRecipients()
	for i := range next.Len() {
		if to := next.At(i); r.node.Room(to) <= r.unsent.waiting(to) {
			return false
		}
	}
	return true
}

// stall waits until the next step can be executed: its link has room again, or a
// message has come, so that the step is a receive. Were the send itself held
// instead, machines that wait for each other in a ring would wait for ever.
// It reports false when the run ends first.
func (r *runner) stall(end int64, stop <-chan struct{}) (going bool, err error) {
	// The messages that fill the link may be this commit's.
	if err := r.commit(); err != nil {
		return false, err
	}
	if r.room() {
		return true, nil
	}
	r.stalls++
	began := time.Now()
	defer func() { r.stalled += time.Since(began) }()
	over := make(<-chan time.Time)
	if end != math.MaxInt64 {
		timer := time.NewTimer(time.Duration(end - r.pacer.now()))
		defer timer.Stop()
		over = timer.C
	}
	for !r.room() {
		select {
		case <-r.inbox.wake:
			if err := r.collect(); err != nil {
				return false, err
			}
		case <-over:
			return false, nil
		case <-stop:
			return false, nil
		}
	}
	return true, nil
}

// end closes the run: the last messages, the stop line, the figures.
func (r *runner) end(ctx context.Context) (*summary.Machine, error) {
	if err := r.commit(); err != nil {
		return nil, err
	}
	r.phase(summary.Ending)
	if r.faults != nil {
		r.faults.lift()
	}
	linger := r.cfg.Linger
	if within := (StopWithin{}); errors.As(context.Cause(ctx), &within) {
		linger = within.Linger
	} else if r.follow != nil {
		linger = forEver // the others' records may be longer
	}
	finish, giveUp := context.WithTimeout(context.Background(), linger)
	defer giveUp()
	// A machine that dies now leaves the others with less to wait for. Whoever
	// stops a replay by hand may do so because a peer will never come.
	defer context.AfterFunc(ctx, func() {
		if within := (StopWithin{}); errors.As(context.Cause(ctx), &within) {
			time.AfterFunc(within.Linger, giveUp)
		} else if r.follow != nil {
			time.AfterFunc(r.cfg.Linger, giveUp)
		}
		if r.node.Err() != nil {
			giveUp()
		}
	})()
	stop, err := r.stop(finish)
	if err != nil {
		return nil, err
	}
	left := r.node.Left()
	// The stop line says what became of every message; so the peers may
	// forget theirs.
	if !r.node.Settle(finish) {
		r.cfg.Logger.Warn("not all peers have said that they hold this machine's last messages")
	}
	grace, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	r.node.Close(grace)
	if err := r.file.Close(); err != nil {
		return nil, fmt.Errorf("the event log cannot be closed: %w", err)
	}

	m := r.figures.Machine(r.cfg.ID, r.cfg.Rate, stop.Queue)
	if !r.started.IsZero() {
		m.Started = r.started
		m.StartLateness = r.started.Sub(r.pacer.start)
	}
	if r.schedule == nil {
		m.Elapsed = r.elapsed
	}
	m.Pending, m.Undelivered, m.Left = byPeer(stop.Pending), byPeer(stop.Undelivered), left
	m.Stalls, m.Stalled = r.stalls, r.stalled
	m.Wire = wire(r.node.Stats())
	return &m, nil
}

// stop writes the stop line, when all messages of the peers are here. An earlier
// process of the machine may have done so already.
func (r *runner) stop(ctx context.Context) (*logging.Stop, error) {
	if r.past.stop != nil {
		return r.past.stop, nil
	}
	undelivered := r.node.Drain(ctx)
	// A machine that came back at the very end may learn only now that its peers
	// know more than its log.
	if err := r.node.Err(); err != nil {
		return nil, err
	}
	if err := r.collect(); err != nil {
		return nil, err
	}
	if r.follow != nil {
		r.follow.release(r.machine.Deliver)
	}
	stop := logging.Stop{
		Step:        r.machine.Steps(),
		Clock:       r.machine.Clock(),
		Queue:       r.machine.QueueLen(),
		Pending:     logging.Counts(r.machine.Pending()),
		Undelivered: logging.Counts(undelivered),
	}
	r.log.Stop(time.Now(), stop)
	if err := r.commit(); err != nil {
		return nil, err
	}
	// What did not come because nobody waited for it is no difference.
	if r.follow != nil && r.follow.over && ctx.Err() == nil {
		return &stop, r.follow.track.CompareStop(stop)
	}
	return &stop, nil
}

func byPeer(counts []logging.Count) map[int]uint64 {
	m := make(map[int]uint64, len(counts))
	for _, c := range counts {
		m[c.Peer] = c.Messages
	}
	return m
}

func wire(s transport.Stats) summary.Wire {
	return summary.Wire{
		Messages:   s.Messages,
		Frames:     s.Frames,
		Bytes:      s.Bytes,
		Writes:     s.Writes,
		Acks:       s.Acks,
		Resent:     s.Resent,
		Duplicates: s.Duplicates,
		Reconnects: s.Reconnects,
		Refused:    s.Refused,
	}
}

// peerIDs returns the other machines' ids, ascending.
func (r *runner) peerIDs() []int {
	ids := make([]int, 0, len(r.cfg.Peers))
	for id := range len(r.cfg.Peers) + 1 {
		if id != r.cfg.ID {
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *runner) phase(p summary.Phase) {
	r.status.phase.Store(p)
	r.report(nil)
}

// report may be called from any goroutine. What is said is found out under the
// lock, so nothing is said after what is newer.
func (r *runner) report(result *summary.Machine) {
	if r.cfg.Watch == nil {
		return
	}
	r.reporting.Lock()
	defer r.reporting.Unlock()
	s := summary.Status{
		Phase:   r.status.phase.Load().(summary.Phase),
		Steps:   r.status.steps.Load(),
		Clock:   clock.Time(r.status.clock.Load()),
		Queue:   int(r.status.queue.Load()),
		Machine: result,
	}
	if ns := r.status.start.Load(); ns != 0 {
		s.Start = time.Unix(0, ns)
	}
	r.cfg.Watch(s)
}

// watch reports now and then until the returned function is called.
func (r *runner) watch() (stop func()) {
	if r.cfg.Watch == nil || r.cfg.WatchEvery <= 0 {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(r.cfg.WatchEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				r.report(nil)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}
