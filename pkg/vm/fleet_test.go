package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/internal/parked"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// When a benchmark starts the test binary again, with this variable, it is a process that does a
// part of what machines do.
const partVar = "LAMPORT_VM_BENCHMARK_PART"

var doPart func(text string) error // nil: not on this system

func TestMain(m *testing.M) {
	if part := os.Getenv(partVar); part != "" {
		if err := doPart(part); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	// Those that can run side by side mostly wait for clocks and lingers, so more of them than
	// there are processors can run at a time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// deadline is how long a test waits for what must happen.
const deadline = 60 * time.Second

// fleet is the machines of a run in this process, over real TCP.
type fleet struct {
	t    testing.TB
	cfgs []Config
	lns  []net.Listener

	ctxs    []context.Context
	stops   []context.CancelCauseFunc
	results []*summary.Machine
	errs    []error
	ended   []chan struct{}
}

// newFleet prepares a run of machines with these rates; edit may change
// what each is started with. When the test ends, all have to have gone.
func newFleet(t testing.TB, rates []string, edit func(id int, cfg *Config)) *fleet {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	return newParallelFleet(t, rates, edit)
}

// newParallelFleet is newFleet for a test among others at the same time, whose
// goroutines cannot be told from this one's.
func newParallelFleet(t testing.TB, rates []string, edit func(id int, cfg *Config)) *fleet {
	t.Helper()
	n := len(rates)
	f := &fleet{t: t, results: make([]*summary.Machine, n), errs: make([]error, n)}
	for range n {
		f.lns = append(f.lns, listen(t))
	}
	dir := t.TempDir()
	for id, rate := range rates {
		cfg := Config{
			Common: experiment.Common{Run: "test", Die: 10, Seed: 42, Duration: 300 * time.Millisecond},
			ID:     id, Rate: parseRate(t, rate), LogDir: dir,
			ConnectTimeout: deadline, Linger: deadline,
		}
		for other, ln := range f.lns {
			if other != id {
				cfg.Peers = append(cfg.Peers, transport.Peer{ID: other, Addr: ln.Addr().String()})
			}
		}
		if edit != nil {
			edit(id, &cfg)
		}
		f.cfgs = append(f.cfgs, cfg)
		ctx, stop := context.WithCancelCause(context.Background())
		t.Cleanup(func() { stop(nil) })
		f.ctxs, f.stops = append(f.ctxs, ctx), append(f.stops, stop)
		f.ended = append(f.ended, make(chan struct{}))
	}
	return f
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// start starts a machine.
func (f *fleet) start(id int) {
	go func() {
		defer close(f.ended[id])
		f.results[id], f.errs[id] = Run(f.ctxs[id], f.cfgs[id], f.lns[id])
	}()
}

// run starts all machines and waits for their end in good order.
func (f *fleet) run() {
	f.t.Helper()
	for id := range f.cfgs {
		f.start(id)
	}
	f.wait()
	for id, err := range f.errs {
		require.NoError(f.t, err, "machine %d", id)
	}
}

// stopAll stops all machines as a supervisor does: who is stopped by hand leaves those that are late
// by a moment.
func (f *fleet) stopAll() {
	for _, stop := range f.stops {
		stop(StopWithin{deadline})
	}
}

// wait waits for the end of all machines.
func (f *fleet) wait() {
	f.t.Helper()
	limit := deadline
	for _, cfg := range f.cfgs {
		limit = max(limit, deadline+cfg.Duration)
	}
	timeout := time.After(limit)
	for id, ended := range f.ended {
		select {
		case <-ended:
		case <-timeout:
			f.t.Fatalf("machine %d does not end", id)
		}
	}
}

func (f *fleet) logName(id int) string {
	return filepath.Join(f.cfgs[id].LogDir, logging.FileName(id, f.cfgs[id].Rate))
}

// read returns all records of a log, every one of which must be readable.
func read(t testing.TB, name string) []logging.Record {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	r := logging.NewReader(file, name)
	var records []logging.Record
	for {
		var rec logging.Record
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			return records
		} else if err != nil {
			require.NoError(t, err)
		}
		records = append(records, rec)
	}
}

// entries is read for logs of a million lines, in a quarter of the memory.
func entries(t testing.TB, name string) (all []logging.Entry) {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	r := logging.NewReader(file, name)
	for {
		all = slices.Grow(all, 1024)
		n, err := r.NextBatch(all[len(all):cap(all)])
		all = all[:len(all)+n]
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
	}
}

type (
	link    struct{ from, to int }
	message struct {
		link
		seq uint64
	}
)

// check holds the logs of a run that has ended against the laws, written down
// once more and as plainly as can be, and against the machines' own figures.
func (f *fleet) check() {
	t := f.t
	t.Helper()
	sends := make(map[link][]clock.Time) // the stamps of messages 1, 2, 3, …
	received := make(map[link]uint64)
	waiting, undelivered := make(map[link]uint64), make(map[link]uint64) // those that wait are pending or undelivered
	logs := make([][]logging.Entry, len(f.cfgs))
	for id, cfg := range f.cfgs {
		logs[id] = entries(t, f.logName(id))
		records := logs[id]
		require.GreaterOrEqual(t, len(records), 2, "a start and a stop line")
		first, last := records[0].Other, records[len(records)-1].Other
		require.NotNil(t, first)
		require.NotNil(t, last)
		require.Equal(t, logging.StartRecord, first.Kind)
		require.Equal(t, logging.StopRecord, last.Kind)
		var others []int
		for other := range f.cfgs {
			if other != id {
				others = append(others, other)
			}
		}
		require.Equal(t, logging.Start{Version: logging.Version, Run: cfg.Run, Machines: len(f.cfgs),
			Rate: cfg.Rate, Seed: cfg.Seed, Die: cfg.Die, Peers: others}, first.Start)

		now, step := clock.Time(0), uint64(0)
		for i := range records[1 : len(records)-1] {
			rec := &records[1+i]
			ev := &rec.Event
			f.law(rec.ID == id && rec.Other == nil, "event", rec)
			step++
			f.law(ev.Step == step, "step", rec)
			if ev.Kind == event.Receive {
				now = max(now, ev.Messages()[0].Sent) + 1
			} else {
				now++
			}
			f.law(ev.Clock == now, "increment or receive", rec)
			if ev.Kind == event.Send {
				for _, m := range ev.Messages() {
					l := link{id, int(m.To)}
					sends[l] = append(sends[l], ev.Clock)
					f.law(m.Seq == uint64(len(sends[l])), "numbers of a link", rec)
				}
			}
		}
		stop := last.Stop
		require.Equal(t, step, stop.Step)
		require.Equal(t, now, stop.Clock)
		queue := uint64(0)
		for _, c := range stop.Pending {
			waiting[link{c.Peer, id}] += c.Messages
			queue += c.Messages
		}
		require.EqualValues(t, queue, stop.Queue)
		for _, c := range stop.Undelivered {
			waiting[link{id, c.Peer}] += c.Messages
			undelivered[link{id, c.Peer}] = c.Messages
		}
		if m := f.results[id]; m != nil {
			f.checkResult(id, m, step, now, stop)
		}
	}
	for id, records := range logs {
		for i := range records {
			rec := &records[i]
			if rec.Other != nil || rec.Event.Kind != event.Receive {
				continue
			}
			m := rec.Event.Messages()[0]
			l := link{int(m.From), id}
			received[l]++
			f.law(m.Seq == received[l], "fifo", rec)
			stamps := sends[l]
			f.law(m.Seq <= uint64(len(stamps)), "match", rec)
			stamp := stamps[m.Seq-1]
			f.law(stamp == m.Sent, "match", rec)
			f.law(stamp < rec.Event.Clock, "condition", rec)
		}
	}
	for l, stamps := range sends {
		sent, most := uint64(len(stamps)), received[l]+waiting[l]
		least := most
		if f.hasty(l.from) {
			least -= undelivered[l]
		}
		require.True(t, least <= sent && sent <= most, "law conservation, link %v: %d sent, %d received and %d pending or undelivered",
			l, sent, received[l], waiting[l])
		delete(waiting, l)
	}
	require.Empty(t, waiting, "law conservation: messages that nobody sent")
}

// hasty reports whether a machine may have ended before its peers said what they hold, or without
// those that go on. What it calls undelivered may have arrived then.
func (f *fleet) hasty(id int) bool {
	cause := context.Cause(f.ctxs[id])
	within, _ := errors.AsType[StopWithin](cause)
	return cause != nil && within.Linger < deadline
}

// law fails the test where a law does not hold. Logs have a million lines, so it
// costs nothing where it does.
func (f *fleet) law(holds bool, law string, rec *logging.Entry) {
	if !holds {
		f.t.Helper()
		require.FailNow(f.t, "broken law: "+law, "%s:%d: %+v", f.logName(rec.ID), rec.Line, *rec)
	}
}

// checkResult holds a machine's figures against what its log says.
func (f *fleet) checkResult(id int, m *summary.Machine, steps uint64, now clock.Time, stop logging.Stop) {
	t, cfg := f.t, f.cfgs[id]
	t.Helper()
	require.Equal(t, id, m.ID)
	require.Equal(t, cfg.Rate, m.Rate)
	require.Equal(t, steps, m.Steps)
	require.Equal(t, now, m.Clock)
	require.Equal(t, stop.Queue, m.Queue)
	require.Equal(t, stop.Pending, logging.Counts(m.Pending))
	require.Equal(t, stop.Undelivered, logging.Counts(m.Undelivered))
	require.Equal(t, m.Sent, m.Wire.Messages)
	if ticks := cfg.Rate.Ticks(int64(cfg.Duration)); cfg.Rate != clock.Unpaced && f.ctxs[id].Err() == nil {
		require.Equal(t, ticks, m.Steps+m.Missed, "machine %d: each tick that was due is executed or missed", id)
	}
}

// empty requires that nothing is left of machines that have not begun.
func empty(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// onlyLinks requires that of a machine that has not begun, though its peers may have,
// only what they know it by is left.
func onlyLinks(t testing.TB, cfg Config) {
	t.Helper()
	entries, err := os.ReadDir(cfg.LogDir)
	require.NoError(t, err)
	if assert.Len(t, entries, 1) {
		assert.Equal(t, linksName(cfg.ID, cfg.Rate), entries[0].Name())
	}
}

// keepLinks writes what an earlier process of a machine would have kept, whose peers are
// known by their ids. All links of a fleet's machines that were made so fit together.
func keepLinks(t testing.TB, cfg Config) {
	t.Helper()
	secret := func(from, to int) transport.Secret { return transport.Secret{0: 1, 14: byte(from), 15: byte(to)} }
	k := keptLinks{Format: linksFormat, Run: cfg.Run, ID: cfg.ID, Machines: len(cfg.Peers) + 1, Life: 1}
	for _, p := range cfg.Peers {
		k.Links = append(k.Links, keptLink{p.ID, p.Addr, secret(cfg.ID, p.ID), secret(p.ID, cfg.ID)})
	}
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(cfg.LogDir, linksName(cfg.ID, cfg.Rate)), b, 0o600))
}

// sharedBuffer is a buffer for several goroutines.
type sharedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sharedBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *sharedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// after returns a Watch function and a channel that is closed when the machine
// has executed that many steps.
func after(steps uint64) (func(summary.Status), <-chan struct{}) {
	there := make(chan struct{})
	once := sync.OnceFunc(func() { close(there) })
	return func(s summary.Status) {
		if s.Steps >= steps {
			once()
		}
	}, there
}

// outlives returns a channel that is closed once a machine has done so many steps after the end of
// another.
func (f *fleet) outlives(id, other int, steps uint64) <-chan struct{} {
	there := make(chan struct{})
	once := sync.OnceFunc(func() { close(there) })
	last := uint64(0) // step that was seen before that end
	f.cfgs[id].WatchEvery = time.Millisecond
	f.cfgs[id].Watch = func(s summary.Status) {
		select {
		case <-f.ended[other]:
			if s.Steps >= last+steps {
				once()
			}
		default:
			last = s.Steps
		}
	}
	return there
}

func soon(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(deadline):
		require.FailNow(t, "in vain", "waiting for %s", what)
	}
}

