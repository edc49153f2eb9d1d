package logging

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/decimal"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/timestamp"
)

// Writer formats a machine's event log. Lines gather in a buffer until
// [Writer.Flush] hands them on, so the caller decides how many events make one
// write. It is not safe for concurrent use.
//
// Every line is byte for byte what hclog writes for the same record. A record
// that a [Reader] would refuse, because a field is out of its range, is not
// written: from then on Flush returns the error and hands nothing on.
//
// Times are written in UTC, cut to microseconds, from the year 1970 to 9999.
// They may stand still and go back.
type Writer struct {
	w   io.Writer
	id  int
	buf []byte // whole lines
	err error  // the first; nothing is formatted or handed on after it

	// What every line begins with: a time, the level and the machine's name. It
	// stays from line to line, and only what changed in the time is rewritten.
	head    [maxHead]byte
	headLen int
	time    timestamp.Writer
}

const (
	timeLen = timestamp.Len
	level   = " [INFO]  vm-"
	maxHead = timeLen + len(level) + 10 + len(": ")
	// maxEvent is no less than the longest line of an event without its
	// recipients: its head, its words, an id of up to 10 digits and up to five
	// 64-bit numbers.
	maxEvent = maxHead + 200
	// maxRecipient is a recipient's id, its 64-bit number and two marks.
	maxRecipient = 10 + 20 + 2
	// keep is the largest buffer that is kept over a Flush.
	keep = 1 << 20
)

// NewWriter returns a writer of the log of machine id, 0 … 2³¹-1. It writes
// nothing to w yet.
func NewWriter(w io.Writer, id int) *Writer {
	l := &Writer{w: w, id: id}
	if id < 0 || id > maxID {
		l.err = fmt.Errorf("event log of machine %d: want an id from 0 to %d", id, maxID)
		return l
	}
	head := append(l.head[:0], timestamp.Epoch...)
	head = append(head, level...)
	head = strconv.AppendInt(head, int64(id), 10)
	l.headLen = len(append(head, ": "...))
	return l
}

// Start writes that the machine starts.
func (w *Writer) Start(t time.Time, s Start) {
	if !w.stamp(t) {
		w.refuseTime(t)
		return
	}
	if err := checkStart(&s); err != nil {
		w.refuse(err)
		return
	}
	b := append(w.begin(), "start: version="...)
	b = appendUint(b, Version)
	b = append(b, " run="...)
	b = appendString(b, s.Run)
	b = append(b, " machines="...)
	b = appendUint(b, uint64(s.Machines))
	b = append(b, " rate="...)
	b = append(b, s.Rate.String()...)
	b = append(b, " seed="...)
	b = appendUint(b, s.Seed)
	b = append(b, " die="...)
	b = appendUint(b, uint64(s.Die))
	b = append(b, " peers="...)
	b = appendList(b, s.Peers, func(b []byte, peer int) []byte { return appendUint(b, uint64(peer)) })
	w.end(b)
}

// Event writes what one step did. The messages of a send must be from this
// machine and carry the event's clock, that of a receive must be to this
// machine: the line does not say it again.
func (w *Writer) Event(t time.Time, e *event.Event) {
	if !w.stamp(t) {
		w.refuseTime(t)
		return
	}
	if err := w.checkEvent(e); err != nil {
		w.refuse(err)
		return
	}
	m := e.Messages()
	w.buf = slices.Grow(w.buf, maxEvent+len(m)*maxRecipient)
	b := w.begin()
	switch e.Kind {
	case event.Internal:
		b = append(b, "internal: step="...)
	case event.Send:
		b = append(b, "send: step="...)
	case event.Receive:
		b = append(b, "receive: step="...)
	}
	b = appendUint(b, e.Step)
	b = append(b, " clock="...)
	b = appendUint(b, uint64(e.Clock))
	b = append(b, " queue="...)
	b = appendUint(b, uint64(e.Queue))
	switch {
	case e.Kind == event.Receive:
		b = append(b, " from="...)
		b = appendUint(b, uint64(m[0].From))
		b = append(b, " seq="...)
		b = appendUint(b, m[0].Seq)
		b = append(b, " sent="...)
		b = appendUint(b, uint64(m[0].Sent))
	case len(m) == 1:
		b = append(b, " to="...)
		b = appendRecipient(b, &m[0])
	case len(m) > 1: // hclog quotes a comma, and only with that
		b = append(b, ` to="`...)
		for i := range m {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendRecipient(b, &m[i])
		}
		b = append(b, '"')
	}
	w.end(b)
}

