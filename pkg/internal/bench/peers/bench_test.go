package peers

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkModel does the model of docs/model.md in virtual time: launcher sim with one
// worker, start and all, in turns with a peer, whose start is not counted. So the ratio is
// that of one core; "all" is the launcher on all of them. Each does as much as takes it a
// while. Machines have the rates of the laboratory, or whole ones from 1 to 6.
func BenchmarkModel(b *testing.B) {
	for _, p := range simulators {
		for _, c := range []struct {
			machines  int
			rates     string
			perSecond float64 // events
		}{{3, "1,5,4", 10}, {1_000, ratesOf(1_000), 3_496}, {p.largest, "1-6", 3.5 * float64(p.largest)}} {
			b.Run(fmt.Sprintf("%s/machines=%d", p.name, c.machines), func(b *testing.B) {
				file := p.program(b, "model")
				launcher, err := launcher()
				require.NoError(b, err)
				seconds := int(20e6 / c.perSecond)
				simulate := func(flags ...string) float64 {
					began := time.Now()
					out, err := exec.Command(launcher, append([]string{"sim", "--quiet", "--report=false", "--rates", c.rates, "--machines", strconv.Itoa(c.machines),
						"--duration", fmt.Sprint(seconds, "s"), "--logs=false", "--seed", "1"}, flags...)...).CombinedOutput()
					require.NoError(b, err, "%s", out)
					return float64(seconds) * c.perSecond / time.Since(began).Seconds()
				}
				var one, all, theirs float64
				for range b.N {
					one += simulate("--workers", "1")
					all += simulate()
					s := run(b, file, c.machines, p.seconds(c.perSecond), 1)
					theirs += s["events"] / s["seconds"]
				}
				report(b, one, all, theirs)
			})
		}
	}
}

// BenchmarkPHOLD does PHOLD on the engine of virtual time, with one worker and with two, in
// turns with a peer. The start is not counted.
func BenchmarkPHOLD(b *testing.B) {
	for _, p := range simulators {
		for _, c := range []struct {
			lps    int
			remote float64
		}{{10_000, 0.1}, {10_000, 0.5}, {10_000, 1}, {1_000_000, 0.5}} {
			b.Run(fmt.Sprintf("%s/lps=%d/remote=%v", p.name, c.lps, c.remote), func(b *testing.B) {
				file := p.program(b, "phold")
				var one, all, theirs float64
				for range b.N {
					one += phold(b, c.lps, c.remote, 1)
					all += phold(b, c.lps, c.remote, 2)
					s := run(b, file, c.lps, c.remote, p.seconds(float64(c.lps)), 1)
					theirs += s["events"] / s["seconds"]
				}
				report(b, one, all, theirs)
			})
		}
	}
}

// report reports sums of b.N figures.
func report(b *testing.B, one, all, theirs float64) {
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(one/n, "ours/s")
	b.ReportMetric(all/n, "all/s")
	b.ReportMetric(theirs/n, "rival/s")
	b.ReportMetric(one/theirs, "ratio")
	b.ReportMetric(all/theirs, "ratio-all")
}

// engine builds the benchmark of the engine, which is internal to it.
var engine = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "phold.test")
	out, err := exec.Command("go", "test", "-c", "-o", file, "github.com/scalemodel/lamport/pkg/sim/internal/phold").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

// phold returns how many events per second the engine executes.
func phold(b *testing.B, lps int, remote float64, workers int) float64 {
	b.Helper()
	file, err := engine()
	require.NoError(b, err)
	pattern := fmt.Sprintf("^BenchmarkPHOLD$/^lps=%d$/^remote=%v$/^workers=%d$", lps, remote, workers)
	out, err := exec.Command(file, "-test.run=^$", "-test.benchtime=1x", "-test.bench="+pattern).CombinedOutput()
	require.NoError(b, err, "%s", out)
	f := strings.Fields(string(out))
	for i := 1; i < len(f); i++ {
		if f[i] == "ours/s" {
			x, err := strconv.ParseFloat(f[i-1], 64)
			require.NoError(b, err)
			return x
		}
	}
	b.Fatalf("%s says nothing\n%s", pattern, out)
	return 0
}
