package summary_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// A machine that keeps its schedule has no error, after however few ticks.
func TestPerfectPaceHasNoError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c summary.Collector
		rate := clock.Rate(rapid.Uint64Range(uint64(clock.Hertz)/1000, uint64(clock.MaxRate)).Draw(t, "rate"))
		n := rapid.IntRange(2, 500).Draw(t, "ticks")
		for k := range n {
			c.Tick(0)
			c.Observe(internal(clock.Time(k + 1)))
		}
		m := c.Machine(0, rate, 0)
		// Due is rounded down to a nanosecond, so that is what can be missing.
		ppm := 1e6 / (float64(m.Elapsed) - 1)
		require.InDelta(t, 0, m.RateError(), ppm+1e-6)
		phase, ok := m.EndPhase()
		require.True(t, ok)
		require.Zero(t, phase)
	})
}

func TestPace(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name     string
		m        summary.Machine
		achieved float64
		ppm      float64
		phase    time.Duration
		hasPhase bool
	}{
		{"one tick, on time: a rate, but no error to speak of",
			summary.Machine{Rate: clock.Hertz, Steps: 1, Elapsed: second}, 1, math.NaN(), 0, true},
		{"two ticks, on time",
			summary.Machine{Rate: clock.Hertz, Steps: 2, Elapsed: 2 * second}, 1, 0, 0, true},
		{"the last tick 1 ms late",
			summary.Machine{Rate: 5 * clock.Hertz, Steps: 50, Elapsed: 10*second + time.Millisecond},
			5 / 1.0001, -99.99, time.Millisecond, true},
		{"one tick in ten missed",
			summary.Machine{Rate: 5 * clock.Hertz, Steps: 45, Missed: 5, Elapsed: 10 * second}, 4.5, -1e5, 0, true},
		{"all missed",
			summary.Machine{Rate: clock.Hertz, Missed: 5, Elapsed: 5 * second}, math.NaN(), math.NaN(), 0, true},
		{"nothing was due",
			summary.Machine{Rate: clock.Hertz}, math.NaN(), math.NaN(), 0, false},
		{"unpaced",
			summary.Machine{Rate: clock.Unpaced, Steps: 3e6, Elapsed: 2 * second}, 1.5e6, math.NaN(), 0, false},
		{"unpaced in an unknown time",
			summary.Machine{Rate: clock.Unpaced, Steps: 3e6}, math.NaN(), math.NaN(), 0, false},
		{"no rate",
			summary.Machine{Steps: 10, Elapsed: 2 * second}, 5, math.NaN(), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			same(t, tt.achieved, tt.m.AchievedRate())
			same(t, tt.ppm, tt.m.RateError())
			phase, ok := tt.m.EndPhase()
			assert.Equal(t, tt.hasPhase, ok)
			assert.Equal(t, tt.phase, phase)
		})
	}
}

// same holds floats against each other, NaN equal to itself.
func same(t *testing.T, want, got float64) {
	t.Helper()
	if math.IsNaN(want) {
		assert.True(t, math.IsNaN(got), "want NaN, got %v", got)
		return
	}
	assert.InDelta(t, want, got, 1e-6*math.Max(1, math.Abs(want)))
}

// A schedule that ends with missed ticks ends when the last of them was due,
// or a machine that stood still for half the run would look as if it had kept
// its rate.
func TestTicksMissedAtTheEnd(t *testing.T) {
	var c summary.Collector
	for k := range 10 {
		c.Tick(3 * time.Microsecond)
		c.Observe(internal(clock.Time(k + 1)))
	}
	c.Missed(10)
	m := c.Machine(0, clock.Hertz, 0)
	assert.Equal(t, 20*time.Second, m.Elapsed)
	assert.InDelta(t, -5e5, m.RateError(), 1)
	phase, _ := m.EndPhase()
	assert.Zero(t, phase)
}

// In virtual time every tick runs when it is due, and nothing is measured.
func TestVirtualTime(t *testing.T) {
	var c summary.Collector
	for k := range 300 {
		c.Observe(internal(clock.Time(k + 1)))
	}
	m := c.Machine(0, 5*clock.Hertz, 0)
	assert.Equal(t, time.Minute, m.Elapsed)
	assert.Zero(t, m.RateError())
	assert.Zero(t, m.Lateness)
}

func TestMachineGoesThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := aMachine(t)
		text, err := json.Marshal(want)
		require.NoError(t, err)
		var got summary.Machine
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got)
	})
}

func TestRunGoesThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want, got summary.Run
		for range rapid.IntRange(0, 5).Draw(t, "machines") {
			m := aMachine(t)
			want.Add(&m)
		}
		text, err := json.Marshal(want)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got)
	})
}

// aMachine draws figures that fit no run, but every field.
func aMachine(t *rapid.T) summary.Machine {
	// Small enough that sums over some machines do not overflow.
	n := func(what string) uint64 { return rapid.Uint64Range(0, 1<<50).Draw(t, what) }
	duration := func(what string) time.Duration { return time.Duration(n(what)) }
	perPeer := func(what string) map[int]uint64 {
		counts := rapid.MapOfN(rapid.IntRange(0, 9), rapid.Uint64Range(1, 1<<40), 0, 3).Draw(t, what)
		if len(counts) == 0 {
			return nil
		}
		return counts
	}
	m := summary.Machine{
		ID:            rapid.IntRange(0, 1e6).Draw(t, "id"),
		Rate:          rapid.SampledFrom([]clock.Rate{0, 1, clock.Hertz, 2_500_000_001, clock.MaxRate, clock.Unpaced}).Draw(t, "rate"),
		StartLateness: duration("start lateness"),
		Elapsed:       duration("elapsed"),
		Missed:        n("missed"),
		Internal:      n("internal"),
		Sends:         n("sends"),
		Receives:      n("receives"),
		Sent:          n("sent"),
		Clock:         clock.Time(rapid.Uint64().Draw(t, "clock")),
		MeanJump:      rapid.Float64Range(0, 1e18).Draw(t, "mean jump"),
		MaxJump:       rapid.Uint64().Draw(t, "max jump"),
		Gaps:          n("gaps"),
		MeanQueue:     rapid.Float64Range(0, 1e9).Draw(t, "mean queue"),
		MaxQueue:      int(n("max queue")),
		Queue:         int(n("queue")),
		Stalls:        n("stalls"),
		Stalled:       duration("stalled"),
		Pending:       perPeer("pending"),
		Undelivered:   perPeer("undelivered"),
		Wire:          transport.Stats{Messages: n("messages"), Bytes: n("bytes"), Refused: n("refused")},
	}
	m.Steps = m.Internal + m.Sends + m.Receives
	if rapid.Bool().Draw(t, "measured") {
		m.Started = time.Unix(1_800_000_000, int64(n("started")%1e9)).UTC()
		m.Lateness = summary.Lateness{Ticks: n("ticks"), Late: n("late"), P50: duration("p50"), P99: duration("p99"), Max: duration("max")}
	}
	if rapid.Bool().Draw(t, "someone left") {
		m.Left = rapid.SliceOfN(rapid.IntRange(0, 9), 1, 3).Draw(t, "left")
	}
	return m
}

func TestRunAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var run summary.Run
		var want summary.Run
		var jumps, queues float64
		for range rapid.IntRange(0, 5).Draw(t, "machines") {
			m := aMachine(t)
			run.Add(&m)

			want.Machines++
			want.Steps += m.Internal + m.Sends + m.Receives
			want.Sent += m.Sent
			want.Receives += m.Receives
			want.Queue += uint64(m.Queue)
			for _, n := range m.Undelivered {
				want.Undelivered += n
			}
			jumps += m.MeanJump * float64(m.Steps)
			queues += m.MeanQueue * float64(m.Steps)
		}
		require.Equal(t, want.Machines, run.Machines)
		require.Equal(t, want.Steps, run.Steps)
		require.Equal(t, want.Steps, run.Internal+run.Sends+run.Receives)
		switch missing := int64(want.Sent) - int64(want.Receives+want.Queue); {
		case missing < 0:
			require.Equal(t, missing, run.Unaccounted(), "nobody sent them")
		case missing > int64(want.Undelivered):
			require.Equal(t, missing-int64(want.Undelivered), run.Unaccounted(), "lost")
		default: // what is undelivered may be a bound
			require.Zero(t, run.Unaccounted())
		}
		if run.Steps > 0 {
			require.InEpsilon(t, 1+jumps/float64(run.Steps), 1+run.MeanJump, 1e-9)
			require.InEpsilon(t, 1+queues/float64(run.Steps), 1+run.MeanQueue, 1e-9)
		}
	})
}

