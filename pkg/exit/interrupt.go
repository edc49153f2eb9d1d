package exit

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// ErrHungUp is the cause of a context that ended because the terminal has gone:
// nobody is there to read what is printed.
var ErrHungUp = errors.New("the terminal is gone")

// ErrTerminated is the cause of a context that ended with SIGTERM: whoever started the
// program wants it gone, mostly an engine, which may start it again.
var ErrTerminated = errors.New("terminated")

// OnInterrupt returns a context that ends with the first SIGINT, SIGTERM or SIGHUP;
// with the second, its cause is [ErrTerminated], with the last, [ErrHungUp]. A SIGINT or SIGTERM after that ends the
// process at once, after calling kill, if that is not nil. A second SIGHUP says
// nothing new: when a terminal goes, its shell sends one and so does the kernel.
// Where SIGHUP is ignored, as under nohup, it stays so.
func OnInterrupt(parent context.Context, kill func()) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				switch {
				case ctx.Err() == nil && s == syscall.SIGHUP:
					cancel(ErrHungUp)
				case ctx.Err() == nil && s == syscall.SIGTERM:
					cancel(ErrTerminated)
				case ctx.Err() == nil:
					cancel(nil)
				case s != syscall.SIGHUP:
					if kill != nil {
						kill()
					}
					os.Exit(Interrupted)
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	})
}

// Terminated reports whether a context ended by SIGTERM.
func Terminated(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrTerminated) }

// HungUp reports whether a context ended because the terminal has gone.
func HungUp(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrHungUp) }
