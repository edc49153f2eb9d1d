//go:build unix

package warden

import (
	"os"
	"os/signal"
	"syscall"
)

// terminated returns a channel that is closed with the first SIGTERM.
func terminated() <-chan struct{} {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		close(done)
	}()
	return done
}
