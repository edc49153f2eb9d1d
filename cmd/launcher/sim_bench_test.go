package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/sim"
)

// BenchmarkSim has the command run a minute of a million machines in virtual time, from
// its start to its summary. The rival is the engine alone, in this process: what the
// command adds is what the ratio lacks. Both use all cores.
func BenchmarkSim(b *testing.B) {
	launcher := filepath.Join(b.TempDir(), "launcher")
	if runtime.GOOS == "windows" {
		launcher += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", launcher, ".").CombinedOutput()
	require.NoError(b, err, "%s", out)
	b.Run("machines=1000000", func(b *testing.B) {
		var events, ours, rival, used float64
		for b.Loop() {
			began := time.Now()
			cmd := exec.Command(launcher, "sim", "--machines", "1000000", "--duration", "60s", "--logs=false", "--seed", "1")
			out, err := cmd.CombinedOutput()
			require.NoError(b, err, "%s", out)
			ours += time.Since(began).Seconds()
			used += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()

			rates, err := experiment.ParseRates("", 1_000_000, 1)
			require.NoError(b, err)
			began = time.Now()
			r, err := sim.Run(context.Background(), sim.Config{Spec: experiment.Spec{
				Common:  experiment.Common{Run: "sim", Die: 10, Seed: 1, Duration: time.Minute},
				Rates:   rates,
				Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
			}})
			require.NoError(b, err)
			rival += time.Since(began).Seconds()
			events += float64(r.Events())
		}
		b.ReportMetric(events/ours, "ours/s")
		b.ReportMetric(events/rival, "rival/s")
		b.ReportMetric(rival/ours, "ratio")
		b.ReportMetric(events/used, "events/cpu-s")
	})
}
