package fault_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/fault"
)

// twin decides as a plan does, by looking at all that the plan ever does.
type twin []fault.Action

func (w twin) during(at time.Duration, hit func(fault.Action) bool) (until time.Duration, found bool) {
	for _, a := range w {
		if a.At <= at && at < a.At+a.For && hit(a) {
			until, found = max(until, a.At+a.For), true
		}
	}
	return until, found
}

func (w twin) blocked(from, to int, at time.Duration) (time.Duration, bool) {
	return w.during(at, func(a fault.Action) bool {
		switch a.Kind {
		case fault.Cut:
			return a.Link.Has(from, to)
		case fault.Partition:
			for _, g := range a.Groups {
				var f, t bool
				for _, id := range g {
					f, t = f || id == from, t || id == to
				}
				if f != t {
					return true
				}
			}
		}
		return false
	})
}

func (w twin) notReading(id int, at time.Duration) (time.Duration, bool) {
	return w.during(at, func(a fault.Action) bool {
		for _, m := range a.Machines {
			if a.Kind == fault.StopReading && m == id {
				return true
			}
		}
		return false
	})
}

// Each decision is what a look at every action gives.
func TestDecisionsAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		p := planOf(t, machines)
		const end = 30 * time.Minute
		w := twin(collect(p, end))
		alone := alone(t, p, machines)

		// Just before, at and after the begin and end of something, and anywhere.
		times := []time.Duration{0, rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(end-1)).Draw(t, "at"))
		}).Draw(t, "at")}
		for range 10 {
			if len(w) > 0 {
				a := rapid.SampledFrom(w).Draw(t, "edge")
				times = append(times, a.At-1, a.At, a.At+1, a.At+a.For-1, a.At+a.For, a.At+a.For/2)
			}
		}
		for _, at := range times {
			if at >= end {
				continue
			}
			for from := range machines {
				until, stopped := p.NotReading(from, at)
				wantUntil, want := w.notReading(from, at)
				require.Equal(t, want, stopped, "machine %d at %v", from, at)
				require.Equal(t, wantUntil, until, "machine %d at %v", from, at)
				require.True(t, !stopped || p.Touches(from))
				for to := range machines {
					until, blocked := p.Blocked(from, to, at)
					wantUntil, want := w.blocked(from, to, at)
					require.Equal(t, want && from != to, blocked, "%d->%d at %v", from, to, at)
					require.Equal(t, wantUntil, until, "%d->%d at %v", from, to, at)

					delay := p.Delay(from, to, at, 9)
					var sum time.Duration
					for _, q := range alone {
						sum += q.Delay(from, to, at, 9)
					}
					require.Equal(t, sum, delay, "%d->%d at %v", from, to, at)
					require.True(t, !blocked && delay == 0 || p.Touches(from) && p.Touches(to))
				}
			}
		}
	})
}

// alone returns each line of a plan as a plan of its own.
func alone(t *rapid.T, p *fault.Plan, machines int) (plans []*fault.Plan) {
	for line := range strings.Lines(p.Seeded(0).String()) {
		q, err := fault.Parse(line, machines)
		require.NoError(t, err)
		plans = append(plans, q)
	}
	return plans
}

// What a plan does, written down as a plan without chance, is the same again.
func TestActionsArePlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		p := planOf(t, machines)
		const end = 10 * time.Minute
		var text strings.Builder
		for _, a := range collect(p, end) {
			text.WriteString(a.String() + "\n")
		}
		q, err := fault.Parse(text.String(), machines)
		require.NoError(t, err)
		require.Equal(t, texts(p, end), texts(q, end))
	})
}
