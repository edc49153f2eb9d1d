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
	"strconv"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
)

// Config is what a run is, from its first event to its last.
type Config struct {
	experiment.Spec // with what a run in virtual time is told besides
	// LogDir is an existing directory for the event logs, "" for none.
	LogDir string
	// InMemory keeps the same logs in memory, for [Result.Log]; LogDir is then "".
	InMemory bool

	// Watch, if not nil, is told how far the run is, about every WatchEvery of
	// real time, and at the end. It is called by one goroutine.
	Watch      func(Progress)
	WatchEvery time.Duration

	// Workers is how many cores may be used, 0 for all. It decides nothing
	// but how long it takes; where more than one does not pay, one is used.
	Workers int

	shards int // for tests: that many, whether it pays or not
}

// Progress is how far a run is.
type Progress struct {
	At     time.Duration // virtual time
	Events uint64
}

// MaxLogs is how many machines a run with logs can have: each has a file and names
// all its peers.
const MaxLogs = 10_000

// ErrStopped says that a run was stopped before its duration was over. What it did
// until then is whole.
var ErrStopped = errors.New("stopped before the end of the run")

// Check says what is wrong with a configuration.
func (cfg *Config) Check() error {
	if cfg.Virtual == nil {
		return errors.New("the run is not one in virtual time")
	}
	if n := len(cfg.Rates); n > MaxLogs && cfg.logged() {
		return &experiment.Error{Field: "machines", Value: strconv.Itoa(n), Err: ErrTooManyLogs}
	}
	return cfg.Spec.Check()
}

// logged reports whether somebody will read the logs.
func (cfg *Config) logged() bool { return cfg.LogDir != "" || cfg.InMemory }

// ErrTooManyLogs says that there are more machines than can have logs.
var ErrTooManyLogs = fmt.Errorf("at most %d can have logs", MaxLogs)

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
