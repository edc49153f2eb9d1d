package lab

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/shell"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

// commandLine returns a command line of this program, as it was called, that can be
// given to a shell.
func (e *Env) commandLine(args ...string) string {
	program := e.Program
	if program == "" {
		program = "launcher"
	}
	return shell.Join(append([]string{program}, args...)...)
}

// next says what one would do next.
func (e *Env) next(args ...string) { e.command("next         ", args...) }

// command remarks a command line of this program. It is there to be copied, and so it
// is not broken where it is too long for the terminal.
func (e *Env) command(before string, args ...string) {
	if !e.Quiet {
		_, _ = fmt.Fprintf(e.Err, "%s%s\n", before, quote.Visible(e.commandLine(args...)))
	}
}

// suggest is next where a person looks on, for commands that say nothing else than
// their result.
func (e *Env) suggest(args ...string) {
	if terminal.Of(e.Err, terminal.Never).Person {
		e.next(args...)
	}
}
