package report_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/summary"
)

// crowd is a run of a thousand machines without logs.
func crowd(t *testing.T) *sim.Result {
	t.Helper()
	rates, err := experiment.ParseRates("random", 1000, 7)
	require.NoError(t, err)
	r, err := sim.Run(context.Background(), sim.Config{Workers: 1, Spec: experiment.Spec{
		Common:  experiment.Common{Run: experiment.VirtualName, Die: 10, Seed: 7, Duration: 20 * time.Second},
		Rates:   rates,
		Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
	}})
	require.NoError(t, err)
	return r
}

func TestPopulationFormats(t *testing.T) {
	p := summary.Survey(crowd(t).Machines())
	written := make(map[string]string)
	for _, format := range report.StatsFormats {
		var b bytes.Buffer
		require.NoError(t, report.Population(&b, "runs/example", p, format, terminal.Screen{}))
		written[format] = b.String()
	}
	golden(t, "population.txt", []byte(written["table"]))
	golden(t, "population.md", []byte(written["markdown"]))
	golden(t, "population.csv", []byte(written["csv"]))
	var back summary.Population
	require.NoError(t, json.Unmarshal([]byte(written["json"]), &back))
	assert.Equal(t, p, &back)
	for _, width := range []int{40, 80} {
		var b bytes.Buffer
		require.NoError(t, report.Population(&b, "runs/example", p, "table", terminal.Screen{Width: width}))
		for line := range strings.SplitSeq(b.String(), "\n") {
			assert.LessOrEqual(t, terminal.Width(line), width, "%q", line)
		}
	}
}

func TestMachinesCSV(t *testing.T) {
	machines := slices.Collect(crowd(t).Machines())
	var b bytes.Buffer
	require.NoError(t, report.MachinesCSV(&b, slices.Values(machines)))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1001)
	for _, name := range rows[0] {
		assert.Contains(t, report.StatsHeader(), name, "as in the tables of runs with logs")
	}
	column := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	leaders := 0
	for i, m := range machines {
		row := rows[i+1]
		assert.Equal(t, m.Rate.String(), column(row, "rate"))
		if column(row, "drift_final") == "0" {
			leaders++
		}
	}
	assert.Positive(t, leaders)
	assert.Error(t, report.MachinesCSV(full{}, slices.Values(machines)))
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }
