package lab

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// concluding does what is to be done at the end of a run, and keeps what that prints
// in the run's directory, "" for none. A terminal that is gone, or a full disk behind
// standard output, keeps the end from nothing else; what could not be printed is said
// when all is done.
func (e *Env) concluding(dir string, end func(*Env) error) error {
	t := &transcript{to: e.Out}
	inside := *e
	inside.Out = t
	err := end(&inside)
	if dir != "" && len(t.kept) > 0 {
		if keeping := rundir.WriteText(dir, t.plain()); keeping != nil {
			err = exit.Join(exit.With(exit.Died, keeping), err)
		}
	}
	if t.failed != nil {
		err = exit.Join(exit.With(exit.Died, t.explain(dir)), err)
	}
	return err
}

// transcript passes on what is printed, and keeps it. Writing to it never fails.
type transcript struct {
	to     io.Writer
	kept   []byte
	failed error // why what came last was not passed on
}

// Unwrap returns what the text is passed on to, which decides how it looks.
func (t *transcript) Unwrap() io.Writer { return t.to }

func (t *transcript) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if t.failed == nil {
		_, t.failed = t.to.Write(p)
	}
	return len(p), nil
}

// plain returns what was printed, without its colours.
func (t *transcript) plain() []byte { return []byte(terminal.Plain(string(t.kept))) }

func (t *transcript) explain(dir string) error {
	if dir == "" {
		return fmt.Errorf("the result cannot be printed: %w", t.failed)
	}
	return fmt.Errorf("the result cannot be printed (it is in %s): %w", filepath.Join(dir, rundir.TextName), t.failed)
}
