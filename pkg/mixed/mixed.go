// Package mixed takes apart a stream in which several machines' event logs, and what
// else people and programs say, have come together: what "docker compose logs",
// "kubectl logs", "journalctl" or "srun -l" print, or the files beneath them.
//
// A line of an event log names its machine, so the streams need no marks of their
// own, and anything may stand in front of it: the name of a container, a time, a rank. What
// is left of a line must be exact, as in a log that stands in a file of its own. Lines
// that are not of an event log are passed over and counted.
package mixed

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// Logs are the event logs that were found in a stream. What does not fit in a little memory
// for each machine lies in a temporary file, without a name where the system allows that.
type Logs struct {
	Name     string     // of the stream, as errors call it
	Machines []*Machine // by ID
	Lines    uint64     // of the stream
	Passed   uint64     // of these, that are of no event log

	spool spool
}

// Machine is the event log of one machine in a stream.
type Machine struct {
	ID   int
	logs *Logs
	text tape // its lines, each with its newline but for a torn last one
	skip tape // for each line, how many lines of the stream it is behind the one before
	last int  // the number of the last line in the stream
}

// ErrNoLines says that a stream has no line of an event log.
var ErrNoLines = errors.New("no line of an event log")

// Split reads a stream to its end and takes it apart. Memory stays bounded however long
// the stream is. An error that names a line of the stream is a [logging.Error]: a line of an
// event log is torn apart there. What is wrong with whole lines shows when they are
// read. The caller closes the result.
func Split(r io.Reader, name string) (*Logs, error) {
	s := splitter{logs: &Logs{Name: name}, machines: make(map[int]*Machine), parts: make(map[string][]byte)}
	if err := s.split(r); err != nil {
		_ = s.logs.Close()
		return nil, err
	}
	slices.SortFunc(s.logs.Machines, func(a, b *Machine) int { return a.ID - b.ID })
	return s.logs, nil
}

// Close gives back what the logs hold. They can no longer be read.
func (l *Logs) Close() error { return l.spool.close() }

// add appends a line of the stream to the machine's log.
func (m *Machine) add(line int, text []byte, whole bool) error {
	var b [binary.MaxVarintLen64]byte
	skip := binary.AppendUvarint(b[:0], uint64(line-m.last))
	m.last = line
	m.text.buf = append(m.text.buf, text...)
	if whole {
		m.text.buf = append(m.text.buf, '\n')
	}
	m.skip.buf = append(m.skip.buf, skip...)
	return errors.Join(m.logs.spool.relieve(&m.text, textBlock), m.logs.spool.relieve(&m.skip, skipBlock))
}

// Open begins to read the machine's log at its first line. Records and errors have the numbers
// of their lines in the stream.
func (m *Machine) Open() *Reader {
	return &Reader{
		name:  m.logs.Name,
		lines: logging.NewReader(m.logs.spool.read(&m.text), m.logs.Name),
		skips: bufio.NewReader(m.logs.spool.read(&m.skip)),
	}
}

// Reader reads the log of one machine.
type Reader struct {
	name  string
	lines *logging.Reader
	skips *bufio.Reader
	line  int
}

// Next reads the next record, as [logging.Reader.Next] does.
func (r *Reader) Next(rec *logging.Record) error {
	err := r.lines.Next(rec)
	if err != nil {
		return r.numbered(err)
	}
	rec.Line, err = r.nextLine()
	return err
}

// NextBatch reads the next records, as [logging.Reader.NextBatch] does.
func (r *Reader) NextBatch(entries []logging.Entry) (n int, err error) {
	n, err = r.lines.NextBatch(entries)
	for i := range entries[:n] {
		e := &entries[i]
		line, err := r.nextLine()
		if err != nil {
			return i, err
		}
		if e.Line = line; e.Other != nil {
			e.Other.Line = line
		}
	}
	if err != nil {
		err = r.numbered(err)
	}
	return n, err
}

// nextLine returns where the next line of the log stands in the stream.
func (r *Reader) nextLine() (int, error) {
	skip, err := binary.ReadUvarint(r.skips)
	if err != nil {
		return 0, fmt.Errorf("%s: the temporary file cannot be read: %w", r.name, err)
	}
	r.line += int(skip)
	return r.line, nil
}

