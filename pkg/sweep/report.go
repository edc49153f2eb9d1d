package sweep

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Report is what the runs of a sweep have done, as far as they are done. It is a
// function of the grid and the results: their order, and when they were done, has
// no say in it.
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
			if result := r.results[run.Name]; result != nil && result.correct() {
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

// NotCorrect names the runs that their logs do not prove, each with its verdict.
func (r *Report) NotCorrect() []string {
	return r.each(func(run *Run, result *Result) string {
		if result.correct() {
			return ""
		}
		return fmt.Sprintf("%s is %v", run.Name, result.Stats.Verdict)
	})
}

// late names the runs whose pace suffered, each with its worst machine.
func (r *Report) late() []string {
	return r.each(func(run *Run, result *Result) string {
		if result.Suffered() == 0 {
			return ""
		}
		worst := slices.MaxFunc(result.Paces, worse)
		what := fmt.Sprintf("%s (vm-%d: p99 %s late", run.Name, worst.Machine, milliseconds(worst.P99))
		if worst.Missed > 0 {
			what += fmt.Sprintf(", %s missed", plural(worst.Missed, "tick"))
		}
		return what + ")"
	})
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/1e6, 'f', 1, 64) + " ms"
}

// each collects what f says of the runs that are done, by point and trial.
func (r *Report) each(f func(*Run, *Result) string) (lines []string) {
	for i := range r.runs {
		if result := r.results[r.runs[i].Name]; result != nil {
			if line := f(&r.runs[i], result); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// what says in a line what kind of runs the sweep has.
func (r *Report) what() string {
	points := len(r.points)
	s := fmt.Sprintf("%s × %s of %s", plural(uint64(points), "point"), plural(uint64(r.grid.Trials), "trial"), short(r.grid.Duration))
	if r.grid.Virtual {
		s += " of virtual time"
	} else {
		s += " as processes"
	}
	return s + fmt.Sprintf(", seed %d", r.grid.Seed)
}

// fixed says what the values are that are the same in all points.
func (r *Report) fixed() string {
	var parts []string
	for k, p := range parameters {
		if value := p.of(&r.runs[0].Point); value != "" && !slices.Contains(r.varied, k) && (p.name != "faults" || value != "none") {
			parts = append(parts, p.name+" "+value)
		}
	}
	return strings.Join(parts, ", ")
}

// verdict says how many runs are proved, in a line.
func (r *Report) verdict() string {
	done, all := r.Done()
	bad := r.NotCorrect()
	var s string
	switch {
	case done == 0:
		return fmt.Sprintf("none of %d is done", all)
	case done < all:
		s = fmt.Sprintf("%d of %d are done; ", done, all)
	}
	if len(bad) == 0 && done == 1 {
		return s + "it is correct: every law holds for " + plural(r.events(), "event")
	}
	if len(bad) == 0 {
		return s + fmt.Sprintf("all %d are correct: every law holds for %s", done, plural(r.events(), "event"))
	}
	return s + fmt.Sprintf("%d of %d are correct; NOT: %s", done-len(bad), done, strings.Join(bad, "; "))
}

func (r *Report) events() (n uint64) {
	for _, result := range r.results {
		n += result.Stats.Events
	}
	return n
}

// pace says how the runs kept their pace, in a line; "" where nothing was timed.
func (r *Report) pace() string {
	var all []Pace
	r.each(func(_ *Run, result *Result) string {
		all = append(all, result.Paces...)
		return ""
	})
	if len(all) == 0 {
		return ""
	}
	if late := r.late(); len(late) > 0 {
		return fmt.Sprintf("SUFFERED in %s: %s; fewer at a time (--jobs 1) or a quieter host would help", plural(uint64(len(late)), "run"), list(late, 5))
	}
	worst := slices.MaxFunc(all, worse)
	return fmt.Sprintf("kept in every run; in the worst, 99 %% of the ticks of a machine with rate %v were at most %s late", worst.Rate, milliseconds(worst.P99))
}

// list writes so many things at most, and counts the rest.
func list(things []string, most int) string {
	if more := len(things) - most; more > 0 {
		return strings.Join(things[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(things, ", ")
}

// short returns d without the zeros at the end: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if t, ok := strings.CutSuffix(s, "m0s"); ok {
		s = t + "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}

func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatUint(n, 10) + " " + noun + "s"
}

// Text returns the tables for a terminal.
func (r *Report) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s; %s\n", r.what(), r.fixed())
	for _, line := range r.legend() {
		fmt.Fprintln(&b, line)
	}
	for _, t := range r.tables() {
		fmt.Fprintf(&b, "\n%s\n%s\n", t.title, t.writer().Render())
	}
	fmt.Fprintf(&b, "\nruns   %s\n", r.verdict())
	if pace := r.pace(); pace != "" {
		fmt.Fprintf(&b, "pace   %s\n", pace)
	}
	return b.Bytes()
}

// Markdown returns the tables as a page, with one more of the single runs.
func (r *Report) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Sweep\n\n%s; %s.\n", r.what(), r.fixed())
	if legend := r.legend(); legend != nil {
		fmt.Fprintf(&b, "\n- %s\n", strings.Join(legend, "\n- "))
	}
	for _, t := range append(r.tables(), r.single()) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", t.title, t.writer().RenderMarkdown())
	}
	fmt.Fprintf(&b, "\nEach ± is the 95 %% confidence interval of the mean over the trials (Student's t). The figures of several machines are\n"+
		"the mean of their means and the largest of their largest. What the columns mean: docs/model.md, Measures.\n")
	fmt.Fprintf(&b, "\nRuns: %s.\n", r.verdict())
	if pace := r.pace(); pace != "" {
		fmt.Fprintf(&b, "\nPace: %s.\n", pace)
	}
	fmt.Fprintf(&b, "\n%s\n", r.again())
	return b.Bytes()
}

func (r *Report) again() string {
	return "Again:\n\n```sh\n" + r.grid.Command() + "\n```"
}

// sheet is a table: the first columns are text, the others figures.
type sheet struct {
	title  string
	words  int
	header []string
	rows   [][]string
}

func (s *sheet) writer() table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true}
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	row := func(cells []string) (row table.Row) {
		for _, c := range cells {
			row = append(row, c)
		}
		return row
	}
	t.AppendHeader(row(s.header))
	var configs []table.ColumnConfig
	for i := range s.header {
		align := text.AlignRight
		if i < s.words {
			align = text.AlignLeft
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align})
	}
	t.SetColumnConfigs(configs)
	for _, cells := range s.rows {
		t.AppendRow(row(cells))
	}
	return t
}

