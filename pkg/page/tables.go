package page

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// maxRows is how many rows a table has, the first ones.
const maxRows = 1000

// tables returns the tables of a run's figures, and what they mean.
func tables(stats *trace.Stats) []Table {
	list := textTables(report.StatsTables(stats))
	meaning := Table{Title: "What this shows", Columns: []string{""}, Rows: [][]string{}}
	for i, text := range report.StatsFindings(stats) {
		if i == maxRows {
			break
		}
		meaning.Rows = append(meaning.Rows, []string{quote.Visible(text)})
	}
	return append(list, meaning)
}

// textTables returns tables as the page has them.
func textTables(tables []report.Table) []Table {
	list := []Table{}
	for _, t := range tables {
		out := Table{Title: quote.Visible(t.Title), Columns: visible(t.Titles()), Rows: [][]string{}, Keys: t.Keys}
		for i, row := range t.Rows {
			if i == maxRows {
				out.Note = fmt.Sprintf("and %s more", figure.Plural(len(t.Rows)-maxRows, "row"))
				break
			}
			out.Rows = append(out.Rows, visible(row))
		}
		list = append(list, out)
	}
	return list
}

// visible returns texts that show what they are.
func visible(list []string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, quote.Visible(s))
	}
	return out
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
