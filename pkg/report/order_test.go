package report_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
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

func listed(t testing.TB, run *trace.Run, o report.OrderOptions) string {
	var b bytes.Buffer
	open, err := report.Order(t.Context(), &b, run, o)
	require.NoError(t, err)
	require.Empty(t, open)
	return b.String()
}

// orderLine is an event's line, as fmt writes it.
func orderLine(machines int, l logged, tied bool) string {
	mark := " "
	if tied {
		mark = "="
	}
	line := fmt.Sprintf("%7d%s %-*s  %s  %-8v  step=%d queue=%d", l.Clock, mark, len(host(machines-1)), host(l.machine),
		time.UnixMicro(l.micro).UTC().Format(logging.TimeFormat), l.Kind, l.Step, l.Queue)
	var to []string
	for _, m := range l.Messages() {
		if l.Kind == event.Receive {
			line += fmt.Sprintf(" from=%d seq=%d sent=%d", m.From, m.Seq, m.Sent)
		} else {
			to = append(to, fmt.Sprintf("%d:%d", m.To, m.Seq))
		}
	}
	if len(to) > 0 {
		line += " to=" + strings.Join(to, ",")
	}
	return line + "\n"
}

// The dumb twin: sort all events, leave out what is not wanted, print the rest.
func TestOrderIsTheSortOfWhatIsWanted(t *testing.T) {
	eachRun(t, func(t *testing.T, run *trace.Run, all []logged) {
		slices.SortFunc(all, func(a, b logged) int {
			return clock.Stamp{Time: a.Clock, ID: a.machine}.Compare(clock.Stamp{Time: b.Clock, ID: b.machine})
		})
		same := make(map[clock.Time]int)
		for _, l := range all {
			same[l.Clock]++
		}
		rng := rand.New(rand.NewPCG(uint64(len(all)), 2))
		for range 20 {
			var o report.OrderOptions
			from, to := all[rng.IntN(len(all))], all[rng.IntN(len(all))]
			since, until := rng.IntN(4), rng.IntN(4)
			point := func(by int, l logged) report.Point {
				switch by {
				case 1:
					return report.AtClock(l.Clock)
				case 2:
					return report.AtTime(time.UnixMicro(l.micro))
				case 3:
					return report.AtElapsed(time.Duration(l.elapsed) * time.Microsecond)
				}
				return report.Point{}
			}
			within := func(by int, a, b logged) bool { // a does not come after b
				return by == 0 || by == 1 && a.Clock <= b.Clock || by > 1 && a.micro <= b.micro
			}
			o.Since, o.Until = point(since, from), point(until, to)
			if rng.IntN(2) == 0 {
				o.Machines = []int{rng.IntN(run.Machines), rng.IntN(run.Machines)}
			}
			if rng.IntN(2) == 0 {
				o.Kinds = []event.Kind{event.Kind(1 + rng.IntN(3)), event.Kind(1 + rng.IntN(3))}
			}
			var want strings.Builder
			for _, l := range all {
				if within(since, from, l) && within(until, l, to) &&
					(o.Machines == nil || slices.Contains(o.Machines, l.machine)) && (o.Kinds == nil || slices.Contains(o.Kinds, l.Kind)) {
					want.WriteString(orderLine(run.Machines, l, same[l.Clock] > 1))
				}
			}
			require.Equal(t, want.String(), listed(t, run, o), "%+v", o)
		}
	})
}

func TestPointsThatAreAfterOthers(t *testing.T) {
	now := tracetest.Start
	for _, tt := range []struct {
		p, q report.Point
		want bool
	}{
		{report.AtClock(5), report.AtClock(4), true},
		{report.AtClock(5), report.AtClock(5), false},
		{report.AtClock(4), report.AtClock(5), false},
		{report.AtClock(clock.Max), report.AtClock(1), true},
		{report.AtTime(now.Add(time.Second)), report.AtTime(now), true},
		{report.AtTime(now), report.AtTime(now), false},
		{report.AtElapsed(2 * time.Second), report.AtElapsed(time.Second), true},
		{report.AtElapsed(time.Second), report.AtElapsed(2 * time.Second), false},
		{report.AtClock(5), report.AtElapsed(1), false}, // nobody knows
		{report.AtTime(now), report.AtElapsed(1), false},
		{report.AtClock(5), report.Point{}, false},
		{report.Point{}, report.AtClock(5), false},
		{report.Point{}, report.Point{}, false},
	} {
		assert.Equal(t, tt.want, tt.p.After(tt.q), "%v after %v", tt.p, tt.q)
	}
}

// A run whose order ends in its log of machine 1: what comes before is written. Who wants
// less does not come there.
func TestOrderOfABrokenRun(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(10, 10), Duration: 3 * time.Second, Seed: 5})
	log := run.Logs[1].Name
	writeFile(t, log, bytes.Replace(readFile(t, log), []byte(" step=20 clock="), []byte(" step=20 clock=0 queue=0 to=0:1\n"), 1))
	var b bytes.Buffer
	_, err := report.Order(t.Context(), &b, run, report.OrderOptions{})
	require.Error(t, err)
	assert.Regexp(t, ` vm-1 .* step=19 `, b.String())
	assert.NotRegexp(t, ` vm-1 .* step=20 `, b.String())

	b.Reset()
	open, err := report.Order(t.Context(), &b, run, report.OrderOptions{Until: report.AtClock(5)})
	require.NoError(t, err)
	assert.Empty(t, open)
	assert.Regexp(t, ` vm-1 .* step=4 `, b.String())
}

func TestOrderSaysWhatIsMissing(t *testing.T) {
	run, _ := broadcast(t, 3)
	open, err := report.Order(t.Context(), io.Discard, run, report.OrderOptions{})
	require.NoError(t, err)
	assert.Equal(t, []string{"machine 0 breaks off", "the log of machine 1 is missing", "the log of machine 2 is missing"}, open)
}

func TestOrderEnds(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(500, 500), Duration: 3 * time.Second})
	for _, size := range []int{0, 40_000} {
		_, err := report.Order(t.Context(), &brokenWriter{size}, run, report.OrderOptions{})
		assert.Equal(t, errBroken, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := report.Order(ctx, io.Discard, run, report.OrderOptions{Machines: []int{7}})
	assert.Equal(t, context.Canceled, err, "though nothing is to be written")
}

func ExampleOrder() {
	run, err := trace.Open("../trace/testdata/small")
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	if _, err := report.Order(context.Background(), &b, run, report.OrderOptions{Since: report.AtClock(3), Until: report.AtClock(4)}); err != nil {
		panic(err)
	}
	for line := range strings.Lines(b.String()) {
		fmt.Print("|", line)
	}
	// Output:
	// |      3  vm-1  2026-11-22T17:13:41.566786Z  send      step=3 queue=0 to=0:1
	// |      4= vm-0  2026-11-22T17:13:42.066670Z  receive   step=2 queue=0 from=1 seq=1 sent=3
	// |      4= vm-1  2026-11-22T17:13:42.066787Z  internal  step=4 queue=0
}
