package exit

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// OnInterrupt returns a context that ends with the first SIGINT or SIGTERM; the
// second ends the process at once, after calling kill, if that is not nil.
func OnInterrupt(parent context.Context, kill func()) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				if ctx.Err() != nil {
					if kill != nil {
						kill()
					}
					os.Exit(Interrupted)
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}
