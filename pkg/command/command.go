// Package command is what the project's commands have in common: exit codes,
// one-line errors, interrupts and the version.
//
// Standard output is for results, standard error for talk. Wrong usage gives
// one line that says what was wrong and how to mend it, never a page of help.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"
)

// The exit codes of all commands.
const (
	OK          = 0
	Broken      = 1   // a law is broken, or a replay differs
	Misused     = 2   // wrong usage, or the run could not begin
	Died        = 3   // a machine died in its run
	Crashed     = 4   // a machine has crashed in a replay, as it is recorded
	Interrupted = 130 // after an orderly stop
)

// exitError is an error with the exit code that it asks for.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Exit gives an error the exit code with which the command is to end; an err of
// nil ends it without a word.
func Exit(code int, err error) error {
	if err == nil {
		err = errSilent
	}
	return &exitError{code, err}
}

var errSilent = errors.New("")

// Usage returns an error that ends the command with [Misused].
func Usage(format string, args ...any) error {
	return Exit(Misused, fmt.Errorf(format, args...))
}

// Run executes a command line and returns its exit code. Errors without a code of
// their own end with [Misused].
func Run(ctx context.Context, app *cli.App, args []string, stdout, stderr io.Writer) int {
	app.Writer, app.ErrWriter = stdout, stderr
	app.HideHelpCommand = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Version = Version()
	own(app.Name, &app.OnUsageError, app.Commands)
	err := app.RunContext(ctx, args)
	if err == nil {
		return OK
	}
	code := Misused
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	if !errors.Is(err, errSilent) {
		_, _ = fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(err.Error()))
	}
	return code
}

// own replaces the library's answer to wrong flags, which is a page of help on
// standard output.
func own(name string, handler *cli.OnUsageErrorFunc, commands []*cli.Command) {
	*handler = func(_ *cli.Context, err error, _ bool) error {
		what := err.Error()
		if flag, unknown := strings.CutPrefix(what, "flag provided but not defined: "); unknown {
			what = "unknown flag " + flag
		}
		return Usage("%s; %q lists the flags", what, name+" --help")
	}
	for _, c := range commands {
		own(name+" "+c.Name, &c.OnUsageError, c.Subcommands)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

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

// version is set by the linker in released builds.
var version string

// Version returns the version of this build.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