// tables are the clocks and the queues of all points, class by class.
func (r *Report) tables() []*sheet {
	return []*sheet{
		r.table("Clocks: jumps per event, drift behind the largest clock", jumpMean, jumpMax, gaps, driftMean, driftMax),
		r.table("Queues: messages, and messages per second", growth, growthPredicted, queueMax, arrivals, arrivalsPredicted),
	}
}

func (r *Report) table(title string, columns ...int) *sheet {
	s := &sheet{title: title, header: []string{"point"}}
	for _, k := range r.varied {
		s.header = append(s.header, parameters[k].name)
	}
	s.header = append(s.header, "machines", "runs")
	if slices.ContainsFunc(r.varied, func(k int) bool { return parameters[k].name == "machines" }) {
		s.header[len(s.header)-2] = "of them"
	}
	s.words = len(s.header)
	for _, k := range columns {
		s.header = append(s.header, allMeasures[k].column)
	}
	for _, o := range r.points {
		classes := o.classes
		if len(classes) > 1 {
			classes = append(slices.Clone(classes), o.all)
		}
		for i, c := range classes {
			row := []string{strconv.Itoa(o.point.Number)}
			for _, k := range r.varied {
				row = append(row, r.short(k, &o.point))
			}
			if i > 0 { // said in the row above
				clear(row)
			}
			row = append(row, c.name, strconv.Itoa(len(c.trials)))
			for _, k := range columns {
				row = append(row, cell(c.measure(k), k == growthPredicted || k == arrivalsPredicted))
			}
			s.rows = append(s.rows, row)
		}
		if len(classes) == 0 {
			row := []string{strconv.Itoa(o.point.Number)}
			for _, k := range r.varied {
				row = append(row, r.short(k, &o.point))
			}
			row = append(row, "-", "0")
			for range columns {
				row = append(row, "-")
			}
			s.rows = append(s.rows, row)
		}
	}
	return s
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
func (r *Report) single() *sheet {
	s := &sheet{
		title:  "Runs",
		words:  3,
		header: []string{"run", "seed", "rates", "events", "largest jump", "largest drift", "longest queue", "saturated (predicted)", "verdict"},
	}
	r.each(func(run *Run, result *Result) string {
		var all []*trace.MachineStats
		for i := range result.Stats.Machines {
			all = append(all, &result.Stats.Machines[i])
		}
		f := figuresOf(all)
		whole := func(k int) string { return strconv.FormatFloat(f.value[k], 'f', 0, 64) }
		s.rows = append(s.rows, []string{
			run.Name, strconv.FormatUint(run.Seed, 10), rateList(run.Rates), strconv.FormatUint(result.Stats.Events, 10),
			whole(jumpMax), whole(driftMax), whole(queueMax), strconv.Itoa(f.full), string(result.Stats.Verdict.State),
		})
		return ""
	})
	return s
}

// rateList writes the rates of a run, and no more than ten of them.
func rateList(rates []clock.Rate) string {
	var words []string
	for _, r := range rates {
		words = append(words, r.String())
	}
	if len(words) > 10 {
		words = append(words[:10], "…")
	}
	return strings.Join(words, ",")
}

// CSV returns one row per machine of each run that is done: what the run was, then
// the columns of "launcher stats --format csv". Runs that are not correct are in
// it too; see the column verdict.
func (r *Report) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(append([]string{
		"run", "point", "trial", "seed", "virtual", "rates", "machines", "die", "latency", "faults", "duration_s", "verdict", "pace_kept",
	}, report.StatsHeader()...)) // a buffer takes everything
	r.each(func(run *Run, result *Result) string {
		p := &run.Point
		for i := range result.Stats.Machines {
			m := &result.Stats.Machines[i]
			kept := !slices.ContainsFunc(result.Paces, func(p Pace) bool { return p.Machine == m.ID && p.suffered() })
			_ = w.Write(append([]string{
				run.Name, strconv.Itoa(p.Number), strconv.Itoa(run.Trial), strconv.FormatUint(run.Seed, 10), strconv.FormatBool(r.grid.Virtual),
				p.Rates, strconv.Itoa(p.Machines), strconv.Itoa(p.Die), p.Latency, p.Faults,
				strconv.FormatFloat(r.grid.Duration.Seconds(), 'f', -1, 64), string(result.Stats.Verdict.State), strconv.FormatBool(kept),
			}, report.StatsRow(m)...))
		}
		return ""
	})
	w.Flush()
	return b.Bytes()
}
