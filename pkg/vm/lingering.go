package vm

import (
	"context"
	"errors"
	"math"
	"time"
)

// companyTime is how long a machine that is stopped by hand waits for the ends of its peers,
// who may have been stopped by the same Ctrl-C. Those who live have long said by then that they hold its last
// messages, and need it no more.
const companyTime = 100 * time.Millisecond

// forEver is as long as a time can be added to any.
const forEver = time.Duration(math.MaxInt64 / 2)

// lingering decides how long a machine that has ended waits for its peers.
type lingering struct {
	linger  time.Duration // as configured
	endless bool          // without limit, as long as nobody stops the machine
}

// left returns how much longer the machine waits, at the moment it hears why it
// ends: cause is nil where its time was over, failed says that its peers
// contradict its log, so that nothing they say counts any more.
func (l lingering) left(cause error, failed bool) time.Duration {
	within, said := errors.AsType[StopWithin](cause)
	switch {
	case failed:
		return 0
	case said: // some peers are known not to answer
		return within.Linger
	case l.endless && cause == nil:
		return forEver
	default:
		// Whoever stops a machine by hand may do so because a peer will never
		// come.
		return l.linger
	}
}

// alone reports whether a machine that ends for this cause leaves a run in which the others
// go on: a supervisor stops all of them.
func (l lingering) alone(cause error) bool {
	_, said := errors.AsType[StopWithin](cause)
	return cause != nil && !said
}

// wait returns a context that ends when the machine waits no longer, and one that ends when
// it does not wait any more for those that go on. What it hears while it waits, by
// the end of ctx, shortens that and never prolongs it.
func (l lingering) wait(ctx context.Context, failed func() bool) (finish, company context.Context, giveUp context.CancelFunc) {
	finish, over := context.WithTimeout(context.Background(), l.left(context.Cause(ctx), failed()))
	// It does not end with finish: who has waited for long enough leaves nobody behind.
	company, leave := context.WithCancel(context.Background())
	ignore := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		time.AfterFunc(l.left(cause, failed()), over)
		if l.alone(cause) {
			time.AfterFunc(companyTime, leave)
		}
	})
	return finish, company, func() {
		ignore()
		leave()
		over()
	}
}
