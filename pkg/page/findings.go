package page

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/trace"
)

// maxFindings is how many findings stand at the head of a page.
const maxFindings = 3

// weighted is a finding and how telling it is.
type weighted struct {
	Finding
	weight float64
}

// findings returns what the figures say that matters, the most telling first.
func findings(stats *trace.Stats, c *Collector, spans []Span) []Finding {
	var all []weighted
	for i := range stats.Machines {
		if place, ok := c.charts.placeOf(stats.Machines[i].ID); ok {
			all = append(all, queueFinding(&stats.Machines[i], place)...)
		}
	}
	slices.SortStableFunc(all, func(a, b weighted) int { return cmp.Compare(b.weight, a.weight) })
	list := []Finding{}
	for _, f := range all[:min(len(all), maxFindings)] {
		list = append(list, f.Finding)
	}
	return list
}

// queueFinding says whether a machine keeps up.
func queueFinding(m *trace.MachineStats, place int) []weighted {
	p := m.Predicted
	if p == nil || m.QueueGrowth == nil {
		return nil
	}
	about := Finding{Machine: &place}
	switch {
	case p.OnEdge():
		about.Text = fmt.Sprintf("machine %d is at the edge: as many messages arrive as it takes, %s/s", m.ID, figure.PerSecond(p.Arrivals))
		return []weighted{{about, 60}}
	case p.Saturated():
		about.Text = fmt.Sprintf("machine %d falls behind: its queue grew by %s messages/s, predicted %s",
			m.ID, figure.PerSecond(*m.QueueGrowth), figure.PerSecond(p.Growth))
		return []weighted{{about, 100}}
	}
	return nil
}
