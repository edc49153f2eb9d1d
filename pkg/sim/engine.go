package sim

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
	"github.com/scalemodel/lamport/pkg/machine"
)

// engine is a run.
type engine struct {
	cfg      Config
	machines int
	rules    machine.Rules
	periods  []period
	kinds    []uint32 // by machine: which of the periods it has
	shards   []*shard
	perShard int   // machines, but for the last
	shift    uint8 // a window is 2^shift ns
	end      int64
	now      int64 // what was due before it has been executed
	// constant is the latency of all messages, -1 where each has to be drawn.
	constant int64
	faults   *faults
	// batched says that messages are put into queues between two windows, and
	// not at once.
	batched bool
	logs    *logs // nil: none
	stop    atomic.Bool
	watched time.Time
	look    uint64 // events after which the watch is looked at
}

func newEngine(cfg Config) (*engine, error) {
	n := len(cfg.Rates)
	e := &engine{cfg: cfg, machines: n, rules: machine.Rules{Machines: n, Die: cfg.Die}, end: never, constant: -1, watched: time.Now()}
	if cfg.Duration > 0 {
		e.end = int64(cfg.Duration)
	}
	var err error
	switch {
	case !cfg.Faults.Empty():
		if e.faults, err = newFaults(&cfg); err != nil {
			return nil, err
		}
	default:
		if d, ok := cfg.Latency.Fixed(); ok {
			e.constant = int64(d)
		}
	}
	// A machine that a fault may keep from its turn keeps nobody else from theirs.
	e.periods, e.kinds = periods(cfg.Rates, e.faults == nil)
	workers := e.workers()
	e.perShard = (n + workers - 1) / workers
	var mustering sync.WaitGroup
	for first := 0; first < n; first += e.perShard {
		s := &shard{engine: e, first: first}
		e.shards = append(e.shards, s)
		mustering.Go(func() { s.muster(min(e.perShard, n-first)) })
	}
	mustering.Wait()
	if cfg.logged() || e.faults != nil && e.faults.plan.Has(fault.Kill) {
		if e.logs, err = openLogs(e); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// cores returns how many may be used.
func (e *engine) cores() int {
	if e.cfg.Workers > 0 {
		return e.cfg.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// origin returns when a machine starts.
func (e *engine) origin(id int) int64 {
	if !e.phased() {
		return 0
	}
	return int64(below(splitmix.First(e.cfg.Seed^saltPhase)+uint64(id), uint64(periodOf(e.cfg.Rates[id]).whole)))
}

func (e *engine) shardOf(id int) *shard { return e.shards[id/e.perShard] }

func (e *engine) node(id int) *node {
	s := e.shardOf(id)
	return &s.nodes[s.places[id-s.first]]
}

func (e *engine) queue(id int) *queue {
	s := e.shardOf(id)
	return &s.queues[s.places[id-s.first]]
}

// arrives returns when a message is in its recipient's queue, if none on its link
// is slower. A link carries one message a step at most.
func (e *engine) arrives(from, to int, step uint64, now int64) int64 {
	if e.faults != nil {
		return e.route(from, to, step, now)
	}
	return now + e.latency(from, to, step)
}

// latency returns the latency that a number stands for on a link.
func (e *engine) latency(from, to int, key uint64) int64 {
	link := splitmix.First(splitmix.First(e.cfg.Seed^saltLatency) + uint64(from)<<32 + uint64(to))
	return e.cfg.Latency.Draw(link + key*splitmix.Golden)
}

// run executes everything that is due until the end of the run. It reports whether
// it was stopped before.
func (e *engine) run() (stopped bool, err error) {
	shift, ok := e.windowShift()
	switch {
	case e.faults == nil && len(e.shards) == 1 && e.machines <= cached && e.foreseeable(shift):
		stopped = e.ahead(shift)
	case e.faults == nil && len(e.shards) == 1 && len(e.shards[0].rotas) <= scanMost && (e.machines <= cached || !ok):
		stopped = e.scan()
	case e.faults == nil && ok:
		stopped = e.windows(shift)
	default:
		stopped = e.heap()
	}
	if err := e.failed(); err != nil {
		return false, err
	}
	e.report(e.events(), true)
	return stopped, nil
}

// scanMost is up to how many rotas a look at all of them finds the next tick
// faster than any order kept among them.
const scanMost = 1 << keyBits

// batch is how many ticks are executed between two looks at the world.
const batch = 4096

// scan executes the ticks of a few rotas, in their order.
func (e *engine) scan() (stopped bool) {
	s := e.shards[0]
	run := s.scanApart
	if e.cfg.Latency.Min() == 0 {
		run = s.scanStrictly
	}
	for !run() {
		if e.pause() {
			return true
		}
	}
	e.now = e.end
	return false
}

// scanStrictly executes some ticks where messages may arrive at once, so that at one
// instant the order of the machines counts. It reports whether none is left.
func (s *shard) scanStrictly() (done bool) {
	for range batch {
		next := s.next()
		if next.due > s.end {
			return true
		}
		s.now = next.due
		s.tick(next)
	}
	return false
}

// next returns the rota whose turn is next; at one instant, that of the lowest id.
func (s *shard) next() *rota {
	next := &s.rotas[0]
	for i := 1; i < len(s.rotas); i++ {
		if r := &s.rotas[i]; r.due < next.due || r.due == next.due && s.nodes[r.next].id < s.nodes[next.next].id {
			next = r
		}
	}
	return next
}

// keyBits are those of a key in which the number of a rota stands.
const keyBits = 4

// scanApart executes some ticks where messages take some time, so that at one instant
// the machines may take turns in any order. It reports whether none is left.
//
// Rotas are compared by keys: how long after now each is due, and below it the number of
// the rota. The least key is found without a branch, which nobody could predict.
func (s *shard) scanApart() (done bool) {
	const far = 1<<(62-keyBits) - 1 // so long after now that the end of this batch is nearer, or never
	var keys [scanMost]int64
	since := s.next().due
	key := func(i int) int64 { return min(s.rotas[i].due-since, far)<<keyBits | int64(i) }
	for i := range keys {
		keys[i] = math.MaxInt64
	}
	for i := range s.rotas {
		keys[i] = key(i)
	}
	for look := s.events + batch; s.events < look; {
		least := keys[0]
		for i := 1; i < len(s.rotas); i++ {
			least = min(least, keys[i&(len(keys)-1)])
		}
		i := int(least & (1<<keyBits - 1))
		r := &s.rotas[i]
		now := r.due
		if now > s.end {
			return true
		}
		if least>>keyBits == far {
			break
		}
		for r.due == now {
			place := r.next
			r.advance(s.offsets)
			s.step(place, now)
		}
		keys[i] = key(i)
		s.now = now
	}
	return false
}

// pause is called now and then. It reports whether the run is to be stopped.
func (e *engine) pause() bool {
	e.report(e.events(), false)
	return e.failed() != nil || e.stop.Load()
}

// failed returns what makes the run worthless.
func (e *engine) failed() error {
	for _, s := range e.shards {
		if s.err != nil {
			return s.err
		}
	}
	if e.logs != nil {
		return e.logs.failed()
	}
	return nil
}

func (e *engine) report(events uint64, last bool) {
	if e.cfg.Watch == nil {
		return
	}
	if now := time.Now(); last || now.Sub(e.watched) >= e.cfg.WatchEvery {
		e.watched = now
		e.cfg.Watch(Progress{At: time.Duration(e.now), Events: events})
	}
}

func (e *engine) events() (n uint64) {
	for _, s := range e.shards {
		n += s.events
	}
	return n
}

// finish closes the logs in order. Messages that are under way arrive first.
func (e *engine) finish() error {
	if e.faults != nil {
		e.restore()
		if err := e.shards[0].err; err != nil {
			return err
		}
	}
	if e.logs == nil {
		return nil
	}
	for id := range e.machines {
		e.logs.hand(id)
	}
	if err := e.logs.settle(); err != nil {
		return err
	}
	for id := range e.machines {
		at := max(e.now, e.origin(id))
		s, q := e.shardOf(id), e.queue(id)
		if q.n > 0 {
			ring := s.ring(q)
			at = max(at, ring[(q.head+q.n-1)&uint32(len(ring)-1)].arrival)
		}
		if err := e.logs.stop(id, at, e.node(id), q.n, e.pending(id)); err != nil {
			return err
		}
	}
	return nil
}

// pending returns how many messages wait for a machine, by sender.
func (e *engine) pending(id int) map[int]uint64 {
	q := e.queue(id)
	if q.n == 0 {
		return nil
	}
	pending := make(map[int]uint64)
	ring := e.shardOf(id).ring(q)
	for i := range q.n {
		pending[int(ring[(q.head+i)&uint32(len(ring)-1)].from)]++
	}
	return pending
}

func (e *engine) close() {
	if e.logs != nil {
		e.logs.close()
	}
}

// instant returns the global time of an instant.
func instant(ns int64) time.Time {
	return time.Unix(experiment.Epoch.Unix()+ns/1e9, ns%1e9)
}
