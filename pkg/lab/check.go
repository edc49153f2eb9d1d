package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
)

// CheckFormats are the formats of a check's result, the one for people first.
var CheckFormats = []string{"text", "csv", "json"}

// Check holds the logs of runs against the laws.
type Check struct {
	Runs
	All             bool   // show every violation, not just the first of each law
	AllowIncomplete bool   // where no law is broken, nothing is wrong
	Format          string // one of [CheckFormats]
}

// checked is the outcome of a run.
type checked struct {
	verdict *trace.Verdict
	passed  string // what of a stream is not of the run, "": nothing
	err     error  // it cannot be read
}

// Run prints the verdict on each run: of one alone with all that there is to say, of
// several a line for each and a table of all, and with All what is wrong as well. An
// error says that a run is not correct, or that a log cannot be read; the other runs are
// no worse for it.
func (c Check) Run(_ context.Context, env *Env) error {
	dirs, remarks, err := c.find()
	if err != nil {
		return err
	}
	code := exit.OK
	var tally report.Tally
	var last *trace.Verdict
	table := report.NewCheckCSV(env.text())
	err = inOrder(len(dirs), func(i int) checked {
		return c.dir(env, dirs[i])
	}, func(i int, r checked) error {
		tally.Add(dirs[i], r.verdict)
		if last = r.verdict; last != nil {
			code = max(code, exitCode(r.verdict, c.AllowIncomplete))
		}
		switch {
		case r.err != nil && !c.many():
			return r.err
		case c.Format == "json":
			return c.object(env, dirs[i], r)
		case c.Format == "csv":
			env.remarkOf(dirs[i], r.passed)
			return table.Add(dirs[i], r.verdict, r.err)
		case c.many():
			env.remarkOf(dirs[i], r.passed)
			return c.line(env, dirs[i], r)
		}
		return c.write(env, dirs[i], r.verdict)
	})
	if err != nil {
		return err
	}
	if err := c.conclude(env, dirs, remarks, last, &tally); err != nil {
		return err
	}
	if tally.Runs(report.Unreadable) > 0 {
		code = exit.Misused
	}
	if code != exit.OK {
		return exit.With(code, nil)
	}
	return nil
}

// conclude says what is to be said of all runs.
func (c *Check) conclude(env *Env, dirs, remarks []string, last *trace.Verdict, tally *report.Tally) error {
	for _, r := range remarks {
		env.remark("%s", r)
	}
	switch {
	case c.Format != CheckFormats[0]:
		return nil
	case !c.many():
		c.suggest(env, dirs[0], last)
		return nil
	}
	screen := env.screen()
	if _, err := fmt.Fprintln(env.Out); err != nil {
		return err
	}
	if err := tally.Write(env.Out, screen); err != nil {
		return err
	}
	if broken := tally.First(trace.Broken); broken != "" {
		env.suggest("check", broken)
	}
	return nil
}

// line writes a run of many: its verdict in one line, and with All what is wrong.
func (c *Check) line(env *Env, dir string, r checked) error {
	screen := env.screen()
	if !screen.Person {
		screen.Width = 0
	}
	var text string
	switch {
	case r.err != nil:
		text = screen.Paint(report.StateStyle(report.Unreadable), string(report.Unreadable)) + ": " + quote.Visible(unnamed(dir, r.err))
	case c.All:
		return c.write(env, dir, r.verdict)
	default:
		text = report.Verdict(r.verdict, screen)
		if len(r.verdict.Remarks) > 0 {
			text += " (" + quote.Visible(r.verdict.Remarks[0]) + ")"
		}
		if r.verdict.State == trace.Incomplete {
			text = screen.Paint(report.StateStyle(trace.Incomplete), string(trace.Incomplete)) + ": " + quote.Visible(unnamed(dir, errors.New(r.verdict.Open[0])))
			if more := len(r.verdict.Open) - 1; more > 0 {
				text += fmt.Sprintf(" (and %d more)", more)
			}
		}
	}
	_, err := fmt.Fprintln(env.Out, terminal.Wrap(quote.Visible(dir)+": "+text, screen.Width, 4))
	return err
}

