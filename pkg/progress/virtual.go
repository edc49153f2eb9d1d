package progress

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Virtual is the picture of a run in virtual time: how far it is, how fast, and
// how much real time is left.
type Virtual struct {
	picture  *picture
	duration time.Duration
	began    time.Time
	at       atomic.Int64 // virtual time
	events   atomic.Uint64
}

// NewVirtual draws a run that began at an instant of real time and takes so much
// virtual time; 0: without end.
func NewVirtual(terminal io.Writer, began time.Time, duration time.Duration) *Virtual {
	v := &Virtual{duration: duration, began: began}
	v.picture = newPicture(terminal, int64(duration),
		func() string { return v.timeText(time.Since(v.began)) },
		func() string { return v.eventsText(time.Since(v.began)) })
	return v
}

// Update takes in how far the run is.
func (v *Virtual) Update(at time.Duration, events uint64) {
	v.at.Store(int64(at))
	v.events.Store(events)
	v.picture.fill(int64(at))
}

// Close draws the last picture and leaves it on the terminal.
func (v *Virtual) Close() {
	v.picture.close(v.at.Load() >= int64(v.duration))
}

// timeText says how much real time is left, after some has gone by.
func (v *Virtual) timeText(gone time.Duration) string {
	at := time.Duration(v.at.Load())
	var text string
	switch {
	case v.duration == 0:
		text = "Ctrl-C stops"
	case at == 0 || at >= v.duration:
		text = "…"
	default:
		left := time.Duration(float64(gone) * (float64(v.duration)/float64(at) - 1))
		text = left.Round(time.Second).String() + " left"
	}
	return fmt.Sprintf("%-12s ", text)
}

func (v *Virtual) eventsText(gone time.Duration) string {
	events := v.events.Load()
	perSecond := float64(events) / max(gone.Seconds(), 1e-3)
	return fmt.Sprintf(" %v of virtual time, %s, %s/s",
		time.Duration(v.at.Load()).Round(time.Second/10), figure.Plural(events, "event"), figure.Short(perSecond))
}
