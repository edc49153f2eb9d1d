package lab

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// A walk through logs that nobody waits for any more ends, and says why.
func TestUntilDone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(500, 400), Duration: 2 * time.Minute, Seed: 1}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	want, err := run.Stats()
	require.NoError(t, err)
	got, err := untilDone(t.Context(), run).Stats()
	require.NoError(t, err)
	require.Equal(t, want, got, "as long as it lasts, nothing is different")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	_, err = untilDone(ctx, run).Walk(trace.Options{}, trace.VisitorFunc(func(*trace.Step) error {
		if seen++; seen == 10 {
			cancel()
		}
		return nil
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, seen, 40_000, "of 108,000: what had been read ahead, at most")
	_, err = run.Stats()
	require.NoError(t, err, "the run itself is as it was")
}
