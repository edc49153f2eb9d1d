package lab

import (
	"context"
	"io"

	"github.com/scalemodel/lamport/pkg/report"
)

// plot writes the figure of a run, which may be as long as it likes.
func (s *Stats) plot(ctx context.Context, env *Env, dir string, curves *report.Curves) error {
	return env.toOutput(ctx, dir, s.Plot, func(_ context.Context, w io.Writer) error { return curves.WriteSVG(w) })
}
