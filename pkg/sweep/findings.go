package sweep

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// NoDifference is said where the intervals support no statement.
const NoDifference = "no difference shown by these runs"

// Findings returns a page that says what the figures show; see [Report.Sections].
func (r *Report) Findings() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Findings\n\n%s; %s.\n", r.headline(), r.constants())
	list(&b, r.legend())
	for _, s := range r.Sections() {
		fmt.Fprintf(&b, "\n## %s\n", s.Title)
		list(&b, s.Points)
		for _, line := range s.Prose {
			fmt.Fprintf(&b, "\n%s\n", line)
		}
	}
	return b.Bytes()
}

// list writes the entries of a list, if there are any; an empty line stands before the first.
func list(b *bytes.Buffer, entries []string) {
	for i, entry := range entries {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "- %s\n", entry)
	}
}

// Section is a part of what the figures show, in Markdown.
type Section struct {
	Title  string
	Along  bool     // it is about what changes along a parameter
	Points []string // the entries of a list
	Prose  []string // and what follows it
}

// Sections says what the figures show. Every statement is decided by the intervals: that one
// thing is more than another, or changes along a parameter, is said where the 95 % interval
// of the difference, trial by trial, does not hold 0, and otherwise that these runs do not
// show it.
func (r *Report) Sections() []Section {
	w := &writer{}
	w.section("Are the runs correct?")
	r.soundness(w)
	for _, o := range r.points {
		w.section("%s", r.title(o))
		if o.areSystems(r.grid.Trials) {
			r.describeSystems(w, o)
		} else {
			o.describe(w)
		}
	}
	for _, k := range r.varied {
		r.along(w, k)
	}
	w.section("How certain this is")
	w.line("± is the 95 %% confidence interval of a mean over the trials (Student's t). Points are compared trial by trial, since trials\n" +
		"of one number have the same seed; so are the machines of one run.")
	if w.comparisons > 0 {
		w.line("An interval was compared with 0 or with a prediction %s. Even if nothing differed, about %.1f of these comparisons would show a difference by chance.",
			figure.Plural(w.comparisons, "time"), float64(w.comparisons)/20)
	}
	if len(r.grid.Faults) > 0 {
		w.line("The predictions do not take faults into account.")
	}
	w.line("%s", r.repeat())
	if r.grid.Virtual {
		w.line("In virtual time this gives exactly the same numbers.")
	} else {
		w.line("The dice will fall the same way, but when messages arrive depends on the operating system, so the numbers will differ a little.")
	}
	return w.sections
}

// title names a point by what is varied.
func (r *Report) title(o *overview) string {
	var parts []string
	for _, k := range r.varied {
		parts = append(parts, parameters[k].name+" "+r.short(k, &o.point))
	}
	if len(parts) == 0 {
		return "What the runs show"
	}
	return fmt.Sprintf("Point %d: %s", o.point.Number, strings.Join(parts, ", "))
}

// writer collects sections, and counts how many times it was asked whether there is a
// difference.
type writer struct {
	sections    []Section
	comparisons int
}

func (w *writer) section(format string, args ...any) {
	w.sections = append(w.sections, Section{Title: fmt.Sprintf(format, args...)})
}

func (w *writer) last() *Section { return &w.sections[len(w.sections)-1] }

func (w *writer) line(format string, args ...any) {
	w.last().Prose = append(w.last().Prose, fmt.Sprintf(format, args...))
}

func (w *writer) bullet(format string, args ...any) {
	w.last().Points = append(w.last().Points, fmt.Sprintf(format, args...))
}

// compare returns the sign of b's figure minus a's, 0 where none is shown.
func (w *writer) compare(a, b *class, k int) int {
	i := difference(a, b, k)
	if i.N > 1 {
		w.comparisons++
	}
	return i.Sign()
}

