package report

import (
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// StatsTable is one of the tables of a run's figures, as people read them.
type StatsTable struct {
	Title   string
	Columns []string
	Rows    [][]string // one for each machine
}

// StatsTables returns the tables that [Stats] writes, for whoever lays them out otherwise.
func StatsTables(s *trace.Stats) []StatsTable {
	var tables []StatsTable
	for _, g := range append(slices.Clone(groups), jumps(s)) {
		columns := append([]column{machineColumn(terminal.Screen{})}, g.columns...)
		t := StatsTable{Title: g.title}
		for _, c := range columns {
			name := c.Name
			if c.Group != "" {
				name = c.Group + " " + name
			}
			t.Columns = append(t.Columns, name)
		}
		for i := range s.Machines {
			var row []string
			for _, c := range columns {
				row = append(row, c.Cell(&s.Machines[i]))
			}
			t.Rows = append(t.Rows, row)
		}
		tables = append(tables, t)
	}
	return tables
}

// StatsFindings says in sentences what the figures of a run mean, as [Stats] does.
func StatsFindings(s *trace.Stats) []string { return findings(s, terminal.Screen{}) }

// JumpClasses returns the names of so many classes of [trace.MachineStats.JumpHistogram].
func JumpClasses(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = bucketName(i)
	}
	return names
}
