package control

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Reports yields what a vm process reports on its standard output, until that
// ends.
func Reports(stdout io.Reader) iter.Seq[summary.Status] {
	return func(yield func(summary.Status) bool) {
		for line := range lines(stdout) {
			var s summary.Status
			if json.Unmarshal(line, &s) != nil || s.Phase == "" {
				continue
			}
			if !yield(s) {
				return
			}
		}
	}
}

// Lifeline is the launcher's end of a vm process's standard input. A process that
// has ended hears nothing more, which is no error. Its methods may be called at any
// time and by several goroutines, as far as those of the writer may.
type Lifeline struct{ stdin io.WriteCloser }

// NewLifeline returns the lifeline of a process with this standard input.
func NewLifeline(stdin io.WriteCloser) *Lifeline { return &Lifeline{stdin} }

// Go opens the gate of a gated machine.
func (l *Lifeline) Go() { _, _ = fmt.Fprintln(l.stdin, goLine) }

// Stop tells the machine to end in order, and to linger so long for its peers'
// last messages. It does not wait for the end.
func (l *Lifeline) Stop(linger time.Duration) {
	_, _ = fmt.Fprintln(l.stdin, linger)
	l.Cut()
}

// Kill has the warden of a process kill it, and Hold has it stop the process for a
// while, or let it go on. A process without a warden passes that over.
func (l *Lifeline) Kill() { _, _ = fmt.Fprintln(l.stdin, killLine) }

// Hold is described at [Lifeline.Kill].
func (l *Lifeline) Hold(on bool) {
	line := resumeLine
	if on {
		line = holdLine
	}
	_, _ = fmt.Fprintln(l.stdin, line)
}

// Cut ends the lifeline without a word.
func (l *Lifeline) Cut() { _ = l.stdin.Close() }

// Ending is what the exit code of a vm process says of its end.
type Ending uint8

// The endings.
const (
	Failed    Ending = iota // none of the following
	Completed               // it did all that it had to do
	Stopped                 // it was told to stop, and did so in order
	Hindered                // it lacked what may come yet, such as a peer or room on the disk
	Refused                 // it would not begin, or not go on; a Go program that panics says the same
	Differed                // its machine does not do what its record says
	Crashed                 // its machine has crashed, as its record says
	Killed                  // by a signal, which says nothing of the program
)

// EndingOf interprets an exit code, negative where a signal has ended the process
// (as [os.ProcessState.ExitCode] returns it).
func EndingOf(code int) Ending {
	switch code {
	case exit.OK:
		return Completed
	case exit.Interrupted:
		return Stopped
	case exit.Misused:
		return Refused
	case exit.Retry:
		return Hindered
	case exit.Broken:
		return Differed
	case exit.Crashed:
		return Crashed
	case KilledCode:
		return Killed
	}
	if code < 0 {
		return Killed
	}
	return Failed
}
