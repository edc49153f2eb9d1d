package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Overview is a look at many runs: a line for each, and between what they lie. There is
// no average of them, for they need have nothing in common. The zero Overview has none.
type Overview struct{ runs []glance }

// glance is a run in one line: of what differs between its machines, the largest. What
// is not known, or nothing, is NaN.
type glance struct {
	name     string
	state    trace.State
	machines int
	events   uint64
	elapsed  time.Duration
	gaps     float64 // % of all events
	jumpMax  float64
	drift    float64 // the largest mean
	driftMax float64
	queueMax float64
	growth   float64 // the fastest, per second
}

// Add takes in a run, nil for one that cannot be read.
func (o *Overview) Add(name string, s *trace.Stats) {
	none := math.NaN()
	g := glance{name: name, state: Unreadable, gaps: none, jumpMax: none, drift: none, driftMax: none, queueMax: none, growth: none}
	if s != nil {
		g.take(s)
	}
	o.runs = append(o.runs, g)
}

func (g *glance) take(s *trace.Stats) {
	g.state, g.machines, g.events, g.elapsed = s.Verdict.State, s.Verdict.Machines, s.Events, s.Elapsed
	var gaps, steps uint64
	for i := range s.Machines {
		m := &s.Machines[i]
		if m.Missing {
			continue
		}
		gaps, steps = gaps+m.Summary.Gaps, steps+m.Summary.Steps
		larger(&g.jumpMax, float64(m.Jumps.Max))
		larger(&g.queueMax, float64(m.Summary.MaxQueue))
		larger(&g.growth, optional(m.QueueGrowth))
		if m.Drift != nil {
			larger(&g.drift, m.Drift.Mean)
			larger(&g.driftMax, float64(m.Drift.Max))
		}
	}
	if steps > 0 {
		g.gaps = 100 * float64(gaps) / float64(steps)
	}
}

// larger sets a figure to another that is larger, or where there is none.
func larger(x *float64, y float64) {
	if math.IsNaN(*x) || y > *x {
		*x = y
	}
}

// glances are the columns of an overview.
func glances(on terminal.Screen, quoted func(string) string) []columns.Column[glance] {
	return []columns.Column[glance]{
		columns.Words("run", func(g *glance) string { return quoted(g.name) }),
		columns.Words("verdict", func(g *glance) string { return on.Paint(StateStyle(g.state), string(g.state)) }),
		columns.Number("", "machines", figure.Short, func(g *glance) float64 { return known(g.machines, g.state) }),
		columns.Number("", "events", figure.Short, func(g *glance) float64 { return known(g.events, g.state) }),
		columns.Duration("", "lasted", func(g *glance) (time.Duration, bool) { return g.elapsed, g.elapsed > 0 }),
		columns.Number("", "gaps %", figure.Mean, func(g *glance) float64 { return g.gaps }),
		columns.Number("", "jump max", figure.Short, func(g *glance) float64 { return g.jumpMax }),
		columns.Number("drift", "mean", figure.Mean, func(g *glance) float64 { return g.drift }),
		columns.Number("drift", "max", figure.Short, func(g *glance) float64 { return g.driftMax }),
		columns.Number("queue", "max", figure.Short, func(g *glance) float64 { return g.queueMax }),
		columns.Number("queue", "growth/s", figure.PerSecond, func(g *glance) float64 { return g.growth }),
	}
}

func known[N int | uint64](n N, state trace.State) float64 {
	if state == Unreadable {
		return math.NaN()
	}
	return float64(n)
}

// Write writes the lines of all runs, the smallest, middle and largest of each figure over
// those that break no law, and the tally of all; as a table, or in markdown.
func (o *Overview) Write(w io.Writer, tally *Tally, format string, on terminal.Screen) error {
	render, quoted := stacked(on), quote.Visible
	if format == "markdown" {
		render, quoted, on = (*columns.Table).Markdown, quote.Markdown, terminal.Screen{}
	}
	all := glances(on, quoted)
	sound := slices.DeleteFunc(slices.Clone(o.runs), func(g glance) bool { return g.state == trace.Broken || g.state == Unreadable })
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", render(columns.New(all, o.runs)))
	if len(sound) > 1 {
		text := fmt.Sprintf("Of the machines of a run, the largest. Over the %s that break no law:", figure.Plural(len(sound), "run"))
		fmt.Fprintf(&b, "\n%s\n\n%s\n", terminal.Wrap(text, on.Width, 0), render(between(all, sound)))
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return tally.Write(w, on)
}

// between returns the table of the smallest, the middle and the largest value of each
// column that has values.
func between(all []columns.Column[glance], runs []glance) *columns.Table {
	t := &columns.Table{Heads: []columns.Head{{Words: true}}, Rows: [][]string{{"smallest"}, {"median"}, {"largest"}}}
	for _, c := range all[2:] {
		var values []float64
		for i := range runs {
			if v := c.Value(&runs[i]); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		slices.SortFunc(values, cmp.Compare)
		t.Heads = append(t.Heads, c.Head)
		for row, at := range []int{0, (len(values)+1)/2 - 1, len(values) - 1} { // by the nearest rank
			cell := figure.Absent
			if len(values) > 0 {
				cell = c.Format(values[at])
			}
			t.Rows[row] = append(t.Rows[row], cell)
		}
	}
	return t
}
