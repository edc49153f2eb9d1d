// Package report writes recorded runs in the forms that people and other
// programs read.
//
// [Exporter] writes all events, for ShiViz, for Perfetto, or as a table, and
// [Drawing] a part of the run as a picture. Both are visitors of [trace.Run.Walk], so
// one walk can serve several of them, and hold no more in memory than they show or
// the walk does. [Export] and [Diagram] are walks for one alone. [Order] lists all events
// in one total order, and [Stats] writes figures. docs/exports.md describes every form.
package report

import (
	"cmp"
	"fmt"
	"io"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/decimal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Format is a form of export.
type Format string

// The forms of export.
const (
	ShiViz   Format = "shiviz"   // a log for ShiViz, with vector clocks
	Perfetto Format = "perfetto" // Chrome trace JSON, for ui.perfetto.dev
	CSV      Format = "csv"      // one row per event, under a header
	JSONL    Format = "jsonl"    // one JSON object per event and line
)

// Formats lists the forms of export.
var Formats = []Format{ShiViz, Perfetto, CSV, JSONL}

// Options says how an export is to be done. The zero Options is good.
type Options struct {
	// Vectors adds the vector clocks to [CSV] and [JSONL]. ShiViz always has
	// them, Perfetto never.
	Vectors bool
	// VectorBytes bounds the memory for vector clocks, see [trace.Options].
	VectorBytes int64
	// Corrected takes the times by the clock of one host, see [trace.Run.Corrected].
	Corrected bool
}

// VectorError says that an export ends early because its vector clocks would need more
// memory than they may have.
type VectorError struct {
	Machines int   // that each of them has an entry for
	Bytes    int64 // that all of messages in flight may take
}

func (e *VectorError) Error() string {
	return fmt.Sprintf("more than %d messages are in flight at one time between %d machines: their vector clocks take more than %d MB",
		e.Bytes/int64(8*e.Machines), e.Machines, e.Bytes>>20)
}

// Exported is what there is to say about an export.
type Exported struct {
	Verdict *trace.Verdict // of the run
	Notes   []string       // what whoever opens the export should know
}

// MaxVectors is the largest number of machines for which vector clocks are
// exported: each message in flight holds one.
const MaxVectors = 1024

// Export writes all events of a run, in an order that respects happened-before. A
// run that is not correct is exported all the same, as far as it goes; what is missing or
// wrong is in the verdict.
//
// An error of w ends it. Where a log cannot be read on, what came before is
// written and properly ended, and the error is returned.
func Export(w io.Writer, run *trace.Run, f Format, o Options) (*Exported, error) {
	e, err := NewExporter(w, run, f, o)
	if err != nil {
		return nil, err
	}
	walk := trace.Options{VectorBytes: o.VectorBytes}
	verdict, err := exported(run, walk, o.Corrected, e)
	notes, failed := e.End(verdict)
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	return &Exported{Verdict: verdict, Notes: notes}, nil
}

// exported walks through a run. The verdict is on what was recorded.
func exported(run *trace.Run, o trace.Options, isCorrected bool, e *Exporter) (*trace.Verdict, error) {
	if !isCorrected {
		return run.Walk(o, e)
	}
	corrected, _, err := run.Corrected()
	if err != nil {
		return nil, err
	}
	verdict, err := run.Walk(o)
	if err != nil {
		return nil, err
	}
	o.Unchecked = true
	if _, err := corrected.Walk(o, e); err != nil {
		return nil, err
	}
	return verdict, nil
}

// Exporter is a [trace.Visitor] that writes each event that it is shown.
type Exporter struct {
	form    form
	vectors bool
	tooMany VectorError // if the walk gives up vector clocks
	stages  *stages
}

// NewExporter returns an Exporter for one walk over the run. Whatever becomes of that,
// [Exporter.End] has to follow: what is shown is written by goroutines, which end there.
// It refuses a format that there is not, and vector clocks of more than [MaxVectors]
// machines.
func NewExporter(w io.Writer, run *trace.Run, f Format, o Options) (*Exporter, error) {
	e := &Exporter{vectors: o.Vectors && f != Perfetto || f == ShiViz}
	if e.vectors && run.Machines > MaxVectors {
		return nil, fmt.Errorf("%d machines: vector clocks are exported for at most %d", run.Machines, MaxVectors)
	}
	if e.form = newForm(run, f, e.vectors); e.form == nil {
		return nil, fmt.Errorf("format %q: want one of %q", f, Formats)
	}
	e.tooMany = VectorError{Machines: len(run.Present()), Bytes: cmp.Or(o.VectorBytes, trace.DefaultVectorBytes)}
	e.stages = newStages(w, e.form, e.vectors)
	return e, nil
}

// WantsVectors reports whether vector clocks are exported.
func (e *Exporter) WantsVectors() bool { return e.vectors }

// newForm returns a form of export by its name, nil where there is none.
func newForm(run *trace.Run, f Format, vectors bool) form {
	present := run.Present()
	switch f {
	case ShiViz:
		return newShiViz(present)
	case Perfetto:
		return newPerfetto(len(present))
	case CSV:
		return newListing(run.Machines, present, csvRow{}, vectors)
	case JSONL:
		return newListing(run.Machines, present, jsonRow{}, vectors)
	}
	return nil
}

// Visit takes a line, which is written then or later. It returns a [VectorError], or an
// error that the writer has returned since, of any line before.
func (e *Exporter) Visit(s *trace.Step) error {
	if e.vectors && s.Event != nil && s.Vector == nil {
		return &e.tooMany
	}
	return e.stages.add(s)
}

// End ends what is written in good form, after a walk with this verdict; nil stands
// for a walk that has not come to its end. When it returns, nothing more is written. The
// notes are what whoever opens the export should know. It returns an error of the writer,
// which Visit may have returned before.
func (e *Exporter) End(v *trace.Verdict) (notes []string, err error) {
	if err := e.stages.end(v); err != nil || v == nil {
		return nil, err
	}
	return e.form.notes(v), nil
}

// form is one form of export. Its methods append to b.
type form interface {
	begin(b []byte) []byte
	add(b []byte, s *trace.Step) []byte // each line of the run
	// end is called with nil where the run is not walked to its end.
	end(b []byte, v *trace.Verdict) []byte
	notes(v *trace.Verdict) []string
}

// appendHost appends the name that a machine has in its log: vm-0.
func appendHost(b []byte, machine int) []byte {
	return decimal.AppendInt(append(b, "vm-"...), int64(machine))
}

// appendKind appends the name of an event's kind. One that is known here costs no call.
func appendKind(b []byte, k event.Kind) []byte {
	switch k {
	case event.Internal:
		return append(b, "internal"...)
	case event.Send:
		return append(b, "send"...)
	case event.Receive:
		return append(b, "receive"...)
	}
	return append(b, k.String()...)
}

// appendUint appends what stands before a number, such as " step=", and the number.
func appendUint(b []byte, before string, n uint64) []byte {
	return decimal.Append(append(b, before...), n)
}

func appendInt(b []byte, before string, n int64) []byte {
	return decimal.AppendInt(append(b, before...), n)
}
