package trace_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// randomRun records some run.
func randomRun(t *testing.T, seed uint64) *trace.Run {
	rng := rand.New(rand.NewPCG(seed, 0))
	cfg := tracetest.Config{
		Seed: seed, Die: 3 + rng.IntN(8), Duration: time.Duration(1+rng.IntN(4)) * time.Second, Delay: time.Duration(rng.IntN(1000)) * time.Millisecond,
	}
	for range 1 + rng.IntN(6) {
		cfg.Rates = append(cfg.Rates, clock.Rate(1+rng.IntN(20))*clock.Hertz)
	}
	return recorded(t, cfg)
}

func recorded(t testing.TB, cfg tracetest.Config) *trace.Run {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, cfg))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

// orderOf returns a copy of all that Order shows.
func orderOf(run *trace.Run) (all []trace.Ordered, open []string, err error) {
	open, err = run.Order(func(o *trace.Ordered) error {
		e := *o
		ev := *o.Event
		e.Event = &ev
		all = append(all, e)
		return nil
	})
	return all, open, err
}

func stampOf(o trace.Ordered) clock.Stamp { return clock.Stamp{Time: o.Event.Clock, ID: o.Machine} }

// The dumb twin: read everything, sort it.
func TestOrderIsTheSortOfAllEvents(t *testing.T) {
	for seed := range uint64(40) {
		run := randomRun(t, seed)
		var want []trace.Ordered
		for _, l := range run.Logs {
			f, err := os.Open(l.Name)
			require.NoError(t, err)
			r := logging.NewReader(f, l.Name)
			var rec logging.Record
			for r.Next(&rec) == nil {
				if ev := rec.Event; rec.Kind == logging.EventRecord {
					want = append(want, trace.Ordered{
						Machine: rec.ID, Line: rec.Line, Micro: rec.UnixMicro, Elapsed: rec.UnixMicro - tracetest.Start.UnixMicro(), Event: &ev,
					})
				}
			}
			require.NoError(t, f.Close())
		}
		slices.SortFunc(want, func(a, b trace.Ordered) int { return stampOf(a).Compare(stampOf(b)) })
		same := make(map[clock.Time]int)
		for _, o := range want {
			same[o.Event.Clock]++
		}
		for i := range want {
			want[i].Tied = same[want[i].Event.Clock] > 1
		}

		got, open, err := orderOf(run)
		require.NoError(t, err)
		require.Empty(t, open)
		require.Equal(t, want, got)
	}
}

// Lamport 1978, the relation "⇒": if a happened before b, a comes first. Here happened-before
// is what can be reached from an event along its machine and along messages.
func TestOrderRespectsHappenedBefore(t *testing.T) {
	for seed := range uint64(20) {
		all, _, err := orderOf(randomRun(t, seed))
		require.NoError(t, err)
		type message struct {
			from, to int32
			seq      uint64
		}
		next := make([][]int, len(all)) // by place: what comes right after, in its machine or by message
		last := make(map[int]int)
		receive := make(map[message]int)
		for i, o := range all {
			if before, ok := last[o.Machine]; ok {
				next[before] = append(next[before], i)
			}
			last[o.Machine] = i
			if m := o.Event.Messages(); o.Event.Kind == event.Receive {
				receive[message{m[0].From, m[0].To, m[0].Seq}] = i
			}
		}
		messages := 0
		for i, o := range all {
			if o.Event.Kind != event.Send {
				continue
			}
			for _, m := range o.Event.Messages() {
				if to, ok := receive[message{m.From, m.To, m.Seq}]; ok {
					next[i] = append(next[i], to)
					messages++
				}
			}
		}
		pairs := 0
		for i := range all {
			seen := make([]bool, len(all))
			reach := slices.Clone(next[i])
			for len(reach) > 0 {
				j := reach[len(reach)-1]
				reach = reach[:len(reach)-1]
				if seen[j] {
					continue
				}
				seen[j] = true
				pairs++
				require.Less(t, i, j, "%v happened before %v", all[i], all[j])
				reach = append(reach, next[j]...)
			}
		}
		if len(last) > 1 {
			assert.Positive(t, messages)
			assert.Greater(t, pairs, messages)
		}
	}
}

