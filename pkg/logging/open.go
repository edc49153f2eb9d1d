package logging

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/internal/manyfiles"
)

// Gzipped is what the name of a log that was compressed with gzip ends in.
const Gzipped = ".gz"

// ErrBreaksOff says that compressed data end too early: lines of the log may be
// missing, even if what is there ends with one. An error that wraps it wraps [ErrTorn]
// too.
var ErrBreaksOff = errors.New("the compressed data break off")

var errBreaksOff = fmt.Errorf("%w: %w", ErrBreaksOff, ErrTorn)

// Open opens an event log to read it, from a regular file; anything else, on which
// opening may wait for ever, is refused. More logs can be open at once than a process may
// have files. One whose name ends in [Gzipped] is
// decompressed as it is read, so that no more than a line of it is in memory; where
// the compressed data break off, the log is torn ([ErrTorn]).
func Open(path string) (io.ReadCloser, error) {
	f, err := manyfiles.Open(path)
	switch {
	case errors.Is(err, guarded.ErrNotRegular):
		return nil, fmt.Errorf("%s: expected an event log, found no regular file", path)
	case err != nil:
		return nil, err
	case !strings.HasSuffix(path, Gzipped):
		return f, nil
	}
	z := &gzipped{f: f}
	z.r, err = gzip.NewReader(bufio.NewReaderSize(f, block))
	switch {
	case isEnd(err):
		z.r, z.err = nil, errBreaksOff
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("%s: expected a log that was compressed with gzip: %w", path, err)
	}
	return z, nil
}

// isEnd reports whether data end where more was expected.
func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// gzipped reads a file with compressed data.
type gzipped struct {
	f   io.ReadCloser
	r   *gzip.Reader
	err error // sticky
}

func (z *gzipped) Read(p []byte) (n int, err error) {
	if z.err == nil {
		n, z.err = z.r.Read(p)
		if errors.Is(z.err, io.ErrUnexpectedEOF) {
			z.err = errBreaksOff
		}
	}
	return n, z.err
}

func (z *gzipped) Close() error { return z.f.Close() }