// object writes a run as JSON.
func (c *Check) object(env *Env, dir string, r checked) error {
	enc := json.NewEncoder(env.json())
	if r.err != nil {
		return enc.Encode(unreadable(dir, r.err))
	}
	return enc.Encode(struct {
		Dir string `json:"dir"`
		*trace.Verdict
	}{dir, r.verdict})
}

// unreadable is a run that cannot be read, as JSON has it.
func unreadable(dir string, err error) any {
	return struct {
		Dir   string      `json:"dir"`
		State trace.State `json:"state"`
		Error string      `json:"error"`
	}{dir, report.Unreadable, err.Error()}
}

// exitCode is the one rule by which a verdict on a run decides how a command ends: in
// order where the run is correct, or incomplete and that is allowed.
func exitCode(v *trace.Verdict, allowIncomplete bool) int {
	if v.State == trace.Correct || v.State == trace.Incomplete && allowIncomplete {
		return exit.OK
	}
	return exit.Broken
}

// check prints the verdict on a run that has just been done. Its error says what is
// wrong. A run that was interrupted may be incomplete.
func (e *Env) check(dir string, v *trace.Verdict, interrupted bool) error {
	screen := e.screen()
	line := terminal.Wrap("check        "+report.Verdict(v, screen), screen.Width, 13)
	if _, err := fmt.Fprintln(e.Out, line); err != nil {
		return exit.With(exit.Died, err)
	}
	for _, r := range v.Remarks {
		e.remark("%s", r)
	}
	code := exitCode(v, interrupted)
	switch {
	case v.State == trace.Broken:
		return exit.With(code, fmt.Errorf("the run breaks a law; \"%s\" shows where", e.commandLine("check", dir)))
	case code != exit.OK:
		return exit.With(code, fmt.Errorf("the run is incomplete: %s", strings.Join(v.Open, "; ")))
	case v.State == trace.Incomplete:
		e.remark("the run is incomplete: %s", strings.Join(v.Open, "; "))
	}
	return nil
}

func (c *Check) dir(env *Env, dir string) (r checked) {
	run, err := env.open(dir)
	if err != nil {
		return checked{err: err}
	}
	defer run.close()
	r.verdict, r.err = run.Walk(trace.Options{All: c.All})
	if r.passed = run.passed(); r.passed != "" && r.verdict != nil {
		r.verdict.Remarks = append(r.verdict.Remarks, r.passed)
	}
	return r
}

// suggest says what one would do next: look at what the run did, or at what breaks a
// law.
func (c *Check) suggest(env *Env, dir string, v *trace.Verdict) {
	switch shown := uint64(len(v.Violations)); {
	case v.Paused > 0 && v.State == trace.Incomplete:
		env.remark("the run is paused, on %s: start each again with --resume, and it goes on", figure.Plural(v.Paused, "machine"))
	case v.State != trace.Broken:
		env.suggest("stats", dir)
	case shown < v.Violated() && !c.All:
		env.suggest("check", "--all", dir)
	}
}

// write writes all that there is to say of a run.
func (c *Check) write(env *Env, dir string, v *trace.Verdict) error {
	screen := env.screen()
	if !screen.Person { // whoever looks for lines in a file looks for whole ones
		screen.Width = 0
	}
	var b strings.Builder
	// What comes from files is quoted before it is painted.
	prose := func(text string) { b.WriteString(terminal.Wrap(text, screen.Width, 4) + "\n") }
	for i := range v.Violations {
		// The lines of the logs are evidence, and stay as they are.
		what, lines, _ := strings.Cut(v.Violations[i].String(), "\n")
		prose(screen.Paint(terminal.Bad, quote.Visible(what)))
		for line := range strings.Lines(lines) {
			b.WriteString(quote.Visible(strings.TrimSuffix(line, "\n")) + "\n")
		}
		b.WriteString("\n")
	}
	prose(quote.Visible(dir) + ": " + report.Verdict(v, screen))
	if shown := len(v.Violations); uint64(shown) < v.Violated() {
		text := fmt.Sprintf("  shown: %d of %d", shown, v.Violated())
		if !c.All {
			text += ", the first of each law; --all shows more"
		}
		prose(text)
	}
	for _, o := range slices.Concat(v.Open, v.Remarks) {
		prose("  " + quote.Visible(o))
	}
	_, err := io.WriteString(env.Out, b.String())
	return err
}

