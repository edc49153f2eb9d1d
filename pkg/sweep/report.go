package sweep

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Report is what the runs of a sweep have done, as far as they are done. It is a
// function of the grid and the results, not of their order or of when they were done.
type Report struct {
	grid    *Grid
	runs    []Run // all, by point and trial
	results map[string]*Result
	points  []*overview // what is done of each, by number
	varied  []int       // indices of the parameters that are
}

// NewReport puts results together. There may be none for a run.
func NewReport(grid *Grid, runs []Run, results []*Result) *Report {
	r := &Report{grid: grid, runs: slices.Clone(runs), results: make(map[string]*Result)}
	slices.SortStableFunc(r.runs, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Point.Number, b.Point.Number), cmp.Compare(a.Trial, b.Trial))
	})
	for _, result := range results {
		if result != nil {
			r.results[result.Name] = result
		}
	}
	for i := 0; i < len(r.runs); i += grid.Trials {
		var done []*Result
		for _, run := range r.runs[i : i+grid.Trials] {
			if result := r.results[run.Name]; result != nil && result.Usable() {
				done = append(done, result)
			}
		}
		r.points = append(r.points, summarize(r.runs[i].Point, grid.Duration, done))
	}
	for k, p := range parameters {
		first := p.of(&r.runs[0].Point)
		if slices.ContainsFunc(r.runs, func(run Run) bool { return p.of(&run.Point) != first }) {
			r.varied = append(r.varied, k)
		}
	}
	return r
}

// Done returns how many runs are done, and of how many.
func (r *Report) Done() (done, all int) { return len(r.results), len(r.runs) }

// Logged returns the runs that are done and whose logs are kept, by point and trial.
func (r *Report) Logged() (runs []Run) {
	for run, result := range r.each() {
		if result.Logged {
			runs = append(runs, *run)
		}
	}
	return runs
}

// NotCorrect names the runs that are not correct by their logs, each with its verdict.
func (r *Report) NotCorrect() (lines []string) {
	for run, result := range r.each() {
		if !result.Usable() {
			lines = append(lines, fmt.Sprintf("%s is %v", run.Name, result.Stats.Verdict))
		}
	}
	return lines
}

// late names the runs whose pace suffered, each with its worst machine.
func (r *Report) late() (lines []string) {
	for run, result := range r.each() {
		if result.Suffered() == 0 {
			continue
		}
		worst := slices.MaxFunc(result.Paces, worse)
		line := fmt.Sprintf("%s (vm-%d: p99 %s late", run.Name, worst.Machine, figure.Duration(worst.P99))
		if worst.Missed > 0 {
			line += fmt.Sprintf(", %s missed", figure.Plural(worst.Missed, "tick"))
		}
		lines = append(lines, line+")")
	}
	return lines
}

// each goes through the runs that are done, by point and trial.
func (r *Report) each() iter.Seq2[*Run, *Result] {
	return func(yield func(*Run, *Result) bool) {
		for i := range r.runs {
			if result := r.results[r.runs[i].Name]; result != nil && !yield(&r.runs[i], result) {
				return
			}
		}
	}
}

// headline says in a line what kind of runs the sweep has.
func (r *Report) headline() string {
	s := fmt.Sprintf("%s × %s of %s",
		figure.Plural(len(r.points), "point"), figure.Plural(r.grid.Trials, "trial"), figure.Exact(r.grid.Duration))
	if r.grid.Virtual {
		s += " of virtual time"
	} else {
		s += " as processes"
	}
	return s + fmt.Sprintf(", seed %d", r.grid.Seed)
}

// constants names the parameters that are the same at all points.
func (r *Report) constants() string {
	var parts []string
	for k, p := range parameters {
		if value := p.of(&r.runs[0].Point); value != "" && !slices.Contains(r.varied, k) && (p.name != "faults" || value != "none") {
			parts = append(parts, p.name+" "+value)
		}
	}
	return strings.Join(parts, ", ")
}

