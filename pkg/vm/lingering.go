package vm

import (
	"context"
	"errors"
	"math"
	"time"
)

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

// wait returns a context that ends when the machine waits no longer. What it
// hears while it waits, by the end of ctx, shortens that and never prolongs it.
func (l lingering) wait(ctx context.Context, failed func() bool) (context.Context, context.CancelFunc) {
	finish, giveUp := context.WithTimeout(context.Background(), l.left(context.Cause(ctx), failed()))
	ignore := context.AfterFunc(ctx, func() {
		time.AfterFunc(l.left(context.Cause(ctx), failed()), giveUp)
	})
	return finish, func() {
		ignore()
		giveUp()
	}
}
