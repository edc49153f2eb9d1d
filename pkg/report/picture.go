package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
)

// Sizes, in pixels.
const (
	wideHead     = 800 // from where on the legend has one line
	marginLeft   = 70
	marginRight  = 50
	marginTop    = 78
	axisHeight   = 44
	wholeHeight  = 900 // that the lines together should not be higher than
	maxLane      = 130
	minLane      = 9 // on which marks can be told apart
	maxStrip     = 60
	minStrip     = 7
	faultHeight  = 16
	maxFaultRows = 6
	// nearest is how close two events of a line may be, on average, to be drawn one by one.
	nearest = 2.5
	// maxTangle is how many events on more than maxLines lines are drawn one by one, before
	// the arrows hide everything.
	maxTangle = 600
	maxLines  = 16
)

// ink is what something is drawn with: the colour of a machine, or one of those that
// follow the reader's.
type ink struct {
	machine int // the machine's colour, -1: that of the class
	class   string
	opacity float64 // 0: opaque
}

func of(machine int) ink          { return ink{machine: machine} }
func plain(class string) ink      { return ink{machine: -1, class: class} }
func (i ink) faint(o float64) ink { i.opacity = o; return i }

// The classes of ink.
const (
	inkText  = "ink"
	inkFaint = "faint"
	inkRule  = "rule"
	inkFault = "fault"
	inkGap   = "gap"
	inkPaper = "paper"
	inkMark  = "mark" // of the legend
)

// align says where a text stands.
type align int

const (
	left align = iota
	middle
	right
)

// canvas is what a picture is drawn on. All sizes are pixels, from the upper left corner.
type canvas interface {
	line(x1, y1, x2, y2, width float64, with ink, dashed bool)
	arrow(x1, y1, x2, y2 float64, machine int)
	// shape draws the mark of an event; about says what it is, where that can be shown.
	shape(k event.Kind, x, y, scale float64, with ink, about string)
	area(points [][2]float64, with ink)
	rect(x, y, width, height float64, with ink)
	text(x, y, size float64, at align, bold bool, with ink, what string)
	// clipped draws something of which only what is between two x shows.
	clipped(x1, x2 float64, draw func())
}

// picture is the layout of a diagram.
type picture struct {
	*Drawing
	ids    []int
	row    map[int]int // of a machine
	width  float64     // of the part with time
	lane   float64     // height of a line
	head   float64     // height of what stands above the faults
	top    float64     // of the first line
	height float64     // of all
	dense  bool        // lines show queues alone
	scale  float64     // of marks
	faults []struck
	rows   int // of faults
}

// struck is a fault of the run's plan, as far as it lies in the picture.
type struck struct {
	fault.Action
	from, to int64 // µs after the start
	row      int   // -1: there are too many at a time
}

func newPicture(d *Drawing) *picture {
	p := &picture{Drawing: d, ids: d.shown(), row: make(map[int]int)}
	for i, id := range p.ids {
		p.row[id] = i
	}
	width := d.options.Width
	if width == 0 {
		width = DefaultWidth
	}
	p.width = float64(width - marginLeft - marginRight)
	busiest := 0
	counts := make(map[int]int)
	for _, m := range d.marks {
		counts[m.machine]++
		busiest = max(busiest, counts[m.machine])
	}
	spacing := p.width / float64(max(1, busiest))
	p.dense = d.crowded || spacing < nearest || len(p.ids) > maxLines && len(d.marks) > maxTangle
	each := float64(wholeHeight) / float64(len(p.ids))
	if p.dense {
		p.lane = min(max(each, minStrip), maxStrip)
	} else {
		p.lane = min(max(each, minLane), maxLane)
	}
	p.scale = min(1, max(0.4, spacing/10), max(0.4, p.lane/34))
	p.head = marginTop
	if p.width < wideHead {
		p.head += 16 // the legend has two lines
	}
	p.placeFaults()
	p.top = p.head + float64(p.rows*faultHeight)
	p.height = p.top + float64(len(p.ids)-1)*p.lane + p.queueHeight() + 16 + axisHeight
	return p
}

// queueHeight is how high the longest queue is.
func (p *picture) queueHeight() float64 {
	if p.dense {
		return p.lane * 0.8
	}
	return p.lane * 0.26
}

func (p *picture) x(at int64) float64 {
	return marginLeft + p.width*float64(at-p.from)/float64(max(1, p.to-p.from))
}

func (p *picture) y(machine int) float64 { return p.top + float64(p.row[machine])*p.lane }

func (p *picture) right() float64 { return marginLeft + p.width }

