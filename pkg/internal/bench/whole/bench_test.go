package whole

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim"
)

var (
	events = flag.Int("events", 10_000_000, "events of the run that BenchmarkReading reads, about")
	minute = flag.Duration("minute", time.Minute, "how long BenchmarkMinute runs the default cluster")
)

// quietly is what every run here is started with: only the machines are measured, not what
// reads their logs afterwards.
var quietly = []string{"--quiet", "--check=false", "--report=false"}

// recorded makes a run of about so many events at full speed, and returns it. It is made
// once.
var recorded = func() func(b *testing.B) (dir string, n uint64) {
	var once sync.Once
	var dir string
	var n uint64
	run := func(b *testing.B, d time.Duration) {
		dir, _ = newDir(b)
		launcher(b, nil, append([]string{"run", "--machines", "3", "--rates", "max", "--ports", "auto", "--duration", d.String(), "--out", dir}, quietly...)...)
		_, n = machines(b, dir)
	}
	return func(b *testing.B) (string, uint64) {
		once.Do(func() {
			run(b, time.Second) // to see how fast this host is
			_ = os.RemoveAll(dir)
			run(b, max(time.Duration(float64(*events)/float64(n)*float64(time.Second)), 10*time.Millisecond))
		})
		require.NotZero(b, n, "no run could be made")
		return dir, n
	}
}()

// BenchmarkReading reads a run of ten million events of three machines by the command
// line, in turns with wc -l on the same logs, or, where as much is written, with cat. What is
// written goes to /dev/null, or both to files. MB is the largest memory.
func BenchmarkReading(b *testing.B) {
	needsTool(b, "wc")
	needsTool(b, "cat")
	for _, c := range []struct {
		name string
		args []string
		tool []string
		file bool
	}{
		{"check", []string{"check"}, []string{"wc", "-l"}, false},
		{"stats", []string{"stats"}, []string{"wc", "-l"}, false},
		{"report", []string{"report", "--quiet", "--out", "-"}, []string{"wc", "-l"}, false},
		{"csv", []string{"export", "--format", "csv"}, []string{"cat"}, false},
		{"jsonl", []string{"export", "--format", "jsonl"}, []string{"cat"}, false},
		{"csv-file", []string{"export", "--format", "csv"}, []string{"cat"}, true},
		{"replay", []string{"replay"}, []string{"wc", "-l"}, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir, n := recorded(b)
			logs, _ := logsOf(b, dir)
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			require.NoError(b, err)
			defer null.Close()
			args, to := append(c.args, dir), null
			if c.file {
				out, remove := newDir(b)
				defer remove()
				args = append(c.args, "-o", filepath.Join(out, "ours"), dir)
				to, err = os.Create(filepath.Join(out, "theirs"))
				require.NoError(b, err)
				defer to.Close()
			}
			var ours, rival time.Duration
			var peak float64
			for range b.N {
				p := launcher(b, null, args...)
				ours, peak = ours+p.took, max(peak, p.peak)
				rival += start(b, to, nil, c.tool[0], append(c.tool[1:], logs...)...).took
			}
			total := float64(n) * float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(total/ours.Seconds(), "ours/s")
			b.ReportMetric(total/rival.Seconds(), "rival/s")
			b.ReportMetric(float64(rival)/float64(ours), "ratio")
			b.ReportMetric(peak, "MB")
		})
	}
}

