package page

import (
	"bytes"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// records is a [trace.Visitor] that keeps the lines of the logs that are no events.
type records struct {
	start    int64 // of the run, Unix µs
	some     bool
	limit    int // lines of a machine
	machines []recorded
}

// recorded is what is kept of a machine.
type recorded struct {
	start   *logging.Record // the first
	records []Record
	events  int64 // so far
	last    int64 // time of the last event, µs after the start; -1: none
	crashes []crash
	paused  bool // the last line is a pause line
}

// crash is a time in which a machine was down: from its last event to its return.
type crash struct {
	from, to int64
	paused   bool // it was stopped in order, to come back
}

const (
	// maxRecords is how many such lines of a machine are kept: the first and the stop line.
	// Of very many machines it is fewer, since all together are no more than maxLines.
	maxRecords = 1000
	maxLines   = 20_000
	// maxLine is how long such a line may be, in bytes, and maxText any other text.
	maxLine = 1024
	maxText = 4096
)

func newRecords(run *trace.Run) *records {
	n := len(run.Present())
	return &records{limit: min(maxRecords, max(2, maxLines/n)), machines: make([]recorded, n)}
}

// Visit takes in a line.
func (r *records) Visit(s *trace.Step) error {
	if !r.some {
		r.some, r.start = true, s.Micro
	}
	m := &r.machines[s.Index]
	at := s.Micro - r.start
	if s.Event != nil {
		m.events++
		m.last = at
		return nil
	}
	switch s.Other.Kind {
	case logging.OffsetRecord: // a chart shows them
		return nil
	case logging.StartRecord:
		if m.start == nil {
			m.start = s.Other
			m.last = at
		}
	case logging.ResumeRecord:
		if len(m.crashes) < maxRecords {
			m.crashes = append(m.crashes, crash{m.last, max(at, m.last), m.paused})
		}
		m.last = at
	}
	m.paused = s.Other.Kind == logging.PauseRecord
	switch kept := len(m.records); {
	case kept < r.limit:
		m.records = append(m.records, Record{})
	case s.Other.Kind != logging.StopRecord:
		return nil
	}
	m.records[len(m.records)-1] = Record{Kind: s.Other.Kind.String(), Line: s.Line, T: at, After: m.events - 1, Text: line(s.Machine, s.Other)}
	return nil
}

// line returns a line of a log that is no event, as it stands there.
func line(id int, rec *logging.Record) string {
	var b bytes.Buffer
	w := logging.NewWriter(&b, id)
	switch rec.Kind {
	case logging.StartRecord:
		w.Start(rec.Time(), rec.Start)
	case logging.PauseRecord:
		w.Pause(rec.Time(), rec.Pause)
	case logging.ResumeRecord:
		w.Resume(rec.Time(), rec.Resume)
	case logging.StopRecord:
		w.Stop(rec.Time(), rec.Stop)
	}
	if w.Flush() != nil { // of another source than a log
		return rec.Kind.String()
	}
	return quote.Short(strings.TrimSuffix(b.String(), "\n"), maxLine)
}