// Stats prints the figures of runs.
type Stats struct {
	Runs
	Format string // one of [report.StatsFormats]
	Plot   string // a file for a figure of the run, if there is one; "": none
	// Corrected takes all times by the clock of one host.
	Corrected bool
}

// figures are those of a run.
type figures struct {
	stats  *trace.Stats
	curves *report.Curves // nil: none are to be drawn
	passed string         // what of a stream is not of the run, "": nothing
	err    error          // it cannot be read
}

// Run prints the figures of each run: of one alone all of them, of several a line for
// each, what lies between these, and a table of their verdicts. An error says that a law
// is broken somewhere, or that a log cannot be read; the other runs are no worse for it.
func (s Stats) Run(ctx context.Context, env *Env) error {
	dirs, remarks, err := s.find()
	if err != nil {
		return err
	}
	var tally report.Tally
	var overview report.Overview
	apart := false
	table := report.NewStatsCSV(env.text())
	err = inOrder(len(dirs), func(i int) figures { return s.dir(env, dirs[i]) }, func(i int, f figures) error {
		if errors.Is(f.err, rundir.ErrNoLogs) && s.Plot == "" && !s.many() {
			return s.withoutLogs(env, dirs[i], f.err)
		}
		if f.curves != nil {
			if err := s.plot(ctx, env, dirs[i], f.curves); err != nil {
				return err
			}
		}
		env.remarkOf(dirs[i], f.passed)
		var verdict *trace.Verdict
		if f.stats != nil {
			verdict = f.stats.Verdict
			apart = apart || len(f.stats.ClockSkews) > 0 && f.stats.ClockOffsets != nil
		}
		tally.Add(dirs[i], verdict)
		switch {
		case f.err != nil && !s.many():
			return f.err
		case s.Format == "csv":
			return table.Add(dirs[i], f.stats)
		case s.Format == "json" && f.err != nil:
			return json.NewEncoder(env.json()).Encode(unreadable(dirs[i], f.err))
		case s.Format == "json":
			return report.Stats(env.json(), f.stats, s.Format, env.screen())
		case s.many():
			overview.Add(dirs[i], f.stats)
			if f.err != nil {
				env.say("launcher: %v", f.err)
			}
			return nil
		}
		out := env.text()
		if s.Format == "table" { // it has quoted what it painted
			out = env.Out
		}
		return report.Stats(out, f.stats, s.Format, env.screen())
	})
	if err != nil {
		return err
	}
	for _, r := range remarks {
		env.remark("%s", r)
	}
	people := s.Format == "table" || s.Format == "markdown"
	if people && s.many() {
		if err := overview.Write(env.Out, &tally, s.Format, env.screen()); err != nil {
			return err
		}
	}
	switch {
	case tally.Runs(report.Unreadable) > 0:
		return exit.With(exit.Misused, nil)
	case tally.Runs(trace.Broken) > 0:
		return exit.With(exit.Broken, errors.New("a law is broken, so the figures may mean nothing: see \"launcher check\""))
	case apart && !s.Corrected && len(dirs) == 1 && s.Format == report.StatsFormats[0]:
		env.suggest("stats", "--corrected", dirs[0])
	case len(dirs) == 1 && s.Format == report.StatsFormats[0]:
		env.suggest("diagram", "-o", "run.svg", dirs[0])
	}
	return nil
}

// dir reads a run, once for all that is wanted of it.
func (s *Stats) dir(env *Env, dir string) (f figures) {
	run, err := env.open(dir)
	if err != nil {
		return figures{err: err}
	}
	defer run.close()
	var others []trace.Visitor
	if s.Plot != "" {
		f.curves = report.NewCurves(run.Run)
		others = append(others, f.curves)
	}
	if f.stats, f.err = statsOf(run.Run, s.Corrected, others...); f.err != nil {
		return figures{err: f.err}
	}
	f.passed = run.passed()
	return f
}
