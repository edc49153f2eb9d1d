package gather

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/logging"
)

// place is where one log of a machine arrives. Whoever has its turn may use what is
// below turn.
type place struct {
	root     *os.Root
	name     string // of the file
	isPart   bool   // it has the name of what was not confirmed yet
	check    func(*logging.Record) error
	careless bool // waits for no disk: of tests

	mu        sync.Mutex
	interrupt func() // ends what has the turn; nil: nothing has it

	turn chan struct{} // holds one token
	file *os.File      // nil: closed, or there is none
	sum  hash.Hash     // of all that is in the file; nil: not read yet
	// Invariant: confirmed ≤ size. The file has size bytes, of which the first confirmed were
	// all of a log that somebody had. The others are nobody's yet: who has begun a log and
	// not delivered all of it has no right to the place.
	size, confirmed int64
	start           *logging.Start // nil: not arrived yet
	ended           bool           // with a stop line
}

// newPlace returns a place whose log is not confirmed; what has arrived of it has this name.
func newPlace(root *os.Root, name string, check func(*logging.Record) error) *place {
	p := &place{root: root, name: name, isPart: true, check: check, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// take waits for the turn of the place, and ends what has it: a machine that comes again
// has lost the connection that it came with before, even if nobody here has noticed.
func (p *place) take(done <-chan struct{}, interrupt func()) bool {
	p.mu.Lock()
	if p.interrupt != nil {
		p.interrupt()
	}
	p.mu.Unlock()
	select {
	case <-p.turn:
	case <-done:
		return false
	}
	p.mu.Lock()
	p.interrupt = interrupt
	p.mu.Unlock()
	return true
}

// give gives the turn back. Of thousands of logs only those stay open that are in use.
func (p *place) give() {
	_ = p.close() // what is to last has been synced
	p.mu.Lock()
	p.interrupt = nil
	p.mu.Unlock()
	p.turn <- struct{}{}
}

// open opens the file, if there is one, and the first time reads what is in it.
func (p *place) open() error {
	if p.file != nil {
		return nil
	}
	f, err := guarded.OpenFileIn(p.root, p.name, os.O_RDWR)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.size == 0:
		p.sum = sha256.New()
		return nil
	case err != nil:
		return err
	}
	p.file = f
	if p.sum != nil {
		return nil
	}
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	p.sum, p.size = sum, size
	err = p.begin()
	if _, strange := errors.AsType[*strangeError](err); strange && p.isPart {
		// A process that was killed could not take it back, or a loss of power has left
		// something else than what arrived.
		return p.cut(0)
	}
	if err != nil { // it is somebody's, and looked at again the next time
		p.sum, p.size = nil, 0
	}
	return err
}

// digest returns the digest of all that has arrived.
func (p *place) digest() (d digest) {
	p.sum.Sum(d[:0])
	return d
}

// digestOf returns the digest of the first n bytes, of those that have arrived.
func (p *place) digestOf(n int64) (d digest, err error) {
	if n == p.size {
		return p.digest(), nil
	}
	sum := sha256.New()
	if n > 0 {
		_, err = io.Copy(sum, io.NewSectionReader(p.file, 0, n))
	}
	sum.Sum(d[:0])
	return d, err
}

// add puts bytes behind those that have arrived.
func (p *place) add(b []byte) (err error) {
	if p.file == nil {
		if p.file, err = p.root.OpenFile(p.name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666); err != nil {
			return err
		}
	}
	n, err := p.file.WriteAt(b, p.size)
	if err != nil {
		return errors.Join(err, p.file.Truncate(p.size)) // half a block is as good as none
	}
	p.size += int64(n)
	_, _ = p.sum.Write(b) // a hash takes everything
	if p.start == nil {
		return p.begin()
	}
	return nil
}

// strangeError says that what arrives is no log of the machine.
type strangeError struct{ err error }

func (e *strangeError) Error() string { return e.err.Error() }
func (e *strangeError) Unwrap() error { return e.err }

// begin reads the start line, once all of it has arrived.
func (p *place) begin() error {
	head := make([]byte, min(p.size, logging.MaxLine))
	if _, err := p.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := bytes.IndexByte(head, '\n')
	if end < 0 && p.size < logging.MaxLine {
		return nil
	}
	var rec logging.Record
	err := logging.NewReader(bytes.NewReader(head[:end+1]), "the log").Next(&rec)
	switch {
	case end < 0:
		err = errors.New("the log: its first line has no end")
	case err == nil && rec.Kind != logging.StartRecord:
		err = errors.New("the log: expected a start line first")
	case err == nil:
		err = p.check(&rec)
	}
	if err != nil {
		return &strangeError{err}
	}
	p.start = &rec.Start
	return nil
}

// cut takes back what lies behind the first n bytes.
func (p *place) cut(n int64) error {
	if n >= p.size {
		return nil
	}
	if err := p.file.Truncate(n); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.file, 0, n)); err != nil {
		return err
	}
	p.size, p.sum = n, sum
	p.start = nil
	if n == 0 {
		return nil
	}
	return p.begin()
}

// confirm takes in that the whole log has arrived, up to its last line. What was confirmed
// is safe from a loss of power.
func (p *place) confirm() error {
	ended, err := p.last()
	if err != nil {
		return err
	}
	if !p.careless {
		if err := p.file.Sync(); err != nil {
			return err
		}
	}
	p.confirmed, p.ended = p.size, ended
	return nil
}

// last reads the last line, and reports whether the log ends with it.
func (p *place) last() (ended bool, err error) {
	tail := make([]byte, min(p.size, 2*logging.MaxLine))
	if _, err := p.file.ReadAt(tail, p.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	whole, ok := bytes.CutSuffix(tail, []byte("\n"))
	if !ok || p.start == nil {
		return false, &strangeError{errors.New("the log: expected whole lines, found the last one without its end")}
	}
	line := tail[bytes.LastIndexByte(whole, '\n')+1:]
	var rec logging.Record
	if err := logging.NewReader(bytes.NewReader(line), "the last line of the log").Next(&rec); err != nil {
		return false, &strangeError{err}
	}
	return rec.Kind == logging.StopRecord, nil
}

// named says that the file has this name, and is no part any more.
func (p *place) named(name string) { p.name, p.isPart = name, false }

// rename gives the file another name. It is closed for that: not every system renames a
// file that is open.
func (p *place) rename(name string) error {
	if name == p.name {
		return nil
	}
	if err := p.close(); err != nil {
		return err
	}
	if err := p.root.Rename(p.name, name); err != nil {
		return err
	}
	p.named(name)
	return p.open()
}

// end cuts off what follows on what was confirmed, if anything was.
func (p *place) end() error {
	if p.confirmed == 0 {
		return p.close()
	}
	f, err := p.root.OpenFile(p.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > p.confirmed {
		err = f.Truncate(p.confirmed)
	}
	return errors.Join(err, f.Close())
}

func (p *place) close() error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return f.Close()
}