func TestTiesAreConcurrent(t *testing.T) {
	for seed := range uint64(20) {
		run := randomRun(t, seed)
		type name struct{ machine, line int }
		vectors := make(map[name][]uint64)
		_, err := run.Walk(trace.Options{Vectors: true}, trace.VisitorFunc(func(s *trace.Step) error {
			if s.Event != nil {
				vectors[name{s.Machine, s.Line}] = slices.Clone(s.Vector)
			}
			return nil
		}))
		require.NoError(t, err)
		all, _, err := orderOf(run)
		require.NoError(t, err)
		for i, a := range all {
			for _, b := range all[i+1:] {
				if a.Event.Clock != b.Event.Clock {
					break
				}
				require.True(t, a.Tied && b.Tied)
				va, vb := vectors[name{a.Machine, a.Line}], vectors[name{b.Machine, b.Line}]
				require.Less(t, vb[a.Machine], va[a.Machine], "%v did not happen before %v", a, b)
				require.Less(t, va[b.Machine], vb[b.Machine], "%v did not happen before %v", b, a)
			}
		}
	}
}

func TestOrderEndsWhenItsVisitorSaysSo(t *testing.T) {
	defer goleak.VerifyNone(t) // the readers end too
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(900, 1000, 800), Duration: 10 * time.Second})
	enough := errors.New("enough")
	seen := 0
	_, err := run.Order(func(*trace.Ordered) error {
		if seen++; seen == 5 {
			return enough
		}
		return nil
	})
	assert.Equal(t, enough, err)
	assert.Equal(t, 5, seen)

	seen = 0
	open, err := run.Order(func(*trace.Ordered) error {
		if seen++; seen == 5 {
			return trace.ErrEnough
		}
		return nil
	})
	assert.NoError(t, err)
	assert.Empty(t, open)
	assert.Equal(t, 5, seen)
}

// orderDir is the run of docs/log-format.md, with the lines of one log changed.
func orderDir(t *testing.T, changes ...string) *trace.Run {
	const log0 = `2026-11-22T17:13:40.066633Z [INFO]  vm-0: start: version=1 run=small machines=2 rate=1 seed=126 die=10 peers=1
2026-11-22T17:13:41.066670Z [INFO]  vm-0: internal: step=1 clock=1 queue=0
2026-11-22T17:13:42.066670Z [INFO]  vm-0: receive: step=2 clock=4 queue=0 from=1 seq=1 sent=3
2026-11-22T17:13:43.066670Z [INFO]  vm-0: send: step=3 clock=5 queue=0 to=1:1
2026-11-22T17:13:43.066933Z [INFO]  vm-0: stop: step=3 clock=5 queue=0 pending=""
`
	const log1 = `2026-11-22T17:13:40.066746Z [INFO]  vm-1: start: version=1 run=small machines=2 rate=2 seed=126 die=10 peers=0
2026-11-22T17:13:40.566784Z [INFO]  vm-1: internal: step=1 clock=1 queue=0
2026-11-22T17:13:41.066785Z [INFO]  vm-1: internal: step=2 clock=2 queue=0
2026-11-22T17:13:41.566786Z [INFO]  vm-1: send: step=3 clock=3 queue=0 to=0:1
2026-11-22T17:13:43.067003Z [INFO]  vm-1: stop: step=3 clock=3 queue=1 pending=0:1
`
	dir := t.TempDir()
	for name, text := range map[string]string{"vm_0_1.log": log0, "vm_1_2.log": log1} {
		text = strings.NewReplacer(changes...).Replace(text)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

func TestOrderRefusesLogsThatHaveNone(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes []string
		want    string
	}{
		{"a clock goes back", []string{"step=2 clock=2", "step=2 clock=7"}, "vm_1_2.log:4: increment: clock 3 after clock 7"},
		{"a clock stands", []string{"step=3 clock=5", "step=3 clock=4"}, "vm_0_1.log:4: increment: clock 4 after clock 4"},
		{"a receive goes back", []string{"step=2 clock=4 queue=0 from=1 seq=1 sent=3", "step=2 clock=1 queue=0 from=1 seq=1 sent=0"}, "vm_0_1.log:3: receive: clock 1 after clock 1"},
		{"a clock of 0", []string{"vm-0: internal: step=1 clock=1", "vm-0: internal: step=1 clock=0"}, "vm_0_1.log:2: increment: clock 0 after clock 0"},
		{"a receive before its send", []string{"sent=3", "sent=4"}, "vm_0_1.log:3: condition: the receive has clock 4, its send has clock 4"},
		{"another machine's line", []string{"vm-0: send: step=3 clock=5 queue=0 to=1:1", "vm-1: send: step=3 clock=5 queue=0 to=0:1"}, "vm_0_1.log:4: run: a line of machine 1 in the log of machine 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := orderDir(t, tt.changes...)
			_, _, err := orderOf(run)
			var disorder *trace.Disorder
			require.ErrorAs(t, err, &disorder)
			assert.EqualError(t, err, filepath.Join(run.Dir, tt.want))
		})
	}
	t.Run("two logs", func(t *testing.T) {
		dir := orderDir(t).Dir
		require.NoError(t, os.Link(filepath.Join(dir, "vm_1_2.log"), filepath.Join(dir, "vm_1_3.log")))
		run, err := trace.Open(dir)
		require.NoError(t, err)
		_, _, err = orderOf(run)
		var disorder *trace.Disorder
		require.ErrorAs(t, err, &disorder)
		assert.ErrorContains(t, err, "machine 1 has two logs")
	})
}

