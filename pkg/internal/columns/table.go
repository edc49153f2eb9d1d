package columns

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Head is what stands above a column, and on which side the column is aligned.
//
// Invariant: a group's title is no wider than the names of any two of its columns
// with a space between. The library widens merged columns for a title that does
// not fit, and divides by zero where it is too wide by little.
type Head struct {
	Group string // title over neighbouring columns that have it too; "": none
	Name  string
	Words bool // aligned left, as words are, and not right, as numbers
	Spare int  // where there is no room, the columns with the highest go first
}

// title is what the column is called where no group stands above it.
func (h Head) title() string { return strings.TrimSpace(h.Group + " " + h.Name) }

// Table is texts in columns. Every row, and the footer if there is one, has a text
// for each head.
type Table struct {
	Heads  []Head
	Rows   [][]string
	Footer []string
}

// New lays out a table of rows.
func New[R any](columns []Column[R], rows []R) *Table {
	t := &Table{}
	for _, c := range columns {
		t.Heads = append(t.Heads, c.Head)
	}
	for i := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, c.Cell(&rows[i]))
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// Titles returns what the columns are called, each with the title of its group before its
// own name.
func (t *Table) Titles() []string {
	var titles []string
	for _, h := range t.Heads {
		titles = append(titles, h.title())
	}
	return titles
}

// Text returns the table for a terminal, in UTF-8 and without a line break at the
// end. What is painted in the cells takes no room.
func (t *Table) Text() string {
	w := t.writer()
	if slices.ContainsFunc(t.Heads, func(h Head) bool { return h.Group != "" }) {
		w.AppendHeader(t.header(func(h Head) string { return h.Group }), table.RowConfig{AutoMerge: true})
	}
	w.AppendHeader(t.header(func(h Head) string { return h.Name }))

	// The first column is padded on the left as the others are.
	var b strings.Builder
	for line := range strings.Lines(w.Render()) {
		line = strings.TrimPrefix(line, style.Box.PaddingLeft)
		b.WriteString(strings.TrimPrefix(line, strings.Repeat(style.Box.MiddleHorizontal, len(style.Box.PaddingLeft))))
	}
	return b.String()
}

// Markdown returns the table as a page has it, each column with the title of its
// group before its own, and without a line break at the end.
func (t *Table) Markdown() string {
	w := t.writer()
	w.AppendHeader(t.header(Head.title))
	return w.RenderMarkdown()
}

func (t *Table) header(of func(Head) string) (row table.Row) {
	for _, h := range t.Heads {
		row = append(row, of(h))
	}
	return row
}

// writer holds all of the table but its header.
func (t *Table) writer() table.Writer {
	w := table.NewWriter()
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	var configs []table.ColumnConfig
	for i, h := range t.Heads {
		align := text.AlignRight
		if h.Words {
			align = text.AlignLeft
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, AlignFooter: align})
	}
	w.SetColumnConfigs(configs)
	for _, cells := range t.Rows {
		w.AppendRow(row(cells))
	}
	if t.Footer != nil {
		w.AppendFooter(row(t.Footer))
	}
	return w
}

func row(cells []string) (row table.Row) {
	for _, c := range cells {
		row = append(row, c)
	}
	return row
}

// style rules off header and footer and has no other line: with so many
// columns the numbers need the room.
var style = func() table.Style {
	s := table.StyleLight
	s.Format = table.FormatOptions{}
	s.Options = table.Options{SeparateHeader: true, SeparateFooter: true}
	s.Box.PaddingLeft, s.Box.PaddingRight = "  ", ""
	return s
}()

// The library asks the environment for its language and takes ± and … for two
// columns wide in some; terminals draw them in one. The same table is the same
// text everywhere.
func init() { text.OverrideRuneWidthEastAsianWidth(false) }
