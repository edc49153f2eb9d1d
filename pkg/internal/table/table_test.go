package table

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Runs of the default cluster, for the golden files.

var start = time.Date(2026, 11, 22, 17, 13, 40, 0, time.UTC)

// three is one minute of the laboratory's cluster, nothing amiss.
func three() []summary.Machine {
	lateness := func(ticks uint64, p50, p99, most time.Duration) summary.Lateness {
		return summary.Lateness{Ticks: ticks, P50: p50 * time.Microsecond, P99: p99 * time.Microsecond, Max: most * time.Microsecond}
	}
	return []summary.Machine{
		{
			ID: 0, Rate: 1 * clock.Hertz, Started: start.Add(31 * time.Microsecond), StartLateness: 31 * time.Microsecond,
			Elapsed: time.Minute + 78*time.Microsecond, Lateness: lateness(60, 91, 178, 190),
			Steps: 60, Internal: 3, Sends: 1, Receives: 56, Sent: 1,
			Clock: 197, MeanJump: 197. / 60, MaxJump: 15, Gaps: 31, MeanQueue: 14.85, MaxQueue: 29, Queue: 31,
			Pending: map[int]uint64{1: 16, 2: 15},
			Wire:    transport.Stats{Messages: 1, Frames: 65, Bytes: 1004, Writes: 65, Acks: 56},
		},
		{
			ID: 1, Rate: 5 * clock.Hertz, Started: start.Add(93 * time.Microsecond), StartLateness: 93 * time.Microsecond,
			Elapsed: time.Minute + 64*time.Microsecond, Lateness: lateness(300, 88, 169, 420),
			Steps: 300, Internal: 187, Sends: 69, Receives: 44, Sent: 89,
			Clock: 303, MeanJump: 303. / 300, MaxJump: 2, Gaps: 3,
			Wire: transport.Stats{Messages: 89, Frames: 137, Bytes: 3560, Writes: 122, Acks: 40},
		},
		{
			ID: 2, Rate: 4 * clock.Hertz, Started: start.Add(12 * time.Microsecond), StartLateness: 12 * time.Microsecond,
			Elapsed: time.Minute + 128*time.Microsecond, Lateness: lateness(240, 90, 171, 230),
			Steps: 240, Internal: 135, Sends: 61, Receives: 44, Sent: 85,
			Clock: 303, MeanJump: 303. / 240, MaxJump: 6, Gaps: 12, MeanQueue: 0.004, MaxQueue: 1,
			Wire: transport.Stats{Messages: 85, Frames: 131, Bytes: 3388, Writes: 118, Acks: 41},
		},
	}
}

// troubled is the same run where all went wrong that can be survived: machine
// 2 was cut off, 1 came back after a crash, and the host slept.
func troubled() []summary.Machine {
	ms := three()
	ms[0].Lateness.Late, ms[0].Lateness.Max, ms[0].Missed = 2, 1700*time.Millisecond, 3
	ms[0].Steps, ms[0].Internal = 57, 0
	ms[1].Lateness.Late, ms[1].Lateness.Max, ms[1].Missed = 10, 5200*time.Microsecond, 8
	ms[1].Steps, ms[1].Internal = 292, 179
	ms[1].Started, ms[1].StartLateness = time.Time{}, 0
	ms[1].Restarts, ms[1].Down = 2, 3400*time.Millisecond
	ms[1].Stalls, ms[1].Stalled = 5, 1200*time.Millisecond
	ms[1].Wire.Resent, ms[1].Wire.Duplicates, ms[1].Wire.Reconnects = 12, 3, 2
	ms[0].Wire.Refused = 1
	ms[0].Left, ms[1].Left = []int{2}, []int{2}
	ms[0].Queue, ms[0].Pending = 19, map[int]uint64{1: 4, 2: 15}
	ms[1].Undelivered = map[int]uint64{2: 12}
	return ms
}

// unpaced is the cluster at rate max.
func unpaced() []summary.Machine {
	ms := three()
	for i, f := range []uint64{100_000, 100_000, 100_000} {
		m := &ms[i]
		m.Rate, m.Lateness = clock.Unpaced, summary.Lateness{}
		m.Steps, m.Internal, m.Sends, m.Receives, m.Sent = f*m.Steps, f*m.Internal, f*m.Sends, f*m.Receives, f*m.Sent
		m.Clock, m.Queue, m.MaxQueue, m.MeanQueue = clock.Time(f)*m.Clock, int(f)*m.Queue, int(f)*m.MaxQueue, float64(f)*m.MeanQueue
		m.Wire.Messages, m.Wire.Frames, m.Wire.Bytes, m.Wire.Writes = m.Sent, m.Sent+m.Sent/10, 29*m.Sent, m.Sent/50
		m.Wire.Acks = m.Sent / 10
	}
	return ms
}

