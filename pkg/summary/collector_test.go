package summary_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/summary"
)

// step is one thing that a machine goes through: ticks that were missed, and
// then, unless the machine only missed them, a tick with its event.
type step struct {
	missed uint64
	ran    bool
	late   time.Duration // ≥ 0
	ev     event.Event
}

// twin keeps all steps and computes every figure from its definition.
type twin struct {
	rate  clock.Rate
	timed bool
	steps []step
}

func (w *twin) machine(id, queue int) summary.Machine {
	m := summary.Machine{ID: id, Rate: w.rate, Queue: queue}
	values := []clock.Time{0} // of the clock
	var lengths []int         // of the queue
	for _, s := range w.steps {
		if !s.ran {
			continue
		}
		values = append(values, s.ev.Clock)
		lengths = append(lengths, s.ev.Queue)
		m.Steps++
		switch s.ev.Kind {
		case event.Internal:
			m.Internal++
		case event.Send:
			m.Sends++
			m.Sent += uint64(len(s.ev.Messages()))
		case event.Receive:
			m.Receives++
		}
	}

	m.Clock = values[len(values)-1]
	sumOfJumps := 0.0
	for i := range values[1:] {
		jump := uint64(values[i+1] - values[i])
		sumOfJumps += float64(jump)
		m.MaxJump = max(m.MaxJump, jump)
		if jump > 1 {
			m.Gaps++
		}
	}
	sumOfLengths := 0.0
	for _, n := range lengths {
		sumOfLengths += float64(n)
		m.MaxQueue = max(m.MaxQueue, n)
	}
	if m.Steps > 0 {
		m.MeanJump = sumOfJumps / float64(m.Steps)
		m.MeanQueue = sumOfLengths / float64(m.Steps)
	}

	slot := uint64(0) // of the schedule
	var lates []time.Duration
	for _, s := range w.steps {
		m.Missed += s.missed
		slot += s.missed
		if s.missed > 0 {
			m.Elapsed = time.Duration(w.rate.Due(slot))
		}
		if !s.ran {
			continue
		}
		slot++
		m.Elapsed = time.Duration(w.rate.Due(slot))
		if w.timed {
			m.Elapsed += s.late
			lates = append(lates, s.late)
			m.Lateness.Ticks++
			if s.late > time.Millisecond {
				m.Lateness.Late++
			}
		}
	}
	slices.Sort(lates)
	if n := len(lates); n > 0 {
		m.Lateness.P50 = lates[(n*50+99)/100-1]
		m.Lateness.P99 = lates[(n*99+99)/100-1]
		m.Lateness.Max = lates[n-1]
	}
	return m
}

func TestCollectorAgreesWithItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := twin{
			rate:  clock.Rate(rapid.Uint64Range(1, uint64(1000*clock.Hertz)).Draw(t, "rate")),
			timed: rapid.Bool().Draw(t, "timed"),
		}
		var c summary.Collector
		now := clock.Time(0)
		n := rapid.IntRange(0, 300).Draw(t, "steps")
		for range n {
			var s step
			if rapid.IntRange(0, 9).Draw(t, "miss") == 0 {
				s.missed = rapid.Uint64Range(0, 5).Draw(t, "missed")
				c.Missed(s.missed)
			}
			s.ran = rapid.IntRange(0, 9).Draw(t, "run") > 0
			if s.ran {
				if w.timed {
					s.late = lateness().Draw(t, "late")
					c.Tick(s.late)
				}
				s.ev = anEvent(t, now)
				now = s.ev.Clock
				c.Observe(&s.ev)
			}
			w.steps = append(w.steps, s)
		}

		queue := rapid.IntRange(0, 9).Draw(t, "queue")
		got, want := c.Machine(3, w.rate, queue), w.machine(3, queue)

		for _, q := range []struct{ got, want time.Duration }{
			{got.Lateness.P50, want.Lateness.P50},
			{got.Lateness.P99, want.Lateness.P99},
		} {
			require.GreaterOrEqual(t, q.got, q.want)
			require.Less(t, q.got, q.want+time.Microsecond+q.want/(1<<15))
			if q.want < 65*time.Millisecond { // in whole microseconds, exact
				up := (q.want + time.Microsecond - 1).Truncate(time.Microsecond)
				require.Equal(t, min(up, got.Lateness.Max), q.got)
			}
			require.LessOrEqual(t, q.got, got.Lateness.Max)
		}
		got.Lateness.P50, got.Lateness.P99 = want.Lateness.P50, want.Lateness.P99
		require.InEpsilon(t, 1+want.MeanJump, 1+got.MeanJump, 1e-12)
		got.MeanJump = want.MeanJump
		require.Equal(t, want, got)
	})
}

// lateness draws from nanoseconds to hours, evenly over the magnitudes.
func lateness() *rapid.Generator[time.Duration] {
	return rapid.Custom(func(t *rapid.T) time.Duration {
		magnitude := rapid.IntRange(0, 43).Draw(t, "magnitude")
		return time.Duration(rapid.Int64Range(0, 1<<magnitude).Draw(t, "ns"))
	})
}

