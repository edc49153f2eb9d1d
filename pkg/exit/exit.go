// Package exit is how the project's programs end: their exit codes, errors that
// carry one, and what the first and the second Ctrl-C do. The launcher reads the codes of its vm processes, so both programs
// must mean the same by them.
package exit

import (
	"errors"
	"fmt"
)

// The exit codes of all programs. An engine that starts them need know only which of them
// it is worth to start a program again for: docs/exit-codes.md.
const (
	OK          = 0
	Broken      = 1   // a law is broken, or a replay differs
	Misused     = 2   // wrong usage, or what no second try will mend
	Died        = 3   // a machine died in its run
	Crashed     = 4   // a machine has crashed in a replay, as its record says
	Short       = 5   // the run that was to be resumed is over already, short of its duration
	Retry       = 75  // the run could not begin or go on for want of something that may come: peers, disk, a port (EX_TEMPFAIL of sysexits.h)
	Interrupted = 130 // stopped in order, for good: by Ctrl-C, or where it cannot be resumed
	Paused      = 143 // stopped in order by SIGTERM, or before it began: to be started again
)

// coded is an error with the exit code that it asks for.
type coded struct {
	code int
	err  error
}

func (e *coded) Error() string { return e.err.Error() }
func (e *coded) Unwrap() error { return e.err }

// errSilent is an error about which there is nothing to say.
var errSilent = errors.New("")

// With gives an error the code with which the program is to end. An err of nil
// ends it without a word.
func With(code int, err error) error {
	if err == nil {
		err = errSilent
	}
	return &coded{code, err}
}

// Code returns the exit code that an error asks for: [OK] for nil, [Misused] for
// an error without a code of its own.
func Code(err error) int {
	if err == nil {
		return OK
	}
	var c *coded
	if errors.As(err, &c) {
		return c.code
	}
	return Misused
}

// Silent reports whether nothing is to be said about an error.
func Silent(err error) bool { return err == nil || errors.Is(err, errSilent) }

// Join returns the errors that there are as one, for people in one line, with the exit code of the
// first. Those behind it of which nothing is to be said are left out. It returns nil where there
// is none.
func Join(errs ...error) (all error) {
	for _, err := range errs {
		switch {
		case all == nil:
			all = err
		case !Silent(err):
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}