// alone is a run of one machine, which has nobody to send to.
func alone() []summary.Machine {
	m := three()[1]
	m.ID, m.Internal, m.Sends, m.Receives, m.Sent = 0, 300, 0, 0, 0
	m.Clock, m.MeanJump, m.MaxJump, m.Gaps, m.Wire = 300, 1, 1, 0, transport.Stats{}
	return []summary.Machine{m}
}

// virtual is the cluster in virtual time: nothing is measured, nothing wired.
func virtual() []summary.Machine {
	ms := three()
	for i := range ms {
		m := &ms[i]
		m.Started, m.StartLateness, m.Lateness, m.Wire = time.Time{}, 0, summary.Lateness{}, transport.Stats{}
		m.Elapsed = time.Minute
	}
	return ms
}

// many is a made-up run of n machines in virtual time, all messages balanced.
func many(n int) []summary.Machine {
	r := rand.New(rand.NewPCG(1, 2))
	ms := make([]summary.Machine, n)
	for i := range ms {
		rate := 1 + r.Uint64N(6)
		m := &ms[i]
		*m = summary.Machine{
			ID: i, Rate: clock.Rate(rate) * clock.Hertz, Elapsed: time.Minute,
			Steps: 60 * rate, Sends: r.Uint64N(30), Receives: r.Uint64N(30),
			MaxJump: 1 + r.Uint64N(30), MeanQueue: r.Float64(), MaxQueue: r.IntN(9), Queue: r.IntN(5),
		}
		m.Internal = m.Steps - m.Sends - m.Receives
		m.Clock = clock.Time(m.Steps + r.Uint64N(300))
		m.MeanJump = float64(m.Clock) / float64(m.Steps)
		m.Sent = m.Receives + uint64(m.Queue)
	}
	return ms
}

func TestGolden(t *testing.T) {
	unbalanced := func(sent uint64) []summary.Machine {
		ms := three()
		ms[1].Sent = sent
		return ms
	}
	for _, tt := range []struct {
		name     string
		machines []summary.Machine
		options  Options
		width    int // at most
	}{
		{"three", three(), Options{Machines: 3}, 100},
		{"troubled", troubled(), Options{Machines: 3}, 105},
		{"lost", unbalanced(90), Options{Machines: 3}, 100},
		{"appeared", unbalanced(80), Options{Machines: 3}, 100},
		{"missing", three()[:1], Options{Machines: 3}, 100},
		{"none", nil, Options{Machines: 2}, 100},
		{"unpaced", unpaced(), Options{Machines: 3}, 120},
		{"virtual", virtual(), Options{}, 100},
		{"one", alone(), Options{Machines: 1}, 100},
		{"forty", many(40), Options{Machines: 40}, 110},
		{"hundred", many(100), Options{Machines: 100}, 110},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, Write(&b, slices.Values(tt.machines), tt.options))

			requireGolden(t, tt.name, b.String())
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				assert.LessOrEqual(t, utf8.RuneCountInString(line), tt.width, "%q", line)
				assert.Equal(t, strings.TrimRight(line, " "), line)
			}
		})
	}
}

func requireGolden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), text, "if this is meant: go test ./pkg/internal/table -update")
}

// On a terminal of any width there is a table that fits, and what is not shown is
// named.
func TestGoldenWidths(t *testing.T) {
	for name, machines := range map[string][]summary.Machine{
		"three": three(), "troubled": troubled(), "unpaced": unpaced(), "hundred": many(100),
	} {
		for _, width := range []int{40, 60, 80, 120} {
			t.Run(fmt.Sprint(name, width), func(t *testing.T) {
				var b bytes.Buffer
				o := Options{Screen: terminal.Screen{Width: width}, Machines: len(machines), ForAll: "--wide"}
				require.NoError(t, Write(&b, slices.Values(machines), o))
				requireGolden(t, fmt.Sprintf("%s-%d", name, width), b.String())
				for line := range strings.Lines(b.String()) {
					line = strings.TrimSuffix(line, "\n")
					assert.LessOrEqual(t, terminal.Width(line), width, "%q", line)
					assert.Equal(t, strings.TrimRight(line, " "), line)
				}
			})
		}
	}
}

// However narrow or wide a terminal is, the columns that are shown and those that
// are named as not shown are all of them, and those that matter most stay.
func TestEveryWidth(t *testing.T) {
	for width := range 130 {
		var b bytes.Buffer
		require.NoError(t, Write(&b, slices.Values(three()), Options{Screen: terminal.Screen{Width: width}}))
		text := strings.Join(strings.Fields(b.String()), " ")
		_, omitted, some := strings.Cut(text, "not shown the column")
		assert.Equal(t, width > 0 && width < 100, some, "%d", width)
		for _, c := range slices.Concat(paceColumns, modelColumns) {
			name := regexp.MustCompile(`\b` + c.Name + `\b`)
			assert.Regexp(t, name, text)
			if width == 80 {
				assert.Equal(t, c.Group == "messages", name.MatchString(omitted), c.Name)
			}
		}
	}
}

