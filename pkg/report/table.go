package report

import (
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// listing writes one row per event.
type listing struct {
	rows    rows
	vectors bool
	some    bool         // there was a line
	started int64        // when the first was written, Unix µs
	clocks  []clock.Time // by machine
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
	latency int64 // µs
	known   bool  // whether latency is
	vectors bool
}

func newListing(machines int, r rows, vectors bool) *listing {
	return &listing{rows: r, vectors: vectors, clocks: make([]clock.Time, machines)}
}

func (t *listing) begin(b []byte) []byte { return t.rows.header(b, t.vectors) }

func (t *listing) add(b []byte, s *trace.Step) []byte {
	if !t.some {
		t.some, t.started = true, s.Micro
	}
	if s.Event == nil {
		return b
	}
	r := &t.row
	r.step, r.vectors = s, t.vectors
	r.elapsed = s.Micro - t.started
	r.jump = int64(s.Event.Clock - t.clocks[s.Machine]) // negative for a clock that goes back
	t.clocks[s.Machine] = s.Event.Clock
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
	b = append(b, "time,elapsed_us,machine,step,kind,clock,jump,queue,peer,seq,peer2,seq2,sent,latency_us"...)
	if vectors {
		b = append(b, ",vector"...)
	}
	return append(b, '\n')
}

func (csvRow) row(b []byte, r *row) []byte {
	e := r.step.Event
	b = r.time.append(b, r.step.Micro)
	b = appendInt(b, ",", r.elapsed)
	b = appendUint(b, ",", uint64(r.step.Machine))
	b = appendUint(b, ",", e.Step)
	b = append(append(b, ','), e.Kind.String()...)
	b = appendUint(b, ",", uint64(e.Clock))
	b = appendInt(b, ",", r.jump)
	b = appendUint(b, ",", uint64(e.Queue))
	switch m := e.Messages(); {
	case e.Kind == event.Receive:
		b = appendUint(b, ",", uint64(m[0].From))
		b = appendUint(b, ",", m[0].Seq)
		b = appendUint(b, ",,,", uint64(m[0].Sent))
		b = append(b, ',')
		if r.known {
			b = appendInt(b, "", r.latency)
		}
	case len(m) == 2:
		b = appendUint(b, ",", uint64(m[0].To))
		b = appendUint(b, ",", m[0].Seq)
		b = appendUint(b, ",", uint64(m[1].To))
		b = appendUint(b, ",", m[1].Seq)
		b = append(b, ",,"...)
	case len(m) == 1:
		b = appendUint(b, ",", uint64(m[0].To))
		b = appendUint(b, ",", m[0].Seq)
		b = append(b, ",,,,"...)
	default:
		b = append(b, ",,,,,,"...)
	}
	if r.vectors {
		b = appendVector(append(b, `,"`...), r.step.Vector)
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
	b = appendInt(b, `","elapsed_us":`, r.elapsed)
	b = appendUint(b, `,"machine":`, uint64(r.step.Machine))
	b = appendUint(b, `,"step":`, e.Step)
	b = append(append(b, `,"kind":"`...), e.Kind.String()...)
	b = appendUint(b, `","clock":`, uint64(e.Clock))
	b = appendInt(b, `,"jump":`, r.jump)
	b = appendUint(b, `,"queue":`, uint64(e.Queue))
	switch m := e.Messages(); {
	case e.Kind == event.Receive:
		b = appendUint(b, `,"peer":`, uint64(m[0].From))
		b = appendUint(b, `,"seq":`, m[0].Seq)
		b = appendUint(b, `,"sent":`, uint64(m[0].Sent))
		if r.known {
			b = appendInt(b, `,"latency_us":`, r.latency)
		}
	case len(m) > 0:
		b = appendUint(b, `,"peer":`, uint64(m[0].To))
		b = appendUint(b, `,"seq":`, m[0].Seq)
		if len(m) == 2 {
			b = appendUint(b, `,"peer2":`, uint64(m[1].To))
			b = appendUint(b, `,"seq2":`, m[1].Seq)
		}
	}
	if r.vectors {
		b = appendVector(append(b, `,"vector":`...), r.step.Vector)
	}
	return append(b, "}\n"...)
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
