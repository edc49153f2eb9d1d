package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/scalemodel/lamport/pkg/trace"
)

// StatsFormats are the formats that [Stats] writes, the one for people first.
var StatsFormats = []string{"table", "markdown", "csv", "json"}

// Stats writes the figures of a run in one of [StatsFormats]. A table and
// markdown are for reading and explain themselves; csv has one row per machine
// with plain numbers, durations in microseconds; json has everything.
func Stats(w io.Writer, s *trace.Stats, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	case "csv":
		return statsCSV(w, s)
	case "markdown":
		return statsText(w, s, func(t table.Writer) string { return t.RenderMarkdown() }, "## ")
	default:
		return statsText(w, s, func(t table.Writer) string { return t.Render() }, "")
	}
}

// column is a figure of a machine. Its value is an integer, a float64, a
// time.Duration, a string, or nil where there is none.
type column struct {
	name  string // in its group's table
	csv   string
	value func(m *trace.MachineStats) any
}

type group struct {
	title   string
	columns []column
}

var groups = []group{
	{"Pace (ticks per second)", []column{
		{"nominal", "rate", func(m *trace.MachineStats) any { return m.Summary.Rate.String() }},
		{"achieved", "achieved_rate", func(m *trace.MachineStats) any { return optional(m.AchievedRate) }},
		{"error (ppm)", "rate_error_ppm", func(m *trace.MachineStats) any { return optional(m.RateError) }},
		{"late p50", "late_p50_us", timed(func(m *trace.MachineStats) time.Duration { return m.Summary.Lateness.P50 })},
		{"late p99", "late_p99_us", timed(func(m *trace.MachineStats) time.Duration { return m.Summary.Lateness.P99 })},
		{"late max", "late_max_us", timed(func(m *trace.MachineStats) time.Duration { return m.Summary.Lateness.Max })},
		{"missed", "missed", func(m *trace.MachineStats) any { return m.Summary.Missed }},
	}},
	{"Events and messages", []column{
		{"internal", "internal", func(m *trace.MachineStats) any { return m.Summary.Internal }},
		{"send", "sends", func(m *trace.MachineStats) any { return m.Summary.Sends }},
		{"receive", "receives", func(m *trace.MachineStats) any { return m.Summary.Receives }},
		{"events", "events", func(m *trace.MachineStats) any { return m.Summary.Steps }},
		{"sent", "messages_sent", func(m *trace.MachineStats) any { return m.Summary.Sent }},
		{"received", "messages_received", func(m *trace.MachineStats) any { return m.Summary.Receives }},
		{"pending", "messages_pending", func(m *trace.MachineStats) any { return m.Summary.Queue }},
	}},
	{"Clocks", []column{
		{"final", "clock", func(m *trace.MachineStats) any { return uint64(m.Summary.Clock) }},
		{"jump mean", "jump_mean", func(m *trace.MachineStats) any { return m.Jumps.Mean }},
		{"jump p50", "jump_p50", func(m *trace.MachineStats) any { return m.Jumps.P50 }},
		{"jump p99", "jump_p99", func(m *trace.MachineStats) any { return m.Jumps.P99 }},
		{"jump max", "jump_max", func(m *trace.MachineStats) any { return m.Jumps.Max }},
		{"gaps", "gaps", func(m *trace.MachineStats) any { return m.Summary.Gaps }},
		{"drift mean", "drift_mean", func(m *trace.MachineStats) any { return m.Drift.Mean }},
		{"drift p99", "drift_p99", func(m *trace.MachineStats) any { return m.Drift.P99 }},
		{"drift max", "drift_max", func(m *trace.MachineStats) any { return m.Drift.Max }},
		{"drift final", "drift_final", func(m *trace.MachineStats) any { return m.FinalDrift }},
	}},
	{"Queues (messages; growth and arrivals per second)", []column{
		{"mean", "queue_mean", func(m *trace.MachineStats) any { return m.Summary.MeanQueue }},
		{"max", "queue_max", func(m *trace.MachineStats) any { return m.Summary.MaxQueue }},
		{"final", "queue_final", func(m *trace.MachineStats) any { return m.Summary.Queue }},
		{"growth", "queue_growth", func(m *trace.MachineStats) any { return m.QueueGrowth }},
		{"growth predicted", "queue_growth_predicted", func(m *trace.MachineStats) any { return m.Predicted.Growth }},
		{"arrivals", "arrivals", func(m *trace.MachineStats) any { return m.Arrivals }},
		{"arrivals predicted", "arrivals_predicted", func(m *trace.MachineStats) any { return m.Predicted.Arrivals }},
	}},
}

