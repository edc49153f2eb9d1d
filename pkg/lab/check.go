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
	"github.com/scalemodel/lamport/pkg/report"
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
	if _, err := fmt.Fprintf(e.Out, "check        %v\n", v); err != nil {
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
		return exit.With(code, fmt.Errorf("the run breaks a law; \"launcher check %s\" shows where", dir))
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

func (c *Check) write(env *Env, dir string, v *trace.Verdict) error {
	if c.Format == "json" {
		return json.NewEncoder(env.json()).Encode(struct {
			Dir string `json:"dir"`
			*trace.Verdict
		}{dir, v})
	}
	var b strings.Builder
	for i := range v.Violations {
		fmt.Fprintf(&b, "%v\n\n", &v.Violations[i])
	}
	fmt.Fprintf(&b, "%s: %v\n", dir, v)
	if shown := len(v.Violations); uint64(shown) < v.Violated() {
		fmt.Fprintf(&b, "  shown: %d of %d", shown, v.Violated())
		if !c.All {
			b.WriteString(", the first of each law; --all shows more")
		}
		b.WriteByte('\n')
	}
	for _, o := range slices.Concat(v.Open, v.Remarks) {
		fmt.Fprintf(&b, "  %s\n", o)
	}
	_, err := io.WriteString(env.text(), b.String())
	return err
}

// Stats prints the figures of runs.
type Stats struct {
	Dirs   []string
	Format string // one of [report.StatsFormats]
}

// Run prints the figures of each run. An error says that a law is broken somewhere,
// or that a log cannot be read.
func (s Stats) Run(_ context.Context, env *Env) error {
	code := exit.OK
	for i, dir := range s.Dirs {
		run, err := trace.Open(dir)
		if err != nil {
			return err
		}
		stats, err := run.Stats()
		if err != nil {
			return err
		}
		if i > 0 && (s.Format == "table" || s.Format == "markdown") {
			_, _ = fmt.Fprintln(env.Out)
		}
		out := env.text()
		if s.Format == "json" {
			out = env.json()
		}
		if err := report.Stats(out, stats, s.Format); err != nil {
			return err
		}
		code = max(code, exitCode(stats.Verdict, true))
	}
	if code != exit.OK {
		return exit.With(code, errors.New("a law is broken, so the figures may mean nothing: see \"launcher check\""))
	}
	return nil
}