func TestRunExtremes(t *testing.T) {
	start := time.Date(2026, 11, 22, 17, 13, 40, 0, time.UTC)
	var run summary.Run
	for _, m := range []summary.Machine{
		{Started: start.Add(300), StartLateness: 300, Elapsed: 60, Clock: 7, MaxJump: 3, MaxQueue: 9,
			Lateness: summary.Lateness{Late: 1, Max: 20}, Missed: 1, Stalls: 2, Stalled: 5, Gaps: 1},
		{Started: start.Add(100), StartLateness: 100, Elapsed: 61, Clock: 9, MaxJump: 2, MaxQueue: 1,
			Lateness: summary.Lateness{Late: 2, Max: 10}, Missed: 1, Stalls: 1, Stalled: 5, Gaps: 4},
		{}, // never started
	} {
		run.Add(&m)
	}
	assert.Equal(t, summary.Run{
		Machines: 3, FirstStart: start.Add(100), LastStart: start.Add(300), StartLateness: 300, Elapsed: 61,
		Clock: 9, MaxJump: 3, MaxQueue: 9, Gaps: 5,
		Late: 3, Latest: 20, Missed: 2, Stalls: 3, Stalled: 10,
	}, run)
	assert.Equal(t, 200*time.Nanosecond, run.StartSkew())
}

// A machine that came back an hour later measured no start, and says nothing about
// how the run began.
func TestMachineWithoutAStartHasNoPartInTheStartSkew(t *testing.T) {
	start := time.Date(2026, 11, 22, 17, 13, 40, 0, time.UTC)
	var run summary.Run
	run.Add(&summary.Machine{Started: start.Add(2), StartLateness: 2})
	run.Add(&summary.Machine{StartLateness: time.Hour})
	run.Add(&summary.Machine{Started: start.Add(1), StartLateness: 1})
	assert.EqualValues(t, 1, run.StartSkew())
	assert.EqualValues(t, 2, run.StartLateness)
}

func TestEventRate(t *testing.T) {
	var run summary.Run
	assert.True(t, math.IsNaN(run.EventRate()))
	run.Add(&summary.Machine{Steps: 300, Elapsed: time.Minute})
	run.Add(&summary.Machine{Steps: 240, Elapsed: 59 * time.Second})
	assert.Equal(t, 9.0, run.EventRate())
}

func TestWireAddsEveryField(t *testing.T) {
	var a, b, sum transport.Stats
	for i := range reflect.TypeFor[transport.Stats]().NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetUint(uint64(i + 1))
		reflect.ValueOf(&b).Elem().Field(i).SetUint(uint64(100 * (i + 1)))
		reflect.ValueOf(&sum).Elem().Field(i).SetUint(uint64(101 * (i + 1)))
	}
	a.Add(b)
	assert.Equal(t, sum, a)
}

