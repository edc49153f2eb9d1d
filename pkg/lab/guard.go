package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/disk"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// ErrLowDisk says that a file system has too little room left for a run to begin, or
// to go on.
var ErrLowDisk = errors.New("must stay free")

// lowDisk is why a run was ended early, or not begun.
type lowDisk struct {
	dir         string
	free, floor uint64
	perSecond   float64 // by which the room shrinks
	begun       bool    // the run had
}

func (e *lowDisk) Error() string {
	text := fmt.Sprintf("%s are left on the disk of %s, where %s %v", progress.Bytes(float64(e.free)), e.dir, progress.Bytes(float64(e.floor)), ErrLowDisk)
	if e.begun {
		return fmt.Sprintf("stopped early, in order: %s and the logs take %s/s", text, progress.Bytes(e.perSecond))
	}
	return text
}

func (e *lowDisk) Is(err error) bool { return err == ErrLowDisk }

const (
	// lookEvery is how often is looked, and closeLook how often at a disk that may
	// not last long.
	lookEvery = time.Second
	closeLook = 50 * time.Millisecond
	// brisk is how many bytes a second any run may come to write at once: more than
	// any did that was measured.
	brisk = 400e6
	// margin is how long the disk must last at the present speed for a run to go
	// on: a run writes until it has heard that it is to end.
	margin = 1500 * time.Millisecond
	// memory is over how long the speed is taken: logs grow in bursts.
	memory = 5 * time.Second
)

// look is what there was to see at an instant.
type look struct {
	at     time.Time
	logged uint64 // bytes of logs
	disk.Space
}

// usage judges how a run fills its disk.
type usage struct {
	dir     string
	minFree MinFree
	looks   []look        // no older than memory, but for the last two
	next    time.Duration // until the next look
}

// take takes in a look, and returns what is to be shown of the disk, and an error if
// the run must end.
func (u *usage) take(l look) (progress.Disk, error) {
	u.looks = append(u.looks, l)
	for len(u.looks) > 2 && l.at.Sub(u.looks[0].at) > memory {
		u.looks = u.looks[1:]
	}
	first := u.looks[0]
	seconds := l.at.Sub(first.at).Seconds()
	grows, shrinks := 0.0, 0.0
	if seconds > 0 {
		grows = max(0, float64(l.logged)-float64(first.logged)) / seconds
		shrinks = max(0, float64(first.Free)-float64(l.Free)) / seconds // others write, too
	}
	shown := progress.Disk{Logged: l.logged, PerSecond: grows}
	u.next = lookEvery
	floor := u.minFree.of(l.Total)
	if l.Total == 0 || floor == 0 { // there is no limit, or none is wanted
		return shown, nil
	}
	speed := max(grows, shrinks)
	if float64(l.Free) < float64(floor)+speed*margin.Seconds() {
		return shown, &lowDisk{u.dir, l.Free, floor, speed, true}
	}
	lasts := float64(l.Free-floor) / max(speed, brisk)
	u.next = max(closeLook, time.Duration(min(lasts/2, lookEvery.Seconds())*float64(time.Second)))
	return shown, nil
}

// guard watches the disk of a run, and ends the run before there is too little room
// on it.
type guard struct {
	usage
	space  func(dir string) (disk.Space, error)
	logged func(dir string) uint64
	tell   func(progress.Disk) // what is shown; nil: nobody looks

	counted time.Time // when bytes of logs were counted
	bytes   uint64
}

// newGuard returns the guard of a run with logs in a directory, which need not be
// there yet.
func newGuard(dir string, minFree MinFree) *guard {
	return &guard{usage: usage{dir: dir, minFree: minFree}, space: disk.Of, logged: rundir.Logged}
}

// admit refuses a run for which there is too little room from the beginning.
func (g *guard) admit() error {
	space, err := g.space(g.dir)
	if err != nil {
		return nil //nolint:nilerr // what is not known keeps nobody from a run
	}
	if floor := g.minFree.of(space.Total); space.Total > 0 && space.Free < floor {
		return exit.With(exit.Retry, &lowDisk{dir: g.dir, free: space.Free, floor: floor})
	}
	return nil
}

// orLater gives an error that keeps a run from its beginning the exit code of one that may begin
// later, where all that is missing is room on the disk.
func orLater(err error) error {
	if exit.DiskFull(err) {
		return exit.With(exit.Retry, err)
	}
	return err
}

// watch returns the context in which a run is done: it ends with parent, and when
// there is too little room. The returned function ends the watch, and not the
// context.
func (g *guard) watch(parent context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(parent)
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-over:
				return
			case <-ctx.Done():
				return
			case now := <-timer.C:
				if err := g.look(now); err != nil {
					end(err)
					return
				}
				timer.Reset(g.next)
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		close(over)
		<-done
	})
}

func (g *guard) look(now time.Time) error {
	// A close look is one at the disk: with thousands of logs, to ask for the size of
	// each takes a while.
	if now.Sub(g.counted) >= lookEvery {
		g.bytes, g.counted = g.logged(g.dir), now
	}
	l := look{at: now, logged: g.bytes}
	if space, err := g.space(g.dir); err == nil {
		l.Space = space
	}
	shown, err := g.take(l)
	if g.tell != nil {
		g.tell(shown)
	}
	return err
}

// early returns why a run was stopped before its end, nil for an order to stop.
func early(ctx context.Context) error {
	if low, ok := errors.AsType[*lowDisk](context.Cause(ctx)); ok {
		return low
	}
	return nil
}
