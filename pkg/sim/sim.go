// Package sim runs a cluster in virtual time: thousands to millions of machines in
// one process, as fast as the processor allows, and always the same for the same
// configuration.
//
// Time is a number of nanoseconds that jumps from one tick to the next. The ticks
// are those of a run in real time, due at start + k/rate, and each is executed by
// the rules of package machine; a message is in its recipient's queue one latency
// after its send. What is left to decide is what happens at one instant:
//
//   - The machines that tick at one instant do so in the order of their ids.
//   - A message that arrives at the very instant of its recipient's tick is there.
//   - Messages that arrive at one machine at one instant stand in the queue in the
//     order of their senders' ids.
//
// So the events of a run, and the bytes of its logs, are a function of its [Config]:
// no number of cores, operating system, architecture or order of a map has a say
// in them. All arithmetic that decides anything is in whole numbers.
package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/fault"
)

// Epoch is the global time at which every run begins.
var Epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Config is what a run is, from its first event to its last.
type Config struct {
	Run      string        // its name, for the logs
	Rates    []clock.Rate  // one per machine; none can be [clock.Unpaced]
	Die      int           // faces, ≥ 1
	Seed     uint64        // decides the dice, the latencies and the phases
	Duration time.Duration // of virtual time; 0: until stopped
	Latency  Latency
	Phase    Phase
	Faults   *fault.Plan // nil: none
	// LogDir is an existing directory for the event logs, "" for none.
	LogDir string

	// Watch, if not nil, is told how far the run is, about every WatchEvery of
	// real time, and at the end. It is called by one goroutine.
	Watch      func(Progress)
	WatchEvery time.Duration

	// Workers is how many cores may be used, 0 for all. It decides nothing
	// but how long it takes; where more than one does not pay, one is used.
	Workers int

	shards int // for tests: that many, whether it pays or not
}

// Phase says how the machines' first ticks lie to each other.
type Phase uint8

const (
	// Together starts all machines at one instant, as a run of processes does.
	Together Phase = iota
	// Scattered starts each at a random instant of its first period, so that
	// machines of one rate do not tick at the same instants.
	Scattered
)

// ParsePhase reads what [Phase.String] returns: together or random.
func ParsePhase(s string) (Phase, error) {
	for _, p := range []Phase{Together, Scattered} {
		if s == p.String() {
			return p, nil
		}
	}
	return Together, fmt.Errorf("%q: want together or random", s)
}

// String returns the phase's name.
func (p Phase) String() string {
	if p == Scattered {
		return "random"
	}
	return "together"
}

// Progress is how far a run is.
type Progress struct {
	At     time.Duration // virtual time
	Events uint64
}

const (
	// MaxMachines is how many machines a run can have.
	MaxMachines = 1 << 27
	// MaxLogs is how many machines a run with logs can have: each has a file
	// and names all its peers.
	MaxLogs = 10_000
	// maxDuration keeps a factor of two below the last instant, in case that
	// the last messages take long.
	maxDuration = 100 * 365 * 24 * time.Hour
)

// ErrStopped says that a run was stopped before its duration was over. What it did
// until then is whole.
var ErrStopped = errors.New("stopped before the end of the run")

// Check says what is wrong with a configuration.
func (cfg *Config) Check() error {
	switch n := len(cfg.Rates); {
	case n < 1 || n > MaxMachines:
		return fmt.Errorf("%d machines: want 1 to %d", n, MaxMachines)
	case n > MaxLogs && cfg.LogDir != "":
		return fmt.Errorf("%d machines with logs: at most %d, each has a file that names all its peers", n, MaxLogs)
	case cfg.Die < 1 || cfg.Die > math.MaxInt32:
		return fmt.Errorf("a die with %d faces: want 1 to %d", cfg.Die, math.MaxInt32)
	case cfg.Duration < 0 || cfg.Duration > maxDuration:
		return fmt.Errorf("duration %v: want 0 to %v", cfg.Duration, maxDuration)
	}
	for id, r := range cfg.Rates {
		if r == clock.Unpaced {
			return fmt.Errorf("machine %d has the rate max: virtual time has no fastest rate, so want up to %v ticks per second", id, clock.MaxRate)
		}
		if r == 0 || r > clock.MaxRate {
			return fmt.Errorf("machine %d has the rate %v: want above 0 and up to %v", id, r, clock.MaxRate)
		}
	}
	if cfg.Duration > 0 {
		_, err := cfg.Faults.Within(cfg.Duration)
		return err
	}
	return nil
}

// Run executes a run from its first event to its last: until its duration is over,
// or ctx ends, which gives [ErrStopped] and a result that is whole, with all logs
// closed in order. After any other error there is no result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	e, err := newEngine(cfg)
	if err != nil {
		return nil, err
	}
	defer e.close()
	defer context.AfterFunc(ctx, func() { e.stop.Store(true) })()
	stopped, err := e.run()
	if err == nil {
		err = e.finish()
	}
	if err != nil {
		return nil, err
	}
	if stopped {
		return &Result{e}, ErrStopped
	}
	return &Result{e}, nil
}
