package sim

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/sim/internal/naive"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// lab is the laboratory's cluster.
func lab(seed uint64) Config {
	return Config{Spec: experiment.Spec{
		Common:  experiment.Common{Run: "lab", Die: 10, Seed: seed, Duration: time.Minute},
		Rates:   hertz(1, 5, 4),
		Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
	}}
}

func hertz(rates ...float64) (r []clock.Rate) {
	for _, x := range rates {
		r = append(r, clock.Rate(math.Round(x*1e9)))
	}
	return r
}

// run executes a configuration with logs in a directory of its own.
func run(t require.TestingT, dir string, cfg Config) *Result {
	cfg.LogDir = dir
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	return r
}

// twin writes what the naive simulator makes of a configuration to a directory,
// and returns what collectors have gathered.
func twin(t require.TestingT, dir string, cfg Config) []summary.Machine {
	e, err := newEngine(cfg)
	require.NoError(t, err)
	n := len(cfg.Rates)
	var machines []naive.Machine
	var all []*machine.Machine
	var origins []int64
	var logs []*bytes.Buffer
	var writers []*logging.Writer
	for id, rate := range cfg.Rates {
		m, err := machine.New(machine.Config{ID: id, Machines: n, Die: cfg.Die, Seed: cfg.Seed})
		require.NoError(t, err)
		all, machines, origins = append(all, m), append(machines, m), append(origins, e.origin(id))
		b := new(bytes.Buffer)
		w := logging.NewWriter(b, id)
		var peers []int
		for p := range n {
			if p != id {
				peers = append(peers, p)
			}
		}
		w.Start(experiment.Epoch.Add(time.Duration(origins[id])), logging.Start{Run: cfg.Run, Machines: n, Rate: rate, Seed: cfg.Seed, Die: cfg.Die, Peers: peers})
		logs, writers = append(logs, b), append(writers, w)
	}
	collectors := make([]summary.Collector, n)
	last := make([]int64, n) // arrival
	lastOn := make(map[[2]int]int64)
	require.NoError(t, naive.Run(naive.Config{
		Machines: machines, Rates: cfg.Rates, Origins: origins, End: int64(cfg.Duration),
		Latency: func(from, to int, step uint64) int64 { return e.arrives(from, to, step, 0) },
	}, func(id int, at int64, ev *event.Event) {
		writers[id].Event(experiment.Epoch.Add(time.Duration(at)), ev)
		collectors[id].Observe(ev)
		if ev.Kind == event.Send {
			for _, m := range ev.Messages() {
				link := [2]int{id, int(m.To)}
				lastOn[link] = max(lastOn[link], e.arrives(id, int(m.To), ev.Step, at))
				last[m.To] = max(last[m.To], lastOn[link])
			}
		}
	}))
	var results []summary.Machine
	for id, m := range all {
		at := max(int64(cfg.Duration), origins[id])
		if m.QueueLen() > 0 {
			at = max(at, last[id])
		}
		writers[id].Stop(experiment.Epoch.Add(time.Duration(at)), logging.Stop{
			Step: m.Steps(), Clock: m.Clock(), Queue: m.QueueLen(), Pending: logging.Counts(m.Pending()),
		})
		require.NoError(t, writers[id].Flush())
		require.NoError(t, os.WriteFile(filepath.Join(dir, logging.FileName(id, cfg.Rates[id])), logs[id].Bytes(), 0o600))
		r := collectors[id].Machine(id, cfg.Rates[id], m.QueueLen())
		if m.QueueLen() > 0 {
			r.Pending = m.Pending()
		}
		results = append(results, r)
	}
	return results
}

// contents returns all files of a directory as one text.
func contents(t require.TestingT, dir string) string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var b strings.Builder
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		fmt.Fprintf(&b, "== %s\n%s", e.Name(), text)
	}
	return b.String()
}

