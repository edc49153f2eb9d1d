package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// StatsFormats are the formats that [Stats] writes, the one for people first.
var StatsFormats = []string{"table", "markdown", "csv", "json"}

// Stats writes the figures of a run in one of [StatsFormats]. A table and
// markdown are for reading and explain themselves; csv is that of [StatsCSV], with plain
// numbers, durations in microseconds; json has everything. A table is
// for a screen: where it is too wide for that, its columns stand below each other.
func Stats(w io.Writer, s *trace.Stats, format string, on terminal.Screen) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	case "csv":
		return NewStatsCSV(w).Add(s.Dir, s)
	case "markdown":
		return statsText(w, s, (*columns.Table).Markdown, quote.Markdown, "## ", terminal.Screen{})
	default:
		return statsText(w, s, stacked(on), quote.Visible, "", on)
	}
}

// stacked renders tables for a screen.
func stacked(on terminal.Screen) func(*columns.Table) string {
	return func(t *columns.Table) string {
		var parts []string
		for _, part := range t.Stack(on.TableWidth(), 1) {
			parts = append(parts, part.Text())
		}
		return strings.Join(parts, "\n\n")
	}
}

type column = columns.Column[trace.MachineStats]

// group is a table of some of the figures.
type group struct {
	title   string
	timed   bool // some rest on times
	columns []column
}

var groups = []group{
	{"Pace (ticks per second)", true, []column{
		columns.Nominal("", "nominal", func(m *trace.MachineStats) clock.Rate { return m.Summary.Rate }).As("rate").Where(hasRate),
		columns.Number("", "achieved", figure.Rate, func(m *trace.MachineStats) float64 { return optional(m.AchievedRate) }).As("achieved_rate"),
		columns.Number("", "error", figure.PPM, func(m *trace.MachineStats) float64 { return optional(m.RateError) }).As("rate_error_ppm"),
		late("p50", func(m *trace.MachineStats) time.Duration { return m.Summary.Lateness.P50 }).As("late_p50_us"),
		late("p99", func(m *trace.MachineStats) time.Duration { return m.Summary.Lateness.P99 }).As("late_p99_us"),
		late("max", func(m *trace.MachineStats) time.Duration { return m.Summary.Lateness.Max }).As("late_max_us"),
		count("", "missed", func(m *trace.MachineStats) uint64 { return m.Summary.Missed }).As("missed").Where(hasTimes),
	}},
	{"Events and messages", false, []column{
		count("", "internal", func(m *trace.MachineStats) uint64 { return m.Summary.Internal }).As("internal"),
		count("", "send", func(m *trace.MachineStats) uint64 { return m.Summary.Sends }).As("sends"),
		count("", "receive", func(m *trace.MachineStats) uint64 { return m.Summary.Receives }).As("receives"),
		count("", "events", func(m *trace.MachineStats) uint64 { return m.Summary.Steps }).As("events"),
		count("", "sent", func(m *trace.MachineStats) uint64 { return m.Summary.Sent }).As("messages_sent"),
		count("", "received", func(m *trace.MachineStats) uint64 { return m.Summary.Receives }).As("messages_received"),
		count("", "pending", func(m *trace.MachineStats) uint64 { return uint64(m.Summary.Queue) }).As("messages_pending"),
	}},
	{"Clocks", true, []column{
		count("", "final", func(m *trace.MachineStats) uint64 { return uint64(m.Summary.Clock) }).As("clock"),
		mean("jump", "mean", func(m *trace.MachineStats) float64 { return m.Jumps.Mean }).As("jump_mean"),
		count("jump", "p50", func(m *trace.MachineStats) uint64 { return m.Jumps.P50 }).As("jump_p50"),
		count("jump", "p99", func(m *trace.MachineStats) uint64 { return m.Jumps.P99 }).As("jump_p99"),
		count("jump", "max", func(m *trace.MachineStats) uint64 { return m.Jumps.Max }).As("jump_max"),
		count("", "gaps", func(m *trace.MachineStats) uint64 { return m.Summary.Gaps }).As("gaps"),
		mean("drift", "mean", func(m *trace.MachineStats) float64 { return m.Drift.Mean }).As("drift_mean").Where(hasDrift),
		count("drift", "p99", func(m *trace.MachineStats) uint64 { return m.Drift.P99 }).As("drift_p99").Where(hasDrift),
		count("drift", "max", func(m *trace.MachineStats) uint64 { return m.Drift.Max }).As("drift_max").Where(hasDrift),
		count("drift", "final", func(m *trace.MachineStats) uint64 { return *m.FinalDrift }).As("drift_final").Where(hasFinalDrift),
	}},
	{"Queues (messages; growth and arrivals per second)", true, []column{
		mean("", "mean", func(m *trace.MachineStats) float64 { return m.Summary.MeanQueue }).As("queue_mean"),
		count("", "max", func(m *trace.MachineStats) uint64 { return uint64(m.Summary.MaxQueue) }).As("queue_max"),
		count("", "final", func(m *trace.MachineStats) uint64 { return uint64(m.Summary.Queue) }).As("queue_final"),
		perSecond("growth", "observed", func(m *trace.MachineStats) float64 { return optional(m.QueueGrowth) }).As("queue_growth"),
		perSecond("growth", "predicted", func(m *trace.MachineStats) float64 { return m.Predicted.Growth }).As("queue_growth_predicted").Where(isPredicted),
		perSecond("arrivals", "observed", func(m *trace.MachineStats) float64 { return optional(m.Arrivals) }).As("arrivals"),
		perSecond("arrivals", "predicted", func(m *trace.MachineStats) float64 { return m.Predicted.Arrivals }).As("arrivals_predicted").Where(isPredicted),
	}},
}

