package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// chromeTrace is the file, and chromeEvent an event in it.
type chromeTrace struct {
	DisplayTimeUnit string         `json:"displayTimeUnit"`
	TraceEvents     []*chromeEvent `json:"traceEvents"`
	Metadata        map[string]any `json:"metadata"`
}

type chromeEvent struct {
	Ph   string         `json:"ph"`
	Pid  int            `json:"pid"`
	Tid  int            `json:"tid"`
	Ts   json.Number    `json:"ts"`
	Dur  *int           `json:"dur"`
	Name string         `json:"name"`
	Cat  string         `json:"cat"`
	ID   uint64         `json:"id"`
	Bp   string         `json:"bp"`
	Args map[string]any `json:"args"`

	ns int64
}

// perfettoTrace is the trace as Perfetto understands it.
type perfettoTrace struct {
	chromeTrace
	names  map[int]string
	slices map[int][]*chromeEvent // by process, in time
	flows  []flow
}

type flow struct{ from, to *chromeEvent } // slices

// parsePerfetto reads a trace and follows Perfetto's rules: events are taken by time, those
// of one time as they stand in the file, and a flow starts and ends at the slice
// that was begun last on its track.
func parsePerfetto(t testing.TB, text string) *perfettoTrace {
	p := &perfettoTrace{names: make(map[int]string), slices: make(map[int][]*chromeEvent)}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&p.chromeTrace))
	require.False(t, dec.More())
	for _, e := range p.TraceEvents {
		require.Equal(t, e.Pid, e.Tid)
		require.Positive(t, e.Pid, "process 0 is the idle one")
		if e.Ph == "M" {
			if e.Name == "process_name" {
				require.NotContains(t, p.names, e.Pid)
				p.names[e.Pid] = e.Args["name"].(string)
			}
			continue
		}
		e.ns = thousandths(t, e.Ts)
	}
	sorted := slices.Clone(p.TraceEvents)
	slices.SortStableFunc(sorted, func(a, b *chromeEvent) int { return int(a.ns - b.ns) })
	last := make(map[int]*chromeEvent)
	starts := make(map[uint64]*chromeEvent)
	ended := make(map[uint64]bool)
	for _, e := range sorted {
		switch e.Ph {
		case "M":
		case "X":
			require.NotNil(t, e.Dur)
			require.Zero(t, *e.Dur)
			require.Contains(t, p.names, e.Pid)
			last[e.Pid] = e
			p.slices[e.Pid] = append(p.slices[e.Pid], e)
		case "C":
			require.Len(t, e.Args, 1)
		case "s":
			require.NotContains(t, starts, e.ID, "a flow starts once")
			require.NotNil(t, last[e.Pid])
			require.Equal(t, last[e.Pid].ns, e.ns)
			starts[e.ID] = last[e.Pid]
		case "f":
			require.Contains(t, starts, e.ID, "a flow starts before it ends")
			require.False(t, ended[e.ID], "a flow ends once")
			ended[e.ID] = true
			require.Equal(t, "e", e.Bp)
			require.Equal(t, last[e.Pid].ns, e.ns)
			require.Less(t, starts[e.ID].ns, e.ns)
			p.flows = append(p.flows, flow{starts[e.ID], last[e.Pid]})
		default:
			require.Fail(t, "phase "+e.Ph)
		}
	}
	require.Len(t, ended, len(starts), "a flow that starts ends")
	return p
}

