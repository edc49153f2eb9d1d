// Package lab does what the launcher's commands do, below their flags: a run as
// processes or in virtual time, the same once more, a replay, a sweep, a hunt, and
// what there is to ask of a recorded run.
//
// Each command is a struct of options with a method or a function that carries it
// out in an [Env]. Results go to its standard output, and all else that people are
// told to its standard error. An error carries the exit code that it asks for
// (package exit) and says its cause; how a flag would mend it, the command adds.
package lab

import (
	"fmt"
	"io"

	"github.com/scalemodel/lamport/pkg/progress"
)

// Env is what a command is carried out in.
type Env struct {
	Version string    // of this program
	Out     io.Writer // for results
	Err     io.Writer // for errors, remarks and progress
	Quiet   bool      // neither remarks nor progress
}

// remark tells people what is not a result.
func (e *Env) remark(format string, args ...any) {
	if !e.Quiet {
		_, _ = fmt.Fprintf(e.Err, format+"\n", args...)
	}
}

// draws reports whether progress is to be drawn: on a terminal that can be drawn
// over.
func (e *Env) draws() bool {
	return !e.Quiet && progress.Draws(e.Err)
}

// progress returns where progress is shown: as a picture, or else line by line.
func (e *Env) progress() progress.Out {
	if e.Quiet {
		return progress.Out{}
	}
	return progress.Out{Writer: e.Err, Lines: !e.draws()}
}
