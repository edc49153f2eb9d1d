package transport

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// outboxTwin is an outbox the dumb way, with the writer that it works for: all
// messages in a slice, and a copy of the bytes in the writer's hands.
type outboxTwin struct {
	box      outbox
	frames   [][]byte // of messages 1, 2, 3, …
	acked    uint64
	cur      cursor
	inFlight uint64
	highest  uint64   // the last that was ever sent
	hands    [][]byte // what the writer is writing
	copied   []byte   // the same, as it was when it began
}

func (o *outboxTwin) append(t *rapid.T) {
	size := rapid.OneOf(rapid.Just(8), rapid.IntRange(0, 30), rapid.IntRange(0, MaxPayload))
	var payloads [][]byte
	for range rapid.IntRange(0, 50).Draw(t, "messages") {
		payload := bytes.Repeat([]byte{byte(len(o.frames))}, size.Draw(t, "size"))
		payloads = append(payloads, payload)
		o.frames = append(o.frames, appendData(nil, uint64(len(o.frames))+1, payload))
	}
	o.box.append(payloads)
	for _, p := range payloads {
		clear(p) // it was copied
	}
	require.Equal(t, uint64(len(o.frames))+1, o.box.next)
}

func (o *outboxTwin) write(t *rapid.T) {
	o.written(t)
	next := uint64(len(o.frames)) + 1
	last := rapid.Uint64Range(o.cur.seq-1, next-1).Draw(t, "last")
	limit := rapid.OneOf(rapid.Just(1), rapid.IntRange(1, 1<<20)).Draw(t, "limit")
	from := o.cur.seq
	o.hands, o.cur = o.box.pending(nil, o.cur, last, limit)
	o.highest = max(o.highest, o.cur.seq-1)
	require.LessOrEqual(t, o.cur.seq, last+1)
	if from <= last {
		require.Greater(t, o.cur.seq, from, "whoever may write something does")
	}
	o.copied = bytes.Join(o.frames[from-1:o.cur.seq-1], nil)
	require.True(t, bytes.Equal(o.copied, bytes.Join(o.hands, nil)), "not the frames %d … %d", from, o.cur.seq-1)
	for i := range o.hands[:max(len(o.hands)-1, 0)] {
		limit -= len(o.hands[i])
		require.Positive(t, limit, "no piece is added past the limit")
	}
}

// written ends the write that is under way, which may have taken long.
func (o *outboxTwin) written(t *rapid.T) {
	require.True(t, bytes.Equal(o.copied, bytes.Join(o.hands, nil)), "bytes in the writer's hands have changed")
	o.hands, o.copied = nil, nil
	o.inFlight = o.cur.seq
	o.box.free(o.inFlight)
}

func (o *outboxTwin) ack(t *rapid.T) {
	o.acked = rapid.Uint64Range(o.acked, o.cur.seq-1).Draw(t, "seq")
	o.box.ack(o.acked)
	o.box.free(o.inFlight)
}

// reconnect is what outLink.attach does, after the old writer has ended.
func (o *outboxTwin) reconnect(t *rapid.T) {
	o.written(t)
	held := rapid.Uint64Range(o.acked, o.highest).Draw(t, "held")
	o.acked = rapid.Uint64Range(o.acked, held).Draw(t, "consumed")
	o.cur = cursor{seq: held + 1}
	o.inFlight = o.cur.seq
	o.box.ack(o.acked)
	o.box.free(o.inFlight)
}

func (o *outboxTwin) check(t *rapid.T) {
	assert.Equal(t, uint64(len(o.frames))-o.acked, o.box.unconsumed())
	assert.True(t, bytes.Equal(o.copied, bytes.Join(o.hands, nil)), "bytes in the writer's hands have changed")
	bytes := 0
	for _, c := range o.box.chunks {
		bytes += len(c.buf)
	}
	kept := 0
	for _, f := range o.frames[min(o.acked, o.inFlight-1):] {
		kept += len(f)
	}
	// A chunk is as large as twice the one before, and its end may be empty
	// by a frame that did not fit.
	assert.LessOrEqual(t, bytes, 2*kept+4*largeChunk, "memory follows what is kept")
}

func TestOutboxAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := &outboxTwin{box: newOutbox(), cur: cursor{seq: 1}, inFlight: 1}
		t.Repeat(map[string]func(*rapid.T){
			"append":    o.append,
			"write":     o.write,
			"written":   o.written,
			"ack":       o.ack,
			"reconnect": o.reconnect,
			"":          o.check,
		})
	})
}

// An acknowledgement may come while the writer is still in the system call that
// sent the message. What is appended then must not go where the writer reads.
func TestOutboxKeepsWhatIsInFlight(t *testing.T) {
	for name, size := range map[string]int{"in one chunk": 8, "in large chunks": 20_000} {
		t.Run(name, func(t *testing.T) {
			box := newOutbox()
			fill := func(b byte) {
				for range 20 {
					box.append([][]byte{bytes.Repeat([]byte{b}, size)})
				}
			}
			fill('a')
			bufs, cur := box.pending(nil, cursor{seq: 1}, 20, 1<<30)
			before := bytes.Join(bufs, nil)
			box.ack(20)
			box.free(1)
			fill('b')
			assert.True(t, bytes.Equal(before, bytes.Join(bufs, nil)))

			box.free(cur.seq)
			bufs, _ = box.pending(nil, cur, 40, 1<<30)
			assert.Len(t, bytes.Join(bufs, nil), 20*(dataHeaderLen+size))
		})
	}
}

// One message at a time needs no new memory.
func TestOutboxReusesItsMemory(t *testing.T) {
	box := newOutbox()
	cur := cursor{seq: 1}
	var bufs [][]byte
	one := func() {
		box.append([][]byte{make([]byte, 8)})
		bufs, cur = box.pending(bufs[:0], cur, box.next-1, batch)
		box.ack(cur.seq - 1)
		box.free(cur.seq)
	}
	one()
	assert.Zero(t, testing.AllocsPerRun(1000, one))
	assert.Len(t, box.chunks, 1)
}
