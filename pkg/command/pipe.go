package command

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/urfave/cli/v2"
)

// Piped makes an action one whose output nobody needs to read to its end: when the
// reader of a pipe has gone, as head does, the action ends, quietly and with
// [exit.OK]. The action need only return the errors of writing.
func Piped(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		defer outlivePipes()()
		if err := action(c); err != nil && !brokenPipe(err) {
			return err
		}
		return nil
	}
}

// PipedToTheEnd is [Piped] for an action whose exit code says something about
// all of its output: without a reader it goes on, and its output is dropped.
func PipedToTheEnd(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		defer outlivePipes()()
		c.App.Writer = &leaky{w: c.App.Writer}
		return action(c)
	}
}

// Unread returns a writer that drops what cannot be written to w because its reader has gone.
// Whoever uses it must not be ended by SIGPIPE.
func Unread(w io.Writer) io.Writer { return &leaky{w: w} }

// outlivePipes lets writing to a broken pipe fail, which otherwise ends the process.
// The result undoes it.
func outlivePipes() func() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE)
	return func() { signal.Stop(signals) }
}

// leaky drops what cannot be written for want of a reader.
type leaky struct {
	w    io.Writer
	gone bool
}

// Unwrap returns where the output goes, which decides how it looks.
func (l *leaky) Unwrap() io.Writer { return l.w }

func (l *leaky) Write(p []byte) (int, error) {
	if l.gone {
		return len(p), nil
	}
	n, err := l.w.Write(p)
	if err != nil && brokenPipe(err) {
		l.gone = true
		return len(p), nil
	}
	return n, err
}

func brokenPipe(err error) bool {
	if runtime.GOOS == "windows" {
		const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232)
		return errors.Is(err, brokenPipe) || errors.Is(err, noData)
	}
	return errors.Is(err, syscall.EPIPE)
}
