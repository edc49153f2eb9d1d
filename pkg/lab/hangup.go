package lab

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// unattended returns the surroundings in which a run ends: those that there are, or
// where the terminal has gone, some in which printing never fails and the result
// stands in the run's directory, "" for none.
func (e *Env) unattended(ctx context.Context, dir string) (_ *Env, done func()) {
	if !exit.HungUp(ctx) {
		return e, func() {}
	}
	inside := *e
	inside.Out, inside.Err = deaf{e.Out}, deaf{e.Err}
	if dir == "" {
		return &inside, func() {}
	}
	kept, err := os.Create(filepath.Join(dir, rundir.TextName))
	if err != nil {
		return &inside, func() {}
	}
	inside.Out = io.MultiWriter(deaf{kept}, inside.Out)
	return &inside, func() { _ = kept.Close() }
}

// deaf passes on what is written, and takes no failure for one.
type deaf struct{ w io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	_, _ = d.w.Write(p)
	return len(p), nil
}

// Unwrap returns what the text is passed on to, which decides how it looks.
func (d deaf) Unwrap() io.Writer { return d.w }