// verdict says how many runs are correct, in a line.
func (r *Report) verdict() string {
	done, all := r.Done()
	bad := r.NotCorrect()
	var s string
	switch {
	case done == 0:
		return fmt.Sprintf("none of %s is done", figure.Count(all))
	case done < all:
		s = fmt.Sprintf("%s of %s %s done; ", figure.Count(done), figure.Count(all), figure.Verb(done, "is", "are"))
	}
	if unchecked := r.unchecked(); unchecked > 0 {
		s += fmt.Sprintf("%s of more than %d machines not checked against the laws", figure.Plural(unchecked, "run"), MaxChecked)
		if done -= unchecked; done == 0 {
			return s
		}
		s += "; "
	}
	if len(bad) == 0 && done == 1 {
		return s + "it is correct: every law holds for " + figure.Plural(r.events(), "event")
	}
	if len(bad) == 0 {
		return s + fmt.Sprintf("all %s are correct: every law holds for %s", figure.Count(done), figure.Plural(r.events(), "event"))
	}
	return s + fmt.Sprintf("%s of %s %s correct; NOT: %s", figure.Count(done-len(bad)), figure.Count(done), figure.Verb(done-len(bad), "is", "are"), strings.Join(bad, "; "))
}

// events returns how many were held against the laws.
func (r *Report) events() (n uint64) {
	for _, result := range r.results {
		if result.Stats != nil {
			n += result.events()
		}
	}
	return n
}

// unchecked returns how many runs were not held against the laws.
func (r *Report) unchecked() (n int) {
	for _, result := range r.results {
		if result.Stats == nil {
			n++
		}
	}
	return n
}

// pace says how the runs kept their pace, in a line; "" where nothing was timed.
func (r *Report) pace() string {
	var all []Pace
	for _, result := range r.each() {
		all = append(all, result.Paces...)
	}
	if len(all) == 0 {
		return ""
	}
	if late := r.late(); len(late) > 0 {
		return fmt.Sprintf("SUFFERED in %s: %s; fewer runs side by side or a quieter host would help", figure.Plural(len(late), "run"), figure.List(late, 5))
	}
	worst := slices.MaxFunc(all, worse)
	return fmt.Sprintf("kept in every run; in the worst, 99 %% of the ticks of a machine with rate %v were at most %s late", worst.Rate, figure.Duration(worst.P99))
}

// Text returns the tables for a screen. Where one is too wide for that, its columns
// stand below each other.
func (r *Report) Text(on terminal.Screen) []byte {
	var b bytes.Buffer
	// What comes from files is quoted before it is painted.
	line := func(hang int, text string) { b.WriteString(terminal.Wrap(text, on.Width, hang) + "\n") }
	quoted := quote.Writer(&b)
	line(0, quote.Visible(r.headline()+"; "+r.constants()))
	for _, l := range r.legend() {
		line(2, quote.Visible(l))
	}
	for _, t := range r.tables() {
		b.WriteString("\n")
		line(0, t.Title)
		for i, part := range t.Stack(on.TableWidth(), t.Keys) {
			if i > 0 {
				b.WriteString("\n")
			}
			_, _ = io.WriteString(quoted, part.Text()+"\n") // a buffer takes everything
		}
	}
	b.WriteString("\n")
	style := terminal.Good
	if len(r.NotCorrect()) > 0 {
		style = terminal.Bad
	}
	line(7, on.Paint(style, "runs")+"   "+quote.Visible(r.verdict()))
	if pace := r.pace(); pace != "" {
		style = ""
		if len(r.late()) > 0 {
			style = terminal.Warning
		}
		line(7, on.Paint(style, "pace")+"   "+quote.Visible(pace))
	}
	return b.Bytes()
}

// Markdown returns the tables as a page, with one more of the single runs.
func (r *Report) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Sweep\n\n%s; %s.\n", r.headline(), r.constants())
	if legend := r.legend(); legend != nil {
		fmt.Fprintf(&b, "\n- %s\n", strings.Join(legend, "\n- "))
	}
	for _, t := range append(r.tables(), r.single()) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", t.Title, t.Markdown())
	}
	fmt.Fprintf(&b, "\nEach ± is the 95 %% confidence interval of the mean over the trials (Student's t). The figures of several machines are\n"+
		"the mean of their means and the largest of their maxima. What the columns mean: docs/model.md, Measures.\n")
	fmt.Fprintf(&b, "\nRuns: %s.\n", r.verdict())
	if pace := r.pace(); pace != "" {
		fmt.Fprintf(&b, "\nPace: %s.\n", pace)
	}
	fmt.Fprintf(&b, "\n%s\n", r.repeat())
	return b.Bytes()
}

