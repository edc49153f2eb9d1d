package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

// Text writes the explanation for people.
func (x *Explanation) Text(w io.Writer, on terminal.Screen) error {
	if !on.Person { // whoever looks for lines in a file looks for whole ones
		on.Width = 0
	}
	t := explained{on: on}
	t.event("A", &x.A)
	if x.B != nil {
		t.event("B", x.B)
		t.two(x)
	} else {
		t.one(x)
	}
	if x.Doubt != "" {
		t.prose(0, "\nThat is what these logs show: %s.", quote.Visible(x.Doubt))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// explained is the text of an explanation.
type explained struct {
	b  strings.Builder
	on terminal.Screen
}

func (t *explained) prose(hang int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for strings.HasPrefix(text, "\n") {
		t.b.WriteString("\n")
		text = text[1:]
	}
	t.b.WriteString(terminal.Wrap(text, t.on.Width, hang) + "\n")
}

// event writes a line of a log, which is evidence and stays as it is.
func (t *explained) event(name string, l *Line) {
	fmt.Fprintf(&t.b, "%-2s %s:%d: %s\n", name, quote.Visible(l.File), l.Line, quote.Visible(l.Text))
}

func (t *explained) two(x *Explanation) {
	a, b := &x.A, x.B
	first, last, names := a, b, [2]string{"A", "B"}
	if x.Relation == causal.After.String() {
		first, last, names = b, a, [2]string{"B", "A"}
	}
	switch {
	case x.Relation == causal.Same.String():
		t.prose(0, "\nA and B are one event.")
		return
	case x.Relation == causal.Concurrent.String():
		t.concurrent(x)
		return
	case x.Chain.Messages == 0:
		t.prose(0, "\n%s happened before %s: both are of machine %d, which executed %s %s later.", names[0], names[1], a.Machine, names[1],
			figure.Plural(last.Step-first.Step, "step"))
	default:
		t.prose(0, "\n%s happened before %s: what %s did, %s may depend on. The shortest chain from one to the other has %s:\n", names[0], names[1], names[0], names[1],
			figure.Plural(x.Chain.Messages, "message"))
		t.event(names[0], first)
		t.chain(x.Chain, headOfChain, first)
		t.along(&x.Chain.Hops[len(x.Chain.Hops)-1].Receive, last)
		t.event(names[1], last)
	}
	t.prose(2, "\n- Clock values: %d of %s is less than %d of %s, as it must be.", first.Clock, names[0], last.Clock, names[1])
	if d := last.Time.Sub(first.Time); d >= 0 {
		t.prose(2, "- Wall clocks: %s was %s later.", names[1], figure.Duration(d))
	} else {
		t.prose(2, "- Wall clocks: %s was %s earlier, as they have it, which cannot be: the clocks of machines %d and %d were apart by at least that, or were set.",
			names[1], figure.Duration(-d), first.Machine, last.Machine)
	}
}

// chain writes messages, from an event on. After the first head of them may be a gap.
func (t *explained) chain(c *Chain, head int, from *Line) {
	for i := range c.Hops {
		h := &c.Hops[i]
		if i == head && c.LeftOut > 0 {
			fmt.Fprintf(&t.b, "      … %s …\n", figure.Plural(c.LeftOut, "more message"))
		} else {
			t.along(from, &h.Send)
		}
		if h.Send.position != from.position || h.Send.Machine != from.Machine {
			t.event("", &h.Send)
		}
		fmt.Fprintf(&t.b, "      message %s of machine %d to machine %d\n", figure.Count(h.Seq), h.Send.Machine, h.Receive.Machine)
		t.event("", &h.Receive)
		from = &h.Receive
	}
}

// along says how a chain goes along a machine, from one event to another.
func (t *explained) along(from, to *Line) {
	if n := to.position - from.position; n > 0 {
		fmt.Fprintf(&t.b, "      machine %d, %s later\n", to.Machine, figure.Plural(n, "event"))
	}
}

func (t *explained) concurrent(x *Explanation) {
	a, b := &x.A, x.B
	if x.Doubt == "" {
		t.prose(0, "\nA and B are concurrent: no chain of messages leads from one to the other, so neither can have influenced the other.")
	} else {
		t.prose(0, "\nA and B are concurrent, as far as these logs show: no chain of messages leads from one to the other in them.")
	}
	t.prose(0, "What orders them all the same:\n")
	switch {
	case a.Clock == b.Clock:
		t.prose(2, "- Clock values: %d of both. Equal values are of concurrent events always.", a.Clock)
	case a.Clock < b.Clock:
		t.prose(2, "- Clock values: %d of A is less than %d of B, by %s. It shows that B did not happen before A, and no more.", a.Clock, b.Clock, figure.Count(uint64(b.Clock-a.Clock)))
	default:
		t.prose(2, "- Clock values: %d of A is more than %d of B, by %s. It shows that A did not happen before B, and no more.", a.Clock, b.Clock, figure.Count(uint64(a.Clock-b.Clock)))
	}
	first, second, why := "A", "B", "its clock value is the smaller one"
	if a.Clock > b.Clock || a.Clock == b.Clock && a.Machine > b.Machine {
		first, second = "B", "A"
	}
	if a.Clock == b.Clock {
		why = "of equal values, the smaller machine counts"
	}
	t.prose(2, "- The total order: %s stands before %s, since %s. Every machine comes to the same order, and that is all that it means.", first, second, why)
	switch d := b.Time.Sub(a.Time); {
	case d > 0:
		t.prose(2, "- Wall clocks: A was %s earlier, if both clocks were right.", figure.Duration(d))
	case d < 0:
		t.prose(2, "- Wall clocks: B was %s earlier, if both clocks were right.", figure.Duration(-d))
	default:
		t.prose(2, "- Wall clocks: both at one time, if both clocks were right.")
	}
	if w := x.Window; w != nil && w.Events > 1 {
		t.prose(0, "\nHow much these can mislead: %s of machine %d are concurrent with A, from step %s to %s. Their clock values go from %s to %s, and their times from %s to %s.",
			figure.Plural(w.Events, "event"), b.Machine, figure.Count(w.First.Step), figure.Count(w.Last.Step),
			against(w.First.Clock, a.Clock), against(w.Last.Clock, a.Clock), apartFrom(w.First.Time, a.Time), apartFrom(w.Last.Time, a.Time))
	}
}

// against says how a clock value lies to A's.
func against(c, a clock.Time) string {
	switch {
	case c < a:
		return fmt.Sprintf("%d (%s below A's)", c, figure.Count(uint64(a-c)))
	case c > a:
		return fmt.Sprintf("%d (%s above)", c, figure.Count(uint64(c-a)))
	}
	return fmt.Sprintf("%d (A's)", c)
}

// apartFrom says how a time lies to A's.
func apartFrom(at, a time.Time) string {
	switch d := at.Sub(a); {
	case d < 0:
		return figure.Duration(-d) + " before A"
	case d > 0:
		return figure.Duration(d) + " after"
	}
	return "A's own"
}

func (t *explained) one(x *Explanation) {
	all := x.Counts.Past + x.Counts.Concurrent + x.Counts.Future
	t.prose(0, "\nOf %s, %s (%s) happened before A, A happened before %s (%s), and %s (%s) are concurrent with it.\n",
		figure.Plural(all, "other event"), figure.Count(x.Counts.Past), portion(x.Counts.Past, all),
		figure.Count(x.Counts.Future), portion(x.Counts.Future, all), figure.Count(x.Counts.Concurrent), portion(x.Counts.Concurrent, all))
	fmt.Fprintf(&t.b, "%s\n", stacked(t.on)(columns.New(othersColumns(&x.A, t.on), x.Others)))
	t.carried(x)
}

func portion(part, whole int) string { return share(uint64(part), uint64(whole)) }

// othersColumns are of what an event knows of each machine, and which events of it know of
// the event.
func othersColumns(a *Line, on terminal.Screen) []columns.Column[Other] {
	type column = columns.Column[Other]
	events := func(group, name string, of func(*Other) int) column {
		return columns.Count(group, name, func(o *Other) uint64 { return uint64(of(o)) })
	}
	line := func(group, name string, of func(*Other) *Line, cell func(*Line) string) column {
		return columns.Text(group, name, func(o *Other) string {
			if of(o) == nil {
				return figure.Absent
			}
			return cell(of(o))
		})
	}
	step := func(l *Line) string { return figure.Count(l.Step) }
	value := func(l *Line) string { return figure.Short(float64(l.Clock)) }
	last := func(o *Other) *Line { return o.Last }
	first := func(o *Other) *Line { return o.First }
	return []column{
		columns.Words("machine", func(o *Other) string { return on.Paint(terminal.Machine(o.Machine), fmt.Sprintf("vm-%d", o.Machine)) }),
		events("before A", "events", func(o *Other) int { return o.Past }),
		line("before A", "last step", last, step),
		line("before A", "clock", last, value),
		line("before A", "earlier by", last, func(l *Line) string { return figure.Duration(a.Time.Sub(l.Time)) }),
		events("", "concurrent", func(o *Other) int { return o.Concurrent }),
		events("after A", "events", func(o *Other) int { return o.Future }),
		line("after A", "first step", first, step),
		line("after A", "clock", first, value),
		line("after A", "later by", first, func(l *Line) string { return figure.Duration(l.Time.Sub(a.Time)) }),
	}
}

// carried says where the event's clock value comes from.
func (t *explained) carried(x *Explanation) {
	c := x.Carried
	before := x.A.Clock - clock.Time(c.Jump)
	switch {
	case c.Sent == nil:
		t.prose(0, "\nIts clock went from %d to %d, by 1, since it is no receive.", before, x.A.Clock)
	case *c.Sent >= before && c.Jump > 1:
		t.prose(0, "\nIts clock jumped by %s, from %d to %d: the message that it received was stamped with %d.", figure.Count(c.Jump), before, x.A.Clock, *c.Sent)
	case *c.Sent >= before:
		t.prose(0, "\nIts clock went from %d to %d: the message that it received was stamped with %d, which was not ahead.", before, x.A.Clock, *c.Sent)
	default:
		t.prose(0, "\nIts clock went from %d to %d: the message that it received was stamped with %d, %s behind.", before, x.A.Clock, *c.Sent, figure.Count(uint64(before-*c.Sent)))
	}
	if c.Chain.Messages == 0 {
		t.prose(0, "The value comes from the machine's own events alone.")
		return
	}
	t.prose(0, "The value was carried there by a chain with %s, from step %s of machine %d on:\n", figure.Plural(c.Chain.Messages, "message"), figure.Count(c.From.Step), c.From.Machine)
	t.event("", &c.From)
	t.chain(&c.Chain, headOfWay, &c.From)
	t.along(&c.Chain.Hops[len(c.Chain.Hops)-1].Receive, &x.A)
	if last := &c.Chain.Hops[len(c.Chain.Hops)-1].Receive; last.position != x.A.position || last.Machine != x.A.Machine {
		t.event("A", &x.A)
	}
}
