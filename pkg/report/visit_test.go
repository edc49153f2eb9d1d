package report_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
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
	require.NoError(t, drawing.Write(&svg))
	require.NoError(t, report.Diagram(&alone, run, window))
	assert.Equal(t, alone.String(), svg.String())
	stats, err := run.Stats()
	require.NoError(t, err)
	assert.Equal(t, stats, figures.Stats(verdict))
}

// What is too much to be drawn one by one is no trouble, to the diagram or to the walk.
func TestCrowdedDiagram(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(1000, 1000), Duration: 3 * time.Second})
	drawing, figures := report.NewDrawing(run, report.DiagramOptions{}), trace.NewCollector(run)
	verdict, err := run.Walk(trace.Options{}, drawing, figures)
	require.NoError(t, err)
	assert.EqualValues(t, 6000, figures.Stats(verdict).Events)
	var svg bytes.Buffer
	require.NoError(t, drawing.Write(&svg))
	assert.Contains(t, svg.String(), "too many events to draw each")
	assert.NotContains(t, svg.String(), "marker-end")
}

// Nobody reads what comes long after the window.
func TestDiagramReadsNoFurther(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(20, 20), Duration: 2 * time.Minute})
	log := run.Logs[1].Name
	writeFile(t, log, append(readFile(t, log), "no line\n"...))
	assert.NoError(t, report.Diagram(io.Discard, run, report.DiagramOptions{To: 10 * time.Second}))
	assert.ErrorContains(t, report.Diagram(io.Discard, run, report.DiagramOptions{To: 70 * time.Second}), "expected a time in UTC")
}

// broadcast is a run in which machine 0 sends to all others in one event, as far as an
// event takes them, and nobody receives. It returns what was sent.
func broadcast(t testing.TB, machines int) (*trace.Run, []event.Message) {
	send := event.Event{Step: 1, Clock: 1, Kind: event.Send}
	var messages []event.Message
	for id := 1; id < machines; id++ {
		messages = append(messages, event.Message{To: int32(id), Seq: 10 + uint64(id), Sent: 1})
	}
	send.SetMessages(messages...)
	var log bytes.Buffer
	w := logging.NewWriter(&log, 0)
	w.Start(tracetest.Start, logging.Start{Machines: machines, Rate: clock.Hertz, Die: 10})
	w.Event(tracetest.Start.Add(time.Second), &send)
	require.NoError(t, w.Flush())
	run, err := trace.New(trace.TextLog(0, "machine 0", func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(log.Bytes())), nil
	}))
	require.NoError(t, err)
	return run, send.Messages()
}

// Every form shows all messages of a send.
func TestManyMessagesInASend(t *testing.T) {
	for _, machines := range []int{2, 3, 4, 8} {
		run, sent := broadcast(t, machines)
		var pairs, objects, list, hosts []string
		for _, m := range sent {
			pairs = append(pairs, fmt.Sprintf("[%d,%d]", m.To, m.Seq))
			objects = append(objects, fmt.Sprintf(`{"peer":%d,"seq":%d}`, m.To, m.Seq))
			list = append(list, fmt.Sprintf("%d:%d", m.To, m.Seq))
			hosts = append(hosts, host(int(m.To)))
		}
		for f, want := range map[report.Format]string{
			report.CSV:      `,send,1,1,0,"[` + strings.Join(pairs, ",") + `]",,` + "\n",
			report.JSONL:    `,"queue":0,"messages":[` + strings.Join(objects, ",") + "]}\n",
			report.Perfetto: `"to":"` + strings.Join(list, ",") + `"}}`,
			report.ShiViz:   "send step=1 clock=1 to " + strings.Join(hosts, " and ") + " queue=0\n",
		} {
			text, _ := export(t, run, f, report.Options{})
			assert.Contains(t, text, want)
		}
		var lines, svg bytes.Buffer
		_, err := report.Order(t.Context(), &lines, run, report.OrderOptions{})
		require.NoError(t, err)
		assert.Equal(t, "      1  vm-0  2026-11-22T17:13:41.000000Z  send      step=1 queue=0 to="+strings.Join(list, ",")+"\n", lines.String())
		require.NoError(t, report.Diagram(&svg, run, report.DiagramOptions{}))
		for _, m := range sent {
			assert.Contains(t, svg.String(), fmt.Sprintf(", message %d to vm-%d", m.Seq, m.To))
		}
	}
}