// numbered returns an error of the next line with the number that this has in the stream.
func (r *Reader) numbered(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	line, noLine := r.nextLine()
	if noLine != nil {
		return noLine
	}
	if e, ok := errors.AsType[*logging.Error](err); ok {
		return &logging.Error{File: e.File, Line: line, Msg: e.Msg, Err: e.Err}
	}
	return err
}

// Close does nothing: what is read belongs to the [Logs].
func (r *Reader) Close() error { return nil }

// Text opens the log as text, with each of its lines at the place that it has in the
// stream, and empty lines between.
func (m *Machine) Text() io.ReadCloser {
	return &spaced{
		text:  bufio.NewReader(m.logs.spool.read(&m.text)),
		skips: bufio.NewReader(m.logs.spool.read(&m.skip)),
	}
}

// spaced reads a log with newlines in the place of the other lines of the stream.
type spaced struct {
	text, skips *bufio.Reader
	empty       uint64 // lines that come before the next of the log
	within      bool   // a line of the log is being read
}

func (s *spaced) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case s.empty > 0:
			p[n] = '\n'
			n++
			s.empty--
		case s.within:
			b, err := s.text.ReadByte()
			if err != nil {
				return n, err
			}
			p[n] = b
			n++
			s.within = b != '\n'
		default:
			skip, err := binary.ReadUvarint(s.skips)
			if err != nil {
				return n, err
			}
			s.empty, s.within = max(skip, 1)-1, true // two may have been cut off by the end of the stream
		}
	}
	return n, nil
}

func (s *spaced) Close() error { return nil }

// splitter takes a stream apart.
type splitter struct {
	logs     *Logs
	machines map[int]*Machine
	parts    map[string][]byte // of lines that come in several, by where they come from
}

func (s *splitter) split(r io.Reader) error {
	lines := newLines(r)
	for {
		text, whole, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: cannot be read: %w", s.logs.Name, err)
		}
		s.logs.Lines++
		if err := s.line(text, whole); err != nil {
			return err
		}
	}
	for _, from := range slices.Sorted(maps.Keys(s.parts)) {
		if err := s.take(s.parts[from], false); err != nil {
			return err
		}
	}
	if len(s.machines) == 0 {
		return fmt.Errorf("%s: %w in %s: want what machines wrote, their logs or the output of vm --log-to stdout", s.logs.Name, ErrNoLines, figure.Plural(s.logs.Lines, "line"))
	}
	return nil
}

// line takes the next line of the stream.
func (s *splitter) line(text []byte, whole bool) error {
	e := unwrap(text)
	if !e.wrapped {
		return s.take(e.text, whole)
	}
	before, continues := s.parts[e.from]
	if continues {
		e.text = append(before, e.text...)
		delete(s.parts, e.from)
	}
	if e.partial && len(e.text) < maxText && len(s.parts) < maxParts {
		s.parts[e.from] = slices.Clone(e.text)
		return nil
	}
	return s.take(e.text, true)
}

// maxParts bounds from how many places parts of lines are waited for.
const maxParts = 64

// take takes what a program wrote as one line.
func (s *splitter) take(text []byte, whole bool) error {
	at, id, found := logging.Find(text)
	line := int(s.logs.Lines)
	switch {
	case found == logging.NoLine:
		s.logs.Passed++
		return nil
	case found == logging.Piece:
		return &logging.Error{File: s.logs.Name, Line: line, Msg: fmt.Sprintf(
			"expected a whole line of an event log, found a piece of one: %q: several programs wrote to one place at once, or a machine died there", shortened(text))}
	case id >= rundir.MaxMachines:
		return &logging.Error{File: s.logs.Name, Line: line, Msg: fmt.Sprintf("expected a machine from 0 to %d, found %d", rundir.MaxMachines-1, id)}
	}
	m := s.machines[id]
	if m == nil {
		m = &Machine{ID: id, logs: s.logs}
		s.machines[id] = m
		s.logs.Machines = append(s.logs.Machines, m)
	}
	return m.add(line, text[at:], whole)
}

// shortened returns as much of a text as one wants to read.
func shortened(text []byte) string {
	const most = 160
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}
