package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// DiagramFormats are the formats of a diagram, that for a browser first.
var DiagramFormats = []string{"svg", "tikz"}

// DiagramOptions chooses the part of a run that a diagram shows, and how large it is.
type DiagramOptions struct {
	// From and To are times after the run's start. A To of 0, or behind the end of the
	// run, is that end.
	From, To time.Duration
	Machines []int  // that have a line, in this order; nil: all, as far as there is room
	Width    int    // pixels of the whole picture, 0: [DefaultWidth]
	Format   string // one of [DiagramFormats]; "": the first
	// Times says by which clock the times are, if not by each machine's own: "", or
	// words for the title.
	Times string
}

// The widths that a diagram can have, in pixels.
const (
	MinWidth     = 300
	DefaultWidth = marginLeft + 1100 + marginRight
	MaxWidth     = 20_000
)

const (
	// maxDrawn is how many events are drawn one by one. Of more, each line shows how long
	// the queue was.
	maxDrawn = 3000
	// maxQuiet is up to how many machines in a run each has its line, whether it does
	// anything in the part that is drawn or not. Of more, only those that do have one.
	maxQuiet = 64
	// maxLanes is how many lines fit. Of more machines, those have one that do something
	// first.
	maxLanes = 200
)

// Diagram draws a run as a space-time diagram: a line per machine, global
// time to the right, a mark per event with its clock above, an arrow per
// message from its send to its receive, and the length of the queue below
// the line. Where there are too many events for that, a line shows the length of the
// queue alone. In SVG it follows the reader's light or dark colours. The run is read no
// further than it takes, and not held against the laws.
func Diagram(w io.Writer, run *trace.Run, o DiagramOptions) error {
	d := NewDrawing(run, o)
	if _, err := run.Walk(trace.Options{Unchecked: true}, d); err != nil {
		return err
	}
	return d.Write(w)
}

// Drawing is a [trace.Visitor] that keeps what a diagram shows, and leaves the walk
// when it has seen that. It keeps no more than can be drawn, however long the run is.
type Drawing struct {
	options  DiagramOptions
	from, to int64 // µs after the start
	run      *trace.Run
	chosen   map[int]bool // nil: all

	start   *logging.Record   // the first
	begun   int64             // Unix µs
	end     int64             // of what was seen, µs after the start
	last    int64             // the last event of that
	beyond  bool              // the run goes on after what is drawn
	lanes   map[int]*lifeline // of the machines that do something, or were chosen
	left    map[int]bool      // those for which there was no room
	strips  strips
	marks   []mark
	arrows  []arrow
	crowded bool    // there are more events than are drawn one by one
	latest  []int64 // the last event so far of each machine that is there, µs after the start
	crashes []crash
	rates   map[int]clock.Rate
}

// NewDrawing returns a Drawing for one walk over the run.
func NewDrawing(run *trace.Run, o DiagramOptions) *Drawing {
	d := &Drawing{
		options: o, from: o.From.Microseconds(), to: o.To.Microseconds(), run: run,
		lanes: make(map[int]*lifeline), left: make(map[int]bool), rates: make(map[int]clock.Rate),
		latest: make([]int64, len(run.Present())),
	}
	if d.to == 0 {
		d.to = math.MaxInt64
	}
	d.strips = newStrips(d.from, d.to)
	switch {
	case o.Machines != nil:
		d.chosen = make(map[int]bool)
		for _, id := range o.Machines {
			d.chosen[id] = true
			d.lane(id)
		}
	case run.Machines <= maxQuiet:
		for id := range run.Machines {
			d.lane(id)
		}
	}
	return d
}

// lane returns the line of a machine, nil if it has none.
func (d *Drawing) lane(id int) *lifeline {
	l := d.lanes[id]
	switch {
	case l != nil || d.chosen != nil && !d.chosen[id]:
	case len(d.lanes) == maxLanes:
		d.left[id] = true
	default:
		l = &lifeline{id: id}
		d.lanes[id] = l
	}
	return l
}

// ErrNothingToDraw says that a diagram would be empty.
var ErrNothingToDraw = errors.New("no event lies in the part of the run that is to be drawn")

// Write writes the diagram. It fails with [ErrNothingToDraw] where it would have no event.
func (d *Drawing) Write(w io.Writer) error {
	if d.strips.events == 0 {
		return ErrNothingToDraw
	}
	if !d.beyond {
		d.to = min(d.to, max(d.over(), d.from+1))
	}
	for i := range d.crashes {
		d.crashes[i].to = min(d.crashes[i].to, d.to)
	}
	p := newPicture(d)
	switch d.options.Format {
	case "", "svg":
		_, err := io.WriteString(w, p.svg())
		return err
	case "tikz":
		_, err := io.WriteString(w, p.tikz())
		return err
	}
	return fmt.Errorf("no diagram has the format %q", d.options.Format)
}

