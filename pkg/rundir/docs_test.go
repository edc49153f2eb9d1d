package rundir

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/summary"
)

// The page on files names every field of a record and of a summary.
func TestFieldsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/files.md")
	require.NoError(t, err)
	r := record()
	r.Faults, err = fault.Parse("at 1s kill 1 for 2s", 2)
	require.NoError(t, err)
	r.Virtual = &experiment.Virtual{Latency: experiment.Constant(time.Second)}
	r.Hosts = []string{"a", "b"}
	r.Restart, r.Sync, r.NoLogs, r.ReplayOf = true, true, true, "x"
	r.Hosts = []string{"a", "b"}
	m := summary.Machine{
		Rate: r.Rates[0], Started: time.Unix(1, 0), Restarts: 1, Down: 1, Missed: 1, Lateness: summary.Lateness{Ticks: 1},
		Pending: map[int]uint64{1: 1}, Stalls: 1, Stalled: 1, Undelivered: map[int]uint64{1: 1}, Left: []int{1},
	}
	m.Wire.Frames = 1
	for _, v := range []any{r, m, m.Lateness} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(b, &fields))
		require.NotEmpty(t, fields)
		for name := range fields {
			assert.Contains(t, string(page), "`"+name+"`")
		}
	}
}
