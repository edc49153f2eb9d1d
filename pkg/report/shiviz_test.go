package report_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// shivizEvent is an event as ShiViz sees it.
type shivizEvent struct {
	text  string
	clock map[string]uint64
}

// parseShiViz takes a log apart as ShiViz does, by the expression in its first line, and
// holds it against ShiViz's rules. It returns the events of each host.
func parseShiViz(t testing.TB, text string) map[string][]shivizEvent {
	lines := strings.SplitN(text, "\n", 3)
	require.Len(t, lines, 3)
	require.Equal(t, `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`, lines[0], "ShiViz's default expression")
	require.Empty(t, lines[1], "one execution has no delimiter")
	expression := regexp.MustCompile("(?m)^" + lines[0] + "$")

	hosts := make(map[string][]shivizEvent)
	rest := lines[2]
	matches := 0
	for _, m := range expression.FindAllStringSubmatch(rest, -1) {
		matches++
		e := shivizEvent{text: m[1]}
		require.NoError(t, json.Unmarshal([]byte(m[3]), &e.clock))
		hosts[m[2]] = append(hosts[m[2]], e)
	}
	require.Equal(t, strings.Count(rest, "\n"), 2*matches, "no line is left out")

	for host, events := range hosts {
		slices.SortStableFunc(events, func(a, b shivizEvent) int { return int(a.clock[host]) - int(b.clock[host]) })
		last := make(map[string]uint64)
		for i, e := range events {
			require.EqualValues(t, i+1, e.clock[host], "%s counts its own events from 1", host)
			for other, n := range e.clock {
				require.Contains(t, hosts, other, "a clock names only hosts with events")
				require.Positive(t, n)
				require.LessOrEqual(t, n, uint64(len(hosts[other])), "a clock names only events that are there")
			}
			for other, n := range last {
				require.GreaterOrEqual(t, e.clock[other], n, "a clock does not go back")
			}
			last = e.clock
		}
	}
	return hosts
}

func TestShiViz(t *testing.T) {
	eachRun(t, func(t *testing.T, run *trace.Run, all []logged) {
		text, e := export(t, run, report.ShiViz, report.Options{})
		assert.Empty(t, e.Notes)
		hosts := parseShiViz(t, text)
		events := make([]shivizEvent, len(all))
		for i, l := range all {
			events[i] = hosts[host(l.machine)][l.Step-1]
			require.Equal(t, shivizText(l), events[i].text)
		}
		compareVectors(t, all, func(i int) []uint64 {
			v := make([]uint64, run.Machines)
			for m := range v {
				v[m] = events[i].clock[host(m)]
			}
			return v
		})
	})
}

func host(machine int) string { return fmt.Sprintf("vm-%d", machine) }

func shivizText(l logged) string {
	s := fmt.Sprintf("%v step=%d clock=%d", l.Kind, l.Step, l.Clock)
	switch m := l.Messages(); {
	case l.Kind == event.Receive:
		s += fmt.Sprintf(" from %s sent=%d", host(int(m[0].From)), m[0].Sent)
	case len(m) > 0:
		var to []string
		for _, m := range m {
			to = append(to, host(int(m.To)))
		}
		s += " to " + strings.Join(to, " and ")
	}
	return s + fmt.Sprintf(" queue=%d", l.Queue)
}

func TestShiVizIsSlow(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: slices.Repeat(tracetest.Hertz(1), 300), Duration: 40 * time.Second})
	_, e := export(t, run, report.ShiViz, report.Options{})
	assert.Equal(t, []string{
		"300 machines: ShiViz is made for a few",
		"12000 events: ShiViz needs seconds for 10000, and four times as long for twice as many",
	}, e.Notes)
}
