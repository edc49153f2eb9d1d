package vm

import (
	"runtime/debug"
	"sync"
)

// startingHeap is the percentage by which the heap may grow between collections while a machine
// makes its links. Handshakes leave much garbage, and little that stays: with the usual 100,
// the four megabytes at which a small process collects are full again and again, and a
// hundred machines that start on one host spend a good part of that time on collecting.
const startingHeap = 400

// usualHeap is what [debug.SetGCPercent] starts with, where nobody has said otherwise.
const usualHeap = 100

// starters are the machines of this process that make their links.
var starters struct {
	mu    sync.Mutex
	count int
	put   bool // startingHeap holds
}

// growHeap lets the heap grow while a machine starts, until the returned function is called.
// Where somebody has said how much it may grow, by GOGC, that holds.
func growHeap() (enough func()) {
	s := &starters
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; s.count == 1 {
		before := debug.SetGCPercent(startingHeap)
		if s.put = before == usualHeap; !s.put {
			debug.SetGCPercent(before)
		}
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.count--; s.count == 0 && s.put {
			debug.SetGCPercent(usualHeap)
		}
	})
}