// waitsIn waits until some machine waits in a select of this function.
func waitsIn(t testing.TB, function string) {
	t.Helper()
	require.Eventually(t, func() bool { return parked.In(function) }, deadline, time.Millisecond, "nobody waits in %s", function)
}

func TestRunsAreCorrect(t *testing.T) {
	tests := [][]string{
		{"200"},
		{"max"},
		{"500", "333.333333333"},
		{"max", "max"},
		{"max", "50"},
		{"100", "500", "400"},
		{"max", "max", "max"},
		{"0.5", "50", "max", "999.999", "7.5"},
		{"max", "max", "max", "max", "max"},
	}
	for _, rates := range tests {
		t.Run(fmt.Sprint(len(rates), rates), func(t *testing.T) {
			f := newFleet(t, rates, func(_ int, cfg *Config) {
				if slices.Contains(rates, "max") { // hundreds of thousands of events are enough
					cfg.Duration = 100 * time.Millisecond
				}
			})
			f.run()
			f.check()
			for id, m := range f.results {
				assert.Empty(t, m.Undelivered)
				assert.Empty(t, m.Left)
				assert.GreaterOrEqual(t, m.StartLateness, time.Duration(0))
				if f.cfgs[id].Rate == clock.Unpaced {
					assert.Greater(t, m.Steps, uint64(100))
					assert.GreaterOrEqual(t, m.Elapsed, f.cfgs[id].Duration)
				}
			}
		})
	}
}