func TestPerfetto(t *testing.T) {
	eachRun(t, func(t *testing.T, run *trace.Run, all []logged) {
		text, e := export(t, run, report.Perfetto, report.Options{})
		p := parsePerfetto(t, text)
		assert.Equal(t, "correct", p.Metadata["verdict"])
		assert.Equal(t, "test", p.Metadata["run"])
		assert.Equal(t, json.Number(strconv.Itoa(run.Machines)), p.Metadata["machines"])
		start, err := time.Parse(time.RFC3339, p.Metadata["start"].(string))
		require.NoError(t, err)
		assert.Equal(t, json.Number(strconv.FormatInt(start.UnixMicro(), 10)), p.Metadata["start_us"])

		// One track per machine, with its events.
		setBack := false
		events := make(map[*chromeEvent]int) // places in all
		byStep := make(map[[2]int]*chromeEvent)
		for pid, track := range p.slices {
			assert.Equal(t, host(pid-1), p.names[pid])
			for i, s := range track {
				byStep[[2]int{pid - 1, int(number(t, s.Args["step"]))}] = s
				if i > 0 {
					setBack = setBack || number(t, s.Args["step"]) < number(t, track[i-1].Args["step"])
				}
			}
		}
		require.Len(t, byStep, len(all))
		early := 0
		for i, l := range all {
			s := byStep[[2]int{l.machine, int(l.Step)}]
			events[s] = i
			require.Equal(t, l.Kind.String(), s.Name)
			require.EqualValues(t, l.Clock, number(t, s.Args["clock"]))
			require.EqualValues(t, l.Queue, number(t, s.Args["queue"]))
			require.Equal(t, l.elapsed, s.ns/1000, "the microsecond is the log's")
			require.Less(t, s.ns%1000, int64(900))
			if l.Kind == event.Send {
				var to []string
				for _, m := range l.Messages() {
					to = append(to, fmt.Sprintf("%d:%d", m.To, m.Seq))
				}
				require.Equal(t, strings.Join(to, ","), s.Args["to"])
			}
			if l.send >= 0 {
				require.Equal(t, l.micro-all[l.send].micro, number(t, s.Args["latency_us"]))
				if l.micro < all[l.send].micro {
					early++
				}
			}
		}
		// A flow for each message that was received, but for those that came
		// before they were sent.
		arrows := make(map[[2]int]bool)
		for _, f := range p.flows {
			arrows[[2]int{events[f.from], events[f.to]}] = true
		}
		want := 0
		for i, l := range all {
			if l.send >= 0 && l.micro >= all[l.send].micro {
				want++
				if !setBack {
					require.True(t, arrows[[2]int{l.send, i}], "%v to %v", all[l.send], l)
				}
			}
		}
		assert.Len(t, p.flows, want)
		assert.Equal(t, early > 0, strings.Contains(fmt.Sprint(e.Notes), figure.Plural(early, "receive")+" come"))
		assert.Equal(t, setBack, strings.Contains(fmt.Sprint(e.Notes), "set back"))
		checkCounters(t, p)
	})
}

// checkCounters holds the counters against what the slices say of clock and queue.
func checkCounters(t *testing.T, p *perfettoTrace) {
	type counter struct {
		pid  int
		name string
	}
	at := make(map[counter]map[int64]int64)
	for _, e := range p.TraceEvents {
		if e.Ph != "C" {
			continue
		}
		for key, v := range e.Args {
			c := counter{e.Pid, e.Name + " " + key} // as Perfetto names it
			if at[c] == nil {
				at[c] = make(map[int64]int64)
			}
			at[c][e.ns] = number(t, v)
		}
	}
	for pid, track := range p.slices {
		queue := int64(-1)
		inOrder := true
		for i, s := range track {
			require.Equal(t, number(t, s.Args["clock"]), at[counter{pid, "Lamport clock"}][s.ns])
			inOrder = inOrder && int(number(t, s.Args["step"])) == i+1
			if v, ok := at[counter{pid, "queue length"}][s.ns]; ok {
				queue = v
			}
			if inOrder {
				require.Equal(t, number(t, s.Args["queue"]), queue)
			}
		}
	}
}

func number(t testing.TB, v any) int64 {
	n, err := v.(json.Number).Int64()
	require.NoError(t, err)
	return n
}

// However many events share a microsecond, each has a time of its own.
func TestPerfettoManyEventsInAMicrosecond(t *testing.T) {
	run := recorded(t, tracetest.Config{
		Rates: tracetest.Hertz(1000, 1000), Duration: 2 * time.Second,
		Time: func(int, time.Duration) time.Duration { return 0 },
	})
	text, _ := export(t, run, report.Perfetto, report.Options{})
	p := parsePerfetto(t, text)
	assert.NotEmpty(t, p.flows)
	for _, track := range p.slices {
		assert.Len(t, track, 2000)
		for i, s := range track {
			require.EqualValues(t, i+1, number(t, s.Args["step"]))
			require.True(t, i == 0 || track[i-1].ns < s.ns)
		}
	}
	for _, f := range p.flows {
		require.Equal(t, "send", f.from.Name)
		require.Contains(t, f.from.Args["to"], fmt.Sprint(f.to.Pid-1, ":", number(t, f.to.Args["seq"])))
	}
}

// A run's name is any text; JSON is JSON all the same.
func TestPerfettoNames(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(1), Duration: time.Second})
	replaceInLog(t, run, "run=test", `run="a \"run\", <named> {ünïcode}"`)
	text, _ := export(t, run, report.Perfetto, report.Options{})
	assert.Equal(t, `a "run", <named> {ünïcode}`, parsePerfetto(t, text).Metadata["run"])
}

func replaceInLog(t *testing.T, run *trace.Run, old, fresh string) {
	path := run.Logs[0].Name
	text := readFile(t, path)
	require.Contains(t, string(text), old)
	writeFile(t, path, bytes.ReplaceAll(text, []byte(old), []byte(fresh)))
}
