package transport

import "time"

// What is said without having to be costs a frame, a write, and a wake-up at the other end. So
// an acknowledgement waits until it is worth them, and a connection is tried only where
// something is overdue and nobody else sees to it. Both are decided here, by functions that
// touch nothing.

const (
	// ackCount and acksPerWindow say how many messages are worth an acknowledgement: the
	// smaller of this many, and of this share of the window.
	ackCount      = 64
	acksPerWindow = 16
	// ackAge is for how long the first of fewer messages waits for one.
	ackAge = time.Minute
	// heldAfter is for how long HELD waits for CLOSED, which says as much. At the end of a
	// run all machines end at one instant, and have settled by then.
	heldAfter = 50 * time.Millisecond
)

// owed is what a receiver owes its sender: to say what it has consumed. That only gives memory
// back, so it can wait, unless the sender may be waiting for it.
type owed struct {
	count  uint64 // messages consumed and not acknowledged
	open   uint64 // messages that are here and not acknowledged: no fewer are with the sender
	window uint64 // the most that the sender may have: the smaller of the two ends'
	age    time.Duration
	more   bool // the rest of a frame is on its way
	ending bool // the sender has said FIN, and wants to know how far this end has come
}

// due reports whether it is said now.
//
// While the rest of a frame is on its way, the reader is sure to come by again: so then it
// waits until a share of the window is consumed, whatever the sender's window is.
func (o owed) due() bool {
	switch {
	case o.count == 0:
		return false
	case o.ending:
		return true
	case o.more:
		return o.count > o.window/acksPerWindow
	}
	return o.count >= min(ackCount, o.window/acksPerWindow) || o.open >= o.window/2 || o.age >= ackAge
}

// vigil is what the sending end of a connection knows of the other end's life.
// Invariant: heard, wrote, asked ≤ now.
type vigil struct {
	now, interval time.Duration
	oldest        time.Duration // who was heard last before this is silent; not before all were there
	heard         time.Duration // when it was heard last
	wrote         time.Duration // when something was last written to it
	asked         time.Duration // when it was first asked and has not been heard since; 0: it was not
	// quiet says that the systems of both ends notice if the other's host is gone, so that only
	// a process that lives and says nothing can go unnoticed.
	quiet bool
	// wanted says that the other end has to say something before this one can go on. Since waits
	// there are messages of which it has not said that they are consumed, which it has to at some
	// time; 0: there are none.
	wanted bool
	waits  time.Duration
}

// look reports whether the other end is to be asked whether it is there, or is given up.
func (v vigil) look() (ask, over bool) {
	half := v.now - v.interval/2
	if !v.quiet {
		return min(v.heard, v.wrote) <= half, v.heard < v.oldest
	}
	ask = v.wanted && max(v.heard, v.wrote) <= half ||
		v.waits > 0 && max(v.heard, v.waits) <= v.now-ackAge-2*v.interval ||
		v.asked > v.heard && v.wrote <= half
	return ask, unanswered(v.asked, v.heard, v.now, v.interval)
}

// unanswered reports whether an end that was asked so long ago, and was last heard then, is given
// up.
func unanswered(asked, heard, now, interval time.Duration) bool {
	return asked > heard && now-asked >= SilentIntervals*interval
}
