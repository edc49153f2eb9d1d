package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/shell"
	"github.com/scalemodel/lamport/pkg/trace"
)

// exact is the largest number up to which a page has every whole one.
const exact = 1 << 53

// left says what the page leaves out, and how it can be seen; "" for nothing.
func (c *Collector) left(x *causal.Index, why error, stats *trace.Stats) string {
	var says []string
	if why != nil {
		says = append(says, why.Error())
	}
	if kept := uint64(x.Kept()); kept < stats.Events {
		says = append(says, fmt.Sprintf("the diagram shows %s of %s%s; charts and tables are of the whole run; \"%s\" shows any part",
			figure.Count(kept), figure.Plural(stats.Events, "event"), c.part(x),
			quote.Visible("launcher report "+c.example(x)+" "+shell.Quote(c.run.Dir))))
	}
	if slices.ContainsFunc(stats.Machines, func(m trace.MachineStats) bool { return m.Summary.Clock > exact }) {
		says = append(says, fmt.Sprintf("clocks above %s are rounded", figure.Count(uint64(exact))))
	}
	if n := len(c.records.machines); n > len(c.charts.machines) {
		says = append(says, fmt.Sprintf("charts show the first %d of %s", len(c.charts.machines), figure.Plural(n, "machine")))
	}
	return strings.Join(says, "; ")
}

// part says which events are shown.
func (c *Collector) part(x *causal.Index) string {
	if x.Kept() == 0 {
		return ""
	}
	if c.o.From == 0 && c.o.To == 0 {
		return ", those up to " + figure.Duration(c.last(x))
	}
	to := "the end"
	if c.o.To > 0 {
		to = figure.Exact(c.o.To)
	}
	return fmt.Sprintf(", those from %s to %s", figure.Exact(c.o.From), to)
}

// last returns when the last event that is shown was, counted from the start of the run.
func (c *Collector) last(x *causal.Index) time.Duration {
	last := c.records.start
	for i := range x.Machines() {
		if x.End(i) > x.First(i) {
			last = max(last, x.At(causal.Place{Machine: i, Position: x.End(i) - 1}).Micro)
		}
	}
	return time.Duration(last-c.records.start) * time.Microsecond
}

// example returns the flags that show the part after the one that is shown, as long as it.
func (c *Collector) example(x *causal.Index) string {
	last := c.last(x)
	long := max(last-c.o.From, time.Millisecond)
	round := time.Millisecond
	if long > time.Minute {
		round = time.Second
	}
	from := last.Truncate(round)
	return fmt.Sprintf("--from %s --to %s", figure.Exact(from), figure.Exact((from + long).Round(round)))
}