// A machine waits for those that start later, in whatever order that is.
func TestOrderOfStartsDoesNotMatter(t *testing.T) {
	order := rand.Perm(5)
	t.Logf("order of starts: %v", order)
	waits := make([]chan struct{}, len(order))
	f := newFleet(t, []string{"300", "200", "max", "100", "500"}, func(id int, cfg *Config) {
		waits[id] = make(chan struct{})
		once := sync.OnceFunc(func() { close(waits[id]) })
		cfg.Watch = func(summary.Status) { once() }
	})
	for _, id := range order {
		f.start(id)
		soon(t, "the machine to look for its peers", waits[id])
	}
	f.wait()
	f.check()
	for id, m := range f.results {
		assert.NotZero(t, m.Steps, "machine %d", id)
	}
}

// Peers may be given without ids.
func TestPeersAreLearnt(t *testing.T) {
	f := newFleet(t, []string{"300", "200", "100"}, func(_ int, cfg *Config) {
		for i := range cfg.Peers {
			cfg.Peers[i].ID = transport.AnyID
		}
	})
	f.run()
	f.check()
}

// Links of one or two messages are full nearly always, in a ring of machines
// that do nothing but send: whoever waits for room must still take what comes.
func TestFullLinksStallAndNeverDeadlock(t *testing.T) {
	for n := 2; n <= 5; n++ {
		for window := 1; window <= 2; window++ {
			t.Run(fmt.Sprintf("%d machines, window %d", n, window), func(t *testing.T) {
				rates := make([]string, n)
				for i := range rates {
					rates[i] = "max"
				}
				f := newFleet(t, rates, func(_ int, cfg *Config) {
					cfg.Window, cfg.Die = window, 3
				})
				f.run()
				f.check()
				stalls := uint64(0)
				for id, m := range f.results {
					stalls += m.Stalls
					// A deadlock would leave it with what its links take, and one step.
					assert.Greater(t, m.Steps, uint64(20), "machine %d", id)
					assert.Empty(t, m.Undelivered)
					assert.Equal(t, m.Stalls == 0, m.Stalled == 0)
				}
				assert.Positive(t, stalls)
			})
		}
	}
}

