package columns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

// grouped is a table with two groups, of which the second is less important.
func grouped() *Table {
	return &Table{
		Heads: []Head{
			{Name: "machine", Words: true}, {Group: "events", Name: "sent", Spare: 1}, {Group: "events", Name: "all"},
			{Name: "clock"}, {Group: "queue", Name: "mean", Spare: 3}, {Group: "queue", Name: "max", Spare: 2},
		},
		Rows:   [][]string{{"vm-0", "123", "456", "789", "0.55", "3"}, {"vm-1", "1", "4", "7", "-", "0"}},
		Footer: []string{"all", "124", "460", "789", "", "3"},
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		width int
		want  string // the columns that are there
		left  string
	}{
		{0, "machine sent all clock mean max", ""},
		{80, "machine sent all clock mean max", ""},
		{36, "machine sent all clock mean max", ""},
		{35, "machine sent all clock max", "queue mean"},
		{32, "machine sent all clock max", "queue mean"}, // the title is wider than the column
		{31, "machine sent all clock", "queue mean, max"},
		{24, "machine all clock", "events sent, queue mean, max"},
		{20, "machine all", "events sent, clock, queue mean, max"},
		{1, "machine all", "events sent, clock, queue mean, max"},
	} {
		fitting, left := grouped().Fit(tt.width)
		var names []string
		for _, h := range fitting.Heads {
			names = append(names, h.Name)
		}
		assert.Equal(t, tt.want, strings.Join(names, " "), "%d", tt.width)
		assert.Equal(t, tt.left, strings.Join(Titles(left), ", "), "%d", tt.width)
	}
	fitting, _ := grouped().Fit(32)
	assert.Equal(t, strings.TrimPrefix(`
           events          queue
machine  sent  all  clock    max
────────────────────────────────
vm-0      123  456    789      3
vm-1        1    4      7      0
────────────────────────────────
all       124  460    789      3`, "\n"), fitting.Text())
}

func TestStack(t *testing.T) {
	names := func(width, keys int) (all []string) {
		for _, table := range grouped().Stack(width, keys) {
			var names []string
			for _, h := range table.Heads {
				names = append(names, h.Name)
			}
			all = append(all, strings.Join(names, " "))
		}
		return all
	}
	assert.Equal(t, []string{"machine sent all clock mean max"}, names(0, 1))
	assert.Equal(t, []string{"machine sent all clock mean max"}, names(36, 1))
	assert.Equal(t, []string{"machine sent all clock", "machine mean max"}, names(35, 1))
	assert.Equal(t, []string{"machine sent all", "machine clock", "machine mean max"}, names(20, 1))
	assert.Equal(t, []string{"machine sent", "machine all", "machine clock", "machine mean", "machine max"}, names(1, 1))
	assert.Equal(t, []string{"machine sent all clock mean max"}, names(1, 6))
	assert.Equal(t, []string{"machine sent all clock", "machine sent all mean max"}, names(35, 3))
	assert.Equal(t, []string{"machine sent all", "machine all clock", "machine all mean", "machine all max"}, names(23, 3),
		"what can be spared of the keys stands by itself")
}

// wide is how wide a text is.
func wide(text string) (widest int) {
	for line := range strings.SplitSeq(text, "\n") {
		widest = max(widest, terminal.Width(line))
	}
	return widest
}

// Whatever is in a table, its parts are no wider than was asked for, and the
// reckoned width is the one that the library comes to.
func TestFitAndStackAtAnyWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "columns")
		table := &Table{}
		group := rapid.SampledFrom([]string{"", "", "ab", "cd", "longer"})
		for i := range n {
			h := Head{Group: group.Draw(t, "group"), Name: strings.Repeat("n", rapid.IntRange(3, 9).Draw(t, "name")), Spare: rapid.IntRange(0, 3).Draw(t, "spare")}
			if i == 0 {
				h.Group = ""
			}
			table.Heads = append(table.Heads, h)
		}
		for r := range rapid.IntRange(1, 3).Draw(t, "rows") {
			var row []string
			for i := range n {
				cell := fmt.Sprintf("%d.%d", r, i) + strings.Repeat("±", rapid.IntRange(0, 9).Draw(t, "cell"))
				row = append(row, terminal.Screen{Colour: rapid.Bool().Draw(t, "painted")}.Paint(terminal.Good, cell))
			}
			table.Rows = append(table.Rows, row)
		}
		width := rapid.IntRange(1, 100).Draw(t, "width")

		fitting, left := table.Fit(width)
		require.Equal(t, fitting.width(fitting.all(), fitting.widths()), wide(fitting.Text()))
		require.Len(t, table.Heads, len(fitting.Heads)+len(left))
		if len(fitting.Heads) > 2 {
			require.LessOrEqual(t, wide(fitting.Text()), width)
		}
		keys := rapid.IntRange(1, 2).Draw(t, "keys")
		shown := make(map[string]bool) // by a cell, which no other column has
		for _, part := range table.Stack(width, keys) {
			for _, cell := range part.Rows[0] {
				shown[terminal.Plain(cell)] = true
			}
			if len(part.Heads) > keys+1 {
				require.LessOrEqual(t, wide(part.Text()), width)
			}
		}
		require.Len(t, shown, n, "every column is shown")
	})
}
