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
	"sync"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/summary"
)

// MaxRows is how many machines get a row of their own. Of more, the rows are
// the smallest, the median and the largest value of each column.
const MaxRows = 40

// Options says what the summaries themselves cannot.
type Options struct {
	// Screen is where the text goes. The columns for which there is no room are
	// left out, the least important first, and named below the tables.
	terminal.Screen

	// ForAll is what one would say for all columns, such as "--wide", which the text
	// then mentions. It is not mentioned where it is "".
	ForAll string

	// Machines is how many machines the run had, numbered from 0. Those that
	// gave no summary are named, and the messages of the run are not
	// balanced, since what these sent and received is unknown. 0 means that
	// no summary is missing.
	Machines int

	// Clocks is how many hosts' clocks the machines' times come from. Where that is
	// more than 1, no two machines' are compared.
	Clocks int

	// Virtual says that no machine ran in real time: nothing is to be said of its pace,
	// and nothing kept of it, for a million machines.
	Virtual bool
}

// Write prints the summary of a run to w, in one call of its Write: a table of
// the pace, where it was measured; a table of events, clocks, queues and
// messages; and what can be said of the run as a whole. The machines may come
// in any order, and are gone through once. The text is UTF-8, and the same for
// the same machines and options.
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
	o     Options
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
	s := &sheet{o: o, notes: notes{seen: make([]bool, max(o.Machines, 0)), clocks: o.Clocks}}
	empty := func(columns []column) []series {
		var all []series
		for _, c := range columns {
			// Grown step by step, the series of a million machines would leave
			// three times their size behind.
			all = append(all, series{c, make([]float64, 0, len(s.notes.seen))})
		}
		return all
	}
	if !o.Virtual {
		s.pace = empty(paceColumns)
	}
	s.model = empty(modelColumns)
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
	var left []columns.Head
	if s.run.Machines > 0 {
		slices.SortFunc(s.rows, func(a, b summary.Machine) int { return cmp.Compare(a.ID, b.ID) })
		if s.spread() {
			b.WriteString(s.wrap(figure.Plural(s.run.Machines, "machine")+
				": the smallest, median and largest value of each column by itself", 2) + "\n")
		}
		if s.timed {
			left = append(left, s.table(&b, s.pace)...)
		}
		left = append(left, s.table(&b, s.model)...)
	}
	lines := s.notes.lines(&s.run)
	if len(left) > 0 {
		lines = append(lines, line{key: "not shown", text: s.omission(left)})
	}
	for _, l := range lines {
		b.WriteString(s.wrap(s.o.Paint(l.style, fmt.Sprintf("%-13s", l.key))+l.text, 13))
	}
	return b.Bytes()
}

// wrap returns a text in lines for which there is room.
func (s *sheet) wrap(text string, hang int) string {
	return terminal.Wrap(text, s.o.Width, hang) + "\n"
}

// omission says which columns are not there, and how to see them.
func (s *sheet) omission(left []columns.Head) string {
	titles := columns.Titles(left)
	text := "the columns " + figure.List(titles, len(titles))
	if len(left) == 1 {
		text = "the column " + titles[0]
	}
	if s.o.ForAll != "" {
		text += " (" + s.o.ForAll + " shows all)"
	}
	return text
}

// spread says that there are too many machines for a row each.
func (s *sheet) spread() bool { return s.run.Machines > MaxRows }

// table writes those of the columns in which some machine has a figure and for
// which there is room, and an empty line after them. It returns those for which there
// is none.
func (s *sheet) table(b *bytes.Buffer, all []series) (left []columns.Head) {
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
		var sorting sync.WaitGroup // a second for a million machines, on one core
		for _, c := range all {
			sorting.Go(func() { slices.Sort(c.values) })
		}
		sorting.Wait()
		quantile := func(name string, q float64) {
			t.Rows = append(t.Rows, row(name, func(c series) string { return c.Format(c.values[int(q*float64(len(c.values)-1))]) }))
		}
		quantile("min", 0)
		quantile("median", 0.5)
		quantile("max", 1)
	} else {
		for i := range s.rows {
			m := &s.rows[i]
			t.Rows = append(t.Rows, row(s.o.Paint(terminal.Machine(m.ID), machineColumn.Cell(m)), func(c series) string { return c.Cell(m) }))
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
	fitting, left := t.Fit(s.o.TableWidth())
	b.WriteString(fitting.Text() + "\n\n")
	return left
}
