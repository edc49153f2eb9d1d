// Package progress shows a run on a terminal while it goes on: the time that is
// left, and how far each machine is.
package progress

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/summary"
)

// maxLines is how many machines get a line of their own. Of more, one line adds
// them up.
const maxLines = 16

// Display is the picture of one run. Its methods may be called by many
// goroutines.
type Display struct {
	picture  *picture
	duration time.Duration

	idWidth, rateWidth int

	mu     sync.Mutex // guards what follows
	status []summary.Status
	start  time.Time // agreed; zero: not yet
	end    time.Time // of the display; zero: not yet
}

// New draws a run of machines with these rates on a terminal. A duration of 0 is
// one without end.
func New(terminal io.Writer, rates []clock.Rate, duration time.Duration) *Display {
	d := &Display{duration: duration, status: make([]summary.Status, len(rates))}
	// All that is drawn must be known before the first bar is.
	for id, rate := range rates {
		d.idWidth = max(d.idWidth, len(strconv.Itoa(id)))
		d.rateWidth = max(d.rateWidth, len(rate.String()))
	}
	d.picture = newPicture(terminal, int64(duration), d.clockText, d.totalText)
	if len(rates) <= maxLines {
		for id, rate := range rates {
			d.picture.line(func() string { return d.machineText(id, rate) })
		}
	}
	return d
}

// Update takes in what a machine says of itself.
func (d *Display) Update(id int, s summary.Status) {
	d.mu.Lock()
	d.status[id] = s
	if s.Start.After(d.start) {
		d.start = s.Start
	}
	elapsed := d.elapsed()
	d.mu.Unlock()
	d.picture.fill(int64(elapsed))
}

// Close draws the last picture and leaves it on the terminal. What comes after
// it is not drawn.
func (d *Display) Close() {
	d.mu.Lock()
	d.end = time.Now()
	whole := d.elapsed() == d.duration
	d.mu.Unlock()
	d.picture.close(whole)
}

// elapsed returns how long the run has gone on; mu is held.
func (d *Display) elapsed() time.Duration {
	if d.start.IsZero() {
		return 0
	}
	elapsed := time.Since(d.start)
	if !d.end.IsZero() {
		elapsed = d.end.Sub(d.start)
	}
	elapsed = max(0, elapsed)
	if d.duration > 0 {
		elapsed = min(elapsed, d.duration)
	}
	return elapsed
}

// clockText says how far the run is. It always has the same width, or the bar
// would move.
func (d *Display) clockText() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var text string
	elapsed := d.elapsed().Round(time.Second)
	switch {
	case d.start.IsZero():
		text = "connecting"
	case !d.end.IsZero():
		text = elapsed.String()
	case d.duration == 0:
		text = elapsed.String() + ", Ctrl-C stops"
	case d.elapsed() == d.duration:
		text = "ending"
	default:
		text = (d.duration - d.elapsed()).Round(time.Second).String() + " left"
	}
	return fmt.Sprintf("%-11s ", text)
}

func (d *Display) totalText() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var events uint64
	var largest clock.Time
	queue := 0
	for _, s := range d.status {
		events += s.Steps
		largest = max(largest, s.Clock)
		queue += s.Queue
	}
	return fmt.Sprintf(" %s, clock %s, %s waiting", figure.Plural(events, "event"), figure.Count(largest), figure.Count(queue))
}

func (d *Display) machineText(id int, rate clock.Rate) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status[id]
	return fmt.Sprintf("vm-%-*d  rate %-*v  %-10s  clock %9d  events %9d  queue %7d",
		d.idWidth, id, d.rateWidth, rate, s.Phase, s.Clock, s.Steps, s.Queue)
}
