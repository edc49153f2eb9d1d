package sim

import (
	"sync"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/sim/internal/windows"
)

// sharing is how a shard works with others, window by window; see package windows.
type sharing struct {
	wheel windows.Wheel[int32] // of rotas
	out   windows.Outbox[post]
	// mail is what has come for the machines of each tile, a number of neighbours in
	// memory. A million machines are in no cache, and each message is for another of
	// them. So it waits until one of its tile has a turn: then it is the cache's
	// again and again, and a rota goes from tile to tile.
	mail windows.Piles[post]
}

// post is a message on its way.
type post struct {
	message
	to int32 // a machine; in the mail, its place
}

// tile is the base-2 logarithm of the machines in a tile: of a quarter of a megabyte, so that
// a core's own cache has room for one.
const tile = 11

// together is how many machines are looked up at a time, so that their cache misses
// overlap.
const together = 32

// worth is how many events a window must have for its work to be worth sharing
// out.
const worth = 400

// cached is up to how many machines a core keeps in its own cache.
const cached = 2000

// windowShift returns the base-2 logarithm of the longest window in ns, and whether
// windows serve: there must be some latency, and a calendar of them that is no
// larger than the machines.
func (e *engine) windowShift() (shift uint8, ok bool) {
	shift, ok = windows.Shift(int64(e.cfg.Latency.Min()))
	return shift, ok && (windows.Buckets(shift, e.longest()) < windows.MaxBuckets || e.machines >= windows.MaxBuckets || e.cfg.shards > 0)
}

// longest returns the longest period.
func (e *engine) longest() (ns int64) {
	for i := range e.periods {
		ns = max(ns, e.periods[i].whole)
	}
	return ns
}

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
	events, instants := e.perSecond(), 0.0
	for _, p := range e.periods {
		instants += p.rate.PerSecond()
	}
	if e.phased() { // else, machines of one rate tick at one instant
		instants = events
	}
	perWindow := min(instants, 1e9/float64(uint64(1)<<shift))
	if events/perWindow < worth {
		return 1
	}
	return min(e.cores(), e.machines)
}

// perSecond returns how many events the run has each second.
func (e *engine) perSecond() (events float64) {
	for _, r := range e.cfg.Rates {
		events += r.PerSecond()
	}
	return events
}

// phased reports whether machines of one rate need not tick at one instant.
func (e *engine) phased() bool { return e.cfg.Phase != experiment.Together }

// windows executes the ticks window by window.
func (e *engine) windows(shift uint8) (stopped bool) {
	e.shift = shift
	e.batched = len(e.shards) > 1 || e.machines > cached
	parts := make([]windows.Part, len(e.shards))
	var starting sync.WaitGroup
	for i, s := range e.shards {
		parts[i] = s
		starting.Go(s.open)
	}
	starting.Wait()
	first := uint64(windows.None)
	for _, s := range e.shards {
		first = min(first, s.wheel.Next(windows.None)) // window 0 may have ticks
	}
	stopped = windows.Run(parts, first, func(window, events uint64) {
		e.now = int64(min((window+1)<<shift, uint64(e.end)))
		if window&63 == 0 || events >= e.look {
			e.look = events + batch
			e.report(events, false)
		}
	})
	for _, s := range e.shards {
		if s.batched {
			for tile := range len(s.nodes)>>tile + 1 {
				s.deliver(tile)
			}
		}
	}
	if !stopped {
		e.now = e.end
	}
	return stopped
}

// open makes the calendar of the shard, and what messages wait in.
func (s *shard) open() {
	s.wheel = windows.NewWheel[int32](s.shift, s.longest())
	for i := range s.rotas {
		if r := &s.rotas[i]; r.due <= s.end {
			s.wheel.Add(int32(i), r.due)
		}
	}
	if s.batched {
		s.out = windows.NewOutbox[post](len(s.shards))
		s.mail = windows.NewPiles[post](len(s.nodes)>>tile + 1)
	}
}

// Execute executes all ticks of the shard in a window.
func (s *shard) Execute(window uint64) windows.Outcome {
	if s.batched {
		s.out.Turn()
	}
	w := &s.wheel
	w.Open(window)
	last := int64(min((window+1)<<s.shift-1, uint64(s.end)))
	for ids := w.Take(); len(ids) > 0; ids = w.Take() {
		if s.batched {
			s.fetch(ids)
		}
		for _, id := range ids {
			r := &s.rotas[id]
			s.turns(r, last)
			if r.due <= s.end {
				w.Add(id, r.due)
			}
		}
	}
	return windows.Outcome{Next: w.Next(window), Events: s.events, Stop: s.err != nil || s.first == 0 && s.halted()}
}

// halted reports whether a log or somebody outside ends the run.
func (e *engine) halted() bool { return e.stop.Load() || e.logs != nil && e.logs.failed() != nil }

// turns executes the ticks of a rota until an instant.
func (s *shard) turns(r *rota, last int64) {
	if !s.batched {
		for r.due <= last {
			s.tick(r)
		}
		return
	}
	for r.due <= last {
		of := r.next >> tile
		s.deliver(int(of))
		for r.due <= last && r.next>>tile == of {
			s.tick(r)
		}
	}
}

// fetch asks for the memory of rotas, and of those whose turn it is, all at once.
func (s *shard) fetch(ids []int32) {
	var touched uint64
	for _, id := range ids {
		touched += s.nodes[s.rotas[id].next].queueSum
	}
	s.touched += touched // or the compiler would leave it out
}

// Collect sorts the messages of the last window into the mail.
func (s *shard) Collect() {
	if !s.batched {
		return
	}
	me := s.first / s.perShard
	for _, from := range s.shards {
		for posts := range s.out.Sent(&from.out, me) {
			for len(posts) > 0 {
				group := posts[:min(together, len(posts))]
				posts = posts[len(group):]
				var places [together]int32
				for i := range group {
					places[i] = s.places[int(group[i].to)-s.first]
				}
				for i := range group {
					s.mail.Add(int(places[i]>>tile), post{group[i].message, places[i]})
				}
			}
		}
	}
}

// deliver puts the mail of a tile into the queues.
func (s *shard) deliver(tile int) {
	if s.mail.Empty(tile) {
		return
	}
	s.mail.Open(tile)
	for posts := s.mail.Take(); len(posts) > 0; posts = s.mail.Take() {
		var touched uint64
		for i := range posts {
			touched += uint64(s.queues[posts[i].to].n)
		}
		s.touched += touched
		for i := range posts {
			s.push(posts[i].to, &posts[i].message)
		}
	}
}
