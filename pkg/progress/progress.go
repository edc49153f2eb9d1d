// Package progress shows a run on a terminal while it goes on: the time that is
// left, and how far each machine is.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
)

// maxLines is how many machines get a line of their own. Of more, one line adds
// them up.
const maxLines = 16

const (
	refresh  = 200 * time.Millisecond
	barWidth = 40
)

// Display is the picture of one run. Its methods may be called by many
// goroutines.
type Display struct {
	bars     *mpb.Progress
	total    *mpb.Bar
	lines    []*mpb.Bar
	duration time.Duration

	mu     sync.Mutex // guards what follows
	status []summary.Status
	start  time.Time // agreed; zero: not yet
}

// New draws a run of machines with these rates on a terminal. A duration of 0 is
// one without end.
func New(terminal io.Writer, rates []clock.Rate, duration time.Duration) *Display {
	d := &Display{
		bars:     mpb.New(mpb.WithOutput(terminal), mpb.WithRefreshRate(refresh), mpb.WithWidth(barWidth), mpb.WithAutoRefresh()),
		duration: duration,
		status:   make([]summary.Status, len(rates)),
	}
	style := mpb.BarStyle().Lbound("[").Rbound("]").Filler("=").Tip(">").Padding(" ").Build()
	if duration == 0 {
		style = nil
	}
	d.total = d.bars.MustAdd(int64(max(duration, time.Second)), style,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return d.clockText() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return d.totalText() })),
	)
	if len(rates) <= maxLines {
		for id, rate := range rates {
			d.lines = append(d.lines, d.bars.MustAdd(1, nil, mpb.PrependDecorators(
				decor.Any(func(decor.Statistics) string { return d.machineText(id, rate) }),
			)))
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
	if d.duration > 0 {
		// Short of the end, which Close gives: a full bar is final.
		d.total.SetCurrent(int64(min(elapsed, d.duration-1)))
	}
}

// Close draws the last picture and leaves it on the terminal.
func (d *Display) Close() {
	for _, b := range append(d.lines, d.total) {
		b.Abort(false)
	}
	d.bars.Wait()
}

// elapsed returns how long the run has gone on; mu is held.
func (d *Display) elapsed() time.Duration {
	if d.start.IsZero() {
		return 0
	}
	elapsed := max(0, time.Since(d.start))
	if d.duration > 0 {
		elapsed = min(elapsed, d.duration)
	}
	return elapsed
}

func (d *Display) clockText() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.start.IsZero():
		return "connecting "
	case d.duration == 0:
		return fmt.Sprintf("%v, Ctrl-C stops ", d.elapsed().Round(time.Second))
	default:
		return fmt.Sprintf("%6v left ", (d.duration - d.elapsed()).Round(time.Second))
	}
}

func (d *Display) totalText() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var events uint64
	queue := 0
	for _, s := range d.status {
		events += s.Steps
		queue += s.Queue
	}
	return fmt.Sprintf(" %d events, %d waiting", events, queue)
}

func (d *Display) machineText(id int, rate clock.Rate) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status[id]
	return fmt.Sprintf("  vm-%-3d rate %-5v %-10s  clock %-10d events %-10d queue %d", id, rate, s.Phase, s.Clock, s.Steps, s.Queue)
}
