package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/summary"
)

type classColumn = columns.Column[summary.Class]

// classColumns say which class a row is of.
var classColumns = []classColumn{
	columns.Words("rates", func(c *summary.Class) string {
		if c.Slowest == c.Fastest {
			return c.Slowest.String()
		}
		return c.Slowest.String() + " to " + c.Fastest.String()
	}).As("rates"),
	columns.Count("", "machines", func(c *summary.Class) uint64 { return uint64(c.Machines) }).As("machines"),
}

// classGroups are the tables of a population.
var classGroups = []struct {
	title   string
	columns []classColumn
}{
	{"Events and messages", []classColumn{
		columns.Count("", "internal", func(c *summary.Class) uint64 { return c.Internal }).As("internal"),
		columns.Count("", "send", func(c *summary.Class) uint64 { return c.Sends }).As("sends"),
		columns.Count("", "receive", func(c *summary.Class) uint64 { return c.Receives }).As("receives"),
		columns.Count("", "events", func(c *summary.Class) uint64 { return c.Steps }).As("events"),
		columns.Count("", "sent", func(c *summary.Class) uint64 { return c.Sent }).As("messages_sent"),
		columns.Count("", "missed", func(c *summary.Class) uint64 { return c.Missed }).As("missed"),
	}},
	{"Clocks (jumps: of the machines' means, and each machine's largest)", slices.Concat([]classColumn{
		columns.Number("jump", "mean", figure.Mean, func(c *summary.Class) float64 { return c.MeanJump }).As("jump_mean"),
		columns.Number("", "gaps %", figure.Mean, func(c *summary.Class) float64 { return 100 * c.GapShare }).As("gaps_percent"),
	}, spread("max jump", "jump_max", func(c *summary.Class) *summary.Spread { return &c.MaxJumps }))},
	{"Clocks at the end", spread("clock", "clock", func(c *summary.Class) *summary.Spread { return &c.Clocks })},
	{"Drift at the end, behind the largest clock", spread("drift", "drift_final", func(c *summary.Class) *summary.Spread { return &c.Drifts })},
	{"Queues (each machine's longest)", slices.Concat([]classColumn{
		columns.Number("queue", "mean", figure.Mean, func(c *summary.Class) float64 { return c.MeanQueue }).As("queue_mean"),
	}, spread("longest", "queue_max", func(c *summary.Class) *summary.Spread { return &c.MaxQueue }))},
	{"Queues at the end", spread("queue", "queue_final", func(c *summary.Class) *summary.Spread { return &c.Queues })},
}

// spread returns the columns of a distribution over machines.
func spread(group, field string, of func(*summary.Class) *summary.Spread) []classColumn {
	all := []classColumn{
		columns.Number(group, "mean", figure.Mean, func(c *summary.Class) float64 { return of(c).Mean }).As(field + "_over_machines_mean"),
	}
	for _, q := range []struct {
		name  string
		value func(*summary.Spread) uint64
	}{
		{"min", func(s *summary.Spread) uint64 { return s.Min }},
		{"p10", func(s *summary.Spread) uint64 { return s.P10 }},
		{"p50", func(s *summary.Spread) uint64 { return s.P50 }},
		{"p90", func(s *summary.Spread) uint64 { return s.P90 }},
		{"p99", func(s *summary.Spread) uint64 { return s.P99 }},
		{"max", func(s *summary.Spread) uint64 { return s.Max }},
	} {
		all = append(all, columns.Count(group, q.name, func(c *summary.Class) uint64 { return q.value(of(c)) }).As(field+"_over_machines_"+q.name))
	}
	return all
}

// Population writes what many machines did, class by class, in one of [StatsFormats]. It
// is what there is of a run without logs: nothing in it was held against the laws.
func Population(w io.Writer, name string, p *summary.Population, format string, on terminal.Screen) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	case "csv":
		return populationCSV(w, p)
	case "markdown":
		return populationText(w, quote.Markdown(name), p, (*columns.Table).Markdown, "## ", terminal.Screen{})
	default:
		return populationText(w, name, p, stacked(on), "", on)
	}
}

