package replay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// BenchmarkRun replays the logs of three machines, 1.2 million events in all. Its rival
// counts the newlines of the same files, in turn with it.
func BenchmarkRun(b *testing.B) {
	s := small(1)
	s.Die, s.Duration = 10, 4*time.Second
	s.Rates = []clock.Rate{50_000 * clock.Hertz, 150_000 * clock.Hertz, 100_000 * clock.Hertz}
	latency, err := experiment.ParseLatency("uniform:0s,1ms")
	require.NoError(b, err)
	s.Virtual = &experiment.Virtual{Latency: latency, Phase: experiment.Random}
	paths, events := record(b, s)
	var ours, rival time.Duration
	for b.Loop() {
		start := time.Now()
		result, err := replay.Run(b.Context(), paths)
		ours += time.Since(start)
		require.NoError(b, err)
		require.Equal(b, events, result.Events)

		start = time.Now()
		lines, err := tracetest.Newlines(paths)
		rival += time.Since(start)
		require.NoError(b, err)
		require.Equal(b, int(events)+2*len(paths), lines)
	}
	n := float64(events) * float64(b.N)
	b.ReportMetric(n/ours.Seconds(), "ours/s")
	b.ReportMetric(n/rival.Seconds(), "rival/s")
	b.ReportMetric(rival.Seconds()/ours.Seconds(), "ratio")
}
