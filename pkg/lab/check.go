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
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
)

// CheckFormats are the formats of a check's result, the one for people first.
var CheckFormats = []string{"text", "json"}

// Check holds the logs of runs against the laws.
type Check struct {
	Dirs            []string
	All             bool   // show every violation, not just the first of each law
	AllowIncomplete bool   // where no law is broken, nothing is wrong
	Format          string // one of [CheckFormats]
}

// Run prints the verdict on each run. An error says that a run is not correct, or
// that a log cannot be read; the other runs are no worse for it.
func (c Check) Run(_ context.Context, env *Env) error {
	code, unreadable := exit.OK, false
	for _, dir := range c.Dirs {
		v, err := c.dir(dir)
		if err != nil {
			env.say("launcher: %v", err)
			unreadable = true
			continue
		}
		if err := c.write(env, dir, v); err != nil {
			return err
		}
		if len(c.Dirs) == 1 && c.Format == CheckFormats[0] {
			c.suggest(env, dir, v)
		}
		code = max(code, exitCode(v, c.AllowIncomplete))
	}
	if unreadable {
		code = exit.Misused
	}
	if code != exit.OK {
		return exit.With(code, nil)
	}
	return nil
}

// exitCode is the one rule by which a verdict on a run decides how a command ends: in
// order where the run is correct, or incomplete and that is allowed.
func exitCode(v *trace.Verdict, allowIncomplete bool) int {
	if v.State == trace.Correct || v.State == trace.Incomplete && allowIncomplete {
		return exit.OK
	}
	return exit.Broken
}

// check holds a run that has just been done against the laws and prints the verdict.
// Its error says what is wrong. A run that was interrupted may be incomplete.
func (e *Env) check(dir string, interrupted bool) error {
	run, err := trace.Open(dir)
	if err != nil {
		return exit.With(exit.Died, err)
	}
	v, err := run.Walk(trace.Options{})
	if err != nil {
		return exit.With(exit.Died, err)
	}
	screen := e.screen()
	line := terminal.Wrap("check        "+report.Verdict(v, screen), screen.Width, 13)
	if _, err := fmt.Fprintln(e.Out, line); err != nil {
		return exit.With(exit.Died, err)
	}
	if !interrupted { // which whoever did it knows
		for _, r := range v.Remarks {
			e.remark("%s", r)
		}
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

func (c *Check) dir(dir string) (*trace.Verdict, error) {
	run, err := trace.Open(dir)
	if err != nil {
		return nil, err
	}
	return run.Walk(trace.Options{All: c.All})
}

// suggest says what one would do next: look at what the run did, or at what breaks
// a law.
func (c *Check) suggest(env *Env, dir string, v *trace.Verdict) {
	switch shown := uint64(len(v.Violations)); {
	case v.State != trace.Broken:
		env.suggest("stats", dir)
	case shown < v.Violated() && !c.All:
		env.suggest("check", "--all", dir)
	}
}

func (c *Check) write(env *Env, dir string, v *trace.Verdict) error {
	if c.Format == "json" {
		return json.NewEncoder(env.json()).Encode(struct {
			Dir string `json:"dir"`
			*trace.Verdict
		}{dir, v})
	}
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
	Dirs   []string
	Format string // one of [report.StatsFormats]
	Plot   string // a file for a figure of the run, if there is one; "": none
}

// Run prints the figures of each run. An error says that a law is broken somewhere,
// or that a log cannot be read.
func (s Stats) Run(ctx context.Context, env *Env) error {
	code := exit.OK
	for i, dir := range s.Dirs {
		run, err := trace.Open(dir)
		if errors.Is(err, rundir.ErrNoLogs) {
			if err = s.withoutLogs(env, dir, err); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		stats, err := run.Stats()
		if err != nil {
			return err
		}
		if s.Plot != "" {
			if err := s.plot(ctx, env, run); err != nil {
				return err
			}
		}
		if i > 0 && (s.Format == "table" || s.Format == "markdown") {
			_, _ = fmt.Fprintln(env.Out)
		}
		out := env.text()
		switch s.Format {
		case "json":
			out = env.json()
		case "table": // it has quoted what it painted
			out = env.Out
		}
		if err := report.Stats(out, stats, s.Format, env.screen()); err != nil {
			return err
		}
		code = max(code, exitCode(stats.Verdict, true))
	}
	if code != exit.OK {
		return exit.With(code, errors.New("a law is broken, so the figures may mean nothing: see \"launcher check\""))
	}
	if len(s.Dirs) == 1 && s.Format == report.StatsFormats[0] {
		env.suggest("diagram", "-o", "run.svg", s.Dirs[0])
	}
	return nil
}
