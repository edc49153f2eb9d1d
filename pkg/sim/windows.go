package sim

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
)

// Windows. As long as a window is no longer than the smallest latency, nothing that
// is sent in it arrives in it. So within a window no machine knows of any other: they
// may be run in any order, and on any core (conservative synchronization; R. M.
// Fujimoto, "Parallel Discrete Event Simulation", CACM 33(10), 1990). The messages
// find their order in the queues by themselves, see [message.before].

// windowShift returns the base-2 logarithm of the longest window in ns, and whether
// windows serve: there must be some latency, and a calendar of them that is no
// larger than the machines.
func (e *engine) windowShift() (shift uint8, ok bool) {
	least := e.cfg.Latency.Min()
	if least < 1 {
		return 0, false
	}
	shift = uint8(63 - bits.LeadingZeros64(uint64(least)))
	// A window much longer than all periods serves nothing.
	shift = min(shift, 32)
	return shift, bucketsFor(shift, e.longest()) < mostBuckets || e.machines >= mostBuckets || e.cfg.shards > 0
}

// longest returns the longest period.
func (e *engine) longest() (ns int64) {
	for i := range e.classes {
		ns = max(ns, e.classes[i].whole)
	}
	return ns
}

// worth is how many events a window must have for its work to be worth sharing
// out.
const worth = 400

// workers returns how many shards the machines are best run in. It decides
// nothing else.
func (e *engine) workers() int {
	shift, ok := e.windowShift()
	if !ok || e.faults != nil || e.machines <= scanMost {
		return 1
	}
	if e.cfg.shards > 0 {
		return min(e.cfg.shards, e.machines)
	}
	most := e.cfg.Workers
	if most == 0 {
		most = runtime.GOMAXPROCS(0)
	}
	events, instants := 0.0, 0.0 // per second
	for _, r := range e.cfg.Rates {
		events += r.PerSecond()
	}
	for _, c := range e.classes {
		instants += c.rate.PerSecond()
	}
	if e.cfg.Phase != experiment.Together { // else, machines of one rate tick at one instant
		instants = events
	}
	windows := min(instants, 1e9/float64(uint64(1)<<shift))
	if events/windows < worth {
		return 1
	}
	return min(most, e.machines)
}

// word is what a shard tells the others at the end of a window.
type word struct {
	next   uint64 // its next window
	events uint64
	stop   bool
	_      [64]byte
}

// cached is up to how many machines a core keeps in its own cache.
const cached = 2000

// windows executes the ticks window by window.
func (e *engine) windows(shift uint8) (stopped bool) {
	var starting sync.WaitGroup
	for _, s := range e.shards {
		starting.Go(func() {
			s.wheel = newWheel(shift, e.longest())
			for i := range s.nodes {
				if nd := &s.nodes[i]; nd.due <= e.end {
					s.wheel.add(int32(i), nd.due)
				}
			}
			for p := range s.out {
				s.out[p] = make([][]post, len(e.shards))
			}
		})
	}
	starting.Wait()
	e.batched = len(e.shards) > 1 || e.machines > cached
	words := [2][]word{make([]word, len(e.shards)), make([]word, len(e.shards))}
	gate := barrier{n: int32(len(e.shards))}
	first := uint64(noWindow)
	for _, s := range e.shards {
		first = min(first, s.wheel.next(noWindow)) // window 0 may have ticks
	}
	var others sync.WaitGroup
	for i := range e.shards[1:] {
		others.Go(func() { e.shards[i+1].runWindows(i+1, first, &words, &gate) })
	}
	stopped = e.shards[0].runWindows(0, first, &words, &gate)
	others.Wait()
	return stopped
}