// soundness says how many runs are correct, what broke in them, and whether they
// kept their pace.
func (r *Report) soundness(w *writer) {
	done, all := r.Done()
	if done < all {
		w.bullet("The sweep is incomplete: %s of %s %s done. What follows covers only %s.", figure.Count(done), figure.Plural(all, "run"),
			figure.Verb(done, "is", "are"), figure.Verb(done, "this one", "these"))
	}
	if done == 0 {
		return
	}
	r.verdicts(w, done)
	r.struck(w)
	if pace := r.pace(); pace != "" {
		w.bullet("Pace: %s.", pace)
	}
}

// verdicts says how many of the runs that are done are correct, and names the
// others.
func (r *Report) verdicts(w *writer, done int) {
	bad, checked := r.NotCorrect(), done-r.unchecked()
	if unchecked := r.unchecked(); unchecked > 0 {
		w.bullet("%s had more than %d machines, and so no logs to be checked against the laws.", figure.Plural(unchecked, "run"), MaxChecked)
	}
	switch {
	case checked == 0:
	case len(bad) > 0:
		w.bullet("%s of %s passed the check against their own logs. The figures of the others are left out:", figure.Count(checked-len(bad)), figure.Plural(checked, "run"))
		for _, line := range bad {
			w.bullet("%s", line)
		}
	case checked == 1:
		w.bullet("The run is correct: it was checked against its own logs, and every law holds for %s.", figure.Plural(r.events(), "event"))
	default:
		w.bullet("All %s are correct: each was checked against its own logs, and every law holds for %s.", figure.Plural(checked, "run"), figure.Plural(r.events(), "event"))
	}
}

// struck says what faults struck, and whether the runs survived them.
func (r *Report) struck(w *writer) {
	struck, total, faulty, wrong, back := make(map[string]int), 0, 0, 0, 0
	for _, result := range r.results {
		hit := 0
		for kind, n := range result.Struck {
			struck[kind] += n
			hit += n
		}
		if total += hit; hit > 0 {
			faulty++
			if !result.Usable() {
				wrong++
			}
		}
		if result.Stats == nil {
			continue
		}
		for i := range result.Stats.Machines {
			back += result.Stats.Machines[i].Resumes
		}
	}
	if total == 0 {
		return
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(struck)) {
		kinds = append(kinds, kind+" "+figure.Count(struck[kind]))
	}
	w.bullet("Faults struck %s in %s: %s. Machines recovered from their own logs %s.",
		figure.Plural(total, "time"), figure.Plural(faulty, "run"), strings.Join(kinds, ", "), figure.Plural(back, "time"))
	if wrong == 0 {
		w.bullet("Every run survived them: no message was lost or delivered twice, and no clock went backwards.")
	} else {
		w.bullet("Not every run survived them: of %s with faults, %s did not pass the check.", figure.Plural(faulty, "run"), figure.Count(wrong))
	}
}

// describe says what the machines of a point did.
func (o *overview) describe(w *writer) {
	switch o.runs {
	case 0:
		w.bullet("No run is correct, so there is nothing to report.")
		return
	case 1:
		w.bullet("There is only one run, and so no intervals: another run could come out quite differently.")
	}
	o.jumps(w)
	o.gaps(w)
	o.drift(w)
	for _, c := range o.classes {
		o.queue(w, c)
	}
	o.pairs(w)
}

// jumps says which machines jump most, and whether their rates explain it.
func (o *overview) jumps(w *writer) {
	if len(o.classes) == 1 {
		c := o.classes[0]
		w.bullet("**Jumps.** All machines have the same rate. Their clocks advance by %v per event on average, and by %v at most.", c.measure(jumpMean), c.measure(jumpMax))
		return
	}
	jumper := o.largest(jumpMean)
	shown, ordered := true, true
	for i, c := range o.classes {
		if c != jumper && w.compare(c, jumper, jumpMean) <= 0 {
			shown = false
		}
		if i > 0 && w.compare(c, o.classes[i-1], jumpMean) <= 0 {
			ordered = false
		}
	}
	head := "No class of machines is shown to jump more than all the others"
	if shown {
		head = "The jumps are largest on " + jumper.label()
	}
	w.bullet("**Jumps.** %s: per event, the clock advances by %s. The largest single jumps are %s.",
		head, o.values(jumpMean), o.values(jumpMax))
	if !shown {
		return
	}
	switch {
	case jumper == o.classes[0] && jumper.unpaced():
	case jumper == o.classes[0]:
		w.bullet("Why: at %s ticks per second, %s had to follow a clock that advanced by %v per second, and reached %s.",
			figure.PerSecond(jumper.of(func(f *figures) float64 { return f.rate }).Mean), jumper.label(), o.advance(), o.keepsUp(jumper))
		if ordered && len(o.classes) > 2 {
			w.bullet("The faster the machine, the smaller its jumps: every step from slow to fast shows it.")
		}
	default:
		w.bullet("The rates do not explain this: the slowest jump less.")
	}
}