// tempDir is t.TempDir for each of the many runs of one test.
func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "sim")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func drawConfig(t *rapid.T) Config {
	n := rapid.OneOf(rapid.IntRange(1, 6), rapid.IntRange(1, 40)).Draw(t, "machines")
	rate := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) clock.Rate { return clock.Rate(rapid.IntRange(1, 6).Draw(t, "hertz")) * clock.Hertz }),
		rapid.Custom(func(t *rapid.T) clock.Rate { return clock.Rate(rapid.Uint64Range(5e7, 50e9).Draw(t, "rate")) }),
	)
	ms := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond
	})
	latency := rapid.OneOf(
		rapid.Just("1ms"), rapid.Just("0s"),
		rapid.Just("5µs"), // so short that the calendar goes round many times a tick
		rapid.Custom(func(t *rapid.T) string { return ms.Draw(t, "latency").String() }),
		rapid.Custom(func(t *rapid.T) string {
			a, b := ms.Draw(t, "a"), ms.Draw(t, "b")
			return fmt.Sprintf("uniform:%v,%v", min(a, b), max(a, b))
		}),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("exp:%v", ms.Draw(t, "mean")) }),
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("lognormal:%v,%.3f", ms.Draw(t, "median"), rapid.Float64Range(0, 2).Draw(t, "sigma"))
		}),
	).Draw(t, "latency")
	return Config{
		Spec: experiment.Spec{
			Common: experiment.Common{
				Run:      "test",
				Die:      rapid.IntRange(1, 12).Draw(t, "die"),
				Seed:     rapid.Uint64().Draw(t, "seed"),
				Duration: time.Duration(rapid.IntRange(1, 20_000).Draw(t, "duration")) * time.Millisecond,
			},
			Rates: rapid.SliceOfN(rate, n, n).Draw(t, "rates"),
			Virtual: &experiment.Virtual{
				Latency: parseLatency(t, latency),
				Phase:   rapid.SampledFrom([]experiment.Phase{experiment.Together, experiment.Random}).Draw(t, "phase"),
			},
		},
		shards:  rapid.IntRange(0, 5).Draw(t, "shards"),
		Workers: rapid.IntRange(0, 3).Draw(t, "workers"),
	}
}

func parseLatency(t require.TestingT, s string) experiment.Latency {
	l, err := experiment.ParseLatency(s)
	require.NoError(t, err)
	return l
}

// The plainest simulator there is, with pkg/machine's machines, writes the same
// bytes and gathers the same figures.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		want, got := tempDir(t), tempDir(t)
		figures := twin(t, want, cfg)
		r := run(t, got, cfg)
		require.Equal(t, contents(t, want), contents(t, got))
		var machines []summary.Machine
		for m := range r.Machines() {
			machines = append(machines, m)
		}
		require.Equal(t, figures, machines)
	})
}

func TestLogsAreCorrect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := tempDir(t)
		run(t, dir, drawConfig(t))
		requireCorrect(t, dir)
	})
}

func requireCorrect(t require.TestingT, dir string) *trace.Verdict {
	r, err := trace.Open(dir)
	require.NoError(t, err)
	v, err := r.Walk(trace.Options{})
	require.NoError(t, err)
	require.Equal(t, trace.Correct, v.State, "%v %v %v", v, v.Violations, v.Open)
	return v
}

// A queue of hundreds of thousands, and the rings that it grows through.
func TestLongQueue(t *testing.T) {
	cfg := lab(1)
	cfg.Rates, cfg.Die, cfg.Duration = hertz(1, 2000), 1, 100*time.Second
	want := twin(t, t.TempDir(), cfg)
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	for id := range want {
		require.Equal(t, want[id], r.e.summary(id))
	}
	require.Greater(t, want[0].Queue, 190_000)
}

