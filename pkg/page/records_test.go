package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// Of very many lines that are no events, the first stand in the page, and the stop line.
func TestManyRecords(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(5, 5), Duration: 4 * time.Second, Seed: 3}))
	name := filepath.Join(dir, "vm_1_5.log")
	back(t, name, 11)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(b), "\n")
	lines[11] = strings.Repeat(lines[11], 3*maxRecords)
	require.NoError(t, os.WriteFile(name, []byte(strings.Join(lines, "")), 0o666))
	run, _, _ := show(t, dir, Options{})
	records := run.Machines[1].Records
	require.Len(t, records, maxRecords)
	assert.Equal(t, Record{Kind: "start", Line: 1, T: 0, After: -1, Text: strings.TrimSuffix(lines[0], "\n")}, records[0])
	resume, _, _ := strings.Cut(lines[11], "\n")
	assert.Equal(t, Record{Kind: "resume", Line: 12, T: 2e6, After: 9, Text: resume}, records[1])
	stop := records[len(records)-1]
	assert.Equal(t, "stop", stop.Kind)
	assert.Equal(t, int64(19), stop.After)
	assert.Len(t, run.Machines[0].Records, 2)
}