// The peer takes nothing during the whole run, so the second message never
// leaves, and all later ticks are missed.
func TestStallUntilTheEndOfTheRun(t *testing.T) {
	for _, rate := range []string{"500", "max"} {
		t.Run(rate, func(t *testing.T) {
			f := newFleet(t, []string{rate, "0.5"}, func(_ int, cfg *Config) {
				cfg.Window, cfg.Die = 1, 1
			})
			f.run()
			f.check()
			m := f.results[0]
			assert.EqualValues(t, 1, m.Steps)
			assert.EqualValues(t, 1, m.Stalls)
			assert.InDelta(t, f.cfgs[0].Duration, m.Stalled, float64(f.cfgs[0].Duration)/2)
			if rate == "500" {
				assert.EqualValues(t, 149, m.Missed)
			}
		})
	}
}

// A step that waits for room does not keep the machine from its end.
func TestStopInAStall(t *testing.T) {
	for _, rate := range []string{"500", "max"} {
		t.Run(rate, func(t *testing.T) {
			var there <-chan struct{}
			f := newFleet(t, []string{rate, "0.5"}, func(id int, cfg *Config) {
				cfg.Window, cfg.Die, cfg.Duration = 1, 1, 0
				if id == 0 {
					cfg.WatchEvery = time.Millisecond
					cfg.Watch, there = after(1)
				}
			})
			f.start(0)
			f.start(1)
			soon(t, "the only step", there)
			waitsIn(t, "vm.(*stepper).stall")
			f.stops[0](StopWithin{time.Millisecond})
			soon(t, "its end", f.ended[0])
			f.stops[1](nil)
			f.wait()
			f.check()
			assert.EqualValues(t, 1, f.results[0].Steps)
		})
	}
}