// Rings that are lent out at one time share no message.
func TestPool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pool
		type lent struct {
			ref  uint32
			size uint8
		}
		intact := func(r lent) {
			for i, m := range p.ring(r.ref, r.size) { // of millions, so without require
				if m.from != int32(r.ref) {
					t.Fatalf("ring %d of size %d has a message of ring %d at %d", r.ref, r.size, m.from, i)
				}
			}
		}
		var rings []lent
		for i := range rapid.IntRange(0, 300).Draw(t, "steps") {
			if len(rings) > 0 && rapid.Bool().Draw(t, "back") {
				k := rapid.IntRange(0, len(rings)-1).Draw(t, "which")
				r := rings[k]
				intact(r)
				p.take(r.size, r.ref)
				rings = append(rings[:k], rings[k+1:]...)
				continue
			}
			size := uint8(rapid.SampledFrom([]int{0, 0, 0, 1, 2, 5, 11, 12, 13}).Draw(t, fmt.Sprint("size", i)))
			r := lent{p.lend(size), size}
			ring := p.ring(r.ref, size)
			require.Len(t, ring, unit<<size)
			for i := range ring {
				ring[i].from = int32(r.ref)
			}
			rings = append(rings, r)
		}
		for _, r := range rings {
			intact(r)
		}
	})
}

func TestRefused(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"the run is not one in virtual time":          func(c *Config) { c.Virtual = nil },
		"machines 10001: at most 10000 can have logs": func(c *Config) { c.Rates, c.LogDir = make([]clock.Rate, 10_001), "." },
		"die 0: a die has":                            func(c *Config) { c.Die = 0 },
		"vm_0_1.log":                                  func(c *Config) { c.LogDir = "nowhere" },
	} {
		cfg := lab(1)
		change(&cfg)
		r, err := Run(context.Background(), cfg)
		require.ErrorContains(t, err, want)
		require.Nil(t, r)
	}
}

// A run that is stopped is whole up to where it came.
func TestStopped(t *testing.T) {
	for _, n := range []int{3, 40} {
		dir := t.TempDir()
		cfg := random(n)
		cfg.LogDir, cfg.Duration = dir, 0
		ctx, cancel := context.WithCancel(context.Background())
		var told Progress
		cfg.Watch = func(p Progress) {
			told = p
			cancel()
		}
		r, err := Run(ctx, cfg)
		require.ErrorIs(t, err, ErrStopped)
		v := requireCorrect(t, dir)
		require.Equal(t, r.Events(), v.Events)
		require.Equal(t, Progress{r.At(), r.Events()}, told, "the last is the end")
	}
}

// Logs in memory are those that would stand on disk, crashes and torn lines included.
func TestLogsInMemory(t *testing.T) {
	for _, plan := range []string{"", "random kill every 5s for 1s; at 3s reset *"} {
		cfg := lab(3)
		var err error
		cfg.Faults, err = experiment.ParseFaults(plan, len(cfg.Rates), cfg.Seed, cfg.Duration)
		require.NoError(t, err)
		dir := t.TempDir()
		run(t, dir, cfg)
		cfg.InMemory = true
		r, err := Run(context.Background(), cfg)
		require.NoError(t, err)
		for id, rate := range cfg.Rates {
			want, err := os.ReadFile(filepath.Join(dir, logging.FileName(id, rate)))
			require.NoError(t, err)
			require.Equal(t, string(want), string(r.Log(id)))
		}
	}
}

// What a node has no room to count is kept, and what it counts afterwards added to it.
func TestPast(t *testing.T) {
	e, err := newEngine(lab(1))
	require.NoError(t, err)
	s := e.shards[0]
	place := s.places[2]
	for range 3 {
		nd := &s.nodes[place]
		nd.sends, nd.sent, nd.receives, nd.gaps = math.MaxUint32, math.MaxUint32-1, math.MaxUint32-2, math.MaxUint32-3
		s.remember(place)
	}
	s.nodes[place].sends, s.nodes[place].gaps = 5, 7
	for jump, want := range map[uint64]uint64{1 << 31: 1 << 31, math.MaxUint32: math.MaxUint32, 1 << 40: 1 << 40} {
		s.jumps[place], s.pasts[place].maxJump = 9, 0
		s.leap(place, jump)
		require.Equal(t, want, e.summary(2).MaxJump)
	}
	m := e.summary(2)
	require.Equal(t, uint64(3*math.MaxUint32+5), m.Sends)
	require.Equal(t, uint64(3*(math.MaxUint32-1)), m.Sent)
	require.Equal(t, uint64(3*(math.MaxUint32-2)), m.Receives)
	require.Equal(t, uint64(3*(math.MaxUint32-3)+7), m.Gaps)
}

