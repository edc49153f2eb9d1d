package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// offsetTable says how far the system clocks of hosts were apart.
func offsetTable(o *trace.ClockOffsets, on terminal.Screen) Table {
	at := func(group string, place func([]trace.OffsetAt) trace.OffsetAt) []columns.Column[trace.ClockOffset] {
		cell := func(name string, of func(trace.OffsetAt) string) columns.Column[trace.ClockOffset] {
			return columns.Text(group, name, func(c *trace.ClockOffset) string {
				if len(c.At) == 0 {
					return figure.Absent
				}
				return of(place(c.At))
			})
		}
		return []columns.Column[trace.ClockOffset]{
			cell("ahead (s)", precise),
			cell("±", func(a trace.OffsetAt) string { return figure.Duration(a.Within) }),
		}
	}
	bound := func(name string, of func(*trace.OffsetRange) *time.Duration) columns.Column[trace.ClockOffset] {
		return columns.Text("by messages", name, func(c *trace.ClockOffset) string {
			if c.Messages == nil || of(c.Messages) == nil {
				return figure.Absent
			}
			return signed(*of(c.Messages))
		})
	}
	list := []columns.Column[trace.ClockOffset]{columns.Words("machine", func(c *trace.ClockOffset) string {
		return on.Paint(terminal.Machine(c.Machine), "vm-"+strconv.Itoa(c.Machine))
	})}
	list = append(list, at("first", func(a []trace.OffsetAt) trace.OffsetAt { return a[0] })...)
	list = append(list, at("last", func(a []trace.OffsetAt) trace.OffsetAt { return a[len(a)-1] })...)
	list = append(list,
		columns.Number("", "drift (ppm)", figure.Mean, func(c *trace.ClockOffset) float64 { return optional(c.Drift) }),
		bound("least", func(r *trace.OffsetRange) *time.Duration { return r.Least }),
		bound("most", func(r *trace.OffsetRange) *time.Duration { return r.Most }))
	return Table{fmt.Sprintf("System clocks, ahead of that of machine %d (below 0: behind)", o.Reference), 1, columns.New(list, o.Clocks)}
}

// signed writes a duration that may be below 0.
func signed(d time.Duration) string {
	if d < 0 {
		return "-" + figure.Duration(-d)
	}
	return figure.Duration(d)
}

// precise writes how far a clock was ahead, in seconds, to as many digits as are known and
// one more.
func precise(a trace.OffsetAt) string {
	digits := 6
	for unit := 10 * time.Microsecond; digits > 0 && unit < a.Within; unit *= 10 {
		digits--
	}
	text := strconv.FormatFloat(a.Ahead.Seconds(), 'f', digits, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

// Apart returns the clock that was the furthest from the reference, and when; nil where all
// might have been one clock, as far as is known.
func Apart(o *trace.ClockOffsets) (*trace.ClockOffset, trace.OffsetAt) {
	var furthest *trace.ClockOffset
	var when trace.OffsetAt
	if o == nil {
		return nil, when
	}
	for i := range o.Clocks {
		for _, at := range o.Clocks[i].At {
			if at.Ahead.Abs() > at.Within && (furthest == nil || at.Ahead.Abs() > when.Ahead.Abs()) {
				furthest, when = &o.Clocks[i], at
			}
		}
	}
	return furthest, when
}

// OffsetText says how far a clock was from that of the reference.
func OffsetText(o *trace.ClockOffsets, c *trace.ClockOffset, at trace.OffsetAt) string {
	return fmt.Sprintf("the system clock of machine %d was %s that of machine %d, within %s", c.Machine, trace.Ahead(at.Ahead), o.Reference, figure.Duration(at.Within))
}

// clockOffsets says in sentences what is known of the hosts' clocks.
func clockOffsets(s *trace.Stats) (lines []string) {
	o := s.ClockOffsets
	if o == nil {
		return nil
	}
	worst, known := o.Worst(), 0
	for _, c := range o.Clocks {
		if len(c.At) > 0 {
			known++
		}
	}
	c, at := Apart(o)
	switch {
	case c != nil:
		when := "At the start"
		if at.T > 0 {
			when = "After " + figure.Duration(at.T)
		}
		line := when + ", " + OffsetText(o, c, at)
		if known > 1 {
			line += "; the others were never as far from it"
		}
		lines = append(lines, line+".")
	case known > 0:
		lines = append(lines, fmt.Sprintf("The system clocks of the machines cannot be told apart: they are within %s of that of machine %d.", figure.Duration(worst), o.Reference))
	}
	for _, c := range o.Changes {
		way := "gained"
		if c.By < 0 {
			way = "lost"
		}
		lines = append(lines, fmt.Sprintf("Between %s and %s after the start, the system clock of machine %d %s %s at least on that of machine %d: one of the two was set.",
			figure.Duration(c.From), figure.Duration(c.To), c.Machine, way, figure.Duration(c.By.Abs()), o.Reference))
	}
	for _, text := range o.Contradictions {
		lines = append(lines, "What is known of the system clocks cannot all be true, unless one was set: "+quote.Visible(text)+".")
	}
	if s.Corrected && known > 0 {
		lines = append(lines, fmt.Sprintf("All times are by the clock of machine %d, as far as is known: those of other machines are wrong by %s at most.", o.Reference, figure.Duration(worst)))
	}
	return lines
}