// repeat says how to do the sweep again.
func (r *Report) repeat() string {
	return "To repeat it:\n\n```sh\n" + r.grid.Command() + "\n```"
}

// tables are the clocks and the queues of all points, class by class, or, of systems that
// cannot be compared, machine by machine.
func (r *Report) tables() []report.Table {
	entries := r.entries()
	var all []report.Table
	for _, o := range r.points {
		if o.areSystems(r.grid.Trials) {
			all = append(all, r.members(o)...)
		}
	}
	alike := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.of.areSystems(r.grid.Trials) })
	if len(alike) > 0 {
		all = append(all,
			r.table("Clocks: jumps per event, drift behind the largest clock", alike, jumpMean, jumpMax, gaps, driftMean, driftMax),
			r.table("Queues: messages, and messages per second", alike, growth, growthPredicted, queueMax, arrivals, arrivalsPredicted))
	}
	whole := make([]entry, 0, len(r.points))
	var crowds []entry
	for _, e := range alike {
		if e.class == e.of.all || e.class != nil && len(e.of.classes) == 1 {
			whole = append(whole, entry{e.of, e.of.all, true})
		}
		if e.class != nil && e.class.crowded() {
			e.first = len(crowds) == 0 || crowds[len(crowds)-1].of != e.of
			crowds = append(crowds, e)
		}
	}
	if slices.ContainsFunc(whole, func(e entry) bool { return e.class.knows(concurrent) }) {
		all = append(all, r.table("Order: pairs of events on different machines", whole, concurrent, overOrdered))
	}
	if len(crowds) > 0 {
		all = append(all,
			r.table("Machines at the end: how far behind the largest clock", crowds, driftEnd, driftP10, driftP50, driftP90, driftP99, driftLast),
			r.table("Machines at the end: messages in their queues", crowds, queueEnd, queueP50, queueP90, queueP99, queueLast),
			r.histogram("Machines by drift at the end, % of them", crowds, func(f *figures) []float64 { return f.drifts }),
			r.histogram("Machines by queue at the end, % of them", crowds, func(f *figures) []float64 { return f.queues }))
	}
	return all
}

// histogram is a table of the shares of the machines with so much of something.
func (r *Report) histogram(title string, crowds []entry, of func(*figures) []float64) report.Table {
	buckets := 0
	for _, e := range crowds {
		for _, f := range e.class.trials {
			buckets = max(buckets, len(of(f)))
		}
	}
	all := r.keys()
	for i := range buckets {
		all = append(all, columns.Text("", bucketName(i), func(e *entry) string {
			share := e.class.of(func(f *figures) float64 {
				if h := of(f); i < len(h) {
					return 100 * h[i]
				}
				return 0
			})
			share.Within = percent
			return share.String()
		}))
	}
	return report.Table{Title: title, Keys: 1 + len(r.varied) + 1, Table: columns.New(all, crowds)}
}

func bucketName(i int) string {
	low, high := summary.Bucket(i)
	if low == high {
		return strconv.FormatUint(low, 10)
	}
	return fmt.Sprintf("%d–%d", low, high)
}

// entry is one line of these tables.
type entry struct {
	of    *overview
	class *class // nil: no run of the point is correct
	first bool   // of its point
}

// once returns what only the first line of a point says.
func (e *entry) once(what string) string {
	if !e.first {
		return ""
	}
	return what
}