func TestOneMachineIsStopped(t *testing.T) {
	for _, rate := range []string{"5", "300", "1500", "max"} {
		t.Run("rate "+rate, func(t *testing.T) {
			t.Parallel()
			var there <-chan struct{}
			f := newParallelFleet(t, []string{"300", rate, "400"}, func(id int, cfg *Config) {
				// A small window: who is flooded receives and does not send.
				cfg.Duration, cfg.Window = 0, 32
				if id == 1 {
					cfg.WatchEvery = time.Millisecond
					cfg.Watch, there = after(1)
				}
			})
			goOn := []<-chan struct{}{0: f.outlives(0, 1, 200), 2: f.outlives(2, 1, 200)}
			for id := range f.cfgs {
				f.start(id)
			}
			soon(t, "its first step", there)
			// The others do not end with it: it waits for them in vain.
			f.stops[1](StopWithin{50 * time.Millisecond})
			soon(t, "its end", f.ended[1])
			for _, id := range []int{0, 2} {
				soon(t, "messages to who has left", goOn[id])
			}
			for _, id := range []int{0, 2} {
				f.stops[id](StopWithin{deadline})
			}
			f.wait()
			for id, err := range f.errs {
				require.NoError(t, err, "machine %d", id)
			}
			f.check()
			assert.Empty(t, f.results[1].Left)
			for _, id := range []int{0, 2} {
				assert.Equal(t, []int{1}, f.results[id].Left)
				assert.NotZero(t, f.results[id].Undelivered[1], "machine %d", id)
				assert.Len(t, f.results[id].Undelivered, 1)
			}
		})
	}
}

func TestAllMachinesAreStopped(t *testing.T) {
	for _, rates := range [][]string{{"500", "2000", "max"}, {"2000"}, {"max"}} {
		t.Run(fmt.Sprint(rates), func(t *testing.T) {
			theres := make([]<-chan struct{}, len(rates))
			f := newFleet(t, rates, func(id int, cfg *Config) {
				cfg.Duration = 0
				cfg.WatchEvery = time.Millisecond
				cfg.Watch, theres[id] = after(20)
			})
			for id := range f.cfgs {
				f.start(id)
			}
			for _, there := range theres {
				soon(t, "twenty steps", there)
			}
			f.stopAll()
			f.wait()
			f.check()
			for id, m := range f.results {
				require.NoError(t, f.errs[id], "an orderly stop is no error")
				assert.Empty(t, m.Undelivered, "all were there to the end")
			}
		})
	}
}

