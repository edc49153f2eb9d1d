package sim

import (
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
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
	classes  []class
	shards   []*shard
	perShard int // machines, but for the last
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
	classes := make(map[clock.Rate]uint32)
	for _, r := range cfg.Rates {
		if _, ok := classes[r]; !ok {
			classes[r] = uint32(len(e.classes))
			e.classes = append(e.classes, classOf(r))
		}
	}
	workers := e.workers()
	e.perShard = (n + workers - 1) / workers
	for first := 0; first < n; first += e.perShard {
		e.shards = append(e.shards, &shard{engine: e, first: first, nodes: make([]node, min(e.perShard, n-first))})
	}
	for id, r := range cfg.Rates {
		nd := e.node(id)
		*nd = node{state: machine.NewState(cfg.Seed, id), class: classes[r], due: e.origin(id)}
		nd.advance(&e.classes[nd.class])
	}
	if cfg.logged() || e.faults != nil && e.faults.plan.Has(fault.Kill) {
		if e.logs, err = openLogs(e); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// origin returns when a machine starts.
func (e *engine) origin(id int) int64 {
	if e.cfg.Phase == experiment.Together {
		return 0
	}
	return int64(below(splitmix.First(e.cfg.Seed^saltPhase)+uint64(id), uint64(classOf(e.cfg.Rates[id]).whole)))
}

func (e *engine) node(id int) *node { return &e.shards[id/e.perShard].nodes[id%e.perShard] }

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
	case e.faults == nil && e.machines <= scanMost && len(e.shards) == 1:
		stopped = e.scan()
	case e.faults == nil && ok:
		stopped = e.windows(shift)
	default:
		stopped = e.heap()
	}
	for _, s := range e.shards {
		if s.err != nil {
			return false, s.err
		}
	}
	e.report(e.events(), true)
	return stopped, nil
}

// scanMost is up to how many machines a look at all of them finds the next tick
// faster than any order kept among them.
const scanMost = 12

// batch is how many ticks are executed between two looks at the world.
const batch = 4096

// scan executes the ticks of a few machines, in their order.
func (e *engine) scan() (stopped bool) {
	s := e.shards[0]
	for {
		for range batch {
			id, due := 0, s.nodes[0].due
			for i := 1; i < len(s.nodes); i++ {
				if s.nodes[i].due < due {
					id, due = i, s.nodes[i].due
				}
			}
			if due > e.end {
				e.now = e.end
				return false
			}
			e.now = due
			s.tick(&s.nodes[id], id)
		}
		if e.pause() {
			return true
		}
	}
}

// pause is called now and then. It reports whether the run is to be stopped.
func (e *engine) pause() bool {
	e.report(e.events(), false)
	for _, s := range e.shards {
		if s.err != nil {
			return true
		}
	}
	return e.stop.Load()
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
		at := max(e.now, e.origin(id))
		s, nd := e.shardOf(id), e.node(id)
		if nd.n > 0 {
			ring := s.pool.ring(nd.ring, nd.size)
			at = max(at, ring[(nd.head+nd.n-1)&uint32(len(ring)-1)].arrival)
		}
		if err := e.logs.stop(id, at, nd, e.pending(id)); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) shardOf(id int) *shard { return e.shards[id/e.perShard] }

// pending returns how many messages wait for a machine, by sender.
func (e *engine) pending(id int) map[int]uint64 {
	nd := e.node(id)
	if nd.n == 0 {
		return nil
	}
	pending := make(map[int]uint64)
	ring := e.shardOf(id).pool.ring(nd.ring, nd.size)
	for i := range nd.n {
		pending[int(ring[(nd.head+i)&uint32(len(ring)-1)].from)]++
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
