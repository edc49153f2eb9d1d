package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Sweep is the picture of many runs: how many are done, which are under way, and
// how much time is left. Its methods may be called by many goroutines.
type Sweep struct {
	picture *picture
	all     int
	each    time.Duration // how long a run takes in real time; 0: not known
	began   time.Time

	closing, still chan struct{} // the bar is not to move; it does not

	mu      sync.Mutex // guards what follows
	already int        // done before this process began
	done    int        // these too
	running map[string]time.Time
}

// perRun is how finely the bar shows what is done of a run.
const perRun = 1000

// NewSweep draws a sweep of so many runs, of which some are done already. each is
// how long a run takes, 0 where that is not known.
func NewSweep(terminal io.Writer, all, done int, each time.Duration) *Sweep {
	s := &Sweep{
		all:     all,
		each:    each,
		began:   time.Now(),
		already: done,
		done:    done,
		running: make(map[string]time.Time),
		closing: make(chan struct{}),
		still:   make(chan struct{}),
	}
	s.picture = newPicture(terminal, int64(max(all, 1))*perRun, func() string { return s.leftText(time.Now()) }, s.runsText)
	go s.keepMoving()
	return s
}

// keepMoving moves the bar while the runs go on. What draws the bar must not: it
// would wait for itself.
func (s *Sweep) keepMoving() {
	defer close(s.still)
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
			s.move()
		}
	}
}

// Begin takes in that a run begins.
func (s *Sweep) Begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[name] = time.Now()
}

// Done takes in that a run is done.
func (s *Sweep) Done(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, name)
	s.done++
}

// Close draws the last picture and leaves it on the terminal.
func (s *Sweep) Close() {
	close(s.closing)
	<-s.still
	s.move()
	s.picture.close(s.whole())
}

func (s *Sweep) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done == s.all
}

// move moves the bar.
func (s *Sweep) move() {
	now := time.Now()
	s.mu.Lock()
	parts := int64(s.parts(now) * perRun)
	s.mu.Unlock()
	s.picture.fill(parts)
}

// parts returns how many runs are done, with what is done of those under way; mu
// is held.
func (s *Sweep) parts(now time.Time) float64 {
	parts := float64(s.done)
	if s.each > 0 {
		for _, began := range s.running {
			parts += min(float64(now.Sub(began))/float64(s.each), 1)
		}
	}
	return parts
}

// leftText says how much time is left, as soon as something is done, and in the end
// how much it was.
func (s *Sweep) leftText(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := "…"
	if s.done == s.all {
		text = now.Sub(s.began).Round(time.Second).String()
	} else if done := s.parts(now) - float64(s.already); done > 0 {
		left := float64(now.Sub(s.began)) * (float64(s.all-s.already)/done - 1)
		text = time.Duration(left).Round(time.Second).String() + " left"
	}
	return fmt.Sprintf("%-12s ", text)
}

func (s *Sweep) runsText() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf(" %s of %s, %s under way", figure.Count(s.done), figure.Plural(s.all, "run"), figure.Count(len(s.running)))
}
