package report_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// What is shown of a run costs what there is, not what a name claims.
func TestClaimedMachinesCostNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(10, 20, 30), Duration: time.Second, Seed: 1, Delay: time.Millisecond}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_1048575_1.log"), nil, 0o600))
	export := func(f report.Format) func(*trace.Run) error {
		return func(r *trace.Run) error { _, err := report.Export(io.Discard, r, f, report.Options{}); return err }
	}
	for _, show := range []struct {
		name string
		run  func(*trace.Run) error
	}{
		{"csv", export(report.CSV)},
		{"perfetto", export(report.Perfetto)},
		{"diagram", func(r *trace.Run) error { return report.Diagram(io.Discard, r, report.DiagramOptions{}) }},
		{"stats", func(r *trace.Run) error {
			s, err := r.Stats()
			if err != nil {
				return err
			}
			return report.Stats(io.Discard, s, "table", terminal.Screen{})
		}},
	} {
		t.Run(show.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			run, err := trace.Open(dir)
			require.NoError(t, err)
			require.NoError(t, show.run(run))
			runtime.ReadMemStats(&after)
			// Four bytes for each claimed machine would be as much.
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4_000_000))
		})
	}
}

// Where there are many machines, a diagram has a line for those that do something.
func TestDiagramOfFewAmongMany(t *testing.T) {
	rates := make([]uint64, 100)
	for i := range rates {
		rates[i] = 1
	}
	rates[40] = 100
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(rates...), Duration: time.Second, Seed: 1, Delay: 0}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Diagram(&b, run, report.DiagramOptions{To: 20 * time.Millisecond}))
	svg := b.String()
	lanes := len(regexp.MustCompile(`>vm-\d+( \S+)?</text>`).FindAllString(svg, -1))
	assert.Less(t, lanes, 10)
	assert.Contains(t, svg, ">vm-40</text>")
	assert.Contains(t, svg, fmt.Sprintf("<title>Space-time diagram of %d of 100 machines", lanes))
}

// Figures that are not known are left empty, and the machines without logs are counted.
func TestStatsOfMissingMachines(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(10, 20, 30), Duration: time.Second, Seed: 1}))
	require.NoError(t, os.Remove(filepath.Join(dir, "vm_1_20.log")))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	s, err := run.Stats()
	require.NoError(t, err)
	for format, want := range map[string]string{
		"table": "events on 3 machines in 1.00 s (run test, die 10); 1 of them without a log\n",
		"json":  `"missing": 1`,
	} {
		var b bytes.Buffer
		require.NoError(t, report.Stats(&b, s, format, terminal.Screen{}))
		assert.Contains(t, b.String(), want)
		assert.NotContains(t, b.String(), "NaN")
	}
}

// An export whose vector clocks take too much ends where they do, in good form.
func TestVectorBytes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 50, 40), Duration: 10 * time.Second, Seed: 1, Die: 3}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = report.Export(&b, run, report.CSV, report.Options{Vectors: true, VectorBytes: 10 * 3 * 8})
	require.EqualError(t, err, "more than 10 messages are in flight at one time between 3 machines: their vector clocks take more than 0 MB")
	assert.Greater(t, strings.Count(b.String(), "\n"), 10)
	assert.True(t, strings.HasSuffix(b.String(), "]\"\n"))
}
