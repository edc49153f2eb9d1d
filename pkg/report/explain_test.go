package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// indexed is a run with the index of its events.
type indexed struct {
	*trace.Run
	*causal.Index
	verdict *trace.Verdict
	// all that the walk has shown, by machine, with the sends of the receives
	events [][]event.Event
	sends  map[causal.Place]causal.Place
}

func index(t require.TestingT, dir string) *indexed {
	run, err := trace.Open(dir)
	require.NoError(t, err)
	x := &indexed{Run: run, events: make([][]event.Event, len(run.Present())), sends: make(map[causal.Place]causal.Place)}
	lines := make(map[[2]int]causal.Place)
	b := causal.NewBuilder(run, causal.Options{})
	x.verdict, err = run.Walk(trace.Options{}, b, trace.VisitorFunc(func(s *trace.Step) error {
		if s.Event == nil {
			return nil
		}
		p := causal.Place{Machine: s.Index, Position: len(x.events[s.Index])}
		lines[[2]int{s.Machine, s.Line}] = p
		if s.Sent != nil {
			x.sends[p] = lines[[2]int{int(s.Event.Messages()[0].From), s.Sent.Line}]
		}
		x.events[s.Index] = append(x.events[s.Index], *s.Event)
		return nil
	}))
	require.NoError(t, err)
	x.Index, err = b.Index()
	require.NoError(t, err)
	return x
}

// messages returns over how few messages each event is reached from one, by a search over
// all of them: none for those that are not.
func (x *indexed) messages(from causal.Place) map[causal.Place]int {
	next := make(map[causal.Place][]causal.Place)
	for receive, send := range x.sends {
		next[send] = append(next[send], receive)
	}
	reached := map[causal.Place]int{from: 0}
	for changed := true; changed; {
		changed = false
		relax := func(p causal.Place, messages int) {
			if old, ok := reached[p]; !ok || messages < old {
				reached[p], changed = messages, true
			}
		}
		for m, events := range x.events {
			for i := range events {
				p := causal.Place{Machine: m, Position: i}
				n, ok := reached[p]
				if !ok {
					continue
				}
				if i+1 < len(events) {
					relax(causal.Place{Machine: m, Position: i + 1}, n)
				}
				for _, receive := range next[p] {
					relax(receive, n+1)
				}
			}
		}
	}
	delete(reached, from)
	return reached
}

// What is said of two events, and of one, is what a search over all events finds.
func TestExplanationsAreTrue(t *testing.T) {
	parent, runs := t.TempDir(), 0
	relations := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		runs++
		dir := filepath.Join(parent, strconv.Itoa(runs))
		require.NoError(t, os.Mkdir(dir, 0o777))
		require.NoError(t, tracetest.Record(dir, tracetest.Config{
			Rates:    rapid.SliceOfN(rapid.SampledFrom(tracetest.Hertz(1, 2, 5)), 1, 5).Draw(t, "rates"),
			Duration: time.Duration(rapid.IntRange(2, 9).Draw(t, "seconds")) * time.Second,
			Seed:     rapid.Uint64().Draw(t, "seed"), Die: rapid.IntRange(3, 8).Draw(t, "die"),
			Delay: time.Duration(rapid.IntRange(0, 900).Draw(t, "ms")) * time.Millisecond,
		}))
		x := index(t, dir)
		place := func(name string) causal.Place {
			m := rapid.IntRange(0, len(x.events)-1).Draw(t, name+"'s machine")
			return causal.Place{Machine: m, Position: rapid.IntRange(0, len(x.events[m])-1).Draw(t, name)}
		}
		a, b := place("a"), place("b")
		after, back := x.messages(a), x.messages(b)

		e := report.Explain(x.Run, x.Index, x.verdict, a, b)
		relations[e.Relation]++
		messages, before := after[b]
		switch {
		case a == b:
			require.Equal(t, "same", e.Relation)
		case before:
			require.Equal(t, "before", e.Relation)
			x.holds(t, e.Chain, a, b, messages)
		default:
			if messages, before = back[a]; before {
				require.Equal(t, "after", e.Relation)
				x.holds(t, e.Chain, b, a, messages)
				break
			}
			require.Equal(t, "concurrent", e.Relation)
			var window []uint64
			for i := range x.events[b.Machine] {
				p := causal.Place{Machine: b.Machine, Position: i}
				_, isAfter := after[p]
				if _, isBefore := x.messages(p)[a]; !isAfter && !isBefore {
					window = append(window, x.events[b.Machine][i].Step)
				}
			}
			require.Equal(t, len(window), e.Window.Events)
			require.Equal(t, window[0], e.Window.First.Step)
			require.Equal(t, window[len(window)-1], e.Window.Last.Step)
		}

		e = report.Explain(x.Run, x.Index, x.verdict, a, causal.Nowhere)
		past := 0
		for m := range x.events {
			for i := range x.events[m] {
				if p := (causal.Place{Machine: m, Position: i}); p != a {
					if _, ok := x.messages(p)[a]; ok {
						past++
						require.LessOrEqual(t, x.events[m][i].Step, e.Others[m].Last.Step)
					}
				}
			}
		}
		require.Equal(t, report.Counts{Past: past, Concurrent: x.Kept() - 1 - past - len(after), Future: len(after)}, *e.Counts)
		x.carries(t, e, a)
	})
	for _, r := range []string{"before", "after", "concurrent"} {
		require.NotZero(t, relations[r], r)
	}
}

