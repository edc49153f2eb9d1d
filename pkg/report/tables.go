package report

import (
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Table is a table as people read it, for whoever lays it out otherwise.
type Table struct {
	Title string
	Keys  int // how many columns, from the first, say what a row is about
	*columns.Table
}

// StatsTables returns the tables of a run's figures that [Stats] writes, with a row for each
// machine.
func StatsTables(s *trace.Stats) []Table { return statsTables(s, terminal.Screen{}) }

func statsTables(s *trace.Stats, on terminal.Screen) (tables []Table) {
	for _, g := range append(slices.Clone(groups), jumps(s)) {
		title := g.title
		if g.timed && len(s.ClockSteps) > 0 {
			title += ", as without the steps of system clocks"
		}
		if g.timed && s.Corrected {
			title += ", times corrected"
		}
		tables = append(tables, Table{title, 1, columns.New(append([]column{machineColumn(on)}, g.columns...), s.Machines)})
	}
	if s.ClockOffsets != nil {
		tables = append(tables, offsetTable(s.ClockOffsets, on))
	}
	return tables
}

// StatsFindings says in sentences what the figures of a run mean, as [Stats] does.
func StatsFindings(s *trace.Stats) []string { return findings(s, terminal.Screen{}) }

// JumpClasses returns the names of the first n classes of [trace.MachineStats.JumpHistogram].
func JumpClasses(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = bucketName(i)
	}
	return names
}