// Pause writes that the machine was stopped in order and is to come back.
func (w *Writer) Pause(t time.Time, p Pause) {
	if !w.stamp(t) {
		w.refuseTime(t)
		return
	}
	if err := checkElapsed(p.Elapsed); err != nil {
		w.refuse(err)
		return
	}
	b := append(w.begin(), "pause: step="...)
	b = appendUint(b, p.Step)
	b = append(b, " clock="...)
	b = appendUint(b, uint64(p.Clock))
	w.end(appendElapsed(b, p.Elapsed))
}

// Resume writes that the machine goes on after a crash or a pause.
func (w *Writer) Resume(t time.Time, r Resume) {
	if !w.stamp(t) {
		w.refuseTime(t)
		return
	}
	b := append(w.begin(), "resume: step="...)
	b = appendUint(b, r.Step)
	b = append(b, " clock="...)
	b = appendUint(b, uint64(r.Clock))
	if r.Elapsed != 0 {
		if err := checkElapsed(r.Elapsed); err != nil {
			w.refuse(err)
			return
		}
		b = appendElapsed(b, r.Elapsed)
	}
	w.end(b)
}

// Stop writes that the machine has stopped.
func (w *Writer) Stop(t time.Time, s Stop) {
	if !w.stamp(t) {
		w.refuseTime(t)
		return
	}
	if s.Queue < 0 {
		w.refuse(fmt.Errorf("queue of %d messages: want at least 0", s.Queue))
		return
	}
	if err := checkCounts("pending", s.Pending); err != nil {
		w.refuse(err)
		return
	}
	if err := checkCounts("undelivered", s.Undelivered); err != nil {
		w.refuse(err)
		return
	}
	b := append(w.begin(), "stop: step="...)
	b = appendUint(b, s.Step)
	b = append(b, " clock="...)
	b = appendUint(b, uint64(s.Clock))
	b = append(b, " queue="...)
	b = appendUint(b, uint64(s.Queue))
	b = append(b, " pending="...)
	b = appendList(b, s.Pending, appendCount)
	if len(s.Undelivered) > 0 {
		b = append(b, " undelivered="...)
		b = appendList(b, s.Undelivered, appendCount)
	}
	w.end(b)
}

// Offset writes how far a peer's system clock was ahead of this machine's.
func (w *Writer) Offset(t time.Time, o Offset) {
	if !w.stamp(t) {
		w.refuseTime(t)
		return
	}
	if err := checkOffset(&o); err != nil {
		w.refuse(err)
		return
	}
	b := append(w.begin(), "offset: peer="...)
	b = appendUint(b, uint64(o.Peer))
	b = append(b, " ahead="...)
	b = strconv.AppendInt(b, o.Ahead, 10)
	b = append(b, " within="...)
	b = appendUint(b, uint64(o.Within))
	b = append(b, " rtt="...)
	b = appendUint(b, uint64(o.RTT))
	w.end(b)
}

// Buffered returns how many bytes have not been handed on: all lines since the
// last Flush, or after an error those that never will be.
func (w *Writer) Buffered() int { return len(w.buf) }

// Flush hands all buffered lines to the underlying writer, in one Write; with
// nothing buffered it writes nothing. After an error, of that Write or of a
// record that was refused, it returns that error for ever and writes no more:
// a line must not follow one that is missing.
func (w *Writer) Flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	n, err := w.w.Write(w.buf)
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = err
		w.buf = w.buf[min(max(n, 0), len(w.buf)):]
		return err
	}
	if cap(w.buf) > keep {
		w.buf = nil
	}
	w.buf = w.buf[:0]
	return nil
}