// keys are the columns that say what a row is about.
func (r *Report) keys() []columns.Column[entry] {
	machines := "machines"
	all := []columns.Column[entry]{
		columns.Words("point", func(e *entry) string { return e.once(strconv.Itoa(e.of.point.Number)) }),
	}
	for _, k := range r.varied {
		if parameters[k].name == "machines" {
			machines = "of them"
		}
		all = append(all, columns.Words(parameters[k].name, func(e *entry) string { return e.once(r.short(k, &e.of.point)) }).Spare(1))
	}
	return append(all,
		columns.Words(machines, func(e *entry) string {
			if e.class == nil {
				return figure.Absent
			}
			return e.class.name
		}))
}

func (r *Report) table(title string, entries []entry, measures ...int) report.Table {
	all := append(r.keys(),
		columns.Words("runs", func(e *entry) string {
			if e.class == nil {
				return "0"
			}
			return figure.Count(len(e.class.trials))
		}))
	for _, k := range measures {
		all = append(all, columns.Text(allMeasures[k].group, allMeasures[k].column, func(e *entry) string {
			if e.class == nil {
				return figure.Absent
			}
			return cell(e.class.measure(k), k == growthPredicted || k == arrivalsPredicted)
		}))
	}
	return report.Table{Title: title, Keys: 1 + len(r.varied) + 1, Table: columns.New(all, entries)}
}

// entries returns the classes of all points, and all machines of those points that
// have several.
func (r *Report) entries() (entries []entry) {
	for _, o := range r.points {
		classes := o.classes
		if len(classes) > 1 {
			classes = append(slices.Clone(classes), o.all)
		}
		for i, c := range classes {
			entries = append(entries, entry{o, c, i == 0})
		}
		if len(classes) == 0 {
			entries = append(entries, entry{o, nil, true})
		}
	}
	return entries
}

// cell writes an interval; a prediction has none where the rates are the same in
// all trials.
func cell(i Interval, predicted bool) string {
	if predicted && !(i.Half > 0) {
		i.Half = math.NaN()
	}
	return i.String()
}

// short returns the value of a parameter at a point for a table: of a long plan of
// faults, its letter in the legend.
func (r *Report) short(k int, p *Point) string {
	value := parameters[k].of(p)
	if parameters[k].name != "faults" {
		return value
	}
	return r.letter(p.Faults)
}

// letter returns "none", "A", "B", … for the plans of faults.
func (r *Report) letter(plan string) string {
	if plan == "" {
		return "none"
	}
	n := 0
	for _, other := range r.grid.Faults {
		if other == plan {
			break
		}
		if other != "" {
			n++
		}
	}
	if n < 26 {
		return string(rune('A' + n))
	}
	return "plan " + strconv.Itoa(n+1)
}

// legend says what the letters of the plans of faults mean.
func (r *Report) legend() (lines []string) {
	if len(r.grid.Faults) < 2 {
		return nil
	}
	for _, plan := range r.grid.Faults {
		if plan != "" {
			lines = append(lines, "faults "+r.letter(plan)+": "+plan)
		}
	}
	return lines
}

// single is a table of the runs, one row each.
func (r *Report) single() report.Table {
	var rows []single
	for run, result := range r.each() {
		o := r.points[run.Point.Number-1]
		_, all, _ := o.groups(result)
		rows = append(rows, single{run, result, all})
	}
	return report.Table{Title: "Runs", Keys: 1, Table: columns.New(singleColumns, rows)}
}

// single is a run by itself.
type single struct {
	run     *Run
	result  *Result
	figures *figures
}

// maxListed is how many rates of a run are listed.
const maxListed = 10

var singleColumns = []columns.Column[single]{
	columns.Words("run", func(s *single) string { return s.run.Name }),
	columns.Words("seed", func(s *single) string { return strconv.FormatUint(s.run.Seed, 10) }),
	columns.Words("rates", func(s *single) string {
		if s.run.IsLarge() {
			return figure.Plural(s.run.Point.Machines, "machine")
		}
		return figure.Rates(s.run.Rates, maxListed)
	}),
	columns.Count("", "events", func(s *single) uint64 { return s.result.events() }),
	columns.Number("", "largest jump", figure.Short, func(s *single) float64 { return s.figures.value[jumpMax] }),
	columns.Number("", "largest drift", figure.Short, func(s *single) float64 { return s.figures.value[driftMax] }),
	columns.Number("", "longest queue", figure.Short, func(s *single) float64 { return s.figures.value[queueMax] }),
	columns.Count("", "saturated (predicted)", func(s *single) uint64 { return uint64(s.figures.full) }),
	columns.Number("", "concurrent %", figure.Mean, func(s *single) float64 { return s.figures.value[concurrent] }),
	columns.Number("", "of these ordered %", figure.Mean, func(s *single) float64 { return s.figures.value[overOrdered] }),
	columns.Text("", "verdict", func(s *single) string { return s.result.verdict() }),
}

