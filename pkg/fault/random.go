package fault

import (
	"time"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// A random fault has one instance in each period since its start, at a random
// instant of the period. Instance k is a pure function of (seed, kind, k), so
// those that are going on at an instant are found by a division, after an hour
// as fast as after a second; there is nothing to expand, to remember or to lock.
// With gaps of independent length, each instant would be the sum of all before.

// maxInstances is how many instances of one random fault may be going on at
// a time: it bounds what one decision costs.
const maxInstances = 100

// draw is a random number that further numbers are drawn from: with(v) is a
// pure function of the draws and values so far: number v of the generator that
// is seeded with d. Only whole numbers are computed, so all platforms draw the same.
type draw uint64

func (d draw) with(v uint64) draw {
	return draw(splitmix.Mix(uint64(d) + (v+1)*splitmix.Golden))
}

// below returns a number from 0 to n-1.
func (d draw) below(n uint64) uint64 { return splitmix.Below(uint64(d), n) }

// newDraw includes the kind, so that a kill and a pause with one seed do not
// strike the same machine at the same instant.
func newDraw(seed uint64, kind Kind) draw { return draw(0).with(seed).with(uint64(kind)) }

// deriveSeed returns the seed of the i-th line of a kind that names none: short
// enough to be read out and typed again.
func deriveSeed(seed, i uint64) uint64 { return uint64(draw(0).with(seed).with(i) >> 32) }

// What is drawn for an instance.
const (
	drawInstant = iota
	drawFirst
	drawSecond
	drawSides
)

// start returns when instance k begins.
func (f *fault) start(k uint64) time.Duration {
	return f.at + time.Duration(k)*f.every + time.Duration(f.key.with(k).with(drawInstant).below(uint64(f.every)))
}

// lastPeriod returns the last period in which an instance could be over by until.
// There is one: the parser sees to it.
func (f *fault) lastPeriod() uint64 { return uint64(f.until-f.at-f.length) / uint64(f.every) }

// exists says whether there is an instance k that begins at start.
func (f *fault) exists(start time.Duration) bool { return start+f.length <= f.until }

// instances visits the instances that are going on at an instant.
func (f *fault) instances(at time.Duration, visit func(k uint64, end time.Duration)) {
	if at < f.at {
		return
	}
	// An instance that began in an earlier period than this one is over.
	first := uint64(max(0, at-f.length-f.at)) / uint64(f.every)
	last := uint64(at-f.at) / uint64(f.every)
	for k := first; k <= last; k++ {
		if start := f.start(k); start <= at && at < start+f.length && f.exists(start) {
			visit(k, start+f.length)
		}
	}
}

// victim returns the machine that instance k strikes.
func (f *fault) victim(k uint64, machines int) int {
	return int(f.key.with(k).with(drawFirst).below(uint64(machines)))
}

// pair returns two machines for instance k.
func (f *fault) pair(k uint64, machines int) (a, b int) {
	a = f.victim(k, machines)
	b = int(f.key.with(k).with(drawSecond).below(uint64(machines - 1)))
	if b >= a {
		b++
	}
	return a, b
}

// linkOf returns the link that instance k strikes.
func (f *fault) linkOf(k uint64, machines int) Link {
	a, b := f.pair(k, machines)
	if f.kind == Reset {
		return Link{From: min(a, b), To: max(a, b), Both: true}
	}
	return Link{From: a, To: b}
}

// side returns on which of two sides instance k puts machine id. A pair is drawn
// that it puts apart, so no side is empty.
func (f *fault) side(k uint64, machines, id int) int {
	switch a, b := f.pair(k, machines); id {
	case a:
		return 0
	case b:
		return 1
	}
	return int(f.key.with(k).with(drawSides).with(uint64(id)).below(2))
}

// delay returns the delay of the n-th write on a link.
func (f *fault) delay(from, to int, n uint64) time.Duration {
	if f.jitter == 0 {
		return f.mean
	}
	link := f.key.with(uint64(keyOf(from, to)))
	return f.mean - f.jitter + time.Duration(link.with(n).below(2*uint64(f.jitter)+1))
}
