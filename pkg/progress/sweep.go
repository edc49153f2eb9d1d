package progress

import (
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Sweep shows many runs: how many are done, which are under way, and how much time
// is left. Its methods may be called by many goroutines.
type Sweep struct {
	mu   sync.Mutex // guards view
	view runs

	stop func()
}

// NewSweep shows a sweep of so many runs, of which some are done already. each is
// how long a run takes, 0 where that is not known.
func NewSweep(out Out, all, done int, each time.Duration) *Sweep {
	s := &Sweep{view: runs{
		all:     all,
		each:    each,
		began:   time.Now(),
		already: done,
		done:    done,
		running: make(map[string]time.Time),
	}}
	s.stop = out.show(locked{&s.mu, &s.view})
	return s
}

// Begin takes in that a run begins.
func (s *Sweep) Begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.running[name] = time.Now()
}

// Done takes in that a run is done.
func (s *Sweep) Done(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.view.running, name)
	s.view.done++
}

// Disk takes in what the logs do to the disk.
func (s *Sweep) Disk(disk Disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.disk = disk
}

// Close shows the last picture and leaves it there.
func (s *Sweep) Close() { s.stop() }

// runs is what is known of a sweep.
type runs struct {
	all     int
	each    time.Duration // how long a run takes in real time; 0: not known
	began   time.Time
	already int // done before this process began
	done    int // these too
	running map[string]time.Time
	disk    Disk
}

func (s *runs) picture(now time.Time, width, height int) []string {
	lines := []string{
		headline(s.leftText(now), s.parts(now)/float64(max(s.all, 1)), false, s.disk.text(), width),
		fitting(width, s.counts()...),
	}
	return lines[:min(len(lines), height)]
}

func (s *runs) line(now time.Time) string {
	return s.leftText(now) + ": " + fitting(1000, append(s.counts(), s.disk.text())...)
}

func (s *runs) long() bool { return false }

// parts returns how many runs are done, with what is done of those under way.
func (s *runs) parts(now time.Time) float64 {
	parts := float64(s.done)
	if s.each > 0 {
		for _, began := range s.running {
			parts += min(float64(now.Sub(began))/float64(s.each), 0.999)
		}
	}
	return parts
}

// leftText says how much time is left, as soon as something is done, and in the end
// how much it was.
func (s *runs) leftText(now time.Time) string {
	if s.done == s.all {
		return now.Sub(s.began).Round(time.Second).String()
	}
	if done := s.parts(now) - float64(s.already); done > 0 {
		left := float64(now.Sub(s.began)) * (float64(s.all-s.already)/done - 1)
		return time.Duration(left).Round(time.Second).String() + " left"
	}
	return "…"
}

func (s *runs) counts() []string {
	return []string{
		figure.Count(s.done) + " of " + figure.Plural(s.all, "run"),
		figure.Count(len(s.running)) + " under way",
	}
}
