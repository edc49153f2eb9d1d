package columns

import (
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

type machine struct {
	name string
	rate clock.Rate
	late time.Duration // below 0: not timed
	n    uint64
	mean float64
	span string
}

var machineColumns = []Column[machine]{
	Words("machine", func(m *machine) string { return m.name }).As("name"),
	Nominal("pace", "rate", func(m *machine) clock.Rate { return m.rate }).As("rate"),
	Duration("pace", "late", func(m *machine) (time.Duration, bool) { return m.late, m.late >= 0 }).As("late_us"),
	Count("", "events", func(m *machine) uint64 { return m.n }).As("events"),
	Number("queue", "mean", figure.Mean, func(m *machine) float64 { return m.mean }).As("mean"),
	Text("queue", "span", func(m *machine) string { return m.span }).As("span"),
}

var machines = []machine{
	{"vm-0", clock.Hertz, 1200 * time.Microsecond, 1 << 63, 1. / 3, "3 ± 1"},
	{"vm-10", clock.Unpaced, -1, 7, math.NaN(), "<b|c>"},
	{"", 0, 0, 1234, 2000, "-"},
}

func TestText(t *testing.T) {
	table := New(machineColumns, machines)
	table.Footer = []string{"all", "", "", "9.22 E", "", ""}
	assert.Equal(t, strings.TrimPrefix(`
              pace                  queue
machine  rate     late  events   mean   span
────────────────────────────────────────────
vm-0        1  1.20 ms  9.22 E   0.33  3 ± 1
vm-10     max        -       7      -  <b|c>
            -        0   1,234  2,000      -
────────────────────────────────────────────
all                     9.22 E`, "\n"), table.Text())
}

func TestTextWithoutGroups(t *testing.T) {
	table := Table{Heads: []Head{{Name: "run", Words: true}, {Name: "x"}}, Rows: [][]string{{"a", "12"}}}
	assert.Equal(t, "run   x\n───────\na    12", table.Text())
}

func TestMarkdown(t *testing.T) {
	assert.Equal(t, strings.TrimPrefix(`
| machine | pace rate | pace late | events | queue mean | queue span |
|:--- | ---:| ---:| ---:| ---:| ---:|
| vm-0 | 1 | 1.20 ms | 9.22 E | 0.33 | 3 ± 1 |
| vm-10 | max | - | 7 | - | <b\|c> |
|  | - | 0 | 1,234 | 2,000 | - |`, "\n"), New(machineColumns, machines).Markdown())
}

// What is for machines keeps every digit.
func TestCSV(t *testing.T) {
	assert.Equal(t, []string{"name", "rate", "late_us", "events", "mean", "span"}, Fields(machineColumns))
	assert.Equal(t, []string{"vm-0", "1", "1200", "9223372036854775808", "0.3333333333333333", "3 ± 1"}, Record(machineColumns, &machines[0]))
	assert.Equal(t, []string{"vm-10", "max", "", "7", "", "<b|c>"}, Record(machineColumns, &machines[1]))
}

// A value that belongs to no row, such as a sum or a median, is written as the
// others of its column.
func TestFormat(t *testing.T) {
	assert.Equal(t, "1.50 ms", machineColumns[2].Format(1.5e6))
	assert.Equal(t, "-", machineColumns[2].Format(math.NaN()))
	assert.True(t, math.IsNaN(machineColumns[1].Value(&machines[2])))
}

// The language of the environment has no say: where a ± counted as two columns,
// its row would stand out of line.
func TestTextIsTheSameInEveryLanguage(t *testing.T) {
	text := (&Table{Heads: []Head{{Name: "x"}, {Name: "y"}}, Rows: [][]string{{"3 ± 1", "漢"}, {"30000", "ab"}}}).Text()
	if os.Getenv("IN_JAPANESE") != "" {
		_, _ = os.Stdout.WriteString(text)
		os.Exit(0)
	}
	assert.Equal(t, "    x   y\n─────────\n3 ± 1  漢\n30000  ab", text)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTextIsTheSameInEveryLanguage$")
	child.Env = append(os.Environ(), "IN_JAPANESE=1", "LC_ALL=ja_JP.UTF-8", "RUNEWIDTH_EASTASIAN=", "GORACE=atexit_sleep_ms=0") // the last, or it sleeps a second at its end
	out, err := child.Output()
	require.NoError(t, err)
	assert.Equal(t, text, string(out))
}

// A column of some rows has nothing of the others, in any form.
func TestWhere(t *testing.T) {
	for _, c := range machineColumns {
		some := c.Where(func(m *machine) bool { return m.name != "vm-10" })
		assert.Equal(t, figure.Absent, some.Cell(&machines[1]))
		assert.Empty(t, some.Exact(&machines[1]))
		assert.Equal(t, c.Cell(&machines[0]), some.Cell(&machines[0]))
		assert.Equal(t, c.Exact(&machines[0]), some.Exact(&machines[0]))
		assert.Equal(t, c.Field, some.Field)
		if c.value != nil {
			assert.True(t, math.IsNaN(some.Value(&machines[1])))
			assert.InDelta(t, c.Value(&machines[0]), some.Value(&machines[0]), 0)
		}
	}
}
