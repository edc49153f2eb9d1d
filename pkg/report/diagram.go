package report

import (
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// DiagramOptions chooses the part of a run that a diagram shows, as times after
// the run's start. A To of 0 is the end.
type DiagramOptions struct {
	From, To time.Duration
}

// maxDrawn is how many events a diagram can hold and still be read.
const maxDrawn = 3000

// maxQuiet is up to how many machines in a run each has its line, whether it does
// anything in the part that is drawn or not. Of more, only those that do have one.
const maxQuiet = 64

// Diagram draws a run as a space-time diagram in SVG: a line per machine, global
// time to the right, a mark per event with its clock above, an arrow per
// message from its send to its receive, and the length of the queue below
// the line. It follows the reader's light or dark colours. The run is read no further
// than it takes, and not held against the laws.
func Diagram(w io.Writer, run *trace.Run, o DiagramOptions) error {
	d := NewDrawing(run, o)
	if _, err := run.Walk(trace.Options{Unchecked: true}, d); err != nil {
		return err
	}
	return d.WriteSVG(w)
}

// Drawing is a [trace.Visitor] that keeps what a diagram shows, and leaves the walk
// when it has seen that.
type Drawing struct {
	from, to int64       // µs after the start
	open     bool        // to is the end of the run, whenever that is
	machines int         // in the run
	lanes    map[int]int // where the line of a machine is, from the top; when all is seen
	start    int64       // Unix µs
	last     int64
	marks    []mark
	arrows   []arrow
	latest   []int64 // the last event so far of each machine that is there, µs after the start
	crashes  []crash
	failed   error // why there can be no diagram
}

// NewDrawing returns a Drawing for one walk over the run.
func NewDrawing(run *trace.Run, o DiagramOptions) *Drawing {
	d := &Drawing{from: o.From.Microseconds(), to: o.To.Microseconds(), machines: run.Machines, latest: make([]int64, len(run.Present()))}
	if d.open = o.To == 0; d.open {
		d.to = math.MaxInt64
	}
	return d
}

// WriteSVG writes the diagram. It fails where it would have no event, or more than
// can be read.
func (d *Drawing) WriteSVG(w io.Writer) error {
	if d.failed != nil {
		return d.failed
	}
	if len(d.marks) == 0 {
		return errors.New("no event lies in the part of the run that is to be drawn")
	}
	if d.open {
		d.to = d.last
	}
	for i := range d.crashes {
		d.crashes[i].to = min(d.crashes[i].to, d.to)
	}
	shown := d.shown()
	d.lanes = make(map[int]int, len(shown))
	for lane, id := range shown {
		d.lanes[id] = lane
	}
	_, err := io.WriteString(w, d.draw(shown))
	return err
}

// shown returns the machines that have a line, ascending.
func (d *Drawing) shown() []int {
	var ids []int
	if d.machines <= maxQuiet {
		for id := range d.machines {
			ids = append(ids, id)
		}
		return ids
	}
	for _, m := range d.marks {
		ids = append(ids, m.machine)
	}
	for _, a := range d.arrows {
		ids = append(ids, a.from, a.to)
	}
	for _, c := range d.crashes {
		ids = append(ids, c.machine)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
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
	if d.start == 0 {
		d.start = s.Micro
	}
	at := s.Micro - d.start
	switch {
	case s.Event != nil:
		d.latest[s.Index] = at
	case s.Other.Kind == logging.ResumeRecord && at >= d.from && d.latest[s.Index] <= d.to:
		d.crashes = append(d.crashes, crash{s.Machine, max(d.from, d.latest[s.Index]), min(at, d.to)})
	}
	if s.Event == nil || at < d.from {
		return nil
	}
	// Lines come nearly, but not strictly, in the order of time; a message
	// that waits may come long after the window.
	if at > d.to {
		if at > d.to+int64(time.Minute/time.Microsecond) {
			return trace.ErrEnough
		}
	} else {
		if len(d.marks) == maxDrawn {
			d.failed = fmt.Errorf("more than %d events lie in the part of the run that is to be drawn: choose a shorter one", maxDrawn)
			return trace.ErrEnough // the other visitors are no worse for it
		}
		d.marks = append(d.marks, mark{s.Machine, at, *s.Event})
		d.last = max(d.last, at)
	}
	if s.Sent != nil {
		m := s.Event.Messages()[0]
		if sent := s.Sent.Micro - d.start; sent <= d.to {
			d.arrows = append(d.arrows, arrow{int(m.From), s.Machine, sent, at})
		}
	}
	return nil
}

// Sizes, in pixels.
const (
	marginLeft  = 70
	marginRight = 30
	marginTop   = 64
	laneHeight  = 130
	queueHeight = 34
	axisHeight  = 44
	drawWidth   = 1100
)

// palette is that of Okabe and Ito, which colour-blind readers can tell apart.
var palette = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7B6FD0"}

func colour(machine int) string { return palette[machine%len(palette)] }

func (d *Drawing) x(at int64) float64 {
	return marginLeft + drawWidth*float64(at-d.from)/float64(max(1, d.to-d.from))
}

func (d *Drawing) y(machine int) float64 { return marginTop + float64(d.lanes[machine])*laneHeight }

func (d *Drawing) draw(shown []int) string {
	var b strings.Builder
	width := marginLeft + drawWidth + marginRight
	height := marginTop + (len(shown)-1)*laneHeight + queueHeight + 16 + axisHeight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" role="img">
<title>Space-time diagram of %s</title>
<style>
 .paper { fill: #ffffff } .gap { stroke: #ffffff } .ink { fill: #24292f } .faint { fill: #57606a } .rule { stroke: #d0d7de }
 .hollow { fill: #ffffff }
 .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round }
 @media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117 } .gap { stroke: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9198a1 } .rule { stroke: #30363d }
  .hollow { fill: #0d1117 } .halo { stroke: #0d1117 }
 }
</style>
<rect class="paper" width="100%%" height="100%%"/>
<defs><clipPath id="window"><rect x="%d" y="0" width="%d" height="%d"/></clipPath>
`, width, height, width, height, d.about(len(shown)), marginLeft-8, drawWidth+16, height)
	for i := range min(d.machines, len(palette)) {
		fmt.Fprintf(&b, `<marker id="head%d" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.8 L8 4 L0 7.2 z" fill="%s"/></marker>`+"\n", i, palette[i])
	}
	b.WriteString("</defs>\n")
	d.legend(&b)
	d.axis(&b, height)
	queues := d.queues()
	for _, id := range shown {
		d.lane(&b, id, queues)
	}
	b.WriteString(`<g clip-path="url(#window)" stroke-width="1.3" fill="none">` + "\n")
	for _, a := range d.arrows {
		d.arrow(&b, a)
	}
	b.WriteString("</g>\n")
	d.events(&b)
	b.WriteString("</svg>\n")
	return b.String()
}

// about says how many machines are drawn.
func (d *Drawing) about(shown int) string {
	if shown < d.machines {
		return fmt.Sprintf("%d of %d machines, those with an event or a message here", shown, d.machines)
	}
	return fmt.Sprintf("%d machines", shown)
}

func (d *Drawing) legend(b *strings.Builder) {
	x := marginLeft
	for _, item := range []struct {
		kind  event.Kind
		label string
	}{{event.Internal, "internal"}, {event.Send, "send"}, {event.Receive, "receive"}} {
		b.WriteString(shape(item.kind, float64(x), 16, "#8b949e"))
		fmt.Fprintf(b, `<text class="faint" x="%d" y="20" font-size="12">%s</text>`+"\n", x+10, item.label)
		x += 82
	}
	down := ""
	if len(d.crashes) > 0 {
		down = " · broken line: down, from the last event to the return"
	}
	fmt.Fprintf(b, `<text class="faint" x="%d" y="20" font-size="12">number: Lamport clock · arrow: message, from its send to its receive · below the line: queue%s</text>`+"\n", x, down)
}

func (d *Drawing) axis(b *strings.Builder, height int) {
	y := height - axisHeight + 14
	step := tickStep(d.to - d.from)
	for at := (d.from + step - 1) / step * step; at <= d.to; at += step {
		x := d.x(at)
		fmt.Fprintf(b, `<line class="rule" x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke-dasharray="2 5"/><text class="faint" x="%.1f" y="%d" font-size="12" text-anchor="middle">%s</text>`+"\n",
			x, marginTop-22, x, y, x, y+18, html.EscapeString(time.Duration(at*1000).String()))
	}
}

// tickStep returns a round number of microseconds that divides a span into
// about ten parts.
func tickStep(span int64) int64 {
	step := int64(1)
	for {
		for _, m := range []int64{1, 2, 5} {
			if step*m*12 >= span {
				return step * m
			}
		}
		step *= 10
	}
}

// queues returns the longest queue in the window, 1 at least.
func (d *Drawing) queues() int {
	most := 1
	for _, m := range d.marks {
		most = max(most, m.event.Queue)
	}
	return most
}

// lane draws a machine's line and the length of its queue.
func (d *Drawing) lane(b *strings.Builder, id, most int) {
	y := d.y(id)
	fmt.Fprintf(b, `<text x="%d" y="%.1f" font-size="15" font-weight="600" text-anchor="end" fill="%s">vm-%d</text>`+"\n", marginLeft-18, y+5, colour(id), id)
	base := y + 12
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", d.x(d.from), base)
	height := 0.0
	peak := 0
	crashes := d.crashesOf(id)
	for _, m := range d.marks {
		if m.machine != id {
			continue
		}
		x := d.x(m.at)
		for len(crashes) > 0 && crashes[0].to <= m.at { // its queue was lost, and is sent again
			x := d.x(crashes[0].to)
			fmt.Fprintf(&path, "L%.1f %.1fL%.1f %.1f", x, base+height, x, base)
			height, crashes = 0, crashes[1:]
		}
		next := queueHeight * float64(m.event.Queue) / float64(most)
		fmt.Fprintf(&path, "L%.1f %.1fL%.1f %.1f", x, base+height, x, base+next)
		height = next
		peak = max(peak, m.event.Queue)
	}
	fmt.Fprintf(&path, "L%.1f %.1fL%.1f %.1fZ", d.x(d.to), base+height, d.x(d.to), base)
	if peak > 0 {
		fmt.Fprintf(b, `<path d="%s" fill="%s" fill-opacity="0.16"/>`+"\n", path.String(), colour(id))
	}
	fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s" stroke-width="2"/>`+"\n", marginLeft-8, y, marginLeft+drawWidth+8, y, colour(id))
	for _, c := range d.crashesOf(id) {
		fmt.Fprintf(b, `<line class="gap" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke-width="3" stroke-dasharray="4 4"/>`+"\n", d.x(c.from), y, d.x(c.to), y)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2"/>`+"\n", d.x(c.to), y-7, d.x(c.to), y+7, colour(id))
	}
}

func (d *Drawing) crashesOf(id int) []crash {
	return slices.DeleteFunc(slices.Clone(d.crashes), func(c crash) bool { return c.machine != id })
}

func (d *Drawing) arrow(b *strings.Builder, a arrow) {
	x1, y1, x2, y2 := d.x(a.sent), d.y(a.from), d.x(a.received), d.y(a.to)
	// End at the mark's rim, so that the head is seen.
	const rim = 6
	length := math.Hypot(x2-x1, y2-y1)
	x2, y2 = x2-(x2-x1)/length*rim, y2-(y2-y1)/length*rim
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.75" marker-end="url(#head%d)"/>`+"\n",
		x1, y1, x2, y2, colour(a.from), a.from%len(palette))
}

func (d *Drawing) events(b *strings.Builder) {
	labelled := make(map[int]float64) // where the last label of a machine ends
	for _, m := range d.marks {
		x, y := d.x(m.at), d.y(m.machine)
		fmt.Fprintf(b, `<g><title>%s</title>%s`, html.EscapeString(describe(m)), shape(m.event.Kind, x, y, colour(m.machine)))
		label := fmt.Sprint(uint64(m.event.Clock))
		if half := 3.4 * float64(len(label)); x-half > labelled[m.machine] {
			fmt.Fprintf(b, `<text class="ink halo" x="%.1f" y="%.1f" font-size="11" text-anchor="middle">%s</text>`, x, y-11, label)
			labelled[m.machine] = x + half + 1
		}
		b.WriteString("</g>\n")
	}
}

func shape(k event.Kind, x, y float64, colour string) string {
	switch k {
	case event.Send:
		return fmt.Sprintf(`<circle cx="%.1f" cy="%.1f" r="4.6" fill="%s"/>`, x, y, colour)
	case event.Receive:
		return fmt.Sprintf(`<rect class="hollow" x="%.1f" y="%.1f" width="8.4" height="8.4" stroke="%s" stroke-width="2"/>`, x-4.2, y-4.2, colour)
	default:
		return fmt.Sprintf(`<circle class="hollow" cx="%.1f" cy="%.1f" r="3" stroke="%s" stroke-width="1.6"/>`, x, y, colour)
	}
}

func describe(m mark) string {
	text := fmt.Sprintf("vm-%d step %d, %v, clock %d, queue %d, after %v", m.machine, m.event.Step, m.event.Kind, m.event.Clock, m.event.Queue, time.Duration(m.at*1000))
	for _, msg := range m.event.Messages() {
		if m.event.Kind == event.Send {
			text += fmt.Sprintf(", message %d to vm-%d", msg.Seq, msg.To)
		} else {
			text += fmt.Sprintf(", message %d from vm-%d stamped %d", msg.Seq, msg.From, msg.Sent)
		}
	}
	return text
}