// ends compares the slowest machines with the fastest, and says in the words given
// which have more of a measure, if that is shown.
func (o *overview) ends(w *writer, k int, slowest, fastest string) string {
	switch w.compare(o.classes[len(o.classes)-1], o.classes[0], k) {
	case 1:
		return slowest
	case -1:
		return fastest
	}
	return NoDifference
}

// gaps compares the share of events that are gaps.
func (o *overview) gaps(w *writer) {
	if len(o.classes) == 1 {
		w.bullet("**Gaps** (jumps of more than 1) are %v %% of the events.", o.classes[0].measure(gaps))
		return
	}
	what := o.ends(w, gaps, "more on the slowest than on the fastest", "more on the fastest than on the slowest")
	w.bullet("**Gaps** (jumps of more than 1), in %% of the events: %s; %s.", o.values(gaps), what)
}

// drift compares the slowest machines with the fastest.
func (o *overview) drift(w *writer) {
	mean, most, when := driftMean, driftMax, ""
	if !o.classes[0].knows(driftMean) { // without logs nobody has watched it
		mean, most, when = driftEnd, driftLast, " at the end"
	}
	if len(o.classes) == 1 {
		c := o.classes[0]
		w.bullet("**Drift.** The machines are behind the largest clock by %v on average%s, and by %v at most.", c.measure(mean), when, c.measure(most))
		return
	}
	what := o.ends(w, mean, "the slowest are further behind than the fastest",
		"the fastest are further behind than the slowest, which is not what the rates suggest")
	w.bullet("**Drift** behind the largest clock%s, on average: %s; %s. At most: %s.", when, o.values(mean), what, o.values(most))
}

// pairs says how much of the order of the clocks is an order of causes.
func (o *overview) pairs(w *writer) {
	if !o.all.knows(concurrent) {
		return
	}
	w.bullet("**Order.** Of the pairs of events on different machines, %v %% are concurrent: neither could have influenced the other. The clocks nevertheless order %v %% of these.",
		o.all.measure(concurrent), o.all.measure(overOrdered))
}

// queue compares the queue of a class with its prediction.
func (o *overview) queue(w *writer, c *class) {
	w.bullet("**Queue of %s.** Predicted: %s. Observed: %v/s: %s. Longest: %v.",
		c.label(), c.prediction(), c.measure(growth), o.growth(w, c), c.measure(queueMax))
}

// saturated returns in how many trials a machine of the class is predicted to be.
func (c *class) saturated() int { return c.in(func(f *figures) bool { return f.full > 0 }) }

// in returns in how many trials something holds.
func (c *class) in(holds func(*figures) bool) (n int) {
	for _, f := range c.trials {
		if holds(f) {
			n++
		}
	}
	return n
}

// prediction says what the rates alone say of the queue.
func (c *class) prediction() string {
	what := "keeps up"
	edge := c.in(func(f *figures) bool { return f.edge > 0 })
	switch n := c.saturated(); {
	case n == 0 && edge == len(c.trials):
		what = "at the edge, where messages that come in bunches let the queue grow without bound, though ever more slowly"
	case n == 0 && edge > 0:
		what = fmt.Sprintf("at the edge in %s of %s", figure.Count(edge), figure.Plural(len(c.trials), "run"))
	case n == len(c.trials):
		what = "saturated"
	case n > 0:
		what = fmt.Sprintf("saturated in %s of %s", figure.Count(n), figure.Plural(len(c.trials), "run"))
	}
	takes := c.of(func(f *figures) float64 { return f.takes })
	return fmt.Sprintf("%s: %s/s arrive for %s ticks/s, so the queue grows by %s/s",
		what, cell(c.measure(arrivalsPredicted), true), cell(takes, true), cell(c.measure(growthPredicted), true))
}

