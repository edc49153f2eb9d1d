// Package clock holds logical clocks and tick rates as plain values.
//
// A [Time] is a Lamport timestamp and knows the two rules by which it moves:
// [Time.Tick] for an event of the process itself, [Time.Receive] for the
// receipt of a message. [Lamport] is the same clock for many goroutines at
// once. A [Stamp] names one event among all processes and gives the total
// order. A [Rate] says how often a machine ticks in real time.
//
// Source: L. Lamport, "Time, Clocks, and the Ordering of Events in a
// Distributed System", CACM 21(7), 1978.
package clock

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
)

// Time is a Lamport timestamp. A process that has executed no event stands at 0;
// its events are stamped from 1 on.
type Time uint64

// Max is the last timestamp. A clock that stands there stays there: wrapping
// to 0 would turn logical time back.
const Max Time = math.MaxUint64

// ErrSaturated says that a clock stands at [Max], or was sent [Max], so that
// no later timestamp exists. The event must not happen.
var ErrSaturated = errors.New("logical clock is saturated: no later timestamp exists")

// ErrJump says that a message would move a clock further than its owner allows.
var ErrJump = errors.New("logical clock jumps too far")

// Tick returns the timestamp of the next event of a process that stands at t:
// an internal event or a send (Lamport 1978, IR1). On [ErrSaturated] it
// returns t.
func (t Time) Tick() (Time, error) {
	if t == Max {
		return t, ErrSaturated
	}
	return t + 1, nil
}

// Receive returns the timestamp of the receipt, by a process that stands at
// t, of a message that was stamped sent: one more than the larger of the two
// (Lamport 1978, IR2). It moves the clock even where sent is old, so the
// receipt is later than the process's own last event as well as than the
// send. On [ErrSaturated] it returns t.
func (t Time) Receive(sent Time) (Time, error) {
	later := max(t, sent)
	if later == Max {
		return t, ErrSaturated
	}
	return later + 1, nil
}

// ReceiveWithin is [Time.Receive] for messages of a sender that is not
// trusted: a stamp more than jump ahead of t is refused with [ErrJump], since
// one forged stamp close to [Max] would use up the clock of every process that
// it reaches.
func (t Time) ReceiveWithin(sent Time, jump uint64) (Time, error) {
	if sent > t && uint64(sent-t) > jump {
		return t, fmt.Errorf("%w: from %d to %d, %d allowed", ErrJump, t, sent, jump)
	}
	return t.Receive(sent)
}

// Stamp names one event of a run: when it happened in logical time, and where.
type Stamp struct {
	Time Time
	ID   int // the process
}

// Compare returns -1, 0 or +1 as s stands before, at or after o in the total
// order of all events: by timestamp, and by process where these are equal
// (Lamport 1978, the relation "⇒"). The order respects happened-before; that
// s stands before o does not say that s happened before o.
func (s Stamp) Compare(o Stamp) int {
	switch { // small enough to be inlined
	case s == o:
		return 0
	case s.Time < o.Time, s.Time == o.Time && s.ID < o.ID:
		return -1
	}
	return +1
}

// Lamport is a clock for use by many goroutines at once. The zero value stands
// at 0. A Lamport must not be copied after its first use.
type Lamport struct {
	now atomic.Uint64
}

// NewLamport returns a clock that stands at t, such as one read back from a log.
func NewLamport(t Time) *Lamport {
	l := new(Lamport)
	l.now.Store(uint64(t))
	return l
}

// Now returns the timestamp of the last event.
func (l *Lamport) Now() Time { return Time(l.now.Load()) }

// Tick moves the clock for an event of the process itself and returns the
// event's timestamp; see [Time.Tick]. On an error the clock has not moved.
func (l *Lamport) Tick() (Time, error) {
	for {
		old := l.now.Load()
		t, err := Time(old).Tick()
		if err != nil || l.now.CompareAndSwap(old, uint64(t)) {
			return t, err
		}
	}
}

// Receive moves the clock for the receipt of a message that was stamped sent,
// as one atomic step, and returns the receipt's timestamp; see
// [Time.Receive]. On an error the clock has not moved.
//
// Two steps, a raise to sent and then a tick, would let another goroutine's
// event slip in between, with a timestamp that belongs to no rule.
func (l *Lamport) Receive(sent Time) (Time, error) {
	for {
		old := l.now.Load()
		t, err := Time(old).Receive(sent)
		if err != nil || l.now.CompareAndSwap(old, uint64(t)) {
			return t, err
		}
	}
}