func optional(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

// timed leaves a lateness out where none was measured.
func timed(f func(*trace.MachineStats) time.Duration) func(*trace.MachineStats) any {
	return func(m *trace.MachineStats) any {
		if m.Summary.Lateness.Ticks == 0 {
			return nil
		}
		return f(m)
	}
}

func statsText(w io.Writer, s *trace.Stats, render func(table.Writer) string, heading string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events on %d machines in %s (run %s, die %d)\n", s.Events, len(s.Machines), seconds(s.Elapsed), s.Run, s.Die)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s%s\n\n", heading, g.title)
		t := statsTable(g)
		for i := range s.Machines {
			row := table.Row{"vm-" + strconv.Itoa(s.Machines[i].ID)}
			for _, c := range g.columns {
				row = append(row, show(c.value(&s.Machines[i])))
			}
			t.AppendRow(row)
		}
		b.WriteString(render(t))
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%sJumps of the clock\n\n", heading)
	b.WriteString(render(jumpTable(s)))
	fmt.Fprintf(&b, "\n\n%sWhat this shows\n\n", heading)
	for _, line := range findings(s) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func statsTable(g group) table.Writer {
	t := table.NewWriter()
	plain(t)
	header := table.Row{"machine"}
	configs := []table.ColumnConfig{{Number: 1, Align: text.AlignLeft, AlignHeader: text.AlignLeft}}
	for i, c := range g.columns {
		header = append(header, c.name)
		configs = append(configs, table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	return t
}

// plain is a table of columns and one line below the header.
func plain(t table.Writer) {
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true}
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft = "  "
	style.Box.PaddingRight = ""
	t.SetStyle(style)
}

// jumpTable counts the jumps of each machine by size, 1, 2, 3–4, 5–8, ….
func jumpTable(s *trace.Stats) table.Writer {
	g := group{}
	most := 0
	for i := range s.Machines {
		most = max(most, len(s.Machines[i].JumpHistogram))
	}
	for i := range most {
		g.columns = append(g.columns, column{name: bucketName(i)})
	}
	t := statsTable(g)
	for i := range s.Machines {
		m := &s.Machines[i]
		row := table.Row{"vm-" + strconv.Itoa(m.ID)}
		for j := range most {
			n := uint64(0)
			if j < len(m.JumpHistogram) {
				n = m.JumpHistogram[j]
			}
			row = append(row, show(n))
		}
		t.AppendRow(row)
	}
	return t
}

func bucketName(i int) string {
	switch i {
	case 0:
		return "1"
	case 1:
		return "2"
	}
	return fmt.Sprintf("%d-%d", uint64(1)<<(i-1)+1, uint64(1)<<(i-1)*2)
}

// findings say in sentences what the figures mean.
func findings(s *trace.Stats) []string {
	var lines []string
	for i := range s.Machines {
		if s.Die > 0 {
			lines = append(lines, s.Machines[i].Explain()+".")
		}
	}
	if c := s.Concurrency; c != nil && c.Pairs > 0 {
		lines = append(lines, fmt.Sprintf(
			"Of %d pairs of events on different machines, %d (%s) are concurrent: neither could have influenced the other. The clock values order %d of these (%s) all the same.",
			c.Pairs, c.Concurrent, percent(c.Concurrent, c.Pairs), c.Ordered, percent(c.Ordered, c.Concurrent)))
	} else if s.Why != "" {
		lines = append(lines, "Concurrent pairs of events were not counted: "+s.Why+".")
	}
	return append(lines, "The run is "+s.Verdict.String()+".")
}

func percent(part, whole uint64) string {
	if whole == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.4g s", d.Seconds()) }

// show formats a value for people.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		return decimal(v)
	case time.Duration:
		switch {
		case v >= 10*time.Millisecond:
			return strconv.FormatFloat(float64(v)/1e6, 'f', 0, 64) + " ms"
		case v >= time.Millisecond:
			return strconv.FormatFloat(float64(v)/1e6, 'f', 1, 64) + " ms"
		}
		return strconv.FormatInt(v.Microseconds(), 10) + " µs"
	}
	return fmt.Sprint(v)
}

// decimal keeps about four digits that say something.
func decimal(f float64) string {
	switch a := math.Abs(f); {
	case a >= 1000:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case a < 0.0005:
		return "0"
	}
	return strconv.FormatFloat(f, 'f', 3, 64)
}

// statsCSV writes one row per machine, with a header.
func statsCSV(w io.Writer, s *trace.Stats) error {
	var b strings.Builder
	b.WriteString(strings.Join(StatsHeader(), ",") + "\n")
	for i := range s.Machines {
		b.WriteString(strings.Join(StatsRow(&s.Machines[i]), ",") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// StatsHeader returns the names of the csv's columns, for whoever puts the
// machines of several runs into one table.
func StatsHeader() []string {
	names := []string{"machine"}
	for _, g := range groups {
		for _, c := range g.columns {
			names = append(names, c.csv)
		}
	}
	return names
}

// StatsRow returns the values of a machine in the columns of [StatsHeader], ""
// where there is none. None needs to be quoted.
func StatsRow(m *trace.MachineStats) []string {
	values := []string{strconv.Itoa(m.ID)}
	for _, g := range groups {
		for _, c := range g.columns {
			text := ""
			switch v := c.value(m).(type) {
			case nil:
			case float64:
				text = strconv.FormatFloat(v, 'g', -1, 64)
			case time.Duration:
				text = strconv.FormatFloat(float64(v)/1e3, 'f', -1, 64)
			default:
				text = fmt.Sprint(v)
			}
			values = append(values, text)
		}
	}
	return values
}
