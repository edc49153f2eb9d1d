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

	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/progress"
)

// Env is what a command is carried out in.
type Env struct {
	Program string    // how this program was called, "": launcher
	Version string    // of this program
	In      io.Reader // for a stream of logs, which is read once; nil: there is none
	Out     io.Writer // for results
	Err     io.Writer // for errors, remarks and progress
	Quiet   bool      // neither remarks nor progress
	Wide    bool      // tables with all of their columns, however narrow the terminal is
	Colours Colours   // of results
}

// Colours says when results are coloured: "auto", "always" or "never"; "" is "auto",
// where a person sees them.
type Colours = terminal.Mode

// ParseColours reads when results are to be coloured.
func ParseColours(s string) (Colours, error) { return terminal.ParseMode(s) }

// allColumns is the flag that asks for [Env.Wide].
const allColumns = "--wide"

// screen is where results go.
func (e *Env) screen() terminal.Screen {
	s := terminal.Of(e.Out, e.Colours)
	s.Wide = e.Wide
	return s
}

// prose prints a sentence of a result.
func (e *Env) prose(format string, args ...any) error {
	return sentence(e.Out, format, args...)
}

// sentence writes what people read: on a terminal in lines that fit, elsewhere in one
// that other programs can look for.
func sentence(w io.Writer, format string, args ...any) error {
	text := quote.Visible(fmt.Sprintf(format, args...))
	if s := terminal.Of(w, terminal.Never); s.Person {
		text = terminal.Wrap(text, s.Width, 2)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// text returns the standard output for what people read. Names and texts from files
// that somebody else wrote cannot do anything to the terminal there.
func (e *Env) text() io.Writer { return quote.Writer(e.Out) }

// json returns the standard output for JSON.
func (e *Env) json() io.Writer { return quote.JSONWriter(e.Out) }

// say tells people what they have to know.
func (e *Env) say(format string, args ...any) { _ = sentence(e.Err, format, args...) }

// remark tells people what is not a result.
func (e *Env) remark(format string, args ...any) {
	if !e.Quiet {
		e.say(format, args...)
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
