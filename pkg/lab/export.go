package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Export writes all events of a run for another program.
type Export struct {
	Dir    string
	File   string // "": standard output
	Format report.Format
	report.Options
}

// Run writes the export. A run that is not correct is exported as far as it goes,
// and what is wrong with it is said.
func (x Export) Run(ctx context.Context, env *Env) error {
	run, err := env.open(x.Dir)
	if err != nil {
		return err
	}
	defer run.close()
	env.remarkPassed(run)
	var e *report.Exported
	err = env.toOutput(ctx, x.Dir, x.File, func(_ context.Context, w io.Writer) (err error) {
		e, err = report.Export(w, run.Run, x.Format, x.Options)
		return err
	})
	if err != nil {
		return err
	}
	env.notes(x.Dir, short(e.Verdict))
	env.notes(x.Dir, e.Notes)
	return nil
}

// short says what is wrong with a run, in a few words.
func short(v *trace.Verdict) []string {
	switch v.State {
	case trace.Correct:
		return nil
	case trace.Broken:
		return []string{v.String(), `"launcher check" shows them`}
	}
	what := slices.Clone(v.Open)
	what[0] = string(v.State) + ": " + what[0]
	return what
}

// Diagram draws a run, or a part of it.
type Diagram struct {
	Dir  string
	File string // "": standard output
	// Corrected takes all times by the clock of one host.
	Corrected bool
	report.DiagramOptions
}

// Run writes the picture.
func (d Diagram) Run(ctx context.Context, env *Env) error {
	run, err := env.open(d.Dir)
	if err != nil {
		return err
	}
	defer run.close()
	if err := checkIDs(run.Run, d.Machines); err != nil {
		return err
	}
	if d.Corrected {
		if run.Run, d.Times, err = corrected(run.Run); err != nil {
			return err
		}
	}
	env.remarkPassed(run)
	return env.toOutput(ctx, d.Dir, d.File, func(_ context.Context, w io.Writer) error {
		return report.Diagram(w, run.Run, d.DiagramOptions)
	})
}

// checkIDs says which of the machines the run does not have.
func checkIDs(run *trace.Run, machines []int) error {
	for _, id := range machines {
		if id < 0 || id >= run.Machines {
			return &experiment.Error{Field: "machine", Value: strconv.Itoa(id), Err: fmt.Errorf("want ids from 0 to %d", run.Machines-1)}
		}
	}
	return nil
}

// Order lists all events of a run, or some of them, in one total order.
type Order struct {
	Dir string
	report.OrderOptions
}

// Run prints the list. An error says that the logs have no such order.
func (o Order) Run(ctx context.Context, env *Env) error {
	run, err := env.open(o.Dir)
	if err != nil {
		return err
	}
	defer run.close()
	if err := checkIDs(run.Run, o.Machines); err != nil {
		return err
	}
	env.remarkPassed(run)
	var missing []string
	err = env.toOutput(ctx, o.Dir, "", func(ctx context.Context, w io.Writer) (err error) {
		missing, err = report.Order(ctx, w, run.Run, o.OrderOptions)
		return err
	})
	var disorder *trace.Disorder
	switch {
	case errors.As(err, &disorder):
		return exit.With(exit.Broken, fmt.Errorf("%w; the order ends here, \"launcher check\" says more", err))
	case err != nil:
		return err
	}
	env.notes(o.Dir, missing)
	return nil
}
