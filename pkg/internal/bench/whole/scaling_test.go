package whole

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settled and steady are the seconds of a run of many machines in which nothing is measured, since
// they only start, and those in which their processor time is.
const settled, steady = 3 * time.Second, 4 * time.Second

// BenchmarkMachines runs more and more machines as processes of this host: once with the
// default rates, for their start, memory and processor time, and once as fast as they can.
// The memory of a link, one each way, is what a process has more than that of a machine
// alone, divided by its peers.
func BenchmarkMachines(b *testing.B) {
	alone := sync.OnceValue(func() float64 {
		f := atDefaultRates(b, 1)
		return f.resident
	})
	for _, n := range []int{3, 10, 30, 100, 300} {
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			for range b.N {
				f := atDefaultRates(b, n)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(f.start.Seconds(), "s")
				b.ReportMetric(f.resident, "MB/process")
				b.ReportMetric((f.resident-alone())*1e3/float64(n-1), "kB/link")
				b.ReportMetric(f.processor/float64(n), "%-core/machine")
				if n <= 100 { // more would keep a small host busy for minutes with starting and ending
					b.ReportMetric(fastest(b, n), "events/s")
				}
			}
		})
	}
}

// figures are those of a run at default rates.
type manyFigures struct {
	start     time.Duration // until all links are up
	resident  float64       // MB of a vm process, in the mean
	processor float64       // % of a core, of all processes, once all have started
}

func atDefaultRates(b *testing.B, n int) (f manyFigures) {
	b.Helper()
	commands, err := commands()
	require.NoError(b, err)
	dir, remove := newDir(b)
	defer remove()
	// The start of hundreds of machines takes longer than the run, whose duration begins after it.
	args := append([]string{"run", "--machines", strconv.Itoa(n), "--rates", defaultRates(n), "--ports", "auto", "--duration", (settled + steady + time.Second).String(), "--out", dir}, quietly...)
	start(b, nil, func(launcher int) {
		if !await(filepath.Join(dir, "vm_0.stderr"), "all start together") {
			return // the command's own end says more
		}
		time.Sleep(settled)
		vms := children(launcher)
		before, began := processorTime(append(vms, launcher)), time.Now()
		time.Sleep(steady)
		f.processor = 100 * (processorTime(append(vms, launcher)) - before).Seconds() / time.Since(began).Seconds()
		for _, vm := range vms {
			f.resident += resident(vm, "VmRSS") / float64(len(vms))
		}
	}, filepath.Join(commands, "launcher"), args...)
	f.start = linked(b, dir)
	return f
}

// defaultRates are the laboratory's for three machines, else those from 1 to 6 in turn.
func defaultRates(n int) string {
	if n == 3 {
		return "1,5,4"
	}
	var all []string
	for i := range n {
		all = append(all, strconv.Itoa(1+i%6))
	}
	return strings.Join(all, ",")
}

// fastest returns how many events per second so many machines execute.
func fastest(b *testing.B, n int) float64 {
	b.Helper()
	const duration = 2 * time.Second
	dir, remove := newDir(b)
	defer remove()
	launcher(b, nil, append([]string{"run", "--machines", strconv.Itoa(n), "--rates", "max", "--ports", "auto", "--duration", duration.String(), "--out", dir}, quietly...)...)
	_, events := machines(b, dir)
	return float64(events) / duration.Seconds()
}

// await waits until a file holds some words, or for a minute.
func await(name, words string) bool {
	for range 6000 {
		text, _ := os.ReadFile(name)
		if strings.Contains(string(text), words) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// processorTime returns what processes have taken so far, to the nanosecond, where Linux
// tells.
func processorTime(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, t := range tasks {
			text, _ := os.ReadFile(t)
			ns, _, _ := strings.Cut(string(text), " ")
			n, _ := strconv.ParseInt(ns, 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// BenchmarkEvents reads longer and longer runs of three machines by the command line, each
// command from its start to its end.
func BenchmarkEvents(b *testing.B) {
	for _, n := range []int{100_000, 300_000, 1_000_000, 3_000_000, 10_000_000} {
		recorded := sync.OnceValue(func() string {
			dir, _ := newDir(b)
			launcher(b, nil, "sim", "--quiet", "--check=false", "--report=false", "--rates", "1000,5000,4000", "--seed", "1",
				"--duration", fmt.Sprint(n/10, "ms"), "--out", dir)
			return dir
		})
		for _, c := range []struct {
			name string
			args []string
		}{{"check", []string{"check"}}, {"stats", []string{"stats"}}, {"report", []string{"report", "--quiet", "--out", "-"}}} {
			b.Run(fmt.Sprintf("events=%d/%s", n, c.name), func(b *testing.B) {
				dir := recorded()
				null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
				require.NoError(b, err)
				defer null.Close()
				var took time.Duration
				var peak float64
				for range b.N {
					p := launcher(b, null, append(c.args, dir)...)
					took, peak = took+p.took, max(peak, p.peak)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(n)*float64(b.N)/took.Seconds(), "events/s")
				b.ReportMetric(peak, "MB")
			})
		}
		if dir := recorded(); n > 1_000_000 { // a gigabyte that nobody needs any more
			_ = os.RemoveAll(dir)
		}
	}
}
