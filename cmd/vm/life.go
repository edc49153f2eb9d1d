package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/roster"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// How the process of a machine ends, by a signal or by itself, and what its exit code says of
// that, is decided here. docs/exit-codes.md has it for people.

// life is what is known from the beginning of how a process is to end.
type life struct {
	supervised bool   // by a launcher, which is told what to do by others
	resume     bool   // it was started with --resume
	engine     string // that has started it; "": a person has
}

// heed has c.Context end with the first signal, until the returned function is called. That begins
// before it is known which machine this is, as to find that out can take long: where nobody listens, the
// first process of a container ends with code 2 at SIGTERM. A launcher says by other ways when to end.
func (o *options) heed(c *cli.Context) (stop func()) {
	// Whoever reads what this process prints may be gone before us; their death must
	// not cut our log short.
	signal.Ignore(syscall.SIGPIPE)
	o.life = life{supervised: o.control.Supervised, resume: c.Bool("resume"), engine: roster.Engine(os.Getenv)}
	if o.life.supervised {
		return func() {}
	}
	c.Context, stop = o.life.onSignal(c.Context)
	return stop
}

// returns reports whether the process is expected to be started again, so that it leaves its
// run open where it is told to go.
func (l life) returns() bool { return !l.supervised && (l.resume || l.engine != "") }

// onSignal returns a context that ends with the first signal, and with [vm.ErrPause] as its
// cause where the machine is to come back. Ctrl-C is from a person, who wants an end.
func (l life) onSignal(parent context.Context) (context.Context, context.CancelFunc) {
	var kill func()
	if l.returns() {
		kill = func() { os.Exit(exit.Paused) } // as after a crash, from which it can come back, too
	}
	signals, stop := exit.OnInterrupt(parent, kill)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(signals))
	ignore := context.AfterFunc(signals, func() {
		cause := context.Cause(signals)
		if l.returns() && (exit.Terminated(signals) || exit.HungUp(signals)) {
			cause = vm.ErrPause
		}
		cancel(cause)
	})
	return ctx, func() {
		ignore()
		cancel(nil)
		stop()
	}
}

// withCode gives an error of a machine its exit code. Where ctx has ended, the machine was told
// to end.
func (l life) withCode(ctx context.Context, err error) error {
	if paused, ok := errors.AsType[*vm.PausedError](err); ok {
		return exit.With(exit.Paused, command.Hinted("", paused, l.goesOn()))
	}
	if over, ok := errors.AsType[*vm.OverError](err); ok {
		return l.over(over)
	}
	start, notStarted := errors.AsType[*vm.StartError](err)
	asked := errors.Is(context.Cause(ctx), vm.ErrPause) || exit.Terminated(ctx) || exit.HungUp(ctx)
	switch {
	case errors.Is(err, context.Canceled) && notStarted && start.Back && !asked:
		return exit.With(exit.Interrupted, errors.New("interrupted before the machine was back in its run, which is as it was"))
	case errors.Is(err, context.Canceled) && asked:
		return exit.With(exit.Paused, errors.New("stopped before the run began: nothing is lost, it can be started again"))
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, errors.New("interrupted before the run began"))
	case notStarted && mayCome(err), l.returns() && exit.DiskFull(err):
		return exit.With(exit.Retry, withHint(err))
	case notStarted:
		return exit.With(exit.Misused, withHint(err))
	}
	return failed(err)
}

// goesOn says how a machine that was paused goes on.
func (l life) goesOn() string {
	if l.resume {
		return ": started again, it goes on there"
	}
	return ": start it again with --resume, and it goes on there"
}

// over says that there was nothing to do. For a launcher that is an end like any other.
func (l life) over(over *vm.OverError) error {
	switch {
	case l.supervised:
		return nil
	case over.Short != "":
		return exit.With(exit.Short, over)
	}
	return exit.With(exit.OK, over)
}

// mayCome reports whether what kept a machine from its run may be there at the next try,
// without anybody doing anything: the peers, room on the disk, a port or a log that another
// process still has.
func mayCome(err error) bool {
	_, missing := errors.AsType[*transport.MissingError](err)
	return missing || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, logging.ErrLocked) || exit.DiskFull(err) || exit.PortTaken(err)
}
