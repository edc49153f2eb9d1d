package sweep

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// five is a sweep of five systems, of which so many have a saturated machine: the more so
// the later the trial.
func five(t *testing.T, saturated int) *made {
	g := lists(5, []string{"random"}, 10)
	g.Machines = []int{3}
	return invent(t, g, func(r *Run, id int) outcome {
		x := outcome{jump: 2, jumpMax: 5, drift: float64(r.Trial), driftMax: 9 * r.Trial, queueMax: r.Trial, growth: 0.01}
		if id == 1 && r.Trial > 5-saturated {
			x.predicted, x.growth, x.queueMax = 0.1*float64(r.Trial), 0.1*float64(r.Trial), 6*r.Trial
		}
		return x
	})
}

// Five systems are five systems: each machine has its line, there is no mean over them,
// and the first words are of the one with most to tell.
func TestSystems(t *testing.T) {
	m := five(t, 2)
	text, findings := string(m.report().Text(terminal.Screen{})), m.findings()
	assert.Contains(t, text, "Runs and machines\n")
	assert.Equal(t, 2, strings.Count(text, "  saturated  "))
	assert.Equal(t, 13, strings.Count(text, "  keeps up  "))
	assert.NotContains(t, text, "slowest")
	assert.NotContains(t, text, "±")
	assert.NotContains(t, findings, "slowest")
	assert.Equal(t, "p0001-t0005", m.report().Telling())
	assert.Contains(t, findings, "- **In 2 of 5 runs a machine is saturated.** The run to look at first is p0001-t0005: rates ")
	assert.Contains(t, findings, "messages reach vm-1 per second, which takes ")
	assert.Contains(t, findings, ": its queue should grow by 0.50/s, or by 30.00 in the run, and got 30 long; its clock was behind by 5.00 on average, and by 45 at most, and jumped by 2.00 per event, by 5 at most.\n")
	var order []int
	for _, name := range []string{"p0001-t0005", "p0001-t0004", "p0001-t0003", "p0001-t0002", "p0001-t0001"} {
		order = append(order, strings.Index(findings, name+": "))
	}
	assert.True(t, slices.IsSorted(order), "the most telling first: %v", order)
	assert.Contains(t, findings, "What can be compared: the growth of the queues, observed minus predicted, is ")

	// Without a saturated machine, the one on the edge; without that, the furthest behind.
	m = five(t, 0)
	assert.Equal(t, "p0001-t0005", m.report().Telling())
	assert.Contains(t, m.findings(), "**In no run is a machine saturated.** The run to look at first is p0001-t0005: ")
	edge := m.results[1].Stats.Machines[2].Predicted
	edge.Arrivals = edge.Takes
	assert.Equal(t, "p0001-t0002", m.report().Telling())
	assert.Contains(t, m.findings(), "vm-2 is at the edge: ")

	// A run that is not correct has nothing to tell.
	m = five(t, 1)
	m.results[4].Stats.Verdict.State = trace.Incomplete
	assert.NotEqual(t, "p0001-t0005", m.report().Telling())
	for i := range m.results {
		m.results[i].Stats.Verdict.State = trace.Broken
	}
	assert.Empty(t, m.report().Telling())
	assert.Contains(t, m.findings(), "No run is correct, so there is nothing to report.")
}

// Means are for machines that can be compared: of given rates, or over many draws.
func TestWhatIsNoSystem(t *testing.T) {
	given := lists(5, []string{"1,5,4"}, 10)
	many := lists(maxSystems+1, []string{"random"}, 10)
	crowd := lists(5, []string{"random"}, 10)
	crowd.Machines = []int{maxSystemMachines + 1}
	for _, g := range []*Grid{given, many, crowd} {
		m := invent(t, g, func(*Run, int) outcome { return outcome{jump: 2} })
		require.Empty(t, m.report().Telling())
		assert.NotContains(t, string(m.report().Text(terminal.Screen{})), "Runs and machines")
		assert.Contains(t, m.findings(), "**Jumps.**")
	}
}
