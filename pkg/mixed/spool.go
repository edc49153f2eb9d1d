package mixed

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// How much of a tape is kept in memory.
const (
	textBlock = 16 << 10
	skipBlock = 2 << 10
)

// spool is a temporary file that many tapes share, so that many machines need no more
// files than one does. It is made when it is needed. The zero value is ready.
type spool struct {
	file *os.File // nil: nothing was written
	name string   // to be removed; "": it has none any more
	size int64
}

// tape is a sequence of bytes, whose beginning is in a spool.
type tape struct {
	blocks []block
	buf    []byte // what follows them
}

// block is a piece of a tape in the spool's file.
type block struct {
	at   int64
	size int
}

// relieve moves what is in memory to the file, if it is a block or more.
func (s *spool) relieve(t *tape, size int) error {
	if len(t.buf) < size {
		return nil
	}
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	if _, err := s.file.Write(t.buf); err != nil {
		return fmt.Errorf("the temporary file of a stream cannot be written: %w (TMPDIR says where it lies)", err)
	}
	t.blocks = append(t.blocks, block{s.size, len(t.buf)})
	s.size += int64(len(t.buf))
	t.buf = t.buf[:0]
	return nil
}

func (s *spool) create() (err error) {
	if s.file, err = os.CreateTemp("", "lamport-stream-*"); err != nil {
		return fmt.Errorf("a stream needs a temporary file: %w (TMPDIR says where it lies)", err)
	}
	// Without a name, nothing is left of it however this process ends.
	if os.Remove(s.file.Name()) != nil {
		s.name = s.file.Name()
	}
	return nil
}

// read returns a reader of the tape, which nothing is added to any more.
func (s *spool) read(t *tape) io.Reader {
	return &tapeReader{file: s.file, blocks: t.blocks, rest: t.buf}
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	return err
}

// tapeReader reads a tape. Several may be in use at one time.
type tapeReader struct {
	file   *os.File
	blocks []block
	at     int // of the first block, that is read
	rest   []byte
}

func (r *tapeReader) Read(p []byte) (int, error) {
	if len(r.blocks) == 0 {
		if len(r.rest) == 0 {
			return 0, io.EOF
		}
		n := copy(p, r.rest)
		r.rest = r.rest[n:]
		return n, nil
	}
	b := r.blocks[0]
	n, err := r.file.ReadAt(p[:min(len(p), b.size-r.at)], b.at+int64(r.at))
	if r.at += n; r.at == b.size {
		r.blocks, r.at = r.blocks[1:], 0
	}
	if errors.Is(err, io.EOF) { // it was all written
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}
