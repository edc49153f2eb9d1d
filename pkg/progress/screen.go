package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

// Out is where progress is shown. The zero Out is nowhere.
type Out struct {
	Writer io.Writer
	// Lines prints a line now and then, and no picture: for what cannot be drawn
	// over.
	Lines bool
}

const (
	refresh   = 200 * time.Millisecond
	lineEvery = 10 * time.Second
	// short is how long a run may last without a line.
	short = 20 * time.Second
)

// view is what goes on, as it looks at an instant. Its methods are called by one
// goroutine.
type view interface {
	// picture returns lines that are no wider than width, and no more than height
	// of them. Both are at least 1.
	picture(now time.Time, width, height int) []string
	line(now time.Time) string
	// long reports whether it is known to last longer than short.
	long() bool
}

// show shows a view until the returned function is called, which draws the last
// picture and leaves it there, above a free line. What waits to write holds nothing
// else up.
func (o Out) show(v view) (stop func()) {
	if o.Writer == nil {
		return func() {}
	}
	closing, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if o.Lines {
			o.print(v, closing)
		} else {
			o.draw(v, closing)
		}
	}()
	return sync.OnceFunc(func() {
		close(closing)
		<-done
	})
}

func (o Out) print(v view, closing <-chan struct{}) {
	ticker := time.NewTicker(lineEvery)
	defer ticker.Stop()
	for gone := lineEvery; ; gone += lineEvery {
		select {
		case <-closing:
			return
		case now := <-ticker.C:
			if gone >= short || v.long() {
				_, _ = fmt.Fprintln(o.Writer, v.line(now)) // who has gone needs none
			}
		}
	}
}

func (o Out) draw(v view, closing <-chan struct{}) {
	s, shared := o.Writer.(*Screen)
	if !shared {
		s = NewScreen(o.Writer)
	}
	prepare(s.w)
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	for now := time.Now(); ; {
		width, height := size(s.w)
		s.draw(v.picture(now, width, height))
		select {
		case now = <-ticker.C:
		case <-closing:
			width, height = size(s.w)
			s.draw(v.picture(time.Now(), width, height))
			s.leave()
			return
		}
	}
}

// Draws reports whether a picture can be drawn on a writer: it is a terminal that can
// be drawn over.
func Draws(w io.Writer) bool {
	return terminal.Of(w, terminal.Never).Person && os.Getenv("TERM") != "dumb"
}

// Screen is a terminal with a picture that is drawn over and over. What is written to
// the Screen meanwhile, in whole lines, stands above the picture.
type Screen struct {
	w io.Writer

	mu    sync.Mutex // guards what follows, and writing
	drawn int        // lines of the last picture, above the cursor
}

// NewScreen returns the screen of a terminal.
func NewScreen(terminal io.Writer) *Screen { return &Screen{w: terminal} }

// Write writes lines above the picture, which is gone until it is drawn again.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drawn > 0 {
		_, _ = fmt.Fprintf(s.w, "\x1b[%dA\r\x1b[J", s.drawn)
		s.drawn = 0
	}
	return s.w.Write(p)
}

// draw draws a picture. A terminal that has gone is no reason to stop a run.
func (s *Screen) draw(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	if s.drawn > 0 { // some terminals take 0 for 1
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	for _, line := range lines {
		b.WriteString("\r" + line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.drawn = len(lines)
	_, _ = io.WriteString(s.w, b.String())
}

// leave leaves the picture where it is, with what follows apart from it.
func (s *Screen) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = 0
	_, _ = fmt.Fprintln(s.w)
}

// size returns how much there is to draw on. The last column stays free, since some
// terminals wrap when it is written, and so does the last line, for the cursor.
func size(w io.Writer) (width, height int) {
	width, height = 80, 24 // also of terminals that do not know
	if f, ok := w.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil {
			if w > 0 {
				width = w
			}
			if h > 0 {
				height = h
			}
		}
	}
	return max(width-1, 1), max(height-1, 1)
}