func (s *shard) runWindows(me int, window uint64, words *[2][]word, gate *barrier) (stopped bool) {
	for {
		if s.batched {
			s.collect(me)
		}
		if window == noWindow || stopped {
			break
		}
		s.window(window)
		p := s.parity
		mine := &words[p][me]
		mine.next, mine.events = s.wheel.next(window), s.events
		mine.stop = s.err != nil || me == 0 && s.stop.Load()
		s.parity = 1 - p
		gate.wait()
		next, events := uint64(noWindow), uint64(0)
		for i := range words[p] {
			next = min(next, words[p][i].next)
			events += words[p][i].events
			stopped = stopped || words[p][i].stop
		}
		if me == 0 {
			s.now = int64(min((window+1)<<s.wheel.shift, uint64(s.end)))
			if window&63 == 0 || s.events >= s.look {
				s.look = s.events + batch
				s.report(events, false)
			}
		}
		window = next
	}
	if me == 0 && !stopped {
		s.now = s.end
	}
	return stopped
}

// ahead is how many machines are fetched from memory at a time, before any of
// them is looked at. A million machines are in no cache: one by one, each would
// be waited for as long as it takes to execute ten ticks.
const ahead = 16

// window executes all ticks of the shard in a window.
func (s *shard) window(window uint64) {
	w := &s.wheel
	last := int64(min((window+1)<<w.shift-1, uint64(s.end)))
	for c := w.take(window); c != 0; c = w.release(c) {
		// The chunk is copied: adding to the calendar may move the chunks.
		all := w.chunks[c]
		ids := all.ids[:all.n]
		for len(ids) > 0 {
			group := ids[:min(ahead, len(ids))]
			ids = ids[len(group):]
			if s.batched {
				s.fetch(group)
			}
			for _, id := range group {
				nd := &s.nodes[id]
				for nd.due <= last {
					s.tick(nd, s.first+int(id))
				}
				if nd.due <= s.end {
					w.add(id, nd.due)
				}
			}
		}
	}
}

// fetch asks for the memory of some machines, all at once.
func (s *shard) fetch(group []int32) {
	var touched uint64
	for _, id := range group {
		nd := &s.nodes[id]
		touched += nd.state.Steps() + nd.sends
	}
	for _, id := range group {
		if nd := &s.nodes[id]; nd.n > 0 {
			ring := s.pool.ring(nd.ring, nd.size)
			touched += uint64(ring[nd.head&uint32(len(ring)-1)].from)
		}
	}
	s.touched += touched // or the compiler would leave it out
}

// collect puts the messages of the last window into their queues.
func (s *shard) collect(me int) {
	for _, from := range s.shards {
		out := &from.out[1-s.parity][me]
		for posts := *out; len(posts) > 0; {
			group := posts[:min(ahead, len(posts))]
			posts = posts[len(group):]
			var touched uint64
			for i := range group {
				touched += uint64(s.nodes[int(group[i].to)-s.first].n)
			}
			for i := range group {
				if nd := &s.nodes[int(group[i].to)-s.first]; nd.lent {
					ring := s.pool.ring(nd.ring, nd.size)
					touched += uint64(ring[(nd.head+nd.n)&uint32(len(ring)-1)].from)
				}
			}
			s.touched += touched
			for i := range group {
				p := &group[i]
				s.push(&s.nodes[int(p.to)-s.first], p.message)
			}
		}
		*out = (*out)[:0]
	}
}

// barrier lets nobody pass until all have come.
type barrier struct {
	n       int32
	arrived atomic.Int32
	_       [56]byte
	round   atomic.Uint32
}

func (b *barrier) wait() {
	if b.n == 1 {
		return
	}
	round := b.round.Load()
	if b.arrived.Add(1) == b.n {
		b.arrived.Store(0)
		b.round.Add(1)
		return
	}
	// The others are mostly a few microseconds away; where one is not, as on
	// a host with other work, this core is given away.
	for spins := 0; b.round.Load() == round; spins++ {
		switch {
		case spins < 1000:
		case spins < 1100:
			runtime.Gosched()
		default:
			time.Sleep(20 * time.Microsecond)
		}
	}
}