func populationText(w io.Writer, name string, p *summary.Population, render func(*columns.Table) string, heading string, on terminal.Screen) error {
	var b strings.Builder
	prose := func(format string, args ...any) {
		b.WriteString(terminal.Wrap(fmt.Sprintf(format, args...), on.Width, 0) + "\n")
	}
	prose("%s: %s on %s in %s. There are no logs, so nothing was checked against the laws.",
		name, figure.Plural(p.All.Steps, "event"), figure.Plural(p.All.Machines, "machine"), figure.Duration(p.Elapsed))
	rows := slices.Clone(p.Classes)
	if len(rows) > 1 {
		rows = append(rows, p.All)
	}
	table := func(title string, all []classColumn) {
		b.WriteString("\n")
		prose("%s%s", heading, title)
		fmt.Fprintf(&b, "\n%s\n", render(columns.New(append(slices.Clone(classColumns), all...), rows)))
	}
	for _, g := range classGroups {
		table(g.title, g.columns)
	}
	table("Machines by drift at the end, % of them", histogram(rows, func(c *summary.Class) *summary.Spread { return &c.Drifts }))
	table("Machines by queue at the end, % of them", histogram(rows, func(c *summary.Class) *summary.Spread { return &c.Queues }))
	_, err := io.WriteString(w, b.String())
	return err
}

// histogram returns a column for each bucket that some class has.
func histogram(rows []summary.Class, of func(*summary.Class) *summary.Spread) (all []classColumn) {
	buckets := 0
	for i := range rows {
		buckets = max(buckets, len(of(&rows[i]).Histogram))
	}
	for i := range buckets {
		all = append(all, columns.Number("", bucket(summary.Bucket(i)), figure.Mean, func(c *summary.Class) float64 {
			if h := of(c).Histogram; i < len(h) {
				return 100 * float64(h[i]) / float64(c.Machines)
			}
			return 0
		}))
	}
	return all
}

// populationCSV writes a row for each class, with a header.
func populationCSV(w io.Writer, p *summary.Population) error {
	all := slices.Clone(classColumns)
	for _, g := range classGroups {
		all = append(all, g.columns...)
	}
	var b strings.Builder
	b.WriteString(strings.Join(columns.Fields(all), ",") + "\n")
	for i := range p.Classes {
		b.WriteString(strings.Join(columns.Record(all, &p.Classes[i]), ",") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// machineFields are the columns of [MachinesCSV], with the names that they have in the
// CSV of [Stats].
const machineFields = "machine,rate,missed,internal,sends,receives,events,messages_sent,messages_received,messages_pending," +
	"clock,jump_mean,jump_max,gaps,drift_final,queue_mean,queue_max\n"

// MachinesCSV writes a row for each machine, with a header. It ranges over the machines
// twice.
func MachinesCSV(to io.Writer, machines iter.Seq[summary.Machine]) error {
	var largest clock.Time
	for m := range machines {
		largest = max(largest, m.Clock)
	}
	w := bufio.NewWriterSize(to, 1<<16)
	_, _ = w.WriteString(machineFields) // Flush returns the first error
	var row []byte
	for m := range machines {
		row = strconv.AppendInt(row[:0], int64(m.ID), 10)
		row = append(append(append(row, ','), m.Rate.String()...), ',')
		for _, n := range []uint64{m.Missed, m.Internal, m.Sends, m.Receives, m.Steps, m.Sent, m.Receives, uint64(m.Queue), uint64(m.Clock)} {
			row = append(strconv.AppendUint(row, n, 10), ',')
		}
		row = append(strconv.AppendFloat(row, m.MeanJump, 'g', -1, 64), ',')
		for _, n := range []uint64{m.MaxJump, m.Gaps, uint64(largest - m.Clock)} {
			row = append(strconv.AppendUint(row, n, 10), ',')
		}
		row = append(strconv.AppendFloat(row, m.MeanQueue, 'g', -1, 64), ',')
		row = append(strconv.AppendInt(row, int64(m.MaxQueue), 10), '\n')
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return w.Flush()
}