// placeFaults finds a row for each fault that lasts, so that none covers another.
func (p *picture) placeFaults() {
	if p.run.Record == nil || p.run.Record.Faults.Empty() {
		return
	}
	var free []int64 // when each row is free again
	for a := range p.run.Record.Faults.Actions(time.Duration(p.to) * time.Microsecond) {
		s := struck{Action: a, from: a.At.Microseconds(), to: p.to}
		if a.For < time.Duration(math.MaxInt64)-a.At {
			s.to = min((a.At + a.For).Microseconds(), p.to)
		}
		if a.Over || s.to < p.from || s.from > p.to {
			continue
		}
		s.from = max(s.from, p.from)
		// Its name needs room too.
		until := s.from + int64(float64(max(1, p.to-p.from))*max(float64(len(p.nameOf(&s)))*6, 8)/p.width)
		until = max(until, s.to)
		s.row = slices.IndexFunc(free, func(t int64) bool { return t <= s.from })
		if s.row < 0 && len(free) < maxFaultRows {
			s.row = len(free)
			free = append(free, 0)
		}
		if s.row >= 0 {
			free[s.row] = until
		}
		p.faults = append(p.faults, s)
	}
	p.rows = len(free)
}

// nameOf is a fault in a few words, such as "partition 1 | 0,2".
func (p *picture) nameOf(s *struck) string {
	a := s.Action
	_, what, _ := strings.Cut(a.String(), " ") // behind "at"
	_, what, _ = strings.Cut(what, " ")        // and the time
	what, _, _ = strings.Cut(what, " for ")
	return quote.Short(what, 60)
}

// draw draws the picture.
func (p *picture) draw(c canvas) {
	c.text(marginLeft, 20, 15, left, true, plain(inkText), p.title())
	p.legend(c)
	p.axis(c)
	p.drawFaults(c)
	for _, id := range p.ids {
		if p.dense {
			p.strip(c, id)
		} else {
			p.line(c, id)
		}
	}
	p.queueScale(c)
	if p.dense {
		return
	}
	c.clipped(marginLeft-8, p.right()+8, func() {
		for _, a := range p.arrows {
			p.arrow(c, a)
		}
	})
	p.events(c)
}

// title says which run it is, and which part of it.
func (p *picture) title() string {
	var parts []string
	if p.start != nil {
		parts = append(parts, "run "+quote.Short(quote.Visible(p.start.Start.Run), 40))
	}
	parts = append(parts, p.about())
	if p.start != nil && p.start.Start.Die > 0 {
		parts = append(parts, "die "+strconv.Itoa(p.start.Start.Die), "seed "+strconv.FormatUint(p.start.Start.Seed, 10))
	}
	if p.options.Times != "" {
		parts = append(parts, p.options.Times)
	}
	return strings.Join(append(parts, micros(p.from)+" to "+micros(p.to)), " · ")
}

func micros(us int64) string {
	return figure.Exact((time.Duration(us) * time.Microsecond).Round(time.Millisecond))
}

// about says how many machines are drawn.
func (p *picture) about() string {
	switch n := len(p.ids); {
	case len(p.left) > 0:
		return fmt.Sprintf("%d of %d machines, those with an event or a message first", n, p.run.Machines)
	case n < p.run.Machines && p.chosen == nil:
		return fmt.Sprintf("%d of %d machines, those with an event or a message here", n, p.run.Machines)
	case n < p.run.Machines:
		return fmt.Sprintf("%d of %d machines", n, p.run.Machines)
	case n == 1:
		return "1 machine"
	default:
		return fmt.Sprintf("%d machines", n)
	}
}

func (p *picture) legend(c canvas) {
	x := float64(marginLeft)
	text := "shade: length of the queue, up to " + figure.Count(p.strips.queue)
	if p.dense {
		c.text(x, 44, 12, left, false, plain(inkFaint), "too many events to draw each")
		x += 190
	}
	if !p.dense {
		for _, item := range []struct {
			kind  event.Kind
			label string
		}{{event.Internal, "internal"}, {event.Send, "send"}, {event.Receive, "receive"}} {
			c.shape(item.kind, x+4, 40, 1, plain(inkMark), "")
			c.text(x+14, 44, 12, left, false, plain(inkFaint), item.label)
			x += 82
		}
		text = "number: Lamport clock · arrow: message · below the line: queue"
	}
	if len(p.crashes) > 0 {
		text += " · broken line: down, from the last event to the return"
	}
	y := 44.0
	if p.width < wideHead {
		x, y = marginLeft, 60
	}
	c.text(x, y, 12, left, false, plain(inkFaint), text)
}

