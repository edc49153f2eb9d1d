package lab

import (
	"context"
	"io"

	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// plot draws the figure of a run, which may be as long as it likes.
func (s *Stats) plot(ctx context.Context, env *Env, dir string) error {
	run, err := trace.Open(dir)
	if err != nil {
		return err
	}
	curves := report.NewCurves(run)
	if _, err := run.Walk(trace.Options{Unchecked: true}, curves); err != nil {
		return err
	}
	return env.toOutput(ctx, run.Dir, s.Plot, func(_ context.Context, w io.Writer) error { return curves.WriteSVG(w) })
}
