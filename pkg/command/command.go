// Package command is what the project's commands have in common: one-line
// errors, output into pipes and the version.
//
// Standard output is for results, standard error for diagnostics. Wrong usage gives
// one line that says what was wrong and how to mend it, never a page of help.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/shell"
)

// Usage returns an error that ends the command with [exit.Misused].
func Usage(format string, args ...any) error {
	return exit.With(exit.Misused, fmt.Errorf(format, args...))
}

// Flagged names the flag where an error is about a part of a run's description
// ([experiment.Error]) that the command line gave: the parts are called as the flags
// are. An error that says where else it comes from, such as from a file, stays as
// it is.
func Flagged(err error) error {
	if part, ok := errors.AsType[*experiment.Error](err); ok && err.Error() == part.Error() {
		return Hinted("--", err, "")
	}
	return err
}

// Hinted returns an error with words before and behind it, and with its exit code.
func Hinted(before string, err error, behind string) error {
	return &hinted{before + err.Error() + behind, err}
}

// Line returns a command line for people, which can be given to a shell.
func Line(words ...string) string { return quote.Visible(shell.Join(words...)) }

type hinted struct {
	text string
	err  error
}

func (h *hinted) Error() string { return h.text }
func (h *hinted) Unwrap() error { return h.err }

// Run executes a command line and returns its exit code. Errors without a code of
// their own end with [exit.Misused].
func Run(ctx context.Context, app *cli.App, args []string, stdout, stderr io.Writer) int {
	app.Writer, app.ErrWriter = stdout, stderr
	app.HideHelpCommand = len(app.Commands) == 0
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Version = Version()
	if len(args) > 1 && args[1] == completeArg {
		complete(stdout, app, args[2:])
		return exit.OK
	}
	own(app.Name, &app.OnUsageError, app.Flags, app.Commands)
	err := app.RunContext(ctx, slices.Concat(args[:1], flagsFirst(app, args[1:])))
	if !exit.Silent(err) {
		_, _ = fmt.Fprintf(stderr, "%s: %s\n", app.Name, quote.Short(oneLine(err.Error())+fromEnvironment(app, args[1:], err), maxError))
	}
	return exit.Code(err)
}

// own replaces the library's answer to wrong flags, which is a page of help on
// standard output.
func own(name string, handler *cli.OnUsageErrorFunc, flags []cli.Flag, commands []*cli.Command) {
	unsetEmpty(flags)
	*handler = func(_ *cli.Context, err error, _ bool) error { return wrongFlag(name, flags, err) }
	for _, c := range commands {
		own(name+" "+c.Name, &c.OnUsageError, c.Flags, c.Subcommands)
	}
}

// maxError is up to which length an error is shown, in bytes: it can quote what a file
// says, and name several files.
const maxError = 32 << 10

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

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
