package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Compare holds the log of a machine that was replayed against its record, line by
// line, but for the times. A [Difference] is the first line that differs.
func Compare(record, replayed string) error {
	was, err := newLines(record)
	if err != nil {
		return err
	}
	defer was.close()
	is, err := newLines(replayed)
	if err != nil {
		return err
	}
	defer is.close()
	for n := 1; ; n++ {
		a, err := was.next()
		if err != nil {
			return err
		}
		b, err := is.next()
		switch {
		case err != nil:
			return err
		case !bytes.Equal(a, b):
			return &Difference{File: record, Line: n, Recorded: untimed(a), Replayed: untimed(b)}
		case a == nil:
			return nil
		}
	}
}

// lines reads a log as text, each line from behind its time.
type lines struct {
	file *os.File
	*bufio.Scanner
	n int
}

func newLines(path string) (*lines, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &lines{file: f, Scanner: bufio.NewScanner(f)}
	l.Buffer(make([]byte, 64<<10), 2<<20) // the longest line of a log is shorter
	return l, nil
}

// next returns the next line, nil at the end.
func (l *lines) next() ([]byte, error) {
	l.n++
	switch {
	case !l.Scan() && l.Err() == nil:
		return nil, nil
	case l.Err() != nil:
		return nil, fmt.Errorf("%s:%d: %w", l.file.Name(), l.n, l.Err())
	case len(l.Bytes()) < timeLen:
		return nil, fmt.Errorf("%s:%d: %w", l.file.Name(), l.n, errShort)
	}
	return l.Bytes()[timeLen:], nil
}

var errShort = errors.New("too short for a line of an event log")

func (l *lines) close() { _ = l.file.Close() }

// untimed returns what follows the time in a line, without the level.
func untimed(line []byte) string {
	if line == nil {
		return "the end of the log"
	}
	return strings.TrimPrefix(string(line), "[INFO]  ")
}
