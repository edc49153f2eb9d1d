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
func Do(ctx context.Context, runs []*Run, capacity float64, load func(*Run) float64,
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
	for _, run := range runs {
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

// Sequence passes on the results of runs in the order of the runs, however they come.
type Sequence struct {
	see     func(*Result)
	runs    []*Run // those whose results have not been seen
	waiting map[string]*Result
}

// NewSequence returns a Sequence of these runs, which are given in their order.
func NewSequence(runs []*Run, see func(*Result)) *Sequence {
	return &Sequence{see, runs, make(map[string]*Result)}
}

// Add takes in a result, and passes on what it was that the others waited for.
func (s *Sequence) Add(r *Result) {
	s.waiting[r.Name] = r
	for len(s.runs) > 0 && s.waiting[s.runs[0].Name] != nil {
		s.next()
	}
}

// Flush passes on what is left where runs before it have come to nothing.
func (s *Sequence) Flush() {
	for len(s.runs) > 0 {
		s.next()
	}
}

func (s *Sequence) next() {
	name := s.runs[0].Name
	s.runs = s.runs[1:]
	if r := s.waiting[name]; r != nil {
		delete(s.waiting, name)
		s.see(r)
	}
}
