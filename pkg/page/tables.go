package page

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// maxRows is how many machines a table has a row for, the first ones.
const maxRows = 1000

// tables returns the tables of a run's figures, and what they mean.
func tables(stats *trace.Stats) []Table {
	list := []Table{}
	for _, t := range report.StatsTables(stats) {
		table := Table{Title: t.Title, Columns: t.Columns, Rows: t.Rows}
		if more := len(t.Rows) - maxRows; more > 0 {
			table.Rows = t.Rows[:maxRows]
			table.Note = fmt.Sprintf("and %s more", figure.Plural(more, "machine"))
		}
		list = append(list, table)
	}
	meaning := Table{Title: "What this shows", Columns: []string{""}}
	for i, text := range report.StatsFindings(stats) {
		if i == maxRows {
			break
		}
		meaning.Rows = append(meaning.Rows, []string{quote.Visible(text)})
	}
	return append(list, meaning)
}

// histograms returns how the jumps of the machines' clocks are distributed.
func histograms(stats *trace.Stats, c *charts) []Histogram {
	list := []Histogram{}
	for i := range stats.Machines {
		m := &stats.Machines[i]
		if place, ok := c.placeOf(m.ID); ok && len(m.JumpHistogram) > 0 {
			list = append(list, Histogram{
				Name: "jumps", Machine: place, Unit: "ticks",
				Labels: report.JumpClasses(len(m.JumpHistogram)), Counts: m.JumpHistogram,
			})
		}
	}
	return list
}
