package transport

import (
	"encoding/binary"
	"slices"
	"sync"
)

// outbox keeps the DATA frames of one link, encoded as they go over the wire,
// from when they are sent until the peer has consumed them.
//
// Invariant: acked < next; the chunks hold the frames acked+1 … next-1 without
// a hole and in order, and perhaps some older ones before these.
type outbox struct {
	chunks []*chunk
	next   uint64 // number of the next message, from 1
	acked  uint64 // the peer has consumed all up to here
}

// chunk is a run of whole frames in one piece of memory. Bytes that are
// written are not moved or changed until the chunk is emptied, so a writer
// can send them while more are appended behind.
type chunk struct {
	first, last uint64 // numbers of its frames; last = first-1: empty
	buf         []byte
	end         int // buf[:end] is written
}

// Chunks grow with the traffic, so that a thousand idle links cost little.
const (
	firstChunk = 1 << 10
	largeChunk = 128 << 10
)

// largeChunks are those that no link needs at the moment.
var largeChunks = sync.Pool{New: func() any { return newChunk(largeChunk) }}

func newChunk(size int) *chunk { return &chunk{buf: make([]byte, size)} }

func newOutbox() outbox { return outbox{next: 1} }

// unconsumed returns how many messages the peer has not consumed.
func (o *outbox) unconsumed() uint64 { return o.next - 1 - o.acked }

// append adds messages, the first of them as number next.
func (o *outbox) append(payloads [][]byte) {
	for len(payloads) > 0 {
		need := dataHeaderLen + len(payloads[0])
		c := o.lastChunk()
		if c == nil || len(c.buf)-c.end < need {
			c = o.addChunk(need)
		}
		n := c.fill(o.next, payloads)
		o.next += uint64(n)
		payloads = payloads[n:]
	}
}

// fill adds as many of these messages as there is room for, and returns how many.
// A sender that is busy spends most of its time here.
func (c *chunk) fill(next uint64, payloads [][]byte) int {
	n, buf := 0, c.buf[c.end:]
	for _, p := range payloads {
		need := dataHeaderLen + len(p)
		if len(buf) < need {
			break
		}
		putData(buf, next+uint64(n), p)
		buf = buf[need:]
		n++
	}
	c.end = len(c.buf) - len(buf)
	c.last += uint64(n)
	return n
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
		size = min(2*len(c.buf), largeChunk)
	}
	size = max(size, need)
	var c *chunk
	if size == largeChunk {
		c = largeChunks.Get().(*chunk)
	} else {
		c = newChunk(size)
	}
	c.empty(o.next)
	o.chunks = append(o.chunks, c)
	return c
}

// empty makes the chunk ready for frames from number next on.
func (c *chunk) empty(next uint64) { c.first, c.last, c.end = next, next-1, 0 }

// ack notes that the peer has consumed all up to number seq, none of which it
// can have had without its being sent.
func (o *outbox) ack(seq uint64) { o.acked = max(o.acked, seq) }

// free gives back the memory of what is consumed. The writer may still be at
// the frames from inFlight on, even consumed ones (the peer can answer before
// the system call returns): their memory stays as it is.
func (o *outbox) free(inFlight uint64) {
	unused := 0
	for _, c := range o.chunks {
		if c.last > o.acked || c.last >= inFlight {
			break
		}
		unused++
	}
	if unused > 0 && unused == len(o.chunks) {
		unused-- // the last one is filled again from its start
		o.chunks[unused].empty(o.next)
	}
	if unused > 0 {
		for _, c := range o.chunks[:unused] {
			if len(c.buf) == largeChunk {
				largeChunks.Put(c)
			}
		}
		o.chunks = slices.Delete(o.chunks, 0, unused)
	}
}

// cursor is how far a writer has come: frame seq is the next to send. Where
// chunk is set and holds that frame, it starts at byte `at` of it.
type cursor struct {
	seq   uint64
	chunk *chunk
	at    int
}

// pending appends to bufs the bytes of the frames from the cursor on, up to
// number last and about limit bytes, and returns the cursor behind them. The
// frame at the cursor must not have been freed.
func (o *outbox) pending(bufs [][]byte, cur cursor, last uint64, limit int) ([][]byte, cursor) {
	for _, c := range o.chunks {
		if c.last < cur.seq {
			continue
		}
		if cur.seq > last || limit <= 0 {
			break
		}
		from, to, end := 0, c.end, c.last
		if cur.seq > c.first {
			if from = cur.at; c != cur.chunk {
				from = c.offset(cur.seq)
			}
		}
		if end > last {
			end, to = last, c.offset(last+1)
		}
		bufs = append(bufs, c.buf[from:to:to])
		limit -= to - from
		cur = cursor{seq: end + 1, chunk: c, at: to}
	}
	return bufs, cur
}

// offset returns where frame seq of the chunk starts. It walks, but only where
// a new connection goes on in the middle of a chunk, or the window ends there.
func (c *chunk) offset(seq uint64) int {
	at := 0
	for range seq - c.first {
		at += 4 + int(binary.BigEndian.Uint32(c.buf[at:]))
	}
	return at
}