// machineColumn names the rows of a table.
func machineColumn(on terminal.Screen) column {
	return columns.Words("machine", func(m *trace.MachineStats) string {
		return on.Paint(terminal.Machine(m.ID), "vm-"+strconv.Itoa(m.ID))
	})
}

// What is known of a machine.
func hasRate(m *trace.MachineStats) bool       { return m.Summary.Rate != 0 }
func hasLog(m *trace.MachineStats) bool        { return !m.Missing }
func hasTimes(m *trace.MachineStats) bool      { return m.NotKnown == "" }
func hasDrift(m *trace.MachineStats) bool      { return m.Drift != nil }
func hasFinalDrift(m *trace.MachineStats) bool { return m.FinalDrift != nil }
func isPredicted(m *trace.MachineStats) bool   { return m.Predicted != nil }

func count(group, name string, of func(*trace.MachineStats) uint64) column {
	return columns.Count(group, name, of).Where(hasLog)
}

func mean(group, name string, of func(*trace.MachineStats) float64) column {
	return columns.Number(group, name, figure.Mean, of).Where(hasLog)
}

func perSecond(group, name string, of func(*trace.MachineStats) float64) column {
	return columns.Number(group, name, figure.PerSecond, of)
}

// late is a column of the lateness of ticks, where it was measured.
func late(name string, of func(*trace.MachineStats) time.Duration) column {
	return columns.Duration("late", name, func(m *trace.MachineStats) (time.Duration, bool) {
		return of(m), m.Summary.Lateness.Ticks > 0
	})
}

