package vm

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// The payload of a message is its stamp: the sender's clock, 8 bytes.
const payloadLen = 8

func appendPayload(b []byte, sent clock.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(sent))
}

// inbox is where the network puts messages until the machine's next tick, in
// the order of their arrival.
type inbox struct {
	id   int32
	wake chan struct{} // a token: something has changed for a machine that waits

	waiting atomic.Bool // messages is not empty, or err is set
	mu      sync.Mutex
	// Invariant: the messages of each link stand in the order of Seq.
	messages []event.Message
	spare    []event.Message
	err      error // a peer broke the protocol
}

func newInbox(id int) *inbox {
	return &inbox{id: int32(id), wake: make(chan struct{}, 1)}
}

// Deliver is called by the transport.
func (b *inbox) Deliver(from int, first uint64, payloads [][]byte) {
	b.mu.Lock()
	for i, p := range payloads {
		if len(p) != payloadLen {
			b.err = fmt.Errorf("message %d of machine %d has a payload of %d bytes, want %d", first+uint64(i), from, len(p), payloadLen)
			break
		}
		b.messages = append(b.messages, event.Message{
			From: int32(from),
			To:   b.id,
			Seq:  first + uint64(i),
			Sent: clock.Time(binary.BigEndian.Uint64(p)),
		})
	}
	b.waiting.Store(true)
	b.mu.Unlock()
	b.ring()
}

// Room is called by the transport.
func (b *inbox) Room(int) { b.ring() }

func (b *inbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// drain hands all messages to deliver, in order. One goroutine may call it.
func (b *inbox) drain(deliver func(event.Message)) error {
	if !b.waiting.Load() {
		return nil
	}
	b.mu.Lock()
	messages, err := b.messages, b.err
	b.messages, b.spare = b.spare[:0], nil
	if cap(messages) <= 1<<16 { // a burst's memory is not kept
		b.spare = messages // for the next drain, and this one is over by then
	}
	b.waiting.Store(false)
	b.mu.Unlock()
	for _, m := range messages {
		deliver(m)
	}
	return err
}