// Between the agreement and the agreed instant there is a log already, which
// is closed in order.
func TestStopBeforeTheFirstTick(t *testing.T) {
	for _, rate := range []string{"1", "1000", "max"} {
		t.Run("rate "+rate, func(t *testing.T) {
			var f *fleet
			var last summary.Status
			f = newFleet(t, []string{rate}, func(_ int, cfg *Config) {
				cfg.Watch = func(s summary.Status) {
					last = s
					if s.Phase == summary.Running {
						f.stops[0](nil)
					}
				}
			})
			f.run()
			f.check()
			m := f.results[0]
			assert.Zero(t, m.Steps)
			assert.Zero(t, m.Missed)
			assert.Zero(t, m.Started, "no start was measured")
			assert.Zero(t, m.StartLateness)
			assert.Zero(t, m.Elapsed)
			assert.Equal(t, summary.Done, last.Phase)
		})
	}
}

// What Watch hears: the phases in their order, and in the end the result.
func TestWatch(t *testing.T) {
	var heard []summary.Status // no lock: the race detector holds Run to its word
	often := make(chan struct{})
	f := newFleet(t, []string{"1000", "max"}, func(id int, cfg *Config) {
		cfg.Duration = 0
		if id == 0 {
			cfg.WatchEvery = 100 * time.Microsecond
			cfg.Watch = func(s summary.Status) {
				if heard = append(heard, s); len(heard) == 20 {
					close(often)
				}
			}
		}
	})
	f.start(0)
	f.start(1)
	soon(t, "it is told now and then", often)
	f.stopAll()
	f.wait()
	order := map[summary.Phase]int{summary.Connecting: 0, summary.Running: 1, summary.Ending: 2, summary.Done: 3}
	phases := map[summary.Phase]int{}
	before := summary.Status{Phase: summary.Connecting}
	for _, s := range heard {
		phases[s.Phase]++
		require.GreaterOrEqual(t, order[s.Phase], order[before.Phase])
		require.GreaterOrEqual(t, s.Steps, before.Steps)
		require.GreaterOrEqual(t, s.Clock, before.Clock)
		require.Equal(t, s.Phase == summary.Connecting, s.Start.IsZero())
		require.Equal(t, s.Phase == summary.Done, s.Machine != nil)
		before = s
	}
	assert.Equal(t, 1, phases[summary.Connecting])
	assert.Equal(t, 1, phases[summary.Done])
	assert.Greater(t, phases[summary.Running], 10)
	require.NoError(t, f.errs[0])
	assert.Equal(t, f.results[0], before.Machine)
	assert.Equal(t, f.results[0].Steps, before.Steps)
}

// Run is a library call: it gives its goroutine back as it was.
func TestRunReleasesItsThread(t *testing.T) {
	f := newFleet(t, []string{"1000"}, func(_ int, cfg *Config) { cfg.Duration = 5 * time.Millisecond })
	_, err := Run(t.Context(), f.cfgs[0], f.lns[0])
	require.NoError(t, err)
	assert.NotContains(t, header(), "locked to thread")
}

// Other than the stopped machine's, a linger that is cut short loses the peer's
// last messages and says so.
func TestUndeliveredIsCountedPerPeer(t *testing.T) {
	theres := make([]<-chan struct{}, 4)
	f := newFleet(t, []string{"400", "400", "400", "400"}, func(id int, cfg *Config) {
		cfg.Duration, cfg.Die = 0, 3
		cfg.WatchEvery = time.Millisecond
		cfg.Watch, theres[id] = after(10)
	})
	for _, id := range []int{0, 2} {
		theres[id] = f.outlives(id, 1, 200)
	}
	for id := range f.cfgs {
		f.start(id)
	}
	for _, id := range []int{3, 1} {
		soon(t, "ten steps", theres[id])
		f.stops[id](StopWithin{10 * time.Millisecond})
		soon(t, "its end", f.ended[id])
	}
	for _, id := range []int{0, 2} {
		soon(t, "messages to who has left", theres[id])
	}
	for _, id := range []int{0, 2} {
		f.stops[id](StopWithin{deadline})
	}
	f.wait()
	f.check()
	for _, id := range []int{0, 2} {
		assert.Equal(t, []int{1, 3}, f.results[id].Left)
		assert.Len(t, f.results[id].Undelivered, 2, maps.Keys(f.results[id].Undelivered))
	}
}