func optional(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func statsText(w io.Writer, s *trace.Stats, render func(*columns.Table) string, quoted func(string) string, heading string, on terminal.Screen) error {
	var b strings.Builder
	prose := func(hang int, format string, args ...any) {
		b.WriteString(terminal.Wrap(fmt.Sprintf(format, args...), on.Width, hang) + "\n")
	}
	elapsed := "a time that is not known"
	if s.Elapsed > 0 || s.Events == 0 {
		elapsed = figure.Duration(s.Elapsed)
	}
	prose(0, "%s on %s in %s (run %s, die %d)%s",
		figure.Plural(s.Events, "event"), figure.Plural(s.Verdict.Machines, "machine"), elapsed, quoted(s.Run), s.Die, without(s.Missing))
	for _, t := range statsTables(s, on) {
		b.WriteString("\n")
		prose(0, "%s%s", heading, t.Title)
		fmt.Fprintf(&b, "\n%s\n", render(t.Table))
	}
	fmt.Fprintf(&b, "\n%sWhat this shows\n\n", heading)
	for _, line := range findings(s, on) {
		prose(2, "- %s", line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// without says how many of the machines have no log.
func without(missing int) string {
	if missing == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of them without a log", figure.Count(missing))
}

// jumps counts the jumps of each machine by size, 1, 2, 3–4, 5–8, ….
func jumps(s *trace.Stats) group {
	buckets := 0
	for i := range s.Machines {
		buckets = max(buckets, len(s.Machines[i].JumpHistogram))
	}
	g := group{title: "Jumps of the clock"}
	for i := range buckets {
		g.columns = append(g.columns, count("", bucketName(i), func(m *trace.MachineStats) uint64 {
			if i >= len(m.JumpHistogram) {
				return 0
			}
			return m.JumpHistogram[i]
		}))
	}
	return g
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
func findings(s *trace.Stats, on terminal.Screen) []string {
	var lines []string
	for i := range s.Machines {
		if m := &s.Machines[i]; s.Die > 0 || m.Missing {
			lines = append(lines, quote.Visible(m.Explain())+".")
		}
	}
	for i := range s.Machines {
		switch m := &s.Machines[i]; {
		case m.NotKnown != "" && !m.Missing:
			lines = append(lines, fmt.Sprintf("The pace of machine %d is not known: %s.", m.ID, m.NotKnown))
		case m.Summary.Missed > 0:
			lines = append(lines, fmt.Sprintf("Machine %d missed %s (%s): it was held up, or it ran at a lower rate than its start line names.",
				m.ID, figure.Plural(m.Summary.Missed, "tick"), share(m.Summary.Missed, m.Summary.Missed+m.Summary.Steps)))
		}
	}
	if s.Stood > 0 {
		lines = append(lines, fmt.Sprintf("The run stood still for %s, as all machines had been stopped to be started again: that time is not counted.", figure.Duration(s.Stood)))
	}
	lines = append(lines, clockSteps(s.ClockSteps)...)
	lines = append(lines, clockOffsets(s)...)
	for _, skew := range s.ClockSkews {
		lines = append(lines, clockSkew(skew)+".")
	}
	switch known := !slices.ContainsFunc(s.Machines, func(m trace.MachineStats) bool { return m.Missing }); {
	case s.WhyNoDrift == "" || !known: // which is said of the machine without a log
	case s.DriftUntil > 0:
		lines = append(lines, fmt.Sprintf("The drift is that of the first %s: %s there, and afterwards its machine may have had the largest clock.",
			figure.Duration(s.DriftUntil), s.WhyNoDrift))
	default:
		lines = append(lines, fmt.Sprintf("Nobody's drift is known: %s.", s.WhyNoDrift))
	}
	if c := s.Concurrency; c != nil && c.Pairs > 0 {
		lines = append(lines, fmt.Sprintf(
			"Of %s of events on different machines, %s (%s) are concurrent: neither could have influenced the other. The clock values nevertheless order %s of these (%s).",
			figure.Plural(c.Pairs, "pair"), figure.Count(c.Concurrent), share(c.Concurrent, c.Pairs),
			figure.Count(c.Ordered), share(c.Ordered, c.Concurrent)))
	} else if s.Why != "" {
		lines = append(lines, "Concurrent pairs of events were not counted: "+quote.Visible(s.Why)+".")
	}
	return append(lines, "The run is "+Verdict(s.Verdict, on)+".")
}

// clockSteps says where clocks were set, the first of them only.
func clockSteps(steps []trace.ClockStep) (lines []string) {
	const maxShown = 10
	for i, step := range steps {
		if i == maxShown {
			return append(lines, fmt.Sprintf("System clocks were set %s more.", figure.Plural(len(steps)-i, "time")))
		}
		way := "forward"
		if step.By < 0 {
			way = "back"
		}
		lines = append(lines, fmt.Sprintf("The system clock of machine %d was set %s by %s at step %s.",
			step.Machine, way, figure.Duration(step.By.Abs()), figure.Count(step.Step)))
	}
	return lines
}

// clockSkew says whose clocks were apart, and how that is known.
func clockSkew(skew trace.ClockSkew) string {
	way, how := "ahead of", "they received its messages before it sent them"
	if skew.Least < 0 {
		way, how = "behind", "it received their messages before they sent them"
	}
	var ids []string
	for _, id := range skew.Others {
		ids = append(ids, strconv.Itoa(id))
	}
	that := "that of machine"
	if len(ids) > 1 {
		that = "those of machines"
	}
	return fmt.Sprintf("The system clock of machine %d was %s %s %s by %s at least: as the clocks have it, %s",
		skew.Machine, way, that, figure.List(ids, 10), figure.Duration(skew.Least.Abs()), how)
}

// share writes part of a whole, in per cent; of nothing, it is none.
func share(part, whole uint64) string {
	if whole == 0 {
		return "none"
	}
	return figure.Percent(float64(part), float64(whole))
}

// StatsHeader returns the names of the csv's columns, for whoever puts the
// machines of several runs into one table.
func StatsHeader() []string {
	names := []string{"machine"}
	for _, g := range groups {
		names = append(names, columns.Fields(g.columns)...)
	}
	return names
}

// StatsRow returns the values of a machine in the columns of [StatsHeader], ""
// where there is none. None needs to be quoted.
func StatsRow(m *trace.MachineStats) []string {
	values := []string{strconv.Itoa(m.ID)}
	for _, g := range groups {
		values = append(values, columns.Record(g.columns, m)...)
	}
	return values
}