// anEvent draws the event after one at clock now.
func anEvent(t *rapid.T, now clock.Time) event.Event {
	ev := event.Event{Clock: now + 1, Kind: event.Internal}
	switch rapid.IntRange(1, 4).Draw(t, "kind") {
	case 1:
		ev.Kind = event.Send
		ev.SetMessages(event.Message{To: 1, Sent: ev.Clock})
	case 2:
		ev.Kind = event.Send
		ev.SetMessages(event.Message{To: 1, Sent: ev.Clock}, event.Message{To: 2, Sent: ev.Clock})
	case 3:
		ev.Kind = event.Receive
		ev.Clock += clock.Time(rapid.Uint64Range(0, 1<<40).Draw(t, "ahead"))
		ev.SetMessages(event.Message{From: 1})
		ev.Queue = rapid.IntRange(0, 1000).Draw(t, "queue")
	}
	return ev
}

// The 0 that a clock starts from is one of its values (Lamport 1978: the clock
// is a function on events; design: a jump is between consecutive values).
func TestTheFirstJumpCountsFromZero(t *testing.T) {
	var c summary.Collector
	c.Observe(receive(8, 2)) // of the stamp 7
	m := c.Machine(0, clock.Hertz, 2)
	assert.Equal(t, uint64(8), m.MaxJump)
	assert.Equal(t, uint64(1), m.Gaps)
	assert.Equal(t, 8.0, m.MeanJump)
}

func TestSteadyClockHasNoGaps(t *testing.T) {
	var c summary.Collector
	for k := range clock.Time(100) {
		c.Observe(internal(k + 1))
	}
	m := c.Machine(0, clock.Hertz, 0)
	assert.Equal(t, uint64(1), m.MaxJump)
	assert.Zero(t, m.Gaps)
	assert.Equal(t, 1.0, m.MeanJump)
}

func TestJumpToTheLastTimestamp(t *testing.T) {
	var c summary.Collector
	c.Observe(receive(clock.Max, 0))
	m := c.Machine(0, clock.Hertz, 0)
	assert.Equal(t, uint64(math.MaxUint64), m.MaxJump)
	assert.Equal(t, clock.Max, m.Clock)
}

func TestMachineThatDidNothing(t *testing.T) {
	var c summary.Collector
	assert.Equal(t, summary.Machine{ID: 2, Rate: 5 * clock.Hertz}, c.Machine(2, 5*clock.Hertz, 0))
}

func TestLateness(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lates []time.Duration
		want  summary.Lateness
	}{
		{"none", nil, summary.Lateness{}},
		{"on the dot", []time.Duration{0, 0}, summary.Lateness{Ticks: 2}},
		{"a millisecond is not yet late", []time.Duration{time.Millisecond},
			summary.Lateness{Ticks: 1, P50: time.Millisecond, P99: time.Millisecond, Max: time.Millisecond}},
		{"a nanosecond more is", []time.Duration{time.Millisecond + 1},
			summary.Lateness{Ticks: 1, Late: 1, P50: time.Millisecond + 1, P99: time.Millisecond + 1, Max: time.Millisecond + 1}},
		{"too early is not late", []time.Duration{-time.Second}, summary.Lateness{Ticks: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c summary.Collector
			for k, late := range tt.lates {
				c.Tick(late)
				c.Observe(internal(clock.Time(k + 1)))
			}
			assert.Equal(t, tt.want, c.Machine(0, clock.Hertz, 0).Lateness)
		})
	}
}

// A host that slept for a night must not lose the ticks before it.
func TestLatenessOfANight(t *testing.T) {
	var c summary.Collector
	c.Tick(10 * time.Hour)
	l := c.Machine(0, clock.Hertz, 0).Lateness
	assert.Equal(t, summary.Lateness{Ticks: 1, Late: 1, P50: 10 * time.Hour, P99: 10 * time.Hour, Max: 10 * time.Hour}, l)
}

func internal(now clock.Time) *event.Event {
	return &event.Event{Clock: now, Kind: event.Internal}
}

func receive(now clock.Time, queue int) *event.Event {
	ev := &event.Event{Clock: now, Kind: event.Receive, Queue: queue}
	ev.SetMessages(event.Message{From: 1, Sent: now - 1})
	return ev
}

// The lateness of several machines is that of one with the ticks of all.
func TestTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all summary.Collector
		parts := make([]*summary.Collector, rapid.IntRange(0, 4).Draw(t, "machines"))
		for i := range parts {
			parts[i] = &summary.Collector{}
			for _, late := range rapid.SliceOfN(lateness(), 0, 50).Draw(t, "ticks") {
				parts[i].Tick(late)
				all.Tick(late)
			}
		}
		require.Equal(t, all.Machine(0, clock.Hertz, 0).Lateness, summary.Together(parts))
	})
}
