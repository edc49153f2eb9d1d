package trace

import (
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// haste finds out whether a paced machine executes its steps faster than its rate
// allows, from the times in its log alone.
//
// Tick k is due at start + k/rate and never executed before. How late it is has a
// bound: a tick that is later than a period and [patience] is missed instead. So n
// steps take n/rate less that bound at least, however busy the host. That holds of
// the machine's own, steady clock. The system's clock, which stamps the lines, may
// be set back besides, which makes one interval too short; but not most of them.
// Steps are therefore taken in blocks of equal length, and in longer ones, since
// the bound hides a small excess of speed in a short one.
//
// A replay that does not keep the pace of its record has the rate of the record in
// its start line, and is fast without any fault.
type haste struct {
	rate   clock.Rate
	every  uint64     // steps in a block of the first length
	left   uint64     // steps of the current one
	blocks uint64     // that are complete
	start  int64      // µs
	runs   []hasteRun // by length
	proven *hasteProof
}

// hasteRun are the blocks of one length, each twice as long as of the one before.
type hasteRun struct {
	began       int64 // µs, the current block
	total, fast int
}

// hasteProof is the block that leaves no doubt.
type hasteProof struct {
	line        int
	steps       uint64        // in the block
	took, least time.Duration // that they took, and would have to
}

const (
	// patience is by how much a tick may be late before it is missed, where its
	// period is shorter (package vm).
	patience = 100 * time.Millisecond
	// hasteBound is how many times the bound on lateness the shortest block lasts
	// at the nominal rate.
	hasteBound = 4
	// hasteProven is how many blocks of one length have to be too fast, and three
	// quarters of all: clocks are not set back as often.
	hasteProven = 6
	// slew is how much slower than the machine's own clock the system's may run
	// while it is corrected without a step, as a share.
	slew = 0.02
)

// newHaste returns nil for a machine that has no pace.
func newHaste(rate clock.Rate, start int64) *haste {
	if rate == 0 || rate == clock.Unpaced {
		return nil
	}
	every := max(rate.Ticks(int64(hasteBound*lateness(rate))), hasteBound)
	return &haste{rate: rate, every: every, left: every, start: start}
}

// lateness is the bound on how late a tick is executed.
func lateness(rate clock.Rate) time.Duration {
	return max(patience, time.Duration(rate.Due(1)))
}

// step takes in that a step was executed in this line, at this time.
func (h *haste) step(line int, micro int64) {
	if h.left--; h.left > 0 || h.proven != nil {
		return
	}
	h.left = h.every
	h.blocks++
	for i, steps := 0, h.every; ; i, steps = i+1, 2*steps {
		if i == len(h.runs) {
			h.runs = append(h.runs, hasteRun{began: h.start}) // its first one ends here
		}
		h.block(&h.runs[i], steps, line, micro)
		if h.blocks>>i&1 == 1 { // half of the next longer one
			return
		}
	}
}

// block takes in that a block of so many steps has ended.
func (h *haste) block(r *hasteRun, steps uint64, line int, micro int64) {
	took := between(r.began, micro)
	nominal := time.Duration(h.rate.Due(steps))
	least := nominal - time.Duration(slew*float64(nominal)) - lateness(h.rate)
	r.began = micro
	r.total++
	if took < least {
		r.fast++
	}
	if r.fast >= hasteProven && 4*r.fast >= 3*r.total && took < least {
		h.proven = &hasteProof{line: line, steps: steps, took: took, least: least}
	}
}

// between returns the time from one instant to another, in Unix microseconds; beyond
// 292 years, which two lines of a log may claim to be apart, just that.
func between(from, to int64) time.Duration {
	const longest = math.MaxInt64/int64(time.Microsecond) - 1 // so that a µs can be added
	return time.Duration(min(max(to-from, -longest), longest)) * time.Microsecond
}