// growth says whether the queue is shown to grow, and whether as predicted.
func (o *overview) growth(w *writer, c *class) string {
	missed := c.missed(growth, growthPredicted)
	if missed.N < 2 {
		return "one run, no interval"
	}
	w.comparisons++
	what := "no growth is shown"
	switch seen := c.measure(growth); {
	case o.negligible(seen.Mean):
		what = "less than one message per run"
	case seen.Sign() > 0:
		what = "it grows"
	case seen.Sign() < 0:
		what = "it shrinks"
	}
	fits := missed.Has(0) || o.negligible(missed.Mean)
	mixed := c.saturated() > 0 && c.saturated() < len(c.trials) || c.machines() == 0
	switch {
	case fits && mixed:
		return what + fmt.Sprintf(", as predicted: observed minus predicted is %v", missed)
	case missed.Has(0):
		return what + ", and the prediction lies inside the interval"
	case fits:
		return what + ", within one message of the prediction"
	}
	return what + fmt.Sprintf(", and the prediction lies OUTSIDE the interval: observed minus predicted is %v", missed)
}

// negligible reports whether a growth per second comes to less than one message in
// the whole run: that can be shown, and still be nothing.
func (o *overview) negligible(perSecond float64) bool { return math.Abs(perSecond)*o.seconds < 1 }

// largest returns the class with the largest mean of a measure.
func (o *overview) largest(k int) *class {
	return slices.MaxFunc(o.classes, func(a, b *class) int {
		return cmp.Compare(a.measure(k).Mean, b.measure(k).Mean)
	})
}

// values lists a measure of all classes.
func (o *overview) values(k int) string {
	var parts []string
	for _, c := range o.classes {
		parts = append(parts, fmt.Sprintf("%v (%s)", c.measure(k), c.name))
	}
	return strings.Join(parts, ", ")
}

// advance is by how much the largest clock advances per second.
func (o *overview) advance() Interval {
	var values []float64
	for _, t := range slices.Sorted(maps.Keys(o.speed)) {
		values = append(values, o.speed[t])
	}
	return Mean95(values)
}

// keepingUp is the share of the largest clock's advance, in %, from which on a machine
// is said to keep up with it: a few stamps that wait in a queue do not yet leave it
// behind.
const keepingUp = 95

// keepsUp says how much of the largest clock's advance the machines of a class
// reach.
func (o *overview) keepsUp(c *class) string {
	var values []float64
	for _, t := range c.order() {
		values = append(values, 100*c.trials[t].clock/o.seconds/o.speed[t])
	}
	share := Mean95(values)
	what := ""
	switch {
	case share.Mean+share.Half < keepingUp:
		what = ": the gap kept growing"
	case share.Mean-share.Half > keepingUp:
		what = ": enough to keep up"
	}
	return fmt.Sprintf("%v %% of that%s", share, what)
}

// label names a class in a sentence.
func (c *class) label() string {
	switch {
	case !strings.HasPrefix(c.name, "rate "):
		return "the " + strings.Replace(c.name, "between", "machines between", 1)
	case c.machines() > 1:
		return "the " + figure.Plural(c.machines(), "machine") + " with " + c.name
	case c.in(func(f *figures) bool { return f.machines > 1 }) > 0:
		return "the machines with " + c.name
	}
	return "the machine with " + c.name
}

