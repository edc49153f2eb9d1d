package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/sweep"
)

// endPart says how a part of a sweep has ended. What it shows is for all parts together to
// say.
func (c *conductor) endPart(ctx context.Context, results []*sweep.Result, failure error) error {
	var bad []string
	for _, r := range results {
		if !r.Usable() {
			bad = append(bad, fmt.Sprintf("%s is %v", r.Name, r.Stats.Verdict))
		}
	}
	slices.Sort(bad)
	all := filepath.Dir(c.Dir)
	_, err := fmt.Fprintf(c.env.Out, "part %v: %s of %d done, %s correct\n", c.Grid.Shard, figure.Plural(len(results), "run"), len(c.runs),
		figure.Count(len(results)-len(bad)))
	switch {
	case failure != nil && ctx.Err() == nil:
		return failure
	case len(bad) > 0:
		return c.notCorrect(bad)
	case failure != nil:
		c.env.command("stopped; to go on: ", "sweep", "--out", all, "--shard", c.Grid.Shard.String())
		return exit.With(exit.Interrupted, early(ctx))
	case err != nil:
		return exit.With(exit.Died, err)
	}
	c.env.command("when all parts are done: ", "sweep", "--merge", all)
	return nil
}

// MergeSweep puts the parts of a sweep together, and says what it shows.
type MergeSweep struct {
	Dirs   []string // of parts, or of directories that hold them
	Dir    string   // made, or that of an earlier merge to go on with
	Report bool     // write pages that show the sweep and its runs
}

// Run does. An error is also that runs are missing, or not correct.
func (m MergeSweep) Run(ctx context.Context, env *Env) error {
	parts, err := sweep.FindParts(m.Dirs...)
	if err != nil {
		return err
	}
	c := &conductor{Sweep: Sweep{Grid: *parts.Grid, Dir: m.Dir, Report: m.Report}, env: env}
	if c.runs, err = c.Grid.Runs(); err != nil {
		return err
	}
	if c.dir, err = sweep.Open(m.Dir, &c.Grid); err != nil {
		return orLater(err)
	}
	defer func() { _ = c.dir.Close() }()
	here, of := parts.Count()
	env.remark("putting %d of %s together in %s", here, figure.Plural(of, "part"), m.Dir)
	if err := parts.MergeInto(c.dir); err != nil {
		return exit.With(exit.Died, err)
	}
	_, results, err := c.open()
	if err != nil {
		return err
	}
	report := sweep.NewReport(&c.Grid, c.runs, results)
	if err := c.write(report); err != nil {
		return exit.With(exit.Died, err)
	}
	c.show(report, false)
	if bad := report.NotCorrect(); len(bad) > 0 {
		return c.notCorrect(bad)
	}
	if missing := len(c.runs) - len(results); missing > 0 {
		return exit.With(exit.Died, fmt.Errorf("%s of %d %s missing; \"%s\" does %s, or merge again when all parts are done",
			figure.Plural(missing, "run"), len(c.runs), figure.Verb(missing, "is", "are"), env.commandLine("sweep", "--out", m.Dir), figure.Verb(missing, "it", "them")))
	}
	return nil
}
