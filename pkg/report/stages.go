package report

import (
	"io"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// stages carry out an export behind its walk, so that the walk waits neither for the
// formatting nor for the writer, as long as both keep up with it: one goroutine formats
// the lines that the walk has kept, another one writes the text. What is on its way between
// them is bounded.
type stages struct {
	vectors bool        // whether vector clocks are kept
	kept    *batch      // lines not yet handed on
	lines   chan *batch // to be formatted
	spare   chan *batch // formatted

	form  form
	text  []byte      // not yet handed on; the formatter's, until it has ended
	texts chan []byte // to be written
	free  chan []byte // written

	w         io.Writer
	broken    chan struct{} // closed when err is set
	err       error         // of w, its first
	formatted chan struct{} // closed when the formatter has ended
	written   chan struct{} // closed when the writer has
}

const (
	ahead        = 3        // how many batches, and texts, may be on their way
	batchLines   = 512      // how many a batch takes
	batchVectors = 32 << 10 // from how many entries of vector clocks on it takes no more
	full         = 64 << 10 // how many bytes are written at once
	maxRow       = 4 << 10  // which few lines exceed
)

func newStages(w io.Writer, f form, vectors bool) *stages {
	s := &stages{
		vectors: vectors,
		lines:   make(chan *batch, ahead),
		spare:   make(chan *batch, ahead),
		form:    f,
		texts:   make(chan []byte, ahead),
		free:    make(chan []byte, ahead),
		w:       w, broken: make(chan struct{}), formatted: make(chan struct{}), written: make(chan struct{}),
	}
	for range ahead {
		s.spare <- nil // it is not made yet
		s.free <- nil
	}
	s.kept = (<-s.spare).empty()
	go s.format()
	go s.write()
	return s
}

// add takes a line. It returns an error of the writer, of any line before.
func (s *stages) add(step *trace.Step) error {
	if s.kept.add(step, s.vectors); !s.kept.isFull() {
		return nil
	}
	select {
	case <-s.broken:
		return s.err
	default:
	}
	s.lines <- s.kept
	s.kept = (<-s.spare).empty()
	return nil
}

// end writes what is left, and the end of the export. It returns an error of the writer.
func (s *stages) end(v *trace.Verdict) error {
	s.lines <- s.kept
	close(s.lines)
	<-s.formatted
	s.texts <- s.form.end(s.text, v)
	close(s.texts)
	<-s.written
	return s.err
}

func (s *stages) format() {
	defer close(s.formatted)
	s.text = s.form.begin(s.blank())
	for b := range s.lines {
		for i := range b.steps {
			if s.text = s.form.add(s.text, &b.steps[i]); len(s.text) >= full {
				s.texts <- s.text
				s.text = s.blank()
			}
		}
		s.spare <- b
	}
}

// blank returns room for text.
func (s *stages) blank() []byte {
	if b := <-s.free; b != nil {
		return b[:0]
	}
	return make([]byte, 0, full+maxRow)
}

func (s *stages) write() {
	defer close(s.written)
	for b := range s.texts {
		if s.err == nil && len(b) > 0 {
			if _, s.err = s.w.Write(b); s.err != nil {
				close(s.broken)
			}
		}
		s.free <- b // there is room: it was taken from free
	}
}

// batch holds lines of a walk with all that they refer to, in arrays that are used again.
type batch struct {
	steps   []trace.Step
	events  [batchLines]event.Event
	sent    [batchLines]trace.Flight
	vectors []uint64
}

// isFull reports whether there is no room for one more line.
func (b *batch) isFull() bool { return len(b.steps) == batchLines || len(b.vectors) >= batchVectors }

// empty returns the batch without a line.
func (b *batch) empty() *batch {
	if b == nil {
		return &batch{steps: make([]trace.Step, 0, batchLines)}
	}
	b.steps, b.vectors = b.steps[:0], b.vectors[:0]
	return b
}

// add keeps a line, with its vector clock if that is wanted.
func (b *batch) add(s *trace.Step, vectors bool) {
	n := len(b.steps)
	b.steps = append(b.steps, *s)
	kept := &b.steps[n]
	kept.Vector = nil
	if s.Event == nil {
		other := *s.Other
		kept.Other = &other
		return
	}
	b.events[n] = *s.Event
	kept.Event = &b.events[n]
	if s.Sent != nil {
		b.sent[n] = *s.Sent
		b.sent[n].Vector = nil // which goes back to the walk
		kept.Sent = &b.sent[n]
	}
	if vectors {
		from := len(b.vectors)
		b.vectors = append(b.vectors, s.Vector...)
		kept.Vector = b.vectors[from:]
	}
}
