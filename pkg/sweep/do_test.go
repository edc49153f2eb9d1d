package sweep

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// work are runs that take some time and load each.
type work struct {
	takes []time.Duration
	loads []float64
	runs  []*Run
}

func newWork(takes []time.Duration, loads []float64) *work {
	w := &work{takes, loads, make([]*Run, len(takes))}
	for i := range w.runs {
		w.runs[i] = &Run{Trial: i}
	}
	return w
}

func (w *work) load(r *Run) float64 { return w.loads[r.Trial] }

func (w *work) execute(_ context.Context, r *Run) (*Result, error) {
	time.Sleep(w.takes[r.Trial])
	return &Result{Trial: r.Trial}, nil
}

// Whatever the runs need, they begin in order, all of them are done, and there
// are never too many at a time.
func TestDo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(rt, "runs")
		takes := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(s int) time.Duration { return time.Duration(s) * time.Second }), n, n).Draw(rt, "takes")
		loads := rapid.SliceOfN(rapid.SampledFrom([]float64{0.1, 0.2, 0.375, 1, 3, math.Inf(1)}), n, n).Draw(rt, "loads")
		capacity := rapid.SampledFrom([]float64{0.3, 1, 2, 4}).Draw(rt, "capacity")
		synctest.Test(t, func(*testing.T) {
			w := newWork(takes, loads)
			begun, done, running := 0, 0, map[int]bool{}
			err := Do(context.Background(), w.runs, capacity, w.load, w.execute, func(s Step) {
				if s.Result != nil {
					require.Equal(t, s.Run.Trial, s.Result.Trial)
					done++
					delete(running, s.Run.Trial)
					return
				}
				require.Equal(t, begun, s.Run.Trial, "in order")
				begun++
				running[s.Run.Trial] = true
				sum := 0.0
				for id := range running {
					sum += loads[id]
				}
				require.True(t, len(running) == 1 || sum <= capacity+1e-6, "%d at a time need %v", len(running), sum)
			})
			require.NoError(t, err)
			require.Equal(t, []int{n, n}, []int{begun, done})
		})
	})
}

func TestDoSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWork([]time.Duration{time.Minute, time.Minute, time.Minute, time.Minute, time.Minute}, []float64{0.4, 0.4, 0.4, 0.4, 0.4})
		began := time.Now()
		require.NoError(t, Do(context.Background(), w.runs, 2, w.load, w.execute, func(Step) {}))
		assert.Equal(t, time.Minute, time.Since(began), "five times 0.4 is 2")
	})
}

// After an error no other run begins, and what goes on comes to its end.
func TestDoStopsAtAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broke := errors.New("broke")
		begun, done := 0, 0
		w := newWork([]time.Duration{3 * time.Second, time.Second, time.Second, time.Second}, []float64{1, 1, 1, 1})
		err := Do(context.Background(), w.runs, 2, w.load, func(ctx context.Context, r *Run) (*Result, error) {
			result, _ := w.execute(ctx, r)
			if r.Trial == 1 {
				return nil, broke
			}
			return result, nil
		}, func(s Step) {
			if s.Result == nil {
				begun++
			} else {
				done++
			}
		})
		assert.ErrorIs(t, err, broke)
		assert.Equal(t, []int{2, 1}, []int{begun, done})
	})
}

func TestDoIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		begun, done := 0, 0
		w := newWork(make([]time.Duration, 9), []float64{1, 1, 1, 1, 1, 1, 1, 1, 1})
		err := Do(ctx, w.runs, 2, w.load, func(ctx context.Context, _ *Run) (*Result, error) {
			select {
			case <-time.After(time.Minute):
				return &Result{}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, func(s Step) {
			if s.Result == nil {
				begun++
			} else {
				done++
			}
		})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, []int{4, 2}, []int{begun, done})
	})
}

func TestLoad(t *testing.T) {
	hertz := func(rates ...int) (list []clock.Rate) {
		for _, r := range rates {
			list = append(list, clock.Rate(r)*clock.Hertz)
		}
		return list
	}
	assert.Equal(t, 0.375, Load(hertz(1, 5, 4)), "three processes")
	assert.Equal(t, 3.0, Load(hertz(500, 1000)), "many ticks")
	assert.Equal(t, math.Inf(1), Load([]clock.Rate{clock.Unpaced}), "alone")
}

// Results come in any order, and are passed on in that of the runs; what is missing holds
// up the rest until all is over.
func TestSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var runs []*Run
		var all, want []string
		for i := range rapid.IntRange(0, 12).Draw(t, "runs") {
			runs = append(runs, &Run{Name: string(rune('a' + i))})
			all = append(all, runs[i].Name)
		}
		missing := rapid.IntRange(0, 13).Draw(t, "missing")
		var got []string
		s := NewSequence(runs, func(r *Result) { got = append(got, r.Name) })
		added := make(map[string]bool)
		for _, name := range rapid.Permutation(all).Draw(t, "order") {
			if int(name[0]-'a') == missing {
				continue
			}
			s.Add(&Result{Name: name})
			added[name] = true
			want = want[:0]
			for _, name := range all {
				if !added[name] {
					break
				}
				want = append(want, name)
			}
			require.Len(t, got, len(want))
			require.True(t, slices.Equal(want, got), "%v: want %v", got, want)
		}
		s.Flush()
		want = slices.DeleteFunc(slices.Clone(all), func(name string) bool { return int(name[0]-'a') == missing })
		require.True(t, slices.Equal(want, got), "%v: want %v", got, want)
	})
}