func (p *picture) axis(c canvas) {
	y := p.height - axisHeight + 14
	step := tickStep(int64(float64(p.to-p.from) * min(1, 1100/p.width)))
	if p.width < 600 {
		step = tickStep(int64(float64(p.to-p.from) * 1100 / p.width))
	}
	for at := (p.from + step - 1) / step * step; at <= p.to; at += step {
		x := p.x(at)
		c.line(x, p.top-22, x, y, 1, plain(inkRule), true)
		c.text(x, y+18, 12, middle, false, plain(inkFaint), time.Duration(at*1000).String())
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

// drawFaults draws what the run's plan did to links and machines: a bar with its name above
// the lines, and a shade over the lines between which nothing passes.
func (p *picture) drawFaults(c canvas) {
	for i := range p.faults {
		s := &p.faults[i]
		x1, x2 := p.x(s.from), p.x(s.to)
		if top, bottom, ok := p.between(s); ok {
			c.rect(x1, top, max(x2-x1, 1), bottom-top, plain(inkFault).faint(0.12))
		}
		if s.row < 0 {
			continue
		}
		y := p.head - 22 + float64(s.row*faultHeight)
		c.rect(x1, y, max(x2-x1, 2), 3, plain(inkFault))
		c.text(x1, y+12, 10, left, false, plain(inkFault), p.nameOf(s))
	}
}

// between returns from where to where a fault keeps machines apart, or one from going on.
func (p *picture) between(s *struck) (top, bottom float64, ok bool) {
	var rows []int
	add := func(id int) {
		if row, shown := p.row[id]; shown {
			rows = append(rows, row)
		}
	}
	half := min(p.lane*0.5, 16)
	switch s.Kind {
	case fault.Partition:
		for _, g := range s.Groups {
			for _, id := range g {
				add(id)
			}
		}
	case fault.Cut, fault.Delay, fault.Reset:
		if s.Link.From < 0 || s.Link.To < 0 { // of all
			rows = append(rows, 0, len(p.ids)-1)
		} else {
			add(s.Link.From)
			add(s.Link.To)
		}
	case fault.Pause, fault.StopReading:
		for _, id := range s.Machines {
			add(id)
		}
		if len(rows) > 1 && slices.Max(rows)-slices.Min(rows) >= len(rows) {
			return 0, 0, false // there are others between them
		}
	}
	if len(rows) == 0 {
		return 0, 0, false
	}
	return p.top + float64(slices.Min(rows))*p.lane - half, p.top + float64(slices.Max(rows))*p.lane + half, true
}

// label names a line, with its rate.
func (p *picture) label(c canvas, id int, y float64) {
	name := "vm-" + strconv.Itoa(id)
	rate, known := p.rates[id]
	switch {
	case !known:
		c.text(marginLeft-14, y+5, 14, right, true, of(id), name)
	case p.lane >= 34:
		c.text(marginLeft-14, y+1, 14, right, true, of(id), name)
		c.text(marginLeft-14, y+15, 11, right, false, plain(inkFaint), rate.String()+"/s")
	case p.lane >= 11 || p.row[id]%int(math.Ceil(11/p.lane)) == 0:
		c.text(marginLeft-14, y+4, 9, right, false, of(id), name+" "+rate.String()+"/s")
	}
}

// longestQueue returns the longest queue in the picture, 1 at least.
func (p *picture) longestQueue() int { return max(1, p.strips.queue) }

// queueScale says how high a queue is, at the first line.
func (p *picture) queueScale(c canvas) {
	if p.strips.queue == 0 || p.lane < 24 {
		return
	}
	x := p.right() + 12
	base := p.top + p.lane*0.1
	if !p.dense {
		base = p.top + 12*p.scaleOfLane()
	}
	bottom := base + p.queueHeight()
	c.line(x, base, x, bottom, 1, plain(inkFaint), false)
	for _, tick := range []struct {
		y    float64
		what string
	}{{base, "0"}, {bottom, strconv.Itoa(p.strips.queue)}} {
		c.line(x, tick.y, x+4, tick.y, 1, plain(inkFaint), false)
		c.text(x+6, tick.y+4, 10, left, false, plain(inkFaint), tick.what)
	}
}

func (p *picture) scaleOfLane() float64 { return p.lane / maxLane }

// line draws a machine's line and the length of its queue.
func (p *picture) line(c canvas, id int) {
	y := p.y(id)
	p.label(c, id, y)
	base := y + 12*p.scaleOfLane()
	points := [][2]float64{{p.x(p.from), base}}
	height := 0.0
	peak := 0
	crashes := p.crashesOf(id)
	for _, m := range p.marks {
		if m.machine != id {
			continue
		}
		x := p.x(m.at)
		for len(crashes) > 0 && crashes[0].to <= m.at { // its queue was lost, and is sent again
			x := p.x(crashes[0].to)
			points = append(points, [2]float64{x, base + height}, [2]float64{x, base})
			height, crashes = 0, crashes[1:]
		}
		next := p.queueHeight() * float64(m.event.Queue) / float64(p.longestQueue())
		points = append(points, [2]float64{x, base + height}, [2]float64{x, base + next})
		height = next
		peak = max(peak, m.event.Queue)
	}
	points = append(points, [2]float64{p.x(p.to), base + height}, [2]float64{p.x(p.to), base})
	if peak > 0 {
		c.area(points, of(id).faint(0.16))
	}
	c.line(marginLeft-8, y, p.right()+8, y, min(2, max(0.6, p.lane/20)), of(id), false)
	p.down(c, id, y, 3)
}

// down breaks a line where its machine was down.
func (p *picture) down(c canvas, id int, y, width float64) {
	for _, crash := range p.crashesOf(id) {
		c.line(p.x(crash.from), y, p.x(crash.to), y, width, plain(inkGap), true)
		c.line(p.x(crash.to), y-7*p.scaleOfLane(), p.x(crash.to), y+7*p.scaleOfLane(), 2, of(id), false)
	}
}

// shades is how many there are of a line that is a strip.
const shades = 8

// strip draws a machine as a strip whose height and shade are the length of its queue.
func (p *picture) strip(c canvas, id int) {
	y := p.y(id)
	p.label(c, id, y+p.lane*0.4)
	base, full := y+p.lane*0.1, p.queueHeight()
	shade := func(q int32) int {
		// By its root, so that few messages are seen beside many.
		return int(math.Ceil(math.Sqrt(float64(q)/float64(p.longestQueue())) * shades))
	}
	c.line(marginLeft-8, base, p.right()+8, base, 0.8, of(id), false)
	queues := p.queues(id)
	for i := 0; i < len(queues); {
		last, most := i, queues[i]
		for last+1 < len(queues) && shade(queues[last+1]) == shade(queues[i]) {
			last++
			most = max(most, queues[last])
		}
		x1, x2 := p.x(p.from+int64(i)*p.strips.width), p.x(p.from+int64(last+1)*p.strips.width)
		if x2 = min(x2, p.x(p.to)); most > 0 && x2 > x1 {
			height := full
			if p.lane >= 24 {
				height = full * float64(most) / float64(p.longestQueue())
			}
			c.rect(x1, base, x2-x1, max(height, 1), of(id).faint(0.12+0.88*float64(shade(most))/shades))
		}
		i = last + 1
	}
	p.down(c, id, base, 3)
}

// queues returns how long a machine's queue was at most in each cell of its strip. Where it
// had no event, its queue is what the last one left.
func (p *picture) queues(id int) []int32 {
	cells := p.lanes[id].cells
	n := int((p.to-p.from)/p.strips.width) + 1
	queues := make([]int32, 0, n)
	crashes := p.crashesOf(id)
	left := int32(0)
	for i := range n {
		from := p.from + int64(i)*p.strips.width
		for len(crashes) > 0 && crashes[0].to <= from { // its queue was lost, and is sent again
			left, crashes = 0, crashes[1:]
		}
		queue := left
		if i < len(cells) && cells[i].events > 0 {
			queue, left = cells[i].queue, cells[i].last
		}
		queues = append(queues, queue)
	}
	return queues
}

func (p *picture) crashesOf(id int) []crash {
	return slices.DeleteFunc(slices.Clone(p.crashes), func(c crash) bool { return c.machine != id })
}

func (p *picture) arrow(c canvas, a arrow) {
	x1, y1, x2, y2 := p.x(a.sent), p.y(a.from), p.x(a.received), p.y(a.to)
	// End at the mark's rim, so that the head is seen.
	rim := 6 * p.scale
	length := math.Hypot(x2-x1, y2-y1)
	c.arrow(x1, y1, x2-(x2-x1)/length*rim, y2-(y2-y1)/length*rim, a.from)
}

func (p *picture) events(c canvas) {
	labelled := make(map[int]float64) // where the last label of a machine ends
	for _, m := range p.marks {
		x, y := p.x(m.at), p.y(m.machine)
		c.shape(m.event.Kind, x, y, p.scale, of(m.machine), describe(m))
		label := strconv.FormatUint(uint64(m.event.Clock), 10)
		if half := 3.4 * float64(len(label)); x-half > labelled[m.machine] && p.lane >= 40 {
			c.text(x, y-11, 11, middle, false, plain(inkText), label)
			labelled[m.machine] = x + half + 5
		}
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
