// Package report writes recorded runs in the forms that people and other
// programs read.
//
// [Export] writes all events, for ShiViz, for Perfetto, or as a table. It goes through
// the logs once, with [trace.Run.Walk], and holds no more in memory than that
// does: what comes out is written as it comes. docs/exports.md describes every form. [Stats]
// writes figures.
package report

import (
	"fmt"
	"io"
	"strconv"
	"time"

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
}

// Exported is what there is to say about an export.
type Exported struct {
	Verdict *trace.Verdict // of the run
	Notes   []string       // what whoever opens the export should know
}

// MostVectors is the largest number of machines for which vector clocks are
// exported: each message in flight holds one.
const MostVectors = 1024

// Export writes all events of a run, in an order that respects happened-before. A
// run that is not correct is exported all the same, as far as it goes; what is missing or
// wrong is in the verdict.
//
// An error of w ends it. Where a log cannot be read on, what came before is
// written and properly ended, and the error is returned.
func Export(w io.Writer, run *trace.Run, f Format, o Options) (*Exported, error) {
	var e exporter
	vectors := o.Vectors && f != Perfetto || f == ShiViz
	if vectors && run.Machines > MostVectors {
		return nil, fmt.Errorf("%d machines: vector clocks are exported for at most %d", run.Machines, MostVectors)
	}
	switch f {
	case ShiViz:
		e = newShiViz(run.Machines)
	case Perfetto:
		e = newPerfetto(run.Machines)
	case CSV:
		e = newListing(run.Machines, csvRow{}, vectors)
	case JSONL:
		e = newListing(run.Machines, jsonRow{}, vectors)
	default:
		return nil, fmt.Errorf("format %q: want one of %q", f, Formats)
	}
	const full = 64 << 10
	out := e.begin(make([]byte, 0, full+4096))
	var failed error // w
	flush := func() error {
		if failed == nil && len(out) > 0 {
			_, failed = w.Write(out)
			out = out[:0]
		}
		return failed
	}
	verdict, err := run.Walk(trace.Options{Vectors: vectors}, func(s *trace.Step) error {
		if out = e.add(out, s); len(out) < full {
			return nil
		}
		return flush()
	})
	out = e.end(out, verdict)
	if flush() != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	return &Exported{Verdict: verdict, Notes: e.notes(verdict)}, nil
}

// exporter is one form of export. Its methods append to b.
type exporter interface {
	begin(b []byte) []byte
	add(b []byte, s *trace.Step) []byte // each line of the run
	// end is called with nil where the run cannot be read to its end.
	end(b []byte, v *trace.Verdict) []byte
	notes(v *trace.Verdict) []string
}

// appendHost appends the name that a machine has in its log: vm-0.
func appendHost(b []byte, machine int) []byte {
	return strconv.AppendInt(append(b, "vm-"...), int64(machine), 10)
}

// appendUint appends what stands before a number, such as " step=", and the number.
func appendUint(b []byte, before string, n uint64) []byte {
	return strconv.AppendUint(append(b, before...), n, 10)
}

func appendInt(b []byte, before string, n int64) []byte {
	return strconv.AppendInt(append(b, before...), n, 10)
}

// stamp formats times, which mostly are of the same second as the one before.
type stamp struct {
	second int64
	prefix []byte // "2006-01-02T15:04:05." of that second
}

func (t *stamp) append(b []byte, micro int64) []byte {
	second, fraction := micro/1e6, micro%1e6
	if fraction < 0 {
		second, fraction = second-1, fraction+1e6
	}
	if second != t.second || t.prefix == nil {
		t.second = second
		t.prefix = time.Unix(second, 0).UTC().AppendFormat(t.prefix[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, t.prefix...)
	for digit := int64(1e5); digit > 0; digit /= 10 {
		b = append(b, byte('0'+fraction/digit%10))
	}
	return append(b, 'Z')
}