// verdict is the state of the run, or that it was not checked.
func (r *Result) verdict() string {
	if r.Stats == nil {
		return "unchecked"
	}
	return string(r.Stats.Verdict.State)
}

// runFields say in CSV which run a row is of, and what it was.
var runFields = []string{"run", "point", "trial", "seed", "virtual", "rates", "machines", "die", "latency", "faults", "duration_s", "verdict"}

func (r *Report) runRecord(run *Run, result *Result) []string {
	p := &run.Point
	return []string{
		run.Name, strconv.Itoa(p.Number), strconv.Itoa(run.Trial), strconv.FormatUint(run.Seed, 10), strconv.FormatBool(r.grid.Virtual),
		p.Rates, strconv.Itoa(p.Machines), strconv.Itoa(p.Die), p.Latency, p.Faults,
		strconv.FormatFloat(r.grid.Duration.Seconds(), 'f', -1, 64), result.verdict(),
	}
}

// CSV writes one row per machine of each run that is done: what the run was, then
// the columns of "launcher stats --format csv". Runs that are not correct are in
// it too; see the column verdict. Of runs without logs there are only classes.
func (r *Report) CSV(to io.Writer) error {
	w := csv.NewWriter(to)
	_ = w.Write(slices.Concat(runFields, []string{"pace_kept", "concurrent_percent", "ordered_percent"}, report.StatsHeader())) // Error returns the first error
	for run, result := range r.each() {
		if result.Stats == nil {
			continue
		}
		fields := r.runRecord(run, result)
		concurrent, ordered := result.pairs()
		for i := range result.Stats.Machines {
			m := &result.Stats.Machines[i]
			kept := !slices.ContainsFunc(result.Paces, func(p Pace) bool { return p.Machine == m.ID && p.suffered() })
			_ = w.Write(slices.Concat(fields, []string{strconv.FormatBool(kept), exact(concurrent), exact(ordered)}, report.StatsRow(m)))
		}
	}
	w.Flush()
	return w.Error()
}

// ClassesCSV writes one row per class of machines of each run that is done, and one for
// all of its machines: what the run was, and the measures of the tables.
func (r *Report) ClassesCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	header := slices.Concat(runFields, []string{"class", "slowest", "fastest", "of_machines", "saturated_predicted"})
	for k := range allMeasures {
		header = append(header, allMeasures[k].field)
	}
	_ = w.Write(header) // Error returns the first error
	for run, result := range r.each() {
		fields := r.runRecord(run, result)
		groups, all, _ := r.points[run.Point.Number-1].groups(result)
		row := func(name string, slowest, fastest clock.Rate, f *figures) {
			record := slices.Concat(fields, []string{name, slowest.String(), fastest.String(), strconv.Itoa(f.machines), strconv.Itoa(f.full)})
			for _, x := range f.value {
				record = append(record, exact(x))
			}
			_ = w.Write(record)
		}
		for _, g := range groups {
			name := slowestToFastest(g.slowest, g.fastest)
			row(name, g.slowest, g.fastest, g.figures())
		}
		row("all", groups[0].slowest, groups[len(groups)-1].fastest, all)
	}
	w.Flush()
	return w.Error()
}

func slowestToFastest(slowest, fastest clock.Rate) string {
	if slowest == fastest {
		return "rate " + slowest.String()
	}
	return "rates " + slowest.String() + " to " + fastest.String()
}

// exact writes a number for programs, "" for none.
func exact(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
