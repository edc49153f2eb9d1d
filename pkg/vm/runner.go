package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/internal/faultconn"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// runner is a machine in its run. Its methods are called by one goroutine.
type runner struct {
	cfg    Config
	past   past
	file   *logging.File
	kept   *kept
	node   *transport.Node
	faults *faultconn.Faults
	steps  *stepper
	mode   mode
	met    *meetings // what the machines have said of themselves

	wallGiven bool // cfg.wall stands in the place of the system's clock

	came    time.Duration // for how long the run had been going on when this process came back
	goesOn  time.Duration // for how long it has to have been, for the machine to go on
	stood   bool          // the run may have stood still until then
	still   bool          // it has
	made    time.Time     // when this process began
	says    bool          // the resume line says how long that is, as the times of the log do not show it
	started time.Time     // measured; zero: not by this process, or stopped before
	ran     time.Duration // until the run was over
}

func newRunner(cfg Config, ln net.Listener) (_ *runner, err error) {
	if err := check(&cfg); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	wallGiven := cfg.wall != nil
	if !wallGiven {
		cfg.wall = time.Now
	}
	if cfg.hear == 0 {
		cfg.hear = hearingTime
	}
	r := &runner{cfg: cfg, made: time.Now(), wallGiven: wallGiven, faults: faultconn.New(cfg.Faults, cfg.ID)}
	defer func() {
		if err != nil && r.file != nil {
			_ = r.file.Discard()
		}
	}()
	back, err := newRecovery(&r.cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Resume {
		if r.file, err = back.reopen(); err != nil {
			return nil, err
		}
	}
	r.past = back.past
	r.steps = &stepper{machine: back.machine, figures: back.figures, inbox: newInbox(cfg.ID, cfg.MaxJump), watcher: newWatcher(cfg.Watch, cfg.Probe != nil), wall: cfg.wall}
	if r.mode, err = newMode(&r.cfg, r.steps, &r.past); err != nil {
		return nil, err
	}
	if r.file == nil {
		if r.file, err = logging.Create(cfg.LogDir, cfg.ID, cfg.Rate); err != nil {
			return nil, err
		}
	}
	if r.kept, err = openKept(&r.cfg, r.past.begun()); err != nil {
		return nil, err
	}
	if r.past.begun() {
		r.cfg.Peers = r.kept.identified(r.cfg.Peers)
	}
	if err = r.drawn(); err != nil {
		return nil, err
	}
	if r.node, err = r.newNode(ln, back); err != nil {
		return nil, err
	}
	r.steps.inbox.clock.Store(uint64(r.steps.machine.Clock())) // where the past has led
	r.past.sent = nil                                          // the node has it now
	r.steps.journal = newJournal(cfg.ID, r.file, cfg.Sync, r.node, r.past.consumed)
	cfg.Probe.attach(r)
	if r.past.stop == nil { // else no line follows
		r.steps.peers = r.node
	}
	return r, nil
}

// newNode makes the machine's end of its links, over TCP, with the faults and TLS on top.
func (r *runner) newNode(ln net.Listener, back *recovery) (*transport.Node, error) {
	secrets, err := r.kept.to(r.cfg.Peers, r.past.begun())
	if err != nil {
		return nil, err
	}
	past := back.links()
	for i := range past {
		past[i].Secret = r.kept.from(past[i].Peer)
	}
	seed := r.cfg.Seed
	if r.past.begun() {
		seed = back.seed
	}
	mine := newTerms(&r.cfg, back.die, seed, r.past.begun())
	if r.comesBack() {
		own := r.past.comeback(r.cfg.Rate, r.steps.machine.Steps())
		mine.back = &own
	}
	r.met = newMeetings(r.cfg.ID, mine, r.cfg.Logger)
	cfg := transport.Config{
		ID:      r.cfg.ID,
		Run:     r.cfg.Run,
		Peers:   r.cfg.Peers,
		Handler: r.steps.inbox,
		Life:    r.kept.Life,
		Secrets: secrets,
		Window:  r.cfg.Window,
		Past:    past,
		Ended:   r.past.stop != nil,
		Wall:    r.cfg.wall,
		Logger:  logging.Slog(r.cfg.Logger),
		Allow:   r.cfg.Allow,
		TLS:     underLinks(r.cfg.TLS, r.cfg.Duration, r.cfg.Logger),
		Terms:   mine.encode(),
		Meet:    r.met.meet,
		Asked:   r.cfg.Asked,
	}
	ids := make(map[string]int)
	for _, p := range r.cfg.Peers {
		ids[p.Addr] = p.ID
	}
	cfg.Dial = r.faults.Dial(new(net.Dialer).DialContext, func(addr string) int { return ids[addr] })
	cfg.Accepted = r.faults.Accepted
	cfg.Apart = r.faults.Any() // each direction has faults of its own
	return transport.New(cfg, ln)
}

// run takes the machine through all phases, and leaves nothing open.
func (r *runner) run(ctx context.Context) (*summary.Machine, error) {
	defer func() { _ = r.file.Discard() }()
	// A machine that does not come to its end says no goodbye: what its log
	// lacks must be neither sent nor acknowledged.
	abrupt, cancel := context.WithCancel(context.Background())
	cancel()
	defer r.node.Close(abrupt)
	defer r.faults.Lift() // what waits for one to be over would not end

	if err := r.kept.claim(); err != nil {
		return nil, err // a disk that is full now may have room later
	}
	start, err := r.join(ctx)
	if paused(ctx) && r.comesBack() { // there is nothing to note
		return nil, &PausedError{r.steps.machine.Steps(), r.steps.machine.Clock()}
	}
	if err != nil {
		return nil, &StartError{err, r.past.begun()}
	}
	stopReporting := r.steps.watcher.keepReporting(r.cfg.WatchEvery)
	defer stopReporting()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer r.onFailure(stop)()
	r.faults.Begin(ctx, r.instant(start))
	if r.past.stop == nil {
		if err := r.execute(ctx, start); err != nil {
			return nil, err
		}
		if err := r.node.Err(); err != nil {
			return nil, err
		}
		if paused(ctx) {
			return nil, r.leave()
		}
	}
	m, err := r.end(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.kept.over(); err != nil {
		r.cfg.Logger.Warn("the seed of this run would be taken for that of another one in this directory", "reason", err)
	}
	stopReporting() // the result is the last that Watch hears
	r.steps.watcher.done(m)
	if r.past.stop != nil {
		return m, r.past.over(&r.cfg)
	}
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
	if ctx.Err() != nil && !r.past.begun() {
		return time.Time{}, ctx.Err()
	}
	r.steps.watcher.enter(summary.Connecting)
	defer ours.begin()()
	if r.past.begun() {
		return r.rejoin(ctx)
	}
	if err := r.passGate(ctx); err != nil {
		return time.Time{}, err
	}
	ctx, cancel := r.connecting(ctx)
	defer cancel()
	if err := r.node.Connect(ctx); err != nil {
		return time.Time{}, err
	}
	r.cfg.Logger.Info("all links are up; waiting for the others")
	start, err := r.barrier(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = apart{}
	}
	if err == nil {
		err = r.settle()
	}
	return start, err
}

// apart is a deadline that was exceeded, in words that say what may be wrong.
type apart struct{}

func (apart) Error() string {
	return "the other machines are connected to this one, but not all to each other: does each have all others as peers?"
}
func (apart) Unwrap() error { return context.DeadlineExceeded }

// hearingTime is how long a machine that comes back waits for peers that do not answer. They
// may know that its log has lost lines, so it should hear them before it writes one. A
// peer that was killed with it is back within this time, and so are all where a whole
// cluster is started again; one that is gone for good must not keep the others.
const hearingTime = 5 * time.Second

// togetherTime is how long before it goes on, by the run's time, a run stands that has stood
// still. The first machine that has heard all decides when that is, and the others may need as long to
// dial each other once more, and would miss ticks.
const togetherTime = 2 * time.Second

// rejoin finds the peers of a run that goes on already, or stands still.
func (r *runner) rejoin(ctx context.Context) (time.Time, error) {
	r.faults.Since(time.Now().Add(-r.evidence(nil).elapsed())) // the links are to be made in the run
	r.cfg.Logger.Info("resuming", "step", r.steps.machine.Steps(), "clock", r.steps.machine.Clock())
	find, cancel := r.connecting(ctx)
	defer cancel()
	hear, giveUp := r.hearing(ctx)
	defer giveUp()
	company, leave := r.company(ctx)
	defer leave()
	waits := false
	peers, err := r.node.Rejoin(find, hear, func() context.Context {
		all := company()
		waits = all != nil
		return all
	})
	if err != nil && (!waits || !errors.Is(err, context.Canceled)) { // else it was stopped, and comes to its end
		return time.Time{}, err
	}
	e := r.evidence(peers)
	r.came = e.elapsed()
	r.goesOn = r.came
	r.still = e.standsStill() || e.stoodMeanwhile()
	r.stood = e.own.paused || e.standsStill()
	r.says = r.stood || e.stoodMeanwhile()
	if e.standsStill() && len(r.cfg.Peers) > 0 {
		r.came -= togetherTime // perhaps to before the start
	}
	start := time.Now().Add(-r.came)
	r.node.Resume(r.past.start, r.came)
	return start, nil
}

// comesBack reports whether the machine comes back to a run that it has not ended. One that
// does again what a record says comes back where that says.
func (r *runner) comesBack() bool {
	return r.past.begun() && r.past.stop == nil && r.cfg.Replay == nil
}

// evidence returns what is known of for how long the run has been going on, where these
// peers say so.
func (r *runner) evidence(peers []time.Duration) evidence {
	e := evidence{
		peers: peers,
		log:   r.past.proven(r.cfg.Rate, r.steps.machine.Steps()),
		wall:  r.cfg.wall().Sub(r.past.began),
	}
	if r.comesBack() {
		e.own = r.past.comeback(r.cfg.Rate, r.steps.machine.Steps())
		e.stood, e.back = r.past.stood, r.met.comebacks()
	}
	return e
}

// company returns for how long a machine waits for all its peers, where the run may
// stand still: as long as for their first coming, or as it lingers if it is stopped meanwhile. A machine whose
// time is over has nothing to miss.
func (r *runner) company(ctx context.Context) (company func() context.Context, leave context.CancelFunc) {
	patience, giveUp := r.patience(ctx)
	wait, cancel := r.connecting(patience)
	return func() context.Context {
			e := r.evidence(nil)
			if !e.standsStill() || ctx.Err() != nil || r.cfg.Duration > 0 && e.log >= r.cfg.Duration {
				return nil
			}
			r.cfg.Logger.Info("the run stands still until all its machines are back")
			return wait
		}, func() {
			cancel()
			giveUp()
		}
}

// patience returns a context that ends when a machine that is stopped before it goes on
// has lingered, and one that is paused at once.
func (r *runner) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	patience, _, giveUp := lingering{r.cfg.Linger, true}.wait(ctx, func() bool { return false })
	unlessPaused, cancel := untilPaused(ctx, patience)
	return unlessPaused, func() {
		cancel()
		giveUp()
	}
}

// hearing bounds the time in which all peers should answer. A machine that is stopped
// meanwhile still waits for as long as it lingers: its stop line is a line, too.
func (r *runner) hearing(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.past.stop != nil { // nothing will be written
		done, cancel := context.WithCancel(context.Background())
		cancel()
		return done, cancel
	}
	patience, giveUp := r.patience(ctx)
	hear, cancel := context.WithTimeout(patience, r.cfg.hear)
	return hear, func() {
		cancel()
		giveUp()
	}
}

// passGate waits at the gate, if there is one.
func (r *runner) passGate(ctx context.Context) error {
	if r.cfg.Gate == nil {
		return nil
	}
	select {
	case <-r.cfg.Gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connecting bounds the time in which the peers have to be found.
func (r *runner) connecting(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.cfg.ConnectTimeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.cfg.ConnectTimeout)
}

// execute runs the machine until its time is over or ctx ends.
func (r *runner) execute(ctx context.Context, start time.Time) error {
	s := r.steps
	if r.past.begun() {
		if r.stood {
			waitUntil(ctx, start)
		}
		if r.says {
			s.came = max(logging.Elapsed(time.Since(start)), time.Microsecond) // 0 would say nothing
		}
		r.mode.comeBack()
	} else {
		s.journal.log.Start(start, r.cfg.Start(r.cfg.ID, len(r.cfg.Peers)+1, r.cfg.Rate))
	}
	if err := s.commit(); err != nil {
		return err
	}
	s.watcher.run(start)
	if !r.past.begun() {
		r.node.Begun()
		r.cfg.Logger.Info("all start together", "at", start.UTC().Format("15:04:05.000"), "duration", r.cfg.Duration, "seed", r.cfg.Seed)
	}
	s.begin(r.instant(start), r.cfg.Duration, r.mode.exact(), ctx.Done())
	defer s.pacer.close()
	if !s.until(int64(r.goesOn)) {
		return nil
	}
	if !r.past.begun() {
		r.started = time.Now()
	}
	if r.still {
		s.delay = time.Since(r.made)
	}
	var err error
	if !r.past.begun() || s.pacer.now() < s.end || r.stood && int64(r.goesOn) <= s.end { // else the run has ended meanwhile
		err = r.mode.drive()
		// Its peers still count on it, and a stop line would say that all is well.
		if early := s.end - s.pacer.now(); err == nil && early > 0 && ctx.Err() == nil && r.cfg.Replay == nil {
			err = fmt.Errorf("the machine has come to rest at step %d, before its time, and nobody has stopped it", s.machine.Steps())
		}
	}
	r.ran = time.Duration(min(s.pacer.now(), s.end))
	return err
}

// waitUntil waits for an instant, or for the end of ctx.
func waitUntil(ctx context.Context, at time.Time) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// end closes the run.
func (r *runner) end(ctx context.Context) (*summary.Machine, error) {
	if err := r.steps.commit(); err != nil {
		return nil, err
	}
	r.steps.watcher.enter(summary.Ending)
	r.faults.Lift()
	e := ending{stepper: r.steps, mode: r.mode, peers: r.node, linger: r.cfg.Linger, leave: r.leave, logger: r.cfg.Logger}
	stop, left, err := e.run(ctx, r.past.stop)
	if err != nil {
		return nil, err
	}
	return r.result(stop, left), nil
}

// result sums the run up.
func (r *runner) result(stop *logging.Stop, left []int) *summary.Machine {
	elapsed, measured := r.mode.over(r.ran)
	m := r.steps.figures.Machine(r.cfg.ID, r.cfg.Rate, stop.Queue)
	switch {
	case r.past.stop != nil: // it had ended before: when its ticks ran is not known any more
		m.Elapsed = 0
	case measured:
		m.Elapsed = elapsed
	}
	if !r.started.IsZero() {
		m.Started = r.started
		m.StartLateness = r.started.Sub(r.steps.pacer.start)
	}
	m.Pending, m.Undelivered, m.Left = logging.ByPeer(stop.Pending), logging.ByPeer(stop.Undelivered), left
	m.Stalls, m.Stalled = r.steps.stalls, r.steps.stalled
	m.Wire = r.node.Stats()
	return &m
}