func (w *Writer) refuse(err error) {
	w.err = fmt.Errorf("event log of machine %d: %w", w.id, err)
}

func (w *Writer) checkEvent(e *event.Event) error {
	m := e.Messages()
	switch {
	case e.Queue < 0:
		return fmt.Errorf("step %d: queue of %d messages: want at least 0", e.Step, e.Queue)
	case e.Kind == event.Internal && len(m) == 0:
		return nil
	case e.Kind == event.Send && len(m) > 0:
		for i := range m {
			if m[i].To < 0 {
				return fmt.Errorf("step %d: a message to machine %d: want 0 to %d", e.Step, m[i].To, maxID)
			}
			if int(m[i].From) != w.id || m[i].Sent != e.Clock {
				return fmt.Errorf("step %d: a message from machine %d with clock %d: want this machine and clock %d",
					e.Step, m[i].From, m[i].Sent, e.Clock)
			}
		}
		return nil
	case e.Kind == event.Receive && len(m) == 1:
		if m[0].From < 0 || int(m[0].To) != w.id {
			return fmt.Errorf("step %d: a message from machine %d to %d: want 0 to %d, and to this machine",
				e.Step, m[0].From, m[0].To, maxID)
		}
		return nil
	}
	return fmt.Errorf("step %d: %s with %s: want internal with 0, send with 1 or more, receive with 1",
		e.Step, e.Kind, figure.Plural(len(m), "message"))
}

// begin returns the buffer with the head of a new line.
func (w *Writer) begin() []byte {
	n := len(w.buf)
	b := slices.Grow(w.buf, maxHead)[:n+maxHead]
	*(*[maxHead]byte)(b[n:]) = w.head // of a fixed size, which takes no call
	return b[:n+w.headLen]
}

// end takes the buffer with the finished line.
func (w *Writer) end(b []byte) {
	if len(b)-len(w.buf) >= MaxLine {
		w.refuseLine(b)
		return
	}
	w.buf = append(b, '\n')
}

func (w *Writer) refuseLine(b []byte) {
	w.refuse(fmt.Errorf("a line of %d bytes: want at most %d", len(b)-len(w.buf)+len("\n"), MaxLine))
}

// stamp makes t the time of the next line, if there may be one. It is small enough to
// be inlined.
func (w *Writer) stamp(t time.Time) bool {
	return w.err == nil && w.time.Write((*timestamp.Text)(w.head[:]), t)
}

// refuseTime says why there is no next line: because of t, or what was before.
func (w *Writer) refuseTime(t time.Time) {
	if w.err == nil {
		w.refuse(fmt.Errorf("time %s: want the years 1970 to 9999", t.UTC().Truncate(time.Second).Format(time.RFC3339)))
	}
}

func appendUint(b []byte, v uint64) []byte { return decimal.Append(b, v) }

// appendElapsed writes a duration of at least 0 in seconds, cut to microseconds.
func appendElapsed(b []byte, d time.Duration) []byte {
	b = append(b, " elapsed="...)
	b = appendUint(b, uint64(d/time.Second))
	b = append(b, '.')
	micro := uint64(d % time.Second / time.Microsecond)
	for unit := uint64(100_000); unit > 0; unit /= 10 {
		b = append(b, byte('0'+micro/unit%10))
	}
	return b
}

func appendRecipient(b []byte, m *event.Message) []byte {
	b = appendUint(b, uint64(m.To))
	b = append(b, ':')
	return appendUint(b, m.Seq)
}

func appendCount(b []byte, c Count) []byte {
	b = appendUint(b, uint64(c.Peer))
	b = append(b, ':')
	return appendUint(b, c.Messages)
}

// appendList writes items with commas between them. hclog quotes a comma and
// the empty string; the single item, of digits and colons, stands bare.
func appendList[T any](b []byte, items []T, item func([]byte, T) []byte) []byte {
	if len(items) == 1 {
		return item(b, items[0])
	}
	b = append(b, '"')
	for i, v := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, v)
	}
	return append(b, '"')
}

// appendString writes a valid run name as hclog does, which escapes nothing in
// it but a quote.
func appendString(b []byte, s string) []byte {
	if bare(s) {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