func TestWriteText(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    summary.Machine
		want string
	}{
		{"nothing", summary.Machine{Rate: clock.Hertz}, `
machine:     vm-0, 1 tick per second
ticks:       0
events:      0: 0 internal, 0 send, 0 receive
clock:       0; jumps 0.00 on average, 0 at most; 0 gaps
queue:       0.00 on average, 0 at most
messages:    0 sent, 0 received, 0 pending
`},
		{"everything", summary.Machine{
			ID: 1, Rate: 5 * clock.Hertz, StartLateness: 120 * time.Microsecond, Elapsed: 60*time.Second + 85*time.Microsecond,
			Missed:   3,
			Lateness: summary.Lateness{Ticks: 297, Late: 4, P50: 90 * time.Microsecond, P99: 180 * time.Microsecond, Max: 5200 * time.Microsecond},
			Steps:    297, Internal: 100, Sends: 50, Receives: 147, Sent: 60,
			Clock: 1603, MeanJump: 1603. / 297, MaxJump: 12, Gaps: 40, MeanQueue: 0.4, MaxQueue: 3,
			Queue: 3, Pending: map[int]uint64{0: 1, 2: 2},
			Stalls: 1, Stalled: 1500 * time.Millisecond,
			Undelivered: map[int]uint64{2: 12}, Left: []int{2},
			Wire: transport.Stats{Messages: 288, Frames: 660, Bytes: 14000, Writes: 500, Acks: 347,
				Resent: 2, Duplicates: 1, Reconnects: 1, Refused: 5},
		}, `
machine:     vm-1, 5 ticks per second
start:       120 µs after the agreed instant
ticks:       297 in 60.0 s, 4.9500 per second (-1.0 %)
lateness:    p50 90.0 µs, p99 180 µs, max 5.20 ms; at the end 85.0 µs
late:        4 ticks more than 1 ms late
missed:      3 ticks
stalled:     1 step waited for a full link, 1.50 s in all
events:      297: 100 internal, 50 send, 147 receive
clock:       1,603; jumps 5.40 on average, 12 at most; 40 gaps
queue:       0.40 on average, 3 at most
messages:    60 sent, 147 received, 3 pending (1 from vm-0 and 2 from vm-2)
undelivered: up to 12 messages (12 to vm-2)
left early:  vm-2
wire:        288 messages in 660 frames, 14,000 bytes, 500 writes
links:       1 link re-established, 2 messages resent, 1 duplicate dropped and 5
             strangers refused
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, tt.m.WriteText(&b))
			assert.Equal(t, tt.want, "\n"+b.String())
		})
	}
}

func TestWriteTextReportsTheWritersError(t *testing.T) {
	assert.ErrorIs(t, new(summary.Machine).WriteText(full{}), errFull)
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func Example() {
	var c summary.Collector
	c.Observe(internal(1))
	c.Observe(receive(9, 0)) // of a message that was stamped 8
	c.Observe(internal(10))

	m := c.Machine(0, 2*clock.Hertz, 0)
	_ = m.WriteText(os.Stdout)
	// Output:
	// machine:     vm-0, 2 ticks per second
	// ticks:       3 in 1.50 s, 2.0000 per second (0 ppm)
	// events:      3: 2 internal, 0 send, 1 receive
	// clock:       10; jumps 3.33 on average, 8 at most; 1 gap
	// queue:       0.00 on average, 0 at most
	// messages:    0 sent, 1 received, 0 pending
}

func ExampleRun() {
	var run summary.Run
	run.Add(&summary.Machine{ID: 0, Sent: 5, Receives: 2})
	run.Add(&summary.Machine{ID: 1, Sent: 1, Receives: 3, Queue: 1})
	fmt.Println(run.Sent, "sent,", run.Unaccounted(), "unaccounted for")
	// Output: 6 sent, 0 unaccounted for
}

func ExampleMachine_json() {
	m := summary.Machine{ID: 1, Rate: 5 * clock.Hertz, Elapsed: time.Minute, Steps: 300, Internal: 300, Clock: 300, MeanJump: 1, MaxJump: 1}
	text, _ := json.Marshal(m)
	fmt.Println(string(text))
	// Output: {"id":1,"rate":"5","elapsed_ns":60000000000,"steps":300,"internal":300,"sends":0,"receives":0,"sent":0,"clock":300,"mean_jump":1,"max_jump":1,"gaps":0,"mean_queue":0,"max_queue":0,"queue":0}
}

// A run is whole where all that was due was done, or is known to have been missed.
func TestWhole(t *testing.T) {
	ten, err := clock.ParseRate("10")
	require.NoError(t, err)
	for _, c := range []struct {
		m        summary.Machine
		duration time.Duration
		whole    bool
	}{
		{summary.Machine{Rate: ten, Steps: 50}, 5 * time.Second, true},
		{summary.Machine{Rate: ten, Steps: 49}, 5 * time.Second, false},
		{summary.Machine{Rate: ten, Steps: 40, Missed: 10}, 5 * time.Second, true},
		{summary.Machine{Rate: ten, Steps: 50}, 0, false},
		{summary.Machine{Rate: clock.Unpaced, Steps: 1, Elapsed: time.Second}, time.Second, true},
		{summary.Machine{Rate: clock.Unpaced, Steps: 1, Elapsed: time.Second - 1}, time.Second, false},
	} {
		assert.Equal(t, c.whole, c.m.Whole(c.duration), "%+v in %v", c.m, c.duration)
	}
}
