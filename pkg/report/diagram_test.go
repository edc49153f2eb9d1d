package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/trace"
)

// simulated is a run in virtual time, as "launcher sim" leaves it.
func simulated(t testing.TB, machines int, rates, plan string, duration time.Duration) *trace.Run {
	t.Helper()
	spec := experiment.Spec{
		Common:  experiment.Common{Run: "sim", Die: 10, Seed: 7, Duration: duration},
		Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
	}
	var err error
	spec.Rates, err = experiment.ParseRates(rates, machines, 7)
	require.NoError(t, err)
	spec.Faults, err = experiment.ParseFaults(plan, machines, 7, duration)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = rundir.Claim(dir, &rundir.Record{Version: "test", Spec: spec})
	require.NoError(t, err)
	_, err = sim.Run(t.Context(), sim.Config{Spec: spec, LogDir: dir, Workers: 1})
	require.NoError(t, err)
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

func draw(t testing.TB, run *trace.Run, o report.DiagramOptions) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Diagram(&b, run, o))
	if o.Format != "tikz" {
		for dec := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
			_, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
	}
	assert.NotContains(t, b.String(), "NaN")
	assert.NotContains(t, b.String(), "Inf")
	return b.String()
}

// size returns the width and the height of a picture, in pixels.
func size(t testing.TB, svg string) (width, height int) {
	t.Helper()
	m := regexp.MustCompile(`width="(\d+)" height="(\d+)" font-family`).FindStringSubmatch(svg)
	require.NotNil(t, m)
	width, _ = strconv.Atoi(m[1])
	height, _ = strconv.Atoi(m[2])
	return width, height
}

// However much there is to draw, the picture fits a screen.
func TestDiagramChoosesItsDensity(t *testing.T) {
	for _, c := range []struct {
		machines int
		rates    string
		o        report.DiagramOptions
		marks    bool
	}{
		{3, "1,5,4", report.DiagramOptions{To: 12 * time.Second}, true},
		{3, "1,5,4", report.DiagramOptions{To: time.Minute}, true},
		{3, "10,10,10", report.DiagramOptions{}, false}, // too close to each other
		{3, "100,500,400", report.DiagramOptions{}, false},
		{100, "1-6", report.DiagramOptions{To: time.Minute}, false},
		{100, "1-6", report.DiagramOptions{To: time.Second}, true},
		{250, "2", report.DiagramOptions{To: 10 * time.Second}, false},
		{100, "1-6", report.DiagramOptions{To: time.Minute, Width: report.MinWidth}, false},
		{100, "1-6", report.DiagramOptions{To: time.Minute, Machines: []int{7, 3}}, true},
	} {
		svg := draw(t, simulated(t, c.machines, c.rates, "", time.Minute), c.o)
		width, height := size(t, svg)
		if c.o.Width == 0 {
			assert.Equal(t, report.DefaultWidth, width)
		} else {
			assert.Equal(t, c.o.Width, width)
		}
		assert.Less(t, height, 1600, "%+v", c)
		assert.Equal(t, c.marks, strings.Contains(svg, "marker-end"), "%+v", c)
		assert.Equal(t, c.marks, !strings.Contains(svg, "too many events"), "%+v", c)
		assert.Less(t, len(svg), 1<<20, "%+v", c)
	}
}

// The lines are those that are asked for, in that order, each with its rate.
func TestDiagramOfChosenMachines(t *testing.T) {
	run := simulated(t, 5, "1,2,3,4,0.5", "", 20*time.Second)
	svg := draw(t, run, report.DiagramOptions{Machines: []int{4, 0, 2}})
	labels := regexp.MustCompile(`>(vm-\d+|[\d.]+/s)</text>`).FindAllStringSubmatch(svg, -1)
	var seen []string
	for _, l := range labels {
		seen = append(seen, l[1])
	}
	assert.Equal(t, []string{"vm-4", "0.5/s", "vm-0", "1/s", "vm-2", "3/s"}, seen)
	assert.Contains(t, svg, "run sim · 3 of 5 machines · die 10 · seed 7 · 0s to 20s")
	for _, other := range []string{"vm-1 step", "vm-3 step", "<title>vm-1 ", "<title>vm-3 "} {
		assert.NotContains(t, svg, other)
	}
}

