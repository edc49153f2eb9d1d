package gather

import (
	"errors"
	"fmt"
	"net/http"
)

// step is what a delivery does next.
type step uint8

const (
	introduce step = iota // say who one is
	look                  // ask how far the log has arrived
	send                  // go on from there, or hold against each other what both have
	forget                // have taken back what was not confirmed
	wait                  // try again from the beginning, later
	done
	giveUp
)

// state is how far a delivery is. What comes next is decided by [state.after] alone, from
// the answers that come.
type state struct {
	next   step
	size   int64  // of the log that is delivered
	place  string // where it goes
	offset int64  // up to where it has arrived there
	// forgotten says that all that is there was confirmed, as far as is known.
	forgotten bool
	corrupted int   // how often something else has arrived than was sent
	err       error // of the last try, or why nothing helps
}

// maxCorrupted is how often something else may arrive than was sent before that is taken for
// no accident.
const maxCorrupted = 5

func newState(size int64) state { return state{size: size, place: logPlace} }

// after returns the state after an answer to what was next.
func (s state) after(a answer) state {
	switch {
	case a.broken != nil && stranger(a.broken):
		return s.never(answer{text: a.broken.Error()})
	case a.broken != nil:
		return s.later(a.broken)
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooManyRequests, a.status >= http.StatusInternalServerError:
		return s.later(errors.New(a.text)) // a proxy without its server, a disk without room
	}
	ok := a.status/100 == 2
	switch {
	case !ok && s.next != send:
		return s.never(a)
	case s.next == introduce || s.next == wait:
		s.next = look
	case s.next == look:
		if a.offset < 0 {
			a.text = "it does not say how much has arrived: is that a launcher that gathers?"
			return s.never(a)
		}
		s.offset, s.next = min(a.offset, s.size), send
	case s.next == forget:
		s.forgotten, s.next = true, look
	case ok:
		s.next = done
	default:
		return s.refused(a)
	}
	return s
}

// later tries again from the beginning.
func (s state) later(err error) state {
	// Whatever has arrived meanwhile is not confirmed.
	s.next, s.forgotten, s.err = wait, false, err
	return s
}

// wantsTLS is how net/http answers who speaks no TLS.
const wantsTLS = "Client sent an HTTP request to an HTTPS server."

func (s state) never(a answer) state {
	if a.text == wantsTLS {
		a.text = "it asks for a certificate of the run"
	}
	s.next, s.err = giveUp, &RefusedError{Status: a.status, Reason: a.text}
	return s
}

// refused decides what follows where a log, or a part of it, was not taken.
func (s state) refused(a answer) state {
	switch {
	case a.status == http.StatusConflict: // somebody else has delivered meanwhile
		s.next = look
	case a.status == http.StatusPreconditionFailed && !s.forgotten:
		s.next = forget
	case a.status == http.StatusPreconditionFailed && s.place == logPlace:
		s.place, s.next, s.forgotten = otherPlace, look, false
	case a.status == http.StatusPreconditionFailed:
		s.next, s.err = giveUp, fmt.Errorf("%w; and so has a second other one", ErrOther)
	case a.status == http.StatusBadRequest && s.corrupted < maxCorrupted:
		s.next, s.forgotten, s.corrupted = forget, false, s.corrupted+1
	default:
		return s.never(a)
	}
	return s
}