func TestOrderSaysWhatIsMissing(t *testing.T) {
	all, open, err := orderOf(orderDir(t))
	require.NoError(t, err)
	assert.Len(t, all, 6)
	assert.Empty(t, open)

	killed := orderDir(t)
	log := filepath.Join(killed.Dir, "vm_1_2.log")
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	for _, cut := range []int{strings.LastIndex(string(text), "2026"), len(text) - 1} { // before the stop line, and in it
		require.NoError(t, os.Truncate(log, int64(cut)))
		all, open, err = orderOf(killed)
		require.NoError(t, err)
		assert.Len(t, all, 6)
		assert.Equal(t, []string{log + " breaks off"}, open)
		require.NoError(t, os.WriteFile(log, text, 0o666))
	}

	require.NoError(t, os.Remove(log))
	alone, err := trace.Open(killed.Dir)
	require.NoError(t, err)
	all, open, err = orderOf(alone)
	require.NoError(t, err)
	assert.Len(t, all, 3)
	assert.Equal(t, []string{"the log of machine 1 is missing"}, open)

	_, _, err = orderOf(orderDir(t, "step=2 clock=2", "step=2 cl0ck=2"))
	var unreadable *logging.Error
	require.ErrorAs(t, err, &unreadable)
	assert.Equal(t, 3, unreadable.Line)
}

// Clocks use the whole of 64 bits.
func TestOrderOfLargeClocks(t *testing.T) {
	all, _, err := orderOf(orderDir(t,
		"step=2 clock=4 queue=0 from=1 seq=1 sent=3", "step=2 clock=9223372036854775808 queue=0 from=1 seq=1 sent=3",
		"step=3 clock=5 ", "step=3 clock=18446744073709551615 "))
	require.NoError(t, err)
	assert.Equal(t, clock.Max, all[len(all)-1].Event.Clock)
}

func ExampleRun_Order() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 2), Duration: 3 * time.Second, Seed: 6}); err != nil {
		panic(err)
	}
	run, err := trace.Open(dir)
	if err != nil {
		panic(err)
	}
	_, err = run.Order(func(o *trace.Ordered) error {
		tie := ""
		if o.Tied {
			tie = " (tied)"
		}
		fmt.Printf("(%d, %d) %v%s\n", o.Event.Clock, o.Machine, o.Event.Kind, tie)
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// (1, 0) send (tied)
	// (1, 1) internal (tied)
	// (2, 0) internal (tied)
	// (2, 1) receive (tied)
	// (3, 1) internal
	// (4, 1) internal
	// (5, 1) send
	// (6, 0) receive (tied)
	// (6, 1) internal (tied)
}

func BenchmarkOrder(b *testing.B) {
	for _, machines := range []int{3, 100} {
		b.Run(strconv.Itoa(machines), func(b *testing.B) {
			run := recorded(b, tracetest.Config{
				Rates: slices.Repeat(tracetest.Hertz(60_000/uint64(machines)), machines), Duration: 5 * time.Second, Delay: time.Millisecond,
			})
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				_, err := run.Order(func(*trace.Ordered) error {
					events++
					return nil
				})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}