// A picture ends with the run, whatever end was asked for, and else where it was asked.
func TestDiagramEndsWithTheRun(t *testing.T) {
	run := simulated(t, 3, "1,5,4", "", 10*time.Second)
	for to, want := range map[time.Duration]string{
		0:                       "0s to 10s",
		time.Hour:               "0s to 10s",
		3 * time.Second:         "0s to 3s",
		10*time.Second - 999999: "0s to 9.999s",
	} {
		assert.Contains(t, draw(t, run, report.DiagramOptions{To: to}), " · "+want+"<")
	}
	assert.Contains(t, draw(t, run, report.DiagramOptions{From: 8 * time.Second}), " · 8s to 10s<")
}

// What the plan does to links and machines is drawn, as far as it lies in the picture.
func TestDiagramShowsFaults(t *testing.T) {
	run := simulated(t, 3, "1,5,4", "at 2s partition 0 | 1,2 for 2s; at 3s cut 1->2 for 4s; at 5s pause 0 for 1s; at 9s kill 1 for 2s", 20*time.Second)
	svg := draw(t, run, report.DiagramOptions{To: 8 * time.Second})
	for _, name := range []string{"partition 0 | 1,2", "cut 1-&gt;2", "pause 0"} {
		assert.Equal(t, 1, strings.Count(svg, ">"+name+"</text>"), name)
	}
	assert.NotContains(t, svg, "kill 1")
	assert.Equal(t, 3, strings.Count(svg, `fill-opacity="0.12"`), "a shade for each")
	svg = draw(t, run, report.DiagramOptions{From: 8 * time.Second})
	assert.Contains(t, svg, ">kill 1</text>")
	assert.Contains(t, svg, "broken line: down")
	assert.NotContains(t, svg, "partition")
	// As strips, too.
	svg = draw(t, simulated(t, 40, "5", "at 2s kill 7 for 2s; random partition every 5s for 1s", time.Minute), report.DiagramOptions{})
	assert.Contains(t, svg, ">kill 7</text>")
	assert.Contains(t, svg, `class="gap"`)
}

// The queue has a scale: its height is that of the longest.
func TestDiagramHasAScale(t *testing.T) {
	run := simulated(t, 3, "1,5,4", "", time.Minute)
	longest := 0
	_, err := run.Walk(trace.Options{}, trace.VisitorFunc(func(s *trace.Step) error {
		if s.Event != nil {
			longest = max(longest, s.Event.Queue)
		}
		return nil
	}))
	require.NoError(t, err)
	assert.Contains(t, draw(t, run, report.DiagramOptions{}), ">"+strconv.Itoa(longest)+"</text>")
}

// TikZ is made of what LaTeX understands, whatever the run is called.
func TestTikZ(t *testing.T) {
	tex := draw(t, simulated(t, 3, "1,5,4", "at 2s cut 1->2 for 4s", 10*time.Second), report.DiagramOptions{Format: "tikz"})
	golden(t, "diagram.tex", []byte(tex))
	run := simulated(t, 3, "1,5,4", "", 5*time.Second)
	for _, l := range run.Logs {
		b, err := os.ReadFile(l.Name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(l.Name, bytes.Replace(b, []byte("run=sim"), []byte(`run="{input}%$_^~&#|<é"`), 1), 0o666))
	}
	run, err := trace.Open(run.Dir)
	require.NoError(t, err)
	tex = draw(t, run, report.DiagramOptions{Format: "tikz"})
	assert.Contains(t, tex, `{run \{input\}\%\$\_\^{}\~{}\&\#$|$$<$? $\cdot$ 3 machines`)
}
