package transport

import "encoding/binary"

// outbox keeps the DATA frames of one link, encoded as they go over the wire,
// from when they are sent until the peer has consumed them.
//
// Invariant: acked < next; the chunks hold the frames acked+1 … next-1 without
// a hole and in order, and perhaps some older ones in the first chunk.
type outbox struct {
	chunks []*chunk
	spare  *chunk // an emptied one, for use again
	next   uint64 // number of the next message, from 1
	acked  uint64 // the peer has consumed all up to here
}

// chunk is a run of whole frames in one piece of memory. Bytes that are
// written are not moved or changed until the chunk is emptied, so a writer
// can send them while more are appended behind.
type chunk struct {
	first, last uint64 // numbers of its frames; last = first-1: empty
	buf         []byte
}

// Chunks grow with the traffic, so that a thousand idle links cost little.
const (
	firstChunk = 1 << 10
	largeChunk = 128 << 10
)

func newOutbox() outbox { return outbox{next: 1} }

// unconsumed returns how many messages the peer has not consumed.
func (o *outbox) unconsumed() uint64 { return o.next - 1 - o.acked }

// append encodes a message and returns its number.
func (o *outbox) append(payload []byte) uint64 {
	need := headerLen + 8 + len(payload)
	c := o.lastChunk()
	if c == nil || len(c.buf)+need > cap(c.buf) {
		c = o.addChunk(need)
	}
	seq := o.next
	c.buf = appendData(c.buf, seq, payload)
	c.last = seq
	o.next++
	return seq
}

func (o *outbox) lastChunk() *chunk {
	if len(o.chunks) == 0 {
		return nil
	}
	return o.chunks[len(o.chunks)-1]
}

func (o *outbox) addChunk(need int) *chunk {
	size := firstChunk
	if c := o.lastChunk(); c != nil {
		size = min(2*cap(c.buf), largeChunk)
	}
	size = max(size, need)
	c := o.spare
	o.spare = nil
	if c == nil || cap(c.buf) < size {
		c = &chunk{buf: make([]byte, 0, size)}
	}
	c.empty(o.next)
	o.chunks = append(o.chunks, c)
	return c
}

// empty makes the chunk ready for frames from number next on.
func (c *chunk) empty(next uint64) { *c = chunk{first: next, last: next - 1, buf: c.buf[:0]} }

// ack drops the frames up to number seq, all of which have been sent. The
// writer may still be at the frames from inFlight on (the peer can answer
// before the system call returns), so only memory before those is used again.
func (o *outbox) ack(seq, inFlight uint64) {
	o.acked = max(o.acked, seq)
	dropped := 0
	for _, c := range o.chunks {
		if c.last > o.acked {
			break
		}
		if c.last < inFlight {
			if c == o.lastChunk() {
				c.empty(o.next)
				break
			}
			o.spare = c
		}
		dropped++
	}
	if dropped > 0 {
		n := copy(o.chunks, o.chunks[dropped:])
		clear(o.chunks[n:])
		o.chunks = o.chunks[:n]
	}
}

// cursor is how far a writer has come: frame seq is the next to send. Where
// chunk is set and holds that frame, it starts at byte `at` of it.
type cursor struct {
	seq   uint64
	chunk *chunk
	at    int
}

// pending appends to bufs the bytes of the frames from the cursor on, about
// limit bytes at most, and returns the cursor behind them. The frame at the
// cursor must not have been acknowledged.
func (o *outbox) pending(bufs [][]byte, cur cursor, limit int) ([][]byte, cursor) {
	for _, c := range o.chunks {
		if c.last < cur.seq {
			continue
		}
		if limit <= 0 {
			break
		}
		from := 0
		if cur.seq > c.first {
			if from = cur.at; c != cur.chunk {
				from = c.offset(cur.seq)
			}
		}
		bufs = append(bufs, c.buf[from:len(c.buf):len(c.buf)])
		limit -= len(c.buf) - from
		cur = cursor{seq: c.last + 1, chunk: c, at: len(c.buf)}
	}
	return bufs, cur
}

// offset returns where frame seq of the chunk starts. It walks, but only where
// a new connection goes on in the middle of a chunk.
func (c *chunk) offset(seq uint64) int {
	at := 0
	for range seq - c.first {
		at += 4 + int(binary.BigEndian.Uint32(c.buf[at:]))
	}
	return at
}
