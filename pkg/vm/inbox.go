package vm

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// The payload of a message is its stamp: the sender's clock, 8 bytes.
const payloadLen = 8

func appendPayload(b []byte, sent clock.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(sent))
}

// DefaultMaxJump is how far a stamp may be ahead of the machine's clock, where
// Config.MaxJump does not say otherwise. It cannot hurt an honest run: a Lamport
// timestamp is at most the number of the run's events so far (it is the length
// of a chain of them), so no stamp is that far ahead of anything before as many
// events have happened, in the whole run. At ten million events a second that takes
// most of a year.
const DefaultMaxJump = 1 << 48

// honestRate is more events than happen in any run in a nanosecond. By so much may all stamps
// together raise a clock in time, beyond DefaultMaxJump: many jumps that are each
// small enough would use up a clock as well as one. At this rate it takes half a year.
const honestRate = 1000

// crowd is from how many messages on they go to the machine's queue before the next
// tick, which takes them in otherwise. A slow machine gets a whole window between two ticks from
// one that runs as fast as it can, and would be milliseconds late if it moved that first.
const crowd = 1 << 12

// inbox is where the network puts messages until the machine's next tick, in
// the order of their arrival.
type inbox struct {
	id      int32
	maxJump uint64
	clock   atomic.Uint64 // the machine's, as of its last commit
	wake    chan struct{} // a token: something has changed for a machine that waits
	many    chan struct{} // a token: so much is here that it should not wait for the next tick

	began time.Time // when this process could first be sent something

	waiting atomic.Bool // messages is not empty
	mu      sync.Mutex
	// Invariant: the messages of each link stand in the order of Seq.
	messages []event.Message
	spare    []event.Message
	front    clock.Time // the latest stamp that was taken, or the clock where it was ahead
	raised   uint64     // by how much stamps have raised front, in all
}

func newInbox(id int, maxJump uint64) *inbox {
	if maxJump == 0 {
		maxJump = DefaultMaxJump
	}
	return &inbox{id: int32(id), maxJump: maxJump, wake: make(chan struct{}, 1), many: make(chan struct{}, 1), began: time.Now()}
}

// Deliver is called by the transport. Its error says that a peer has sent what no
// machine sends; then none of the messages is taken.
//
// A stamp is judged when it arrives, by the clock at the machine's last commit.
// When the message is received, perhaps much later, the clock stands there or
// further on, so this is the stricter of the two. An honest stamp passes all the
// same: what bounds it is how many events there were in the run when it was sent,
// see [DefaultMaxJump], wherever this machine's clock stands.
func (b *inbox) Deliver(from int, first uint64, payloads [][]byte) error {
	now := clock.Time(b.clock.Load())
	top := 0 // the message with the latest stamp
	for i, p := range payloads {
		if len(p) != payloadLen {
			return fmt.Errorf("message %d of machine %d has a payload of %s, want %d", first+uint64(i), from, figure.Plural(len(p), "byte"), payloadLen)
		}
		if _, err := now.ReceiveWithin(stamp(p), b.maxJump); err != nil {
			return fmt.Errorf("message %d of machine %d: %w", first+uint64(i), from, err)
		}
		if stamp(p) > stamp(payloads[top]) {
			top = i
		}
	}
	b.mu.Lock()
	if err := b.raise(now, stamp(payloads[top])); err != nil {
		b.mu.Unlock()
		return fmt.Errorf("message %d of machine %d: %w", first+uint64(top), from, err)
	}
	for i, p := range payloads {
		b.messages = append(b.messages, event.Message{
			From: int32(from),
			To:   b.id,
			Seq:  first + uint64(i),
			Sent: stamp(p),
		})
	}
	b.waiting.Store(true)
	many := len(b.messages) >= crowd
	b.mu.Unlock()
	nudge(b.wake)
	if many {
		nudge(b.many)
	}
	return nil
}

// raise takes in that the latest stamp of some messages is this one, while the machine's clock
// stands at now, unless all stamps so far would have raised it by more than honest machines
// can in that time; mu is held.
func (b *inbox) raise(now, to clock.Time) error {
	front := max(b.front, now)
	if to <= front {
		return nil
	}
	raised := b.raised + uint64(to-front)                            // at most to, as no part is counted twice
	if allowed := max(b.maxJump, DefaultMaxJump); raised > allowed { // the clock is seldom read
		since := min(uint64(time.Since(b.began)), math.MaxUint64/honestRate)
		allowed += min(since*honestRate, math.MaxUint64-allowed)
		if raised > allowed {
			return fmt.Errorf("%w: to %d, by which all stamps so far raise it by %d, %d allowed", clock.ErrJump, to, raised, allowed)
		}
	}
	b.front, b.raised = to, raised
	return nil
}

func stamp(payload []byte) clock.Time { return clock.Time(binary.BigEndian.Uint64(payload)) }

// Room is called by the transport.
func (b *inbox) Room(int) { nudge(b.wake) }

func nudge(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// drain hands all messages to deliver, in order, and reports whether there were any. One
// goroutine may call it, and deliver may not keep the slice.
func (b *inbox) drain(deliver func([]event.Message)) (some bool) {
	if !b.waiting.Load() {
		return false
	}
	b.mu.Lock()
	messages := b.messages
	b.messages, b.spare = b.spare[:0], nil
	if cap(messages) <= 1<<16 { // a burst's memory is not kept
		b.spare = messages // for the next drain, and this one is over by then
	}
	b.waiting.Store(false)
	b.mu.Unlock()
	deliver(messages)
	return true
}
