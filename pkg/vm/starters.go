package vm

import (
	"runtime/debug"
	"sync"
	"time"
)

// startingHeap is the percentage by which the heap may grow between collections while a machine
// makes its links. Handshakes leave much garbage, and little that stays: with the usual 100,
// the four megabytes at which a small process collects are full again and again, and a
// hundred machines that start on one host spend a good part of that time on collecting.
const startingHeap = 400

// usualHeap is what [debug.SetGCPercent] starts with, where nobody has said otherwise.
const usualHeap = 100

// startingSlack is how late the system's timers may be while a machine makes its links. In
// each process a thread of Go's runtime looks, as long as there is something to do, whether
// something hangs: every 20 µs, which become 70 as Linux gathers timers. Where a hundred
// machines start on two processors, that is more than half of all switches
// between threads. Nothing at the start needs a timer to be exact.
const startingSlack = 5 * time.Millisecond

// starters are the machines of a process that make their links. Meanwhile the process takes
// things easier: its heap may grow, and its timers may be late.
type starters struct {
	// loosen lets the timers of the process be late by so much, and returns what ends that.
	loosen func(by time.Duration) (tighten func())

	mu      sync.Mutex
	count   int
	grows   bool   // startingHeap holds
	tighten func() // nil: timers are as they are always
	exact   int    // threads that need theirs to be exact
}

// ours are those of this process.
var ours = starters{loosen: loosenTimers}

// begin counts one machine more, until the returned function is called. Where somebody has
// said how much the heap may grow, by GOGC, that holds.
func (s *starters) begin() (enough func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; s.count == 1 {
		before := debug.SetGCPercent(startingHeap)
		if s.grows = before == usualHeap; !s.grows {
			debug.SetGCPercent(before)
		}
		if s.exact == 0 {
			s.tighten = s.loosen(startingSlack)
		}
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.count--; s.count > 0 {
			return
		}
		if s.grows {
			debug.SetGCPercent(usualHeap)
		}
		s.onTime()
	})
}

// beExact says that a thread is about to choose how exact its timers are, until the returned
// function is called. From then on no others of the process are changed: they all would be.
func (s *starters) beExact() (over func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exact++
	s.onTime()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.exact--
	}
}

// onTime ends that timers may be late; mu is held.
func (s *starters) onTime() {
	if s.tighten != nil {
		s.tighten()
		s.tighten = nil
	}
}