// holds checks that a chain leads from one event to another, over so many messages.
func (x *indexed) holds(t require.TestingT, c *report.Chain, from, to causal.Place, messages int) {
	require.Equal(t, messages, c.Messages)
	require.Len(t, c.Hops, messages-c.LeftOut)
	at := x.At(from)
	for i, h := range c.Hops {
		if c.LeftOut == 0 || i < 8 {
			require.Equal(t, x.ID(at.Machine), h.Send.Machine)
			require.LessOrEqual(t, at.Step, h.Send.Step)
		}
		receive := x.step(h.Receive)
		require.Equal(t, x.step(h.Send), x.sends[receive])
		at = x.At(receive)
	}
	require.Equal(t, to.Machine, at.Machine)
	require.LessOrEqual(t, at.Position, to.Position)
}

func (x *indexed) step(l report.Line) causal.Place {
	m, _ := x.Find(l.Machine)
	return causal.Place{Machine: m, Position: int(l.Step) - 1}
}

// carries checks that each message of the way of a clock value gave its recipient the
// value that it had, and that all else on the way counted by 1.
func (x *indexed) carries(t require.TestingT, e *report.Explanation, a causal.Place) {
	c := e.Carried
	before := clock.Time(0)
	if a.Position > 0 {
		before = x.events[a.Machine][a.Position-1].Clock
	}
	require.Equal(t, uint64(x.events[a.Machine][a.Position].Clock-before), c.Jump)
	for _, h := range c.Chain.Hops {
		require.Equal(t, h.Send.Clock+1, h.Receive.Clock)
	}
	at := x.At(a)
	if n := len(c.Chain.Hops); n > 0 {
		last := c.Chain.Hops[n-1].Receive
		require.Equal(t, at.Step-last.Step, uint64(at.Clock-last.Clock))
	} else {
		require.Equal(t, x.At(x.step(c.From)).Machine, a.Machine)
	}
	if c.Chain.LeftOut == 0 {
		require.EqualValues(t, 1, c.From.Clock, "the longest chain of causes begins with the first event of a machine")
	}
}

