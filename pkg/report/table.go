package report

import (
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/decimal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// listing writes one row per event.
type listing struct {
	rows    rows
	present []int        // machines
	some    bool         // there was a line
	started int64        // when the first was written, Unix µs
	clocks  []clock.Time // of the machines that are there
	row     row
}

// rows is how rows are written.
type rows interface {
	header(b []byte, vectors bool) []byte
	row(b []byte, r *row) []byte
}

// row is an event as the tables show it.
type row struct {
	step    *trace.Step
	time    stamp // formats step.Micro
	elapsed int64 // µs
	jump    int64
	latency int64    // µs
	known   bool     // whether latency is
	vector  []uint64 // of all machines; nil: none is wanted

	last elapsed
}

// elapsed is a time with its text: many events come in one microsecond.
type elapsed struct {
	micro int64
	text  []byte // nil: there is none yet
}

func (r *row) appendElapsed(b []byte) []byte {
	if l := &r.last; l.text == nil || l.micro != r.elapsed {
		l.micro, l.text = r.elapsed, decimal.AppendInt(l.text[:0], r.elapsed)
	}
	return append(b, r.last.text...)
}

func newListing(machines int, present []int, r rows, vectors bool) *listing {
	t := &listing{rows: r, present: present, clocks: make([]clock.Time, len(present))}
	if vectors {
		t.row.vector = make([]uint64, machines)
	}
	return t
}

func (t *listing) begin(b []byte) []byte { return t.rows.header(b, t.row.vector != nil) }

func (t *listing) add(b []byte, s *trace.Step) []byte {
	if !t.some {
		t.some, t.started = true, s.Micro
	}
	if s.Event == nil {
		return b
	}
	r := &t.row
	r.step = s
	if r.vector != nil {
		for i, n := range s.Vector {
			r.vector[t.present[i]] = n
		}
	}
	r.elapsed = s.Micro - t.started
	r.jump = int64(s.Event.Clock - t.clocks[s.Index]) // negative for a clock that goes back
	t.clocks[s.Index] = s.Event.Clock
	if r.known = s.Sent != nil; r.known {
		r.latency = s.Micro - s.Sent.Micro
	}
	return t.rows.row(b, r)
}

func (t *listing) end(b []byte, _ *trace.Verdict) []byte { return b }

func (t *listing) notes(*trace.Verdict) []string { return nil }

// csvRow writes RFC 4180, but with line feeds alone, as Unix programs do.
type csvRow struct{}

func (csvRow) header(b []byte, vectors bool) []byte {
	b = append(b, "time,elapsed_us,machine,step,kind,clock,jump,queue,messages,sent,latency_us"...)
	if vectors {
		b = append(b, ",vector"...)
	}
	return append(b, '\n')
}

func (csvRow) row(b []byte, r *row) []byte {
	e := r.step.Event
	b = r.time.append(b, r.step.Micro)
	b = r.appendElapsed(append(b, ','))
	b = appendUint(b, ",", uint64(r.step.Machine))
	b = appendUint(b, ",", e.Step)
	b = appendKind(append(b, ','), e.Kind)
	b = appendUint(b, ",", uint64(e.Clock))
	b = appendInt(b, ",", r.jump)
	b = appendUint(b, ",", uint64(e.Queue))
	b = append(b, ',')
	if m := e.Messages(); len(m) > 0 {
		b = append(b, '"')
		b = appendMessages(b, m, e.Kind, "[", ",", "]")
		b = append(b, '"')
	}
	b = append(b, ',')
	if e.Kind == event.Receive {
		b = appendUint(b, "", uint64(e.Messages()[0].Sent))
	}
	b = append(b, ',')
	if r.known {
		b = appendInt(b, "", r.latency)
	}
	if r.vector != nil {
		b = appendVector(append(b, `,"`...), r.vector)
		b = append(b, '"')
	}
	return append(b, '\n')
}

// jsonRow writes JSON Lines. A value that there is not is left out.
type jsonRow struct{}

func (jsonRow) header(b []byte, _ bool) []byte { return b }

func (jsonRow) row(b []byte, r *row) []byte {
	e := r.step.Event
	b = append(b, `{"time":"`...)
	b = r.time.append(b, r.step.Micro)
	b = r.appendElapsed(append(b, `","elapsed_us":`...))
	b = appendUint(b, `,"machine":`, uint64(r.step.Machine))
	b = appendUint(b, `,"step":`, e.Step)
	b = appendKind(append(b, `,"kind":"`...), e.Kind)
	b = appendUint(b, `","clock":`, uint64(e.Clock))
	b = appendInt(b, `,"jump":`, r.jump)
	b = appendUint(b, `,"queue":`, uint64(e.Queue))
	if m := e.Messages(); len(m) > 0 {
		b = append(b, `,"messages":`...)
		b = appendMessages(b, m, e.Kind, `{"peer":`, `,"seq":`, "}")
	}
	if e.Kind == event.Receive {
		b = appendUint(b, `,"sent":`, uint64(e.Messages()[0].Sent))
	}
	if r.known {
		b = appendInt(b, `,"latency_us":`, r.latency)
	}
	if r.vector != nil {
		b = appendVector(append(b, `,"vector":`...), r.vector)
	}
	return append(b, "}\n"...)
}

// appendMessages appends a JSON array of messages, each as its peer (the recipient of what
// is sent, the sender of what is received) and its number on that link.
func appendMessages(b []byte, messages []event.Message, kind event.Kind, begin, between, end string) []byte {
	b = append(b, '[')
	for i := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		peer := messages[i].To
		if kind == event.Receive {
			peer = messages[i].From
		}
		b = appendUint(b, begin, uint64(peer))
		b = appendUint(b, between, messages[i].Seq)
		b = append(b, end...)
	}
	return append(b, ']')
}

// appendVector appends a JSON array, which SQL engines read as a list too.
func appendVector(b []byte, vector []uint64) []byte {
	b = append(b, '[')
	for i, n := range vector {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendUint(b, "", n)
	}
	return append(b, ']')
}
