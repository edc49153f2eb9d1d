package trace

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// finding is a violation while the walk goes on.
type finding struct {
	law    Law
	what   string
	places []place
}

// place is a line that a finding names.
type place struct {
	log     *Log
	line    int     // 0: to be looked up
	message message // by
}

// message stands for the first line of a log that sends it to a peer, or receives
// it from one.
type message struct {
	received bool
	peer     int
	seq      uint64
}

// maxKept bounds the violations that a verdict holds, but for the first of each
// law.
const maxKept = 10_000

// violate notes that a law is broken.
func (c *checker) violate(law Law, what string, places ...place) {
	c.verdict.Broken[law]++
	if c.verdict.Broken[law] == 1 || c.all && len(c.findings) < maxKept {
		c.findings = append(c.findings, finding{law, what, places})
	}
}

// violations puts lines to the places of findings: their numbers first, and
// then their text.
func violations(findings []finding) ([]Violation, error) {
	messages := make(map[*Log]map[message]int)
	lines := make(map[*Log]map[int]string)
	for _, f := range findings {
		for _, p := range f.places {
			if lines[p.log] == nil {
				lines[p.log] = make(map[int]string)
				messages[p.log] = make(map[message]int)
			}
			if p.line == 0 {
				messages[p.log][p.message] = 0
			}
		}
	}
	for log, wanted := range messages {
		if err := log.find(wanted); err != nil {
			return nil, err
		}
	}
	for _, f := range findings {
		for i, p := range f.places {
			if p.line == 0 {
				p.line = messages[p.log][p.message]
				f.places[i] = p
			}
			if p.line > 0 {
				lines[p.log][p.line] = ""
			}
		}
	}
	for log, wanted := range lines {
		if err := log.Quote(wanted); err != nil {
			return nil, err
		}
	}
	var all []Violation
	for _, f := range findings {
		v := Violation{Law: f.law, What: f.what}
		for _, p := range f.places {
			if p.line > 0 { // there is no such line otherwise
				v.Events = append(v.Events, Ref{File: p.log.Name, Line: p.line, Text: lines[p.log][p.line]})
			}
		}
		all = append(all, v)
	}
	return all, nil
}

// find fills in the lines where messages are first sent or received.
func (l *Log) find(wanted map[message]int) error {
	if len(wanted) == 0 {
		return nil
	}
	return l.lines(func(rec *logging.Record) {
		if rec.Kind != logging.EventRecord {
			return
		}
		for _, m := range rec.Event.Messages() {
			name := message{peer: int(m.To), seq: m.Seq}
			if rec.Event.Kind == event.Receive {
				name = message{received: true, peer: int(m.From), seq: m.Seq}
			}
			if line, ok := wanted[name]; ok && line == 0 {
				wanted[name] = rec.Line
			}
		}
	})
}

// Quote fills in the text of lines, by their numbers from 1, as it can be shown to people.
// It leaves alone what it cannot read, and all of a log that is no text.
func (l *Log) Quote(wanted map[int]string) error {
	if l.Text == nil || len(wanted) == 0 {
		return nil
	}
	text, err := l.Text()
	if err != nil {
		return err
	}
	defer func() { _ = text.Close() }()
	r := bufio.NewReaderSize(text, logging.MaxLine)
	at := 1
	for _, line := range slices.Sorted(maps.Keys(wanted)) {
		if skipLines(r, line-at) != nil {
			return nil
		}
		b, err := r.ReadSlice('\n')
		if len(b) == 0 || err != nil && !errors.Is(err, io.EOF) {
			return nil
		}
		wanted[line] = shown(bytes.TrimSuffix(bytes.TrimSuffix(b, []byte{'\n'}), []byte{'\r'}))
		at = line + 1
	}
	return nil
}

// skipLines goes n lines on. Most of a log is skipped, so that newlines are counted, which
// is ten times as fast as to look for each.
func skipLines(r *bufio.Reader, n int) error {
	const few = 100
	for n > few {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		b, _ := r.Peek(r.Buffered())
		lines := bytes.Count(b, []byte{'\n'})
		if lines > n { // so that it is not counted again and again
			break
		}
		n -= lines
		if _, err := r.Discard(len(b)); err != nil {
			return err
		}
	}
	for ; n > 0; n-- {
		if _, err := r.ReadSlice('\n'); err != nil {
			return err
		}
	}
	return nil
}

// shown returns a line as it can be shown to people.
func shown(line []byte) string {
	const maxShown = 400 // bytes
	s, dots := string(line[:min(len(line), maxShown)]), ""
	if len(line) > maxShown {
		s, dots = strings.ToValidUTF8(s, ""), "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		s = strconv.Quote(s) // of a line that was not read for the walk
	}
	return s + dots
}