func TestExplainText(t *testing.T) {
	x := index(t, "../trace/testdata/small")
	for name, events := range map[string][]string{
		"before": {"1:3", "0:5"}, "after": {"0@6", "1@2"}, "concurrent": {"0:1", "vm_1_2.log:6"}, "machine": {"vm-0:2", "0:5"},
		"same": {"0:3", "0@5"}, "receive": {"1:8"}, "first": {"0:1"}, "jump": {"0:5"},
	} {
		var places [2]causal.Place
		places[1] = causal.Nowhere
		for i, text := range events {
			n, err := report.ParseEventName(text)
			require.NoError(t, err)
			places[i], err = n.Find(x.Run, x.Index)
			require.NoError(t, err)
		}
		e := report.Explain(x.Run, x.Index, x.verdict, places[0], places[1])
		require.NoError(t, e.Quote(x.Run))
		var b, narrow bytes.Buffer
		require.NoError(t, e.Text(&b, terminal.Screen{}))
		golden(t, "explain-"+name+".txt", bytes.ReplaceAll(b.Bytes(), []byte("../trace/testdata/"), []byte("runs/")))
		require.NoError(t, e.Text(&narrow, terminal.Screen{Person: true, Width: 60}))
		for line := range strings.Lines(narrow.String()) {
			if !strings.Contains(line, ".log:") { // which is evidence
				require.LessOrEqual(t, terminal.Width(strings.TrimSuffix(line, "\n")), 60, line)
			}
		}
		written, err := json.Marshal(e)
		require.NoError(t, err)
		var back report.Explanation
		require.NoError(t, json.Unmarshal(written, &back))
		require.Equal(t, e.A.Text, back.A.Text)
		require.Contains(t, e.A.Text, fmt.Sprintf("step=%d clock=%d ", e.A.Step, e.A.Clock))
	}
}

// Where sends are missing, more may have happened before something than is seen.
func TestExplainWithoutALog(t *testing.T) {
	run := laboratory(t)
	require.NoError(t, os.Remove(run.Logs[2].Name))
	x := index(t, run.Dir)
	e := report.Explain(x.Run, x.Index, x.verdict, causal.Place{Machine: 0, Position: 0}, causal.Place{Machine: 1, Position: 0})
	require.Contains(t, e.Doubt, "the logs do not show the sends of ")
	var b bytes.Buffer
	require.NoError(t, e.Text(&b, terminal.Screen{}))
	require.Contains(t, b.String(), "A and B are concurrent, as far as these logs show")
}

func TestEventNames(t *testing.T) {
	x := index(t, "../trace/testdata/small")
	for text, want := range map[string]string{
		"":                       "names no event",
		"1":                      "names no event",
		"1:":                     "names no event",
		":4":                     "names no event",
		"1:0":                    "names no event",
		"1@x":                    "names no event",
		"vm_0_1.log@3":           "names no event",
		"-1:3":                   "-1:3: -1 is no log of this run",
		"2:1":                    "2:1: there is no machine 2: the run has machines 0 to 1",
		"0:6":                    "0:6: machine 0 has no step 6: its steps are 1 to 5",
		"0@7":                    "0@7: the clock of machine 0 jumps from 6 to 10 with step 5: no event has 7",
		"0@11":                   "0@11: the clock of machine 0 ends at 10",
		"vm_0_1.log:1":           "vm_0_1.log:1: that line is no event",
		"vm_0_1.log:99":          "vm_0_1.log:99: that line is no event",
		"vm_7_1.log:2":           "vm_7_1.log:2: vm_7_1.log is no log of this run",
		"elsewhere/vm_0_1.log:2": "is no log of this run",
	} {
		n, err := report.ParseEventName(text)
		if err == nil {
			_, err = n.Find(x.Run, x.Index)
		}
		require.ErrorContains(t, err, want, text)
	}
	for _, text := range []string{"1:6", "vm-1:6", "1@6", "vm_1_2.log:7", "../trace/testdata/small/vm_1_2.log:7"} {
		n, err := report.ParseEventName(text)
		require.NoError(t, err)
		p, err := n.Find(x.Run, x.Index)
		require.NoError(t, err)
		require.Equal(t, causal.Place{Machine: 1, Position: 5}, p)
	}
}
