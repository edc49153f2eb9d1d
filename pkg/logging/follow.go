package logging

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// Follower copies the lines of an event log to somewhere else while the log is written.
// It reads them from the file, so that they are there first; whoever takes them decides
// how fast the copy goes, and holds up nobody else.
type Follower struct {
	path    string
	to      io.Writer
	every   time.Duration // how often it looks for more
	copied  atomic.Int64  // up to where, in bytes of the file
	closing chan struct{}
	done    chan struct{}
	err     error // of writing or reading; valid when done is closed
}

// followEvery is how long lines wait for their copy, at most, where it is taken at once.
const followEvery = 20 * time.Millisecond

// Follow begins to copy the log with this path, which need not be there yet, to w: the lines
// that follow those that are whole in it now.
func Follow(path string, w io.Writer) (*Follower, error) {
	from, err := wholeSize(path)
	if err != nil {
		return nil, err
	}
	f := &Follower{path: path, to: w, every: followEvery, closing: make(chan struct{}), done: make(chan struct{})}
	f.copied.Store(from)
	go func() {
		defer close(f.done)
		f.err = f.run()
	}()
	return f, nil
}

// wholeSize returns how many bytes the whole lines of a log take up, 0 if there is none.
func wholeSize(path string) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	buf := make([]byte, block)
	for end := info.Size(); end > 0; {
		b := buf[:min(int64(len(buf)), end)]
		if _, err := f.ReadAt(b, end-int64(len(b))); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return end - int64(len(b)) + int64(i) + 1, nil
		}
		end -= int64(len(b))
	}
	return 0, nil
}

// Close is called when nothing more is written to the log. It waits until all of it is
// copied, but not for longer than most, nor than idle while nothing is taken. It returns how many
// bytes of the log are not copied, and the error because of which they never will be, if
// there is one.
func (f *Follower) Close(idle, most time.Duration) (left int64, err error) {
	close(f.closing)
	end := time.NewTimer(most)
	defer end.Stop()
	tick := time.NewTicker(max(idle/10, time.Millisecond))
	defer tick.Stop()
	copied, since := f.copied.Load(), time.Now()
	for waiting := true; waiting; {
		select {
		case <-f.done:
			err, waiting = f.err, false
		case <-end.C:
			waiting = false
		case <-tick.C:
			if now := f.copied.Load(); now != copied {
				copied, since = now, time.Now()
			}
			waiting = time.Since(since) < idle
		}
	}
	size, sizeErr := wholeSize(f.path)
	return max(size-f.copied.Load(), 0), errors.Join(err, sizeErr)
}

// run copies until the log is closed and all of it is copied.
func (f *Follower) run() error {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	var file *os.File
	defer func() { _ = file.Close() }()
	buf := make([]byte, block)
	closing := false
	for {
		if file == nil {
			var err error
			if file, err = os.Open(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		more := false
		if file != nil {
			var err error
			if more, buf, err = f.copy(file, buf); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		if closing {
			return nil
		}
		select {
		case <-tick.C:
		case <-f.closing:
			closing = true // what was written since the last look is copied
		}
	}
}

// copy copies some of what is there, and reports whether there may be more.
func (f *Follower) copy(file *os.File, buf []byte) (more bool, _ []byte, err error) {
	n, err := file.ReadAt(buf, f.copied.Load())
	if err != nil && !errors.Is(err, io.EOF) {
		return false, buf, err
	}
	end := bytes.LastIndexByte(buf[:n], '\n') + 1
	if end == 0 {
		if n == len(buf) && n < MaxLine {
			return true, make([]byte, min(2*len(buf), MaxLine)), nil
		}
		return false, buf, nil // the rest of the line is being written
	}
	for lines := buf[:end]; len(lines) > 0; {
		piece := lines[:wholeLines(lines)]
		if _, err := f.to.Write(piece); err != nil {
			return false, buf, err
		}
		f.copied.Add(int64(len(piece)))
		lines = lines[len(piece):]
	}
	return true, buf, nil
}

// wholeLines returns how many bytes of lines are written at once: as many as a pipe takes
// as a whole, so that the lines of processes that write to one pipe do not mix, and a process
// that is killed leaves none there in part. A longer line is written alone.
func wholeLines(lines []byte) int {
	atomic := 512 // PIPE_BUF is this or more
	if runtime.GOOS == "linux" {
		atomic = 4096
	}
	if len(lines) <= atomic {
		return len(lines)
	}
	if i := bytes.LastIndexByte(lines[:atomic], '\n'); i >= 0 {
		return i + 1
	}
	return bytes.IndexByte(lines, '\n') + 1
}