// BenchmarkMillion is 60 virtual seconds of a million machines by the command line, start to
// summary. The rival is the engine alone, in this process: what the command adds is what the
// ratio lacks. Both use all cores.
func BenchmarkMillion(b *testing.B) {
	var events, took, alone, peak float64
	rates, err := experiment.ParseRates("", 1_000_000, 1)
	require.NoError(b, err)
	count := regexp.MustCompile(`events +([0-9,]+) events on 1,000,000 machines`)
	for range b.N {
		p := launcher(b, nil, "sim", "--machines", "1000000", "--duration", "60s", "--logs=false", "--seed", "1")
		m := count.FindStringSubmatch(p.out)
		require.NotNil(b, m, p.out)
		n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		require.NoError(b, err)
		events += float64(n)
		took += p.took.Seconds()
		peak = max(peak, p.peak)
		began := time.Now()
		r, err := sim.Run(b.Context(), sim.Config{Spec: experiment.Spec{
			Common:  experiment.Common{Run: "sim", Die: 10, Seed: 1, Duration: time.Minute},
			Rates:   rates,
			Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
		}})
		require.NoError(b, err)
		require.EqualValues(b, n, r.Events(), "the command and the engine do not do the same")
		alone += time.Since(began).Seconds()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(events/took, "ours/s")
	b.ReportMetric(events/alone, "rival/s")
	b.ReportMetric(alone/took, "ratio")
	b.ReportMetric(took/float64(b.N), "s")
	b.ReportMetric(peak, "B/machine") // MB of a million
}

// BenchmarkMinute is a minute of the default cluster: what it sends for each message, with
// the beginnings and the ends of its links, and what it takes.
func BenchmarkMinute(b *testing.B) {
	type figures struct{ frames, acks, bytes, writes, cpu, machine float64 }
	next := together(b, func() (f figures) {
		dir, remove := newDir(b)
		defer remove()
		commands, err := commands()
		require.NoError(b, err)
		p := start(b, nil, func(pid int) {
			time.Sleep(*minute / 2)
			vms := children(pid)
			for _, vm := range vms {
				f.machine += resident(vm, "VmRSS") / float64(len(vms))
			}
		}, filepath.Join(commands, "launcher"), append([]string{"run", "--ports", "auto", "--duration", minute.String(), "--out", dir}, quietly...)...)
		all, _ := machines(b, dir)
		var messages float64
		for _, m := range all {
			messages += float64(m.Wire.Messages)
			f.frames += float64(m.Wire.Frames)
			f.acks += float64(m.Wire.Acks)
			f.bytes += float64(m.Wire.Bytes)
			f.writes += float64(m.Wire.Writes)
		}
		for _, x := range []*float64{&f.frames, &f.acks, &f.bytes, &f.writes} {
			*x /= messages
		}
		f.cpu = 100 * (p.user + p.system).Seconds() / minute.Seconds()
		return f
	})
	b.Run("default", func(b *testing.B) {
		for range b.N {
			f := next()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(f.frames, "frames/message")
			b.ReportMetric(f.acks, "acks/message")
			b.ReportMetric(f.bytes, "bytes/message")
			b.ReportMetric(f.writes, "writes/message")
			b.ReportMetric(f.cpu, "%-core")
			b.ReportMetric(f.machine, "MB/process")
		}
	})
}

// together does what hardly takes processor time as often at once as -count says, when
// its first result is asked for, and returns what gives the results one by one.
func together[T any](b *testing.B, do func() T) (next func() T) {
	var results []T
	return func() T {
		if len(results) == 0 {
			results = make([]T, counts())
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() { results[i] = do() })
			}
			wg.Wait()
		}
		if b.Failed() {
			b.FailNow()
		}
		first := results[0]
		results = results[1:]
		return first
	}
}

// BenchmarkStart starts a hundred machines: from the run's record until the last of them
// says that its 99 links are up. The processor time is that of the whole run, which ends
// soon after.
func BenchmarkStart(b *testing.B) {
	for _, c := range []struct {
		name  string
		flags []string
	}{{"plain", nil}, {"tls", []string{"--tls"}}} {
		b.Run(c.name, func(b *testing.B) {
			var took, cpu time.Duration
			for range b.N {
				dir, remove := newDir(b)
				p := launcher(b, nil, append(append([]string{"run", "--machines", "100", "--rates", "1", "--ports", "auto", "--duration", "2s", "--out", dir}, quietly...), c.flags...)...)
				took += linked(b, dir)
				cpu += p.user + p.system
				remove()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took.Seconds()/float64(b.N), "s")
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s")
		})
	}
}

// linked returns how long it took from a run's record until all links were up.
func linked(b testing.TB, dir string) time.Duration {
	b.Helper()
	record, err := rundir.ReadRecord(dir)
	require.NoError(b, err)
	names, err := filepath.Glob(filepath.Join(dir, "vm_*.stderr"))
	require.NoError(b, err)
	require.Len(b, names, len(record.Rates))
	up := regexp.MustCompile(`(?m)^(\S+) .*all links are up`)
	var last time.Time
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(b, err)
		m := up.FindSubmatch(text)
		require.NotNil(b, m, "%s: %s", name, text)
		at, err := time.Parse(time.RFC3339, string(m[1]))
		require.NoError(b, err)
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(record.Started)
}
