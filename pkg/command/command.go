// Package command is what the project's commands have in common: one-line
// errors, interrupts and the version.
//
// Standard output is for results, standard error for talk. Wrong usage gives
// one line that says what was wrong and how to mend it, never a page of help.
package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/exit"
)

// Usage returns an error that ends the command with [exit.Misused].
func Usage(format string, args ...any) error {
	return exit.With(exit.Misused, fmt.Errorf(format, args...))
}

// Run executes a command line and returns its exit code. Errors without a code of
// their own end with [exit.Misused].
func Run(ctx context.Context, app *cli.App, args []string, stdout, stderr io.Writer) int {
	app.Writer, app.ErrWriter = stdout, stderr
	app.HideHelpCommand = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Version = Version()
	own(app.Name, &app.OnUsageError, app.Commands)
	err := app.RunContext(ctx, args)
	if !exit.Silent(err) {
		_, _ = fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(err.Error()))
	}
	return exit.Code(err)
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
					os.Exit(exit.Interrupted)
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
