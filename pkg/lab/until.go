package lab

import (
	"context"
	"slices"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// untilDone returns a run whose walks end with ctx, and then return its error: reading
// long logs takes a while.
func untilDone(ctx context.Context, run *trace.Run) *trace.Run {
	ending := *run
	ending.Logs = slices.Clone(run.Logs)
	for i := range ending.Logs {
		l := &ending.Logs[i]
		open := l.Open
		l.Open = func() (trace.Source, error) {
			s, err := open()
			if err != nil {
				return nil, err
			}
			return &endingSource{Source: s, ctx: ctx}, nil
		}
	}
	return &ending
}

// endingSource is a source that ends with a context.
type endingSource struct {
	trace.Source
	ctx  context.Context
	read uint
}

// Next looks at the context now and then: to ask it costs as much as some lines.
func (s *endingSource) Next(rec *logging.Record) error {
	if s.read++; s.read%64 == 0 {
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return s.Source.Next(rec)
}

// NextBatch looks at the context for every batch.
func (s *endingSource) NextBatch(entries []logging.Entry) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return trace.NextBatch(s.Source, entries)
}