// With columns wanted, only the prose is broken.
func TestWide(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, slices.Values(troubled()), Options{Screen: terminal.Screen{Width: 40, Wide: true}}))
	assert.Contains(t, b.String(), "sent  received  pending\n")
	assert.NotContains(t, b.String(), "not shown")
	assert.Contains(t, b.String(), "\nmessages     175 sent")
}

// Colours say nothing that the words do not say.
func TestColours(t *testing.T) {
	var plain, painted bytes.Buffer
	machines := troubled()
	machines[1].Sent++
	require.NoError(t, Write(&plain, slices.Values(machines), Options{Screen: terminal.Screen{Width: 60}}))
	require.NoError(t, Write(&painted, slices.Values(machines), Options{Screen: terminal.Screen{Width: 60, Colour: true}}))
	assert.Equal(t, plain.String(), terminal.Plain(painted.String()))
	assert.NotContains(t, plain.String(), "\x1b")
	for _, want := range []string{
		"\n\x1b[38;5;25mvm-0\x1b[0m", "\n\x1b[38;5;166mvm-1\x1b[0m", "\nevents  ",
		"\n\x1b[1;31mmessages ", "\n\x1b[33mlate ", "\n\x1b[33mundelivered ",
	} {
		assert.Contains(t, painted.String(), want)
	}
}

// Processes end in any order, and so their summaries come.
func TestOrderOfMachinesDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, machines := range [][]summary.Machine{troubled(), many(40), many(60)} {
		var want bytes.Buffer
		require.NoError(t, Write(&want, slices.Values(machines), Options{}))
		for range 10 {
			r.Shuffle(len(machines), func(i, j int) { machines[i], machines[j] = machines[j], machines[i] })
			var got bytes.Buffer
			require.NoError(t, Write(&got, slices.Values(machines), Options{}))
			require.Equal(t, want.String(), got.String())
		}
	}
}

// Of many machines, the rows are order statistics of each column by itself.
func TestSpread(t *testing.T) {
	for _, n := range []int{41, 42, 100} {
		machines := many(n)
		var steps []uint64
		for _, m := range machines {
			steps = append(steps, m.Steps)
		}
		slices.Sort(steps)

		var b bytes.Buffer
		require.NoError(t, Write(&b, slices.Values(machines), Options{}))
		for _, row := range []struct {
			name string
			want uint64
		}{{"min", steps[0]}, {"median", steps[(n-1)/2]}, {"max", steps[n-1]}} {
			assert.Equal(t, fmt.Sprint(row.want), cells(t, b.String(), row.name)[5])
		}
		assert.NotContains(t, b.String(), "vm-")
	}
}

// A machine without a figure has no part in its column's spread.
func TestSpreadLeavesOutWhatIsAbsent(t *testing.T) {
	machines := many(50)
	for i := range machines {
		machines[i].Elapsed = 0
	}
	machines[7].Elapsed = time.Minute
	machines[7].Lateness = summary.Lateness{Ticks: 1, P50: 90 * time.Microsecond}
	var b bytes.Buffer
	require.NoError(t, Write(&b, slices.Values(machines), Options{}))
	for _, row := range []string{"min", "median", "max"} {
		assert.Contains(t, strings.Join(cells(t, b.String(), row), " "), "90.0 µs")
	}
}

// cells returns the first row of the text that starts with name.
func cells(t *testing.T, text, name string) []string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == name {
			return f
		}
	}
	require.Fail(t, "no row "+name, text)
	return nil
}

func TestBalance(t *testing.T) {
	for _, tt := range []struct {
		run        summary.Run
		incomplete bool
		want       string
	}{
		{summary.Run{}, false, "0 sent = 0 received + 0 pending: all accounted for"},
		{summary.Run{Sent: 10, Receives: 7, Queue: 2, Undelivered: 1}, false,
			"10 sent = 7 received + 2 pending + 1 undelivered: all accounted for"},
		{summary.Run{Sent: 10, Receives: 7, Queue: 2, Undelivered: 4}, false,
			"10 sent = 7 received + 2 pending + 1 undelivered: all accounted for, though 3 could not be asked about"},
		{summary.Run{Sent: 10, Receives: 7, Queue: 3, Undelivered: 4}, false,
			"10 sent = 7 received + 3 pending: all accounted for, though 4 could not be asked about"},
		{summary.Run{Sent: 10, Receives: 7, Queue: 4, Undelivered: 4}, false,
			"NOT BALANCED: 10 sent, but 7 received + 4 pending: 1 message that nobody sent"},
		{summary.Run{Sent: 10, Receives: 7, Queue: 2}, false,
			"NOT BALANCED: 10 sent, but only 7 received + 2 pending: 1 message lost"},
		{summary.Run{Sent: 1000, Receives: 1001, Queue: 1}, false,
			"NOT BALANCED: 1,000 sent, but 1,001 received + 1 pending: 2 messages that nobody sent"},
		{summary.Run{Sent: 10, Receives: 7, Queue: 2}, true,
			"10 sent, 7 received + 2 pending; the balance is open while summaries are missing"},
	} {
		assert.Equal(t, tt.want, balance(&tt.run, tt.incomplete))
	}
}

