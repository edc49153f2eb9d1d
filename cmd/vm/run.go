package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// run runs the machine, by hand or under a launcher. Its errors carry exit codes.
func (o *options) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg := o.machine
	if o.record != "" {
		if err := openRecord(&cfg, o.record); err != nil {
			return err
		}
		defer cfg.Replay.Close()
	}
	if err := o.tls.open(&cfg); err != nil {
		return err
	}
	// What was said wrongly is said before what stands in the way.
	if err := vm.Check(&cfg); err != nil {
		return exit.With(exit.Misused, withHint(err))
	}
	screen := progress.NewScreen(stderr)
	cfg.Logger = hinting{logging.Diagnostics(screen, "vm-"+strconv.Itoa(cfg.ID), o.level)}
	if err := o.keepAgreement(&cfg); err != nil {
		return err
	}
	ln, err := o.listener()
	if err != nil {
		return err
	}
	o.introduce(cfg.Logger)
	o.warnOpen(cfg.Logger)
	if o.control.Supervised {
		_, done := answer(&cfg, nil)
		defer done()
		return o.supervised(ctx, cfg, ln, stdin, stdout)
	}
	done := func() {}
	if progress.Draws(stderr) {
		done = show(&cfg, screen)
	}
	result, copied, leave, err := o.attended(&cfg, stdout, stderr)
	if err != nil {
		done()
		_ = ln.Close()
		return err
	}
	o.deliver.attach(ctx, &cfg)
	defer leave() // whoever asks how it is may ask while the log is delivered, too
	defer func() { _ = ln.Close() }()
	err = runMachine(ctx, o.life, cfg, transport.Lend(ln), func() { done(); copied() }, command.Unread(result))
	defer attendTo(cfg, ln)()
	return o.deliver.finish(ctx, err)
}

// show has a machine show how it stands with it, until the returned function is
// called.
func show(cfg *vm.Config, screen *progress.Screen) (done func()) {
	const every = 200 * time.Millisecond
	display := progress.NewMachine(progress.Out{Writer: screen}, cfg.ID, cfg.Rate, cfg.Duration)
	cfg.WatchEvery = every
	cfg.Watch = func(s summary.Status) { display.Update(cfg.ID, s) }
	return display.Close
}

// openRecord has the machine do again what a record says.
func openRecord(cfg *vm.Config, path string) (err error) {
	if cfg.Replay, err = replay.Open(path); err != nil {
		return command.Usage("--replay: %w", err)
	}
	s := cfg.Replay.Start()
	cfg.Adopt(s)
	cfg.ID, cfg.Rate, cfg.Duration = cfg.Replay.ID(), s.Rate, 0
	return nil
}

// listener returns the listener that the launcher has passed down, or makes one.
func (o *options) listener() (net.Listener, error) {
	if fd := o.control.ListenFD; fd > 0 {
		f := os.NewFile(uintptr(fd), "listener")
		defer f.Close()
		ln, err := net.FileListener(f)
		if err != nil {
			return nil, command.Usage("--listen-fd %d: not a listening socket: %w", fd, err)
		}
		return ln, nil
	}
	ln, err := transport.Listen(o.bind, o.port)
	if err != nil {
		if exit.PortTaken(err) {
			return nil, exit.With(exit.Retry, withHint(err))
		}
		return nil, withHint(err)
	}
	return ln, nil
}

// supervised runs the machine tied to its launcher.
func (o *options) supervised(ctx context.Context, cfg vm.Config, ln net.Listener, stdin io.Reader, stdout io.Writer) error {
	// More signals than one say nothing new, while by hand the second one kills:
	// when a launcher is killed, the kernel sends one for each of its threads that
	// was this process's parent in turn. To kill, the launcher kills.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	session := control.NewSession(stdin, stdout)
	cfg.Watch = session.Report
	if o.control.Gated {
		cfg.Gate = session.Gate()
	}
	withLinger := func(linger time.Duration) error { return vm.StopWithin{Linger: linger} }
	err := session.Run(ctx, cfg.Linger, withLinger, func(ctx context.Context) error {
		return runMachine(ctx, o.life, cfg, ln, func() {}, io.Discard) // its result is a report
	})
	if _, ok := errors.AsType[*control.OverdueError](err); ok {
		return exit.With(exit.Died, err)
	}
	return err
}

// runMachine runs the machine to its end, calls done, and prints what it did.
func runMachine(ctx context.Context, life life, cfg vm.Config, ln net.Listener, done func(), stdout io.Writer) error {
	result, err := vm.Run(ctx, cfg, ln)
	done()
	if result != nil {
		if err := result.WriteText(stdout); err != nil && !exit.HungUp(ctx) {
			return exit.With(exit.Died, err)
		}
	}
	if err != nil {
		return life.withCode(ctx, err)
	}
	if ctx.Err() != nil && !result.Whole(cfg.Duration) {
		return exit.With(exit.Interrupted, nil)
	}
	return nil // a signal that has come when all was done changes nothing
}

// failed gives an error of a machine that broke off its run its exit code.
func failed(err error) error {
	var differs *replay.Difference
	switch {
	case errors.Is(err, vm.ErrCrash):
		return exit.With(exit.Crashed, withHint(err))
	case errors.As(err, &differs):
		return exit.With(exit.Broken, err)
	}
	return exit.With(exit.Died, err)
}
