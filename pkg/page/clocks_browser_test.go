package page_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// The system clocks of hosts have a chart, which says what it shows to those who do not see it.
func TestSystemClocksAreDrawn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(4, 5, 4), Duration: time.Minute, Seed: 5, Compare: []time.Duration{0, 58 * time.Second}, Within: time.Millisecond,
		Time: func(machine int, elapsed time.Duration) time.Duration {
			return elapsed + time.Duration(machine)*time.Hour
		},
	}))
	file := filepath.Join(dir, "corrected.html")
	require.NoError(t, lab.Report{Dirs: []string{dir}, File: file, Corrected: true}.Run(context.Background(), quiet()))
	tab := open(t, file, look{})
	const chart = `#charts figure:nth-of-type(5)` // behind that of lateness
	tab.chart(chart)
	assert.Equal(t, "System clocks", tab.text(chart+" h3"))
	assert.Contains(t, tab.text(chart), "machine 1 was 1h0m0s ahead of it at first")
	assert.Contains(t, tab.text(`#charts`), "dashed: what a system clock gained at least, and at most")
	assert.Contains(t, tab.text(`body`), "by the clock of machine 0")
	tab.do(`document.querySelector($).querySelector("details").open = true`, chart)
	tab.wait(`document.querySelectorAll($).length === 14`, chart+" tr")
	tab.accessible()
}