func TestTally(t *testing.T) {
	var one, several tally
	one.add(3, 5)
	one.add(4, 0)
	assert.Equal(t, " on vm-3", one.where())
	for _, id := range []int{5, 2, 9} {
		several.add(id, 7)
	}
	assert.Equal(t, " on 3 machines, most on vm-2 (7)", several.where())
}

func TestLongListsAreCutShort(t *testing.T) {
	var b bytes.Buffer
	machines := many(100)
	for i := range machines[1:] {
		machines[i+1].Left = []int{0}
		machines[i+1].Undelivered = map[int]uint64{0: 1}
	}
	require.NoError(t, Write(&b, slices.Values(machines), Options{Machines: 1000}))
	for line := range strings.Lines(b.String()) {
		assert.Less(t, utf8.RuneCountInString(line), 400)
	}
	assert.Contains(t, b.String(), "vm-109 and 890 more")
	assert.Contains(t, b.String(), "vm-10 and 89 more")
	assert.Contains(t, b.String(), "1 from vm-10 to vm-0 and 89 more")
}

func TestExtremeFiguresKeepTheTableNarrow(t *testing.T) {
	m := summary.Machine{
		ID: 999_999, Rate: clock.Unpaced, Elapsed: math.MaxInt64,
		Steps: math.MaxUint64, Internal: math.MaxUint64, Clock: clock.Max, MaxJump: math.MaxUint64,
		MeanJump: math.MaxUint64, MeanQueue: math.MaxInt64, MaxQueue: math.MaxInt,
		Lateness: summary.Lateness{Ticks: 1, P50: math.MaxInt64, P99: math.MaxInt64, Max: math.MaxInt64},
	}
	var b bytes.Buffer
	require.NoError(t, Write(&b, slices.Values([]summary.Machine{m}), Options{}))
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), 121, "%q", line)
	}
}

// The library panics where this does not hold.
func TestGroupTitlesFitTheirColumns(t *testing.T) {
	for _, columns := range [][]column{paceColumns, modelColumns} {
		for i, a := range columns {
			for _, b := range columns[i+1:] {
				if a.Group == b.Group {
					assert.LessOrEqual(t, len(a.Group), len(a.Name)+1+len(b.Name), "%s: %s, %s", a.Group, a.Name, b.Name)
				}
			}
		}
	}
}

// Whatever figures are absent, no table fails.
func TestAnyColumnsMayBeAbsent(t *testing.T) {
	for set := range 1 << len(paceColumns) {
		s := newSheet(Options{})
		for i := range s.pace {
			if set&(1<<i) != 0 {
				s.pace[i].values = []float64{1}
			}
		}
		assert.NotPanics(t, func() { s.table(new(bytes.Buffer), s.pace) })
	}
}

func TestWriteReportsTheWritersError(t *testing.T) {
	assert.ErrorIs(t, Write(full{}, slices.Values(three()), Options{}), errFull)
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{3, 100, 1_000_000} {
		machines := many(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = Write(new(bytes.Buffer), slices.Values(machines), Options{Machines: n})
			}
		})
	}
}

// A bound on what did not arrive is said for what it is, and not at all where all
// messages are accounted for.
func TestUndeliveredIsWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		received uint64
		want     string // the line, "" for none
	}{
		{10, ""},
		{9, "undelivered  at most 4 from vm-0 to vm-1\n"},
		{6, "undelivered  4 from vm-0 to vm-1\n"},
	} {
		machines := []summary.Machine{
			{ID: 0, Steps: 10, Sends: 10, Sent: 10, Undelivered: map[int]uint64{1: 4}},
			{ID: 1, Steps: tt.received, Receives: tt.received},
		}
		var b bytes.Buffer
		require.NoError(t, Write(&b, slices.Values(machines), Options{}))
		if tt.want == "" {
			assert.NotContains(t, b.String(), "\nundelivered ")
		} else {
			assert.Contains(t, b.String(), tt.want)
		}
		assert.Contains(t, b.String(), "all accounted for")
	}
}
