// Package progress shows a run while it goes on: the time that is left, how far each
// machine is, and how it stands with it. On a terminal it is a picture that is drawn
// over and over, elsewhere a line now and then.
//
// What is shown is a pure function of what is known, the time, and the room that
// there is; a goroutine draws it. A terminal that is slow, held or gone holds up
// nothing else.
package progress

import (
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Display shows one run. Its methods may be called by many goroutines.
type Display struct {
	out Out

	mu    sync.Mutex // guards what follows
	board board
	stop  func() // nil: nothing is shown yet
}

// New returns the display of a run of machines with these rates, the first of which
// is machine 0. A duration of 0 is one without end. Something is shown from the first
// [Display.Update] on; until [Display.Close], the writer is the display's alone.
func New(out Out, rates []clock.Rate, duration time.Duration) *Display {
	return newDisplay(out, 0, rates, duration)
}

// NewMachine returns the display of one machine of a run.
func NewMachine(out Out, id int, rate clock.Rate, duration time.Duration) *Display {
	return newDisplay(out, id, []clock.Rate{rate}, duration)
}

func newDisplay(out Out, first int, rates []clock.Rate, duration time.Duration) *Display {
	d := &Display{out: out, board: board{first: first, machines: make([]sighting, len(rates)), duration: duration}}
	for i, rate := range rates {
		d.board.machines[i].rate = rate
	}
	return d
}

// Update takes in what is known of a machine.
func (d *Display) Update(id int, s summary.Status) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.update(id, s, now)
	if d.stop == nil && d.board.end.IsZero() {
		d.stop = d.out.show(locked{&d.mu, &d.board})
	}
}

// Disk takes in what the logs do to the disk.
func (d *Display) Disk(disk Disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.disk = disk
}

// Close shows the last picture and leaves it there. What comes after it is not
// shown.
func (d *Display) Close() {
	d.mu.Lock()
	if d.board.end.IsZero() {
		d.board.end = time.Now()
	}
	stop := d.stop
	d.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// locked is a view that others change meanwhile.
type locked struct {
	mu *sync.Mutex
	v  view
}

func (l locked) picture(now time.Time, width, height int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v.picture(now, width, height)
}

func (l locked) line(now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v.line(now)
}

func (l locked) long() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v.long()
}
