// Package table prints what the machines of a run did, side by side and all
// together, for a person at a terminal.
package table

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/summary"
)

// MaxRows is how many machines get a row of their own. Of more, the rows are
// the smallest, the median and the largest value of each column.
const MaxRows = 40

// Options says what the summaries themselves cannot.
type Options struct {
	// Machines is how many machines the run had, numbered from 0. Those that
	// gave no summary are named, and the messages of the run are not
	// balanced, since what these sent and received is unknown. 0 means that
	// no summary is missing.
	Machines int
}

// Write prints the summary of a run to w, in one call of its Write: a table of
// the pace, where it was measured; a table of events, clocks, queues and
// messages; and what can be said of the run as a whole. The machines may come
// in any order, and are gone through once. The text is UTF-8 without colours,
// and the same for the same machines.
func Write(w io.Writer, machines iter.Seq[summary.Machine], o Options) error {
	s := newSheet(o)
	var m summary.Machine // one for all: each would go to the heap
	for m = range machines {
		s.add(&m)
	}
	_, err := w.Write(s.render())
	return err
}

// sheet gathers all that is to be printed.
type sheet struct {
	run   summary.Run
	notes notes

	pace, model []series
	timed       bool // some machine ran in real time: pace says something

	// rows are the machines themselves, up to MaxRows of them.
	rows []summary.Machine
}

// series is a column with its figure of every machine that has one.
type series struct {
	column
	values []float64
}

func newSheet(o Options) *sheet {
	s := &sheet{notes: notes{seen: make([]bool, max(o.Machines, 0))}}
	empty := func(columns []column) []series {
		var all []series
		for _, c := range columns {
			// Grown step by step, the series of a million machines would leave
			// three times their size behind.
			all = append(all, series{c, make([]float64, 0, len(s.notes.seen))})
		}
		return all
	}
	s.pace, s.model = empty(paceColumns), empty(modelColumns)
	return s
}

func (s *sheet) add(m *summary.Machine) {
	s.run.Add(m)
	s.notes.add(m)
	s.timed = s.timed || m.Lateness.Ticks > 0 || m.Rate == clock.Unpaced && m.Elapsed > 0
	if len(s.rows) < MaxRows {
		s.rows = append(s.rows, *m)
	}
	for _, all := range [][]series{s.pace, s.model} {
		for i := range all {
			c := &all[i]
			if x := c.Value(m); !math.IsNaN(x) {
				c.values = append(c.values, x)
			}
		}
	}
}

func (s *sheet) render() []byte {
	var b bytes.Buffer
	if s.run.Machines > 0 {
		slices.SortFunc(s.rows, func(a, b summary.Machine) int { return cmp.Compare(a.ID, b.ID) })
		if s.spread() {
			fmt.Fprintf(&b, "%s: the smallest, median and largest value of each column by itself\n\n",
				figure.Plural(s.run.Machines, "machine"))
		}
		if s.timed {
			b.WriteString(s.table(s.pace))
		}
		b.WriteString(s.table(s.model))
	}
	for _, l := range s.notes.lines(&s.run) {
		fmt.Fprintf(&b, "%-13s%s\n", l.key, l.text)
	}
	return b.Bytes()
}

// spread says that there are too many machines for a row each.
func (s *sheet) spread() bool { return s.run.Machines > MaxRows }

// table renders those of the columns in which some machine has a figure, and
// an empty line after them.
func (s *sheet) table(all []series) string {
	all = slices.DeleteFunc(slices.Clone(all), func(c series) bool { return len(c.values) == 0 })
	t := &columns.Table{Heads: []columns.Head{machineColumn.Head}}
	for _, c := range all {
		t.Heads = append(t.Heads, c.Head)
	}
	row := func(title string, cell func(c series) string) []string {
		cells := []string{title}
		for _, c := range all {
			cells = append(cells, cell(c))
		}
		return cells
	}
	if s.spread() {
		for _, c := range all {
			slices.Sort(c.values)
		}
		quantile := func(name string, q float64) {
			t.Rows = append(t.Rows, row(name, func(c series) string { return c.Format(c.values[int(q*float64(len(c.values)-1))]) }))
		}
		quantile("min", 0)
		quantile("median", 0.5)
		quantile("max", 1)
	} else {
		for i := range s.rows {
			m := &s.rows[i]
			t.Rows = append(t.Rows, row(machineColumn.Cell(m), func(c series) string { return c.Cell(m) }))
		}
	}
	if s.run.Machines > 1 && slices.ContainsFunc(all, func(c series) bool { return c.all != nil }) {
		t.Footer = row("all", func(c series) string {
			if c.all == nil {
				return ""
			}
			return c.Format(c.all(&s.run))
		})
	}
	return t.Text() + "\n\n"
}
