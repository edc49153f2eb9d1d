package columns

import (
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

// gap is how many columns of the terminal lie between two columns of a table.
var gap = len(style.Box.PaddingLeft)

// Fit returns the table without the columns for which there is no room in width
// columns of the terminal, and the heads of these, in order. The first column, which
// names the rows, stays, and one more, however narrow the terminal is. 0: there is
// room for all.
func (t *Table) Fit(width int) (fitting *Table, left []Head) {
	kept, widths := t.all(), t.widths()
	for width > 0 && len(kept) > 2 && t.width(kept, widths) > width {
		spare := 1
		for i := 2; i < len(kept); i++ {
			if t.Heads[kept[i]].Spare >= t.Heads[kept[spare]].Spare {
				spare = i
			}
		}
		kept = slices.Delete(kept, spare, spare+1)
	}
	for i, h := range t.Heads {
		if !slices.Contains(kept, i) {
			left = append(left, h)
		}
	}
	return t.pick(kept), left
}

// Stack returns the table as one or more that stand one above the other, none of them
// wider than width columns of the terminal where that can be. Each begins with the
// same keys columns, which name the rows; where these leave no room, they have a table
// of their own, and in the others those that can be spared are left out. A group is
// only divided where it does not fit by itself. 0: there is room for all.
func (t *Table) Stack(width, keys int) []*Table {
	widths := t.widths()
	keys = min(keys, len(t.Heads))
	names := t.all()[:keys]
	fits := func(columns ...int) bool {
		return width <= 0 || t.width(slices.Concat(names, columns), widths) <= width
	}
	var tables []*Table
	if slices.ContainsFunc(t.all()[keys:], func(c int) bool { return !fits(c) }) {
		essential := slices.DeleteFunc(slices.Clone(names), func(c int) bool { return t.Heads[c].Spare > 0 })
		if len(essential) < keys {
			tables = append(tables, t.pick(names))
			names = essential
		}
	}
	var stack [][]int
	add := func(columns ...int) {
		if n := len(stack); n > 0 && fits(slices.Concat(stack[n-1], columns)...) {
			stack[n-1] = append(stack[n-1], columns...)
		} else {
			stack = append(stack, columns)
		}
	}
	for _, group := range t.groups(keys) {
		if fits(group...) {
			add(group...)
			continue
		}
		for _, column := range group {
			add(column)
		}
	}
	for _, columns := range stack {
		tables = append(tables, t.pick(slices.Concat(names, columns)))
	}
	if len(tables) == 0 {
		return []*Table{t}
	}
	return tables
}

// all returns the numbers of all columns.
func (t *Table) all() (numbers []int) {
	for i := range t.Heads {
		numbers = append(numbers, i)
	}
	return numbers
}

// groups returns the numbers of the columns from one on, those together that have a
// common title.
func (t *Table) groups(from int) (groups [][]int) {
	for i, h := range t.Heads[from:] {
		i += from
		if n := len(groups); n > 0 && h.Group != "" && h.Group == t.Heads[i-1].Group {
			groups[n-1] = append(groups[n-1], i)
		} else {
			groups = append(groups, []int{i})
		}
	}
	return groups
}

// widths returns how wide each column is by itself.
func (t *Table) widths() []int {
	widths := make([]int, len(t.Heads))
	for i, h := range t.Heads {
		widths[i] = terminal.Width(h.Name)
	}
	for _, row := range append(slices.Clone(t.Rows), t.Footer) {
		for i, cell := range row {
			widths[i] = max(widths[i], terminal.Width(cell))
		}
	}
	return widths
}

// width returns how wide a table of some of the columns is. A group's title needs room
// of its own where only one column of the group is there; see [Head].
func (t *Table) width(columns, widths []int) (total int) {
	for i, c := range columns {
		width, group := widths[c], t.Heads[c].Group
		alone := (i == 0 || t.Heads[columns[i-1]].Group != group) && (i == len(columns)-1 || t.Heads[columns[i+1]].Group != group)
		if group != "" && alone {
			width = max(width, terminal.Width(group))
		}
		total += width + gap
	}
	return total - gap
}

// pick returns a table of some of the columns.
func (t *Table) pick(columns []int) *Table {
	of := func(row []string) (cells []string) {
		for _, c := range columns {
			cells = append(cells, row[c])
		}
		return cells
	}
	picked := &Table{}
	for _, c := range columns {
		picked.Heads = append(picked.Heads, t.Heads[c])
	}
	for _, row := range t.Rows {
		picked.Rows = append(picked.Rows, of(row))
	}
	if t.Footer != nil {
		picked.Footer = of(t.Footer)
	}
	return picked
}

// Titles returns what columns are called, each group named once: "messages sent",
// "received", "rate".
func Titles(heads []Head) (titles []string) {
	for i, h := range heads {
		title := h.title()
		if i > 0 && h.Group != "" && h.Group == heads[i-1].Group {
			title = h.Name
		}
		titles = append(titles, title)
	}
	return titles
}
