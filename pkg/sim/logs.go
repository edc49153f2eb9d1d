package sim

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/scalemodel/lamport/pkg/internal/counter"
	"github.com/scalemodel/lamport/pkg/logging"
)

// logs are the event logs of a run.
type logs struct {
	writers []*logging.Writer
	files   []*logFile
	links   []counter.Counters[uint32] // messages on each link, by sender
	blocks  [][]entry                  // by machine: what it did, and nobody writes yet

	perBlock int            // entries
	writing  []*scribe      // nil: who runs the machines writes too
	spare    chan []entry   // blocks without entries
	open     sync.WaitGroup // blocks that are being written
	scribes  sync.WaitGroup // that run
	err      atomic.Pointer[error]
}

const (
	// maxOpen is how many files are kept open; with more, each write opens and
	// closes its file.
	maxOpen = 256
	// maxHeld bounds the entries that are held back, over all logs.
	maxHeld = 1 << 20
	// A block makes one write, of about a hundred bytes for each entry.
	blockMin = 1 << 6
	blockMax = 1 << 9
)

// openLogs opens the logs and writes their first lines. Without a directory they
// are kept in memory, for machines to be brought back from.
func openLogs(e *engine) (*logs, error) {
	n := e.machines
	l := &logs{perBlock: min(max(maxHeld/n, blockMin), blockMax), blocks: make([][]entry, n)}
	for id, rate := range e.cfg.Rates {
		f := &logFile{}
		if e.cfg.LogDir != "" {
			var err error
			if f, err = newLogFile(filepath.Join(e.cfg.LogDir, logging.FileName(id, rate)), n <= maxOpen); err != nil {
				l.close()
				return nil, err
			}
		}
		w := logging.NewWriter(f, id)
		l.files, l.writers, l.links = append(l.files, f), append(l.writers, w), append(l.links, counter.New[uint32](n))
		w.Start(instant(e.origin(id)), e.cfg.Start(id, n, rate))
		if err := w.Flush(); err != nil {
			l.close()
			return nil, err
		}
	}
	l.start(e.cores())
	return l, nil
}

// number returns the number of the next message on a link.
func (s *shard) number(from, to int) uint32 {
	n := s.logs.links[from].Next(to)
	if n == math.MaxUint32 {
		s.fail(errSeq)
	}
	return n
}

var errSeq = fmt.Errorf("a link has carried %d messages, the most that a log of virtual time can number", uint32(math.MaxUint32))

// stop closes a machine's log.
func (l *logs) stop(id int, at int64, nd *node, waiting uint32, pending map[int]uint64) error {
	w := l.writers[id]
	w.Stop(instant(at), logging.Stop{
		Step: nd.state.Steps(), Clock: nd.state.Clock(), Queue: int(waiting), Pending: logging.Counts(pending),
	})
	return errors.Join(w.Flush(), l.files[id].Close())
}

func (l *logs) close() {
	for _, s := range l.writing {
		close(s.in)
	}
	l.scribes.Wait()
	for _, f := range l.files {
		_ = f.Close() // what was to be written has been, or was refused before
	}
}

// logFile is a log on disk, which is open only during a write if there are too many
// of them, or in memory.
type logFile struct {
	name string   // "": in memory
	f    *os.File // nil: not open
	mem  []byte
}

func newLogFile(name string, keep bool) (*logFile, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	l := &logFile{name: name, f: f}
	if !keep {
		return l, l.Close()
	}
	return l, nil
}

func (l *logFile) Write(p []byte) (int, error) {
	if l.name == "" {
		l.mem = append(l.mem, p...)
		return len(p), nil
	}
	if l.f != nil {
		return l.f.Write(p)
	}
	f, err := os.OpenFile(l.name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(p)
	return n, errors.Join(err, f.Close())
}

// contents returns all that was written.
func (l *logFile) contents() ([]byte, error) {
	if l.name == "" {
		return l.mem, nil
	}
	return os.ReadFile(l.name)
}

// tear leaves a torn line behind, of so many bytes.
func (l *logFile) tear(n int) error {
	const line = "2000-01-01T00:00:00.000000Z [INFO]  vm-0: receive: step=1000000 clock=1000000 queue=1000 from=1 seq=1000000"
	_, err := l.Write([]byte(line[:n]))
	return err
}

// cut cuts off what stands behind so many bytes.
func (l *logFile) cut(size int64) error {
	if l.name == "" {
		l.mem = l.mem[:size]
		return nil
	}
	return os.Truncate(l.name, size)
}

func (l *logFile) Close() error {
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}