// So many steps that nodes forget, and no message is missing.
func TestManySteps(t *testing.T) {
	if testing.Short() {
		t.Skip("seventeen million steps")
	}
	cfg := lab(1)
	cfg.Rates, cfg.Duration = []clock.Rate{clock.MaxRate, clock.MaxRate / 3}, (remembered+1000)*time.Microsecond
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	var sent, received, waiting uint64
	for m := range r.Machines() {
		sent, received, waiting = sent+m.Sent, received+m.Receives, waiting+uint64(m.Queue)
	}
	require.Greater(t, sent, uint64(remembered/10))
	require.Equal(t, sent, received+waiting)
	require.NotNil(t, r.e.shards[0].pasts)
}

// A log that cannot be written ends the run with an error, whoever writes it.
func TestLogFails(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		for _, shards := range []int{1, 2} {
			cfg := random(40)
			cfg.LogDir, cfg.Duration, cfg.Workers, cfg.shards = t.TempDir(), 0, workers, shards
			e, err := newEngine(cfg)
			require.NoError(t, err)
			require.NoError(t, e.logs.files[7].f.Close())
			_, err = e.run()
			require.ErrorIs(t, err, os.ErrClosed)
			e.close()
		}
	}
}

// Many machines, whose ticks are foreseen or who fill several tiles, do on any number of
// cores what they do in the plainest simulator.
func TestManyMachines(t *testing.T) {
	for _, c := range []struct {
		machines int
		latency  string
		phase    experiment.Phase
		duration time.Duration
	}{
		{150, "50ms", experiment.Random, 40 * time.Second},
		{150, "uniform:20ms,400ms", experiment.Random, 40 * time.Second},
		{3 << tile, "1ms", experiment.Together, 2 * time.Second},
		{3 << tile, "1ms", experiment.Random, 2 * time.Second},
		{3 << tile, "uniform:20ms,400ms", experiment.Together, 2 * time.Second},
		{3 << tile, "uniform:20ms,400ms", experiment.Random, 2 * time.Second},
	} {
		cfg := random(c.machines)
		cfg.Phase, cfg.Latency, cfg.Duration, cfg.shards = c.phase, parseLatency(t, c.latency), c.duration, 1
		e, err := newEngine(cfg)
		require.NoError(t, err)
		shift, _ := e.windowShift()
		require.True(t, c.machines > 150 || e.foreseeable(shift))
		plain := naive.Config{Rates: cfg.Rates, End: int64(cfg.Duration), Latency: func(from, to int, step uint64) int64 { return e.arrives(from, to, step, 0) }}
		var all []*machine.Machine
		for id := range cfg.Rates {
			m, err := machine.New(machine.Config{ID: id, Machines: len(cfg.Rates), Die: cfg.Die, Seed: cfg.Seed})
			require.NoError(t, err)
			all, plain.Machines, plain.Origins = append(all, m), append(plain.Machines, m), append(plain.Origins, e.origin(id))
		}
		collectors := make([]summary.Collector, len(all))
		require.NoError(t, naive.Run(plain, func(id int, _ int64, ev *event.Event) { collectors[id].Observe(ev) }))
		for _, shards := range []int{1, 2, 3} {
			cfg.shards = shards
			r, err := Run(context.Background(), cfg)
			require.NoError(t, err)
			for got := range r.Machines() {
				want := collectors[got.ID].Machine(got.ID, got.Rate, all[got.ID].QueueLen())
				got.Pending, want.Pending = nil, nil
				require.Equal(t, want, got)
			}
		}
	}
}
