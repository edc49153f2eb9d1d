package sweep

import (
	"context"
	"sync"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Load returns how much of one core a run of processes may need at times, so that
// nobody is late. A core takes eight processes, which all wake up and start at
// once, and 500 ticks per second, each with its message, log line and
// acknowledgement: a tenth of what it could do, since what counts is the tick
// that comes at a bad moment. A run without pauses needs all there is.
func Load(rates []clock.Rate) float64 {
	ticks := 0.0
	for _, r := range rates {
		ticks += r.PerSecond()
	}
	return max(float64(len(rates))/8, ticks/500)
}

// Step says that a run has begun, or, with a result, that it is done.
type Step struct {
	Run    *Run
	Result *Result // nil: it begins
}

// Do executes runs, each by a call of execute, and calls watch with their
// beginnings and ends, one call at a time. The runs begin in their order, side by side as
// long as the sum of their loads is not above capacity; one always fits.
//
// After the first error no other run begins. Do waits for those that go on, and
// returns that error, or that of ctx, after whose end no run begins either.
func Do(ctx context.Context, runs []Run, capacity float64, load func(*Run) float64,
	execute func(context.Context, *Run) (*Result, error), watch func(Step)) error {
	var mu sync.Mutex // guards all below, and watch
	var first error
	used, running := 0.0, 0
	free := sync.NewCond(&mu)
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		free.Broadcast()
	})
	defer stop()

	var all sync.WaitGroup
	mu.Lock()
	for i := range runs {
		run := &runs[i]
		need := load(run)
		// A hair's breadth of room for sums such as 0.1 + 0.2.
		for running > 0 && used+need > capacity*(1+1e-9) && first == nil && ctx.Err() == nil {
			free.Wait()
		}
		if first != nil || ctx.Err() != nil {
			break
		}
		used += need
		running++
		watch(Step{Run: run})
		all.Go(func() {
			result, err := execute(ctx, run)
			mu.Lock()
			defer mu.Unlock()
			running--
			used -= need
			if running == 0 {
				used = 0 // infinite loads leave no number behind
			}
			if err != nil && first == nil {
				first = err
			}
			if err == nil {
				watch(Step{run, result})
			}
			free.Broadcast()
		})
	}
	mu.Unlock()
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return first
}
