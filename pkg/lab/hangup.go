package lab

import (
	"context"
	"io"

	"github.com/scalemodel/lamport/pkg/exit"
)

// unattended returns the surroundings in which a run ends: those that there are, or
// where the terminal has gone, some in which printing never fails.
func (e *Env) unattended(ctx context.Context) *Env {
	if !exit.HungUp(ctx) {
		return e
	}
	inside := *e
	inside.Out, inside.Err = deaf{e.Out}, deaf{e.Err}
	return &inside
}

// deaf passes on what is written, and takes no failure for one.
type deaf struct{ w io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	_, _ = d.w.Write(p)
	return len(p), nil
}

// Unwrap returns what the text is passed on to, which decides how it looks.
func (d deaf) Unwrap() io.Writer { return d.w }
