package report_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// One walk writes every form, the diagram and the figures, each as it would alone.
func TestOneWalkWritesAll(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(10, 50, 40), Duration: 4 * time.Second, Seed: 7, Delay: 20 * time.Millisecond})
	window := report.DiagramOptions{From: time.Second, To: 2 * time.Second}
	drawing, figures := report.NewDrawing(run, window), trace.NewCollector(run)
	visitors := []trace.Visitor{drawing, figures}
	written := make([]bytes.Buffer, len(report.Formats))
	var exporters []*report.Exporter
	for i, f := range report.Formats {
		e, err := report.NewExporter(&written[i], run, f, report.Options{})
		require.NoError(t, err)
		exporters = append(exporters, e)
		visitors = append(visitors, e)
	}
	verdict, err := run.Walk(trace.Options{}, visitors...)
	require.NoError(t, err)

	for i, f := range report.Formats {
		notes, err := exporters[i].End(verdict)
		require.NoError(t, err)
		alone, e := export(t, run, f, report.Options{})
		assert.Equal(t, alone, written[i].String(), "%s: that others want vector clocks changes nothing", f)
		assert.Equal(t, e.Notes, notes)
		assert.Equal(t, e.Verdict, verdict)
	}
	var svg, alone bytes.Buffer
	require.NoError(t, drawing.WriteSVG(&svg))
	require.NoError(t, report.Diagram(&alone, run, window))
	assert.Equal(t, alone.String(), svg.String())
	stats, err := run.Stats()
	require.NoError(t, err)
	assert.Equal(t, stats, figures.Stats(verdict))
}

// A diagram that cannot be drawn is the diagram's trouble, not the walk's.
func TestCrowdedDiagramLeavesTheWalk(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(1000, 1000), Duration: 3 * time.Second})
	drawing, figures := report.NewDrawing(run, report.DiagramOptions{}), trace.NewCollector(run)
	verdict, err := run.Walk(trace.Options{}, drawing, figures)
	require.NoError(t, err)
	assert.EqualValues(t, 6000, figures.Stats(verdict).Events)
	want := "more than 3000 events lie in the part of the run that is to be drawn: choose a shorter one"
	assert.EqualError(t, drawing.WriteSVG(io.Discard), want)
	assert.EqualError(t, report.Diagram(io.Discard, run, report.DiagramOptions{}), want)
}

// Nobody reads what comes long after the window.
func TestDiagramReadsNoFurther(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(20, 20), Duration: 2 * time.Minute})
	log := run.Logs[1].Name
	writeFile(t, log, append(readFile(t, log), "no line\n"...))
	assert.NoError(t, report.Diagram(io.Discard, run, report.DiagramOptions{To: 10 * time.Second}))
	assert.ErrorContains(t, report.Diagram(io.Discard, run, report.DiagramOptions{To: 70 * time.Second}), "expected a time in UTC")
}
