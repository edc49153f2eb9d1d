package progress

import (
	"fmt"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Virtual shows a run in virtual time: how far it is, how fast, and how much real
// time is left. Its methods may be called by many goroutines.
type Virtual struct {
	out Out

	mu   sync.Mutex // guards what follows
	view virtual
	stop func() // nil: nothing is shown yet
}

// worthwhile is how long a run in virtual time takes for something to be shown.
const worthwhile = time.Second

// NewVirtual returns the display of a run that began at an instant of real time and
// takes so much virtual time; 0: without end. Something is shown when it has taken a
// second.
func NewVirtual(out Out, began time.Time, duration time.Duration) *Virtual {
	return &Virtual{out: out, view: virtual{began: began, duration: duration}}
}

// Update takes in how far the run is.
func (v *Virtual) Update(at time.Duration, events uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.view.at, v.view.events = at, events
	if v.stop == nil && !v.view.closed && time.Since(v.view.began) > worthwhile {
		v.stop = v.out.show(locked{&v.mu, &v.view})
	}
}

// Disk takes in what the logs do to the disk.
func (v *Virtual) Disk(disk Disk) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.view.disk = disk
}

// Close shows the last picture and leaves it there.
func (v *Virtual) Close() {
	v.mu.Lock()
	v.view.closed = true
	stop := v.stop
	v.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// virtual is what is known of a run in virtual time.
type virtual struct {
	began    time.Time     // real
	duration time.Duration // virtual, 0: without end
	at       time.Duration // virtual
	events   uint64
	disk     Disk
	closed   bool
}

func (v *virtual) picture(now time.Time, width, height int) []string {
	share := 0.0
	if v.duration > 0 {
		share = float64(v.at) / float64(v.duration)
		if !v.closed {
			share = min(share, 0.999)
		}
	}
	lines := []string{
		headline(v.leftText(now), share, v.duration == 0, v.disk.text(), width),
		fitting(width, v.parts(now)...),
	}
	return lines[:min(len(lines), height)]
}

func (v *virtual) line(now time.Time) string {
	text := v.leftText(now) + ": " + fitting(1000, v.parts(now)...)
	if disk := v.disk.text(); disk != "" {
		text += "; " + disk
	}
	return text
}

// long: how long it takes shows when it has.
func (v *virtual) long() bool { return false }

// leftText says how much real time is left, after some has gone by.
func (v *virtual) leftText(now time.Time) string {
	gone := now.Sub(v.began)
	switch {
	case v.closed:
		return gone.Round(time.Second).String()
	case v.duration == 0:
		return "Ctrl-C stops"
	case v.at == 0 || v.at >= v.duration:
		return "…"
	}
	left := time.Duration(float64(gone) * (float64(v.duration)/float64(v.at) - 1))
	return left.Round(time.Second).String() + " left"
}

func (v *virtual) parts(now time.Time) []string {
	perSecond := float64(v.events) / max(now.Sub(v.began).Seconds(), 1e-3)
	return []string{
		fmt.Sprintf("%v of virtual time", v.at.Round(time.Second/10)),
		figure.Plural(v.events, "event"),
		figure.Short(perSecond) + "/s",
	}
}