// along says what changes along a parameter, the others being the same.
func (r *Report) along(w *writer, k int) {
	var groups [][]*overview
	index := make(map[string]int)
	for _, o := range r.points {
		key := r.others(k, &o.point)
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], o)
	}
	for _, group := range groups {
		if len(group) < 2 { // lists of rates that fit one number of machines only
			continue
		}
		var names []string
		for _, o := range group {
			names = append(names, r.short(k, &o.point))
		}
		title, say := "Along "+parameters[k].name+": "+strings.Join(names, " → "), trend
		if parameters[k].name == "faults" { // no plan lies between two others
			title, say = "With faults "+strings.Join(names[1:], ", ")+", against "+names[0], against
		}
		if others := r.others(k, &group[0].point); others != "" {
			title += " (" + others + ")"
		}
		w.section("%s", title)
		w.last().Along = true
		if ratios := spread(group, r.runs); parameters[k].name == "rates" && ratios != "" {
			w.bullet("The fastest rate is %s times the slowest.", ratios)
		}
		for _, m := range compared {
			if m == driftEnd && group[0].all.knows(driftMean) || !slices.ContainsFunc(group, func(o *overview) bool { return o.all.knows(m) }) {
				continue
			}
			w.bullet("%s: %s", allMeasures[m].name, say(w, group, names, m))
		}
	}
}

// others names the varied parameters of a point but one.
func (r *Report) others(k int, p *Point) string {
	var parts []string
	for _, other := range r.varied {
		if other != k {
			parts = append(parts, parameters[other].name+" "+r.short(other, p))
		}
	}
	return strings.Join(parts, ", ")
}

// spread lists how many times the fastest rate is the slowest, "" where the rates
// are drawn or have no number.
func spread(group []*overview, runs []Run) string {
	var parts []string
	for _, o := range group {
		for i := range runs {
			if runs[i].Point.Number == o.point.Number {
				if o.point.isDrawn() || len(runs[i].Rates) == 0 {
					return ""
				}
				low, high := slices.Min(runs[i].Rates), slices.Max(runs[i].Rates)
				if high == clock.Unpaced {
					return ""
				}
				parts = append(parts, strings.TrimSuffix(strconv.FormatFloat(float64(high)/float64(low), 'f', 1, 64), ".0"))
				break
			}
		}
	}
	return strings.Join(parts, " → ")
}

// against says how a measure of all machines at each point compares with the first.
func against(w *writer, group []*overview, names []string, k int) string {
	values := []string{group[0].all.measure(k).String() + " (" + names[0] + ")"}
	var what []string
	for i, o := range group[1:] {
		values = append(values, o.all.measure(k).String()+" ("+names[i+1]+")")
		switch w.compare(group[0].all, o.all, k) {
		case 1:
			what = append(what, "larger with "+names[i+1])
		case -1:
			what = append(what, "smaller with "+names[i+1])
		}
	}
	if what == nil {
		what = []string{NoDifference}
	}
	return strings.Join(what, ", ") + ": " + strings.Join(values, ", ") + "."
}

// trend says how a measure of all machines changes from point to point.
func trend(w *writer, group []*overview, names []string, k int) string {
	var values []string
	var steps []string
	rises, falls, shown := 0, 0, true
	for i, o := range group {
		values = append(values, o.all.measure(k).String())
		if i == 0 {
			continue
		}
		switch w.compare(group[i-1].all, o.all, k) {
		case 1:
			rises++
			steps = append(steps, "rises from "+names[i-1]+" to "+names[i])
		case -1:
			falls++
			steps = append(steps, "falls from "+names[i-1]+" to "+names[i])
		default:
			shown = false
		}
	}
	last := len(group) - 1
	ends := rises - falls // with two points, the one step
	if last > 1 {
		ends = w.compare(group[0].all, group[last].all, k)
	}
	verb := "rises"
	if ends < 0 || ends == 0 && falls > 0 {
		verb = "falls"
	}
	var what string
	switch {
	case last == 1 && ends == 0:
		what = NoDifference
	case last == 1:
		what = verb
	case shown && (rises == 0 || falls == 0):
		what = verb + " at every step"
	case ends != 0 && (rises == 0 || falls == 0):
		what = verb + " from end to end, but not every step shows it"
	case ends != 0:
		what = verb + " from end to end, but " + strings.Join(steps, ", ")
	case len(steps) > 0:
		what = strings.Join(steps, ", ") + "; the ends show no difference"
	default:
		what = NoDifference
	}
	return what + ": " + strings.Join(values, " → ") + "."
}
