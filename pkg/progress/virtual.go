package progress

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Virtual is the picture of a run in virtual time: how far it is, how fast, and
// how much real time is left.
type Virtual struct {
	bars     *mpb.Progress
	bar      *mpb.Bar
	duration time.Duration
	began    time.Time
	at       atomic.Int64 // virtual time
	events   atomic.Uint64
}

// NewVirtual draws a run that began at an instant of real time and takes so much
// virtual time; 0: without end.
func NewVirtual(terminal io.Writer, began time.Time, duration time.Duration) *Virtual {
	v := &Virtual{
		bars:     mpb.New(mpb.WithOutput(terminal), mpb.WithRefreshRate(refresh), mpb.WithWidth(barWidth), mpb.WithAutoRefresh()),
		duration: duration,
		began:    began,
	}
	style := mpb.BarStyle().Lbound("[").Rbound("]").Filler("=").Tip(">").Padding(" ").Build()
	if duration == 0 {
		style = nil
	}
	v.bar = v.bars.MustAdd(int64(max(duration, 1)), style,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return v.timeText(time.Since(v.began)) })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return v.eventsText(time.Since(v.began)) })),
	)
	return v
}

// Update takes in how far the run is.
func (v *Virtual) Update(at time.Duration, events uint64) {
	v.at.Store(int64(at))
	v.events.Store(events)
	if v.duration > 0 {
		// Short of the end, which Close gives: a full bar is final.
		v.bar.SetCurrent(int64(min(at, v.duration-1)))
	}
}

// Close draws the last picture and leaves it on the terminal.
func (v *Virtual) Close() {
	if v.duration > 0 && v.at.Load() >= int64(v.duration) {
		v.bar.SetCurrent(int64(v.duration))
	}
	v.bar.Abort(false)
	v.bars.Wait()
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
	return fmt.Sprintf(" %v of virtual time, %d events, %.1f million/s",
		time.Duration(v.at.Load()).Round(time.Second/10), events, perSecond/1e6)
}