// over returns when the run is over. Messages that are under way then arrive a little later.
func (d *Drawing) over() int64 {
	if r := d.run.Record; r != nil && r.Duration > 0 {
		if end := r.Duration.Microseconds(); d.last <= end && end <= d.end {
			return end
		}
	}
	return d.end
}

// lifeline is the line of a machine.
type lifeline struct {
	id    int
	cells []cell // of its strip
}

// mark is an event.
type mark struct {
	machine int
	at      int64 // µs after the start
	event   event.Event
}

// arrow is a message.
type arrow struct {
	from, to       int
	sent, received int64 // µs after the start
}

// crash is a time in which a machine was down: it ends with its return, and begins
// some time after its last event.
type crash struct {
	machine  int
	from, to int64 // µs after the start
}

// Visit takes in a line.
func (d *Drawing) Visit(s *trace.Step) error {
	if d.begun == 0 {
		d.begun = s.Micro
	}
	at := s.Micro - d.begun
	if at > d.to {
		d.beyond = true
	} else {
		d.end = max(d.end, at)
		if s.Event != nil {
			d.last = max(d.last, at)
		}
	}
	switch {
	case s.Event != nil:
		d.latest[s.Index] = at
	case s.Other.Kind == logging.StartRecord:
		if d.start == nil {
			d.start = s.Other
		}
		d.rates[s.Machine] = s.Other.Start.Rate
	case s.Other.Kind == logging.ResumeRecord && at >= d.from && d.latest[s.Index] <= d.to && d.lane(s.Machine) != nil:
		d.crashes = append(d.crashes, crash{s.Machine, max(d.from, d.latest[s.Index]), min(at, d.to)})
	}
	if s.Event == nil || at < d.from {
		return nil
	}
	// Lines come nearly, but not strictly, in the order of time; a message
	// that waits may come long after the window.
	switch {
	case at <= d.to:
		d.event(s, at)
	case at-d.to > int64(time.Minute/time.Microsecond):
		return trace.ErrEnough
	}
	if s.Sent != nil && !d.crowded {
		m := s.Event.Messages()[0]
		if sent := s.Sent.Micro - d.begun; sent <= d.to && d.lane(int(m.From)) != nil && d.lane(s.Machine) != nil {
			d.arrows = append(d.arrows, arrow{int(m.From), s.Machine, sent, at})
		}
	}
	return nil
}

// event takes in an event that lies in the picture.
func (d *Drawing) event(s *trace.Step, at int64) {
	l := d.lane(s.Machine)
	if l == nil {
		return
	}
	d.strips.add(d.lanes, l, at, s.Event)
	if d.crowded = d.crowded || len(d.marks) == maxDrawn; d.crowded {
		d.marks, d.arrows = nil, nil
		return
	}
	d.marks = append(d.marks, mark{s.Machine, at, *s.Event})
}

// shown returns the machines that have a line, in their order.
func (d *Drawing) shown() []int {
	if d.chosen != nil {
		return slices.Compact(slices.Clone(d.options.Machines))
	}
	ids := make([]int, 0, len(d.lanes))
	for id := range d.lanes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// strips hold how long the queues were over time, in so many cells for each line: where a
// run is longer than these, each cell takes twice the time. So nobody needs to know how
// long the run will be.
type strips struct {
	from   int64
	width  int64 // of a cell, µs
	queue  int   // the longest of all
	events int
}

// maxCells is how many cells a line has.
const maxCells = 512

// cell is what happened on a line in some time.
type cell struct {
	events int32
	queue  int32 // the longest, after an event
	last   int32 // after the last event
	clock  clock.Time
}

func newStrips(from, to int64) strips {
	width := int64(1000)
	if to != math.MaxInt64 {
		width = max(1, (to-from)/maxCells+1)
	}
	return strips{from: from, width: width}
}

func (s *strips) add(all map[int]*lifeline, l *lifeline, at int64, ev *event.Event) {
	for (at-s.from)/s.width >= maxCells {
		s.width *= 2
		for _, l := range all {
			l.fold()
		}
	}
	i := int((at - s.from) / s.width)
	for i >= len(l.cells) {
		l.cells = append(l.cells, cell{})
	}
	c := &l.cells[i]
	c.events++
	c.last = int32(min(ev.Queue, math.MaxInt32))
	c.queue = max(c.queue, c.last)
	c.clock = ev.Clock
	s.queue = max(s.queue, ev.Queue)
	s.events++
}

// fold makes one cell of every two.
func (l *lifeline) fold() {
	for i := range (len(l.cells) + 1) / 2 {
		c := l.cells[2*i]
		if 2*i+1 < len(l.cells) {
			if next := l.cells[2*i+1]; next.events > 0 {
				c.events += next.events
				c.queue = max(c.queue, next.queue)
				c.last, c.clock = next.last, next.clock
			}
		}
		l.cells[i] = c
	}
	l.cells = l.cells[:(len(l.cells)+1)/2]
}
