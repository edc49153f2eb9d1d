package mixed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/scalemodel/lamport/pkg/logging"
)

// maxText is how much of a line of the stream is looked at: the longest line of an event
// log, with what stands in front of it, in JSON. No longer one can hold a line that is right.
const maxText = 2*logging.MaxLine + 1<<16

// lines reads a stream line by line.
type lines struct {
	r    *bufio.Reader
	long []byte // of a line that is longer than the reader's buffer
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 1<<16)} }

// next returns the next line without its newline, and whether it had one. It is valid until
// the next call. Of a line of more than maxText bytes only the first are returned.
func (l *lines) next() (text []byte, whole bool, err error) {
	b, err := l.r.ReadSlice('\n')
	if err == nil {
		return b[:len(b)-1], true, nil
	}
	l.long = l.long[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long, b[:min(len(b), maxText-len(l.long))]...)
		b, err = l.r.ReadSlice('\n')
	}
	l.long = append(l.long, b[:min(len(b), maxText-len(l.long))]...)
	switch {
	case err == nil:
		return bytes.TrimSuffix(l.long, []byte("\n")), true, nil
	case errors.Is(err, io.EOF) && len(l.long) > 0:
		return l.long, false, nil
	}
	return nil, false, err
}

// envelope is what a line of the stream says that a program wrote.
type envelope struct {
	text    []byte
	wrapped bool   // it is more than a text in front of what was written
	partial bool   // the rest of the line is in another envelope
	from    string // the same
}

// unwrap takes what a program wrote out of a line of the stream.
func unwrap(line []byte) envelope {
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > 0 && line[0] == '{' {
		if e, ok := unwrapJSON(line); ok {
			return e
		}
	}
	if e, ok := unwrapCRI(line); ok {
		return e
	}
	return envelope{text: line}
}

// dockerPart is how long the parts are in which Docker keeps a long line.
const dockerPart = 16 << 10

// unwrapJSON takes lines of Docker's json-file driver, of journald, and of other programs
// that put what was written under one of the usual names.
func unwrapJSON(line []byte) (envelope, bool) {
	var v struct {
		Log     *string         `json:"log"`
		Stream  string          `json:"stream"`
		Journal json.RawMessage `json:"MESSAGE"` // a list of bytes where it is not all text
		Message *string         `json:"message"`
		Msg     *string         `json:"msg"`
		Line    *string         `json:"line"`
	}
	// The decoder takes keys in any case, so that two keys can be one field, and one that
	// has another type is an error: then the line is looked at as it stands.
	if err := json.Unmarshal(line, &v); err != nil {
		return envelope{}, false
	}
	if v.Log != nil {
		text := []byte(*v.Log)
		whole := bytes.TrimSuffix(text, []byte("\n"))
		// Docker cuts longer lines in parts, and only the last one has the newline.
		partial := len(whole) == len(text) && len(text) >= dockerPart
		return envelope{text: bytes.TrimSuffix(whole, []byte("\r")), wrapped: true, partial: partial, from: "json " + v.Stream}, true
	}
	if v.Journal != nil {
		var text string
		var numbers []uint8
		if json.Unmarshal(v.Journal, &text) != nil && json.Unmarshal(v.Journal, &numbers) == nil {
			text = string(numbers)
		}
		return message(text), true
	}
	for _, text := range []*string{v.Message, v.Msg, v.Line} {
		if text != nil {
			return message(*text), true
		}
	}
	return envelope{}, false
}

func message(text string) envelope {
	return envelope{text: bytes.TrimRight([]byte(text), "\r\n"), wrapped: true}
}

// unwrapCRI takes lines of the files that Kubernetes' container runtimes write: a time, the
// stream, F for a whole line or P for a part of one, and what was written.
func unwrapCRI(line []byte) (envelope, bool) {
	stamp, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(stamp) < len("2006-01-02T15:04:05Z") || len(stamp) > len("2006-01-02T15:04:05.000000000-07:00") {
		return envelope{}, false
	}
	stream, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok || string(stream) != "stdout" && string(stream) != "stderr" {
		return envelope{}, false
	}
	tag, text, ok := bytes.Cut(rest, []byte(" "))
	tag, _, _ = bytes.Cut(tag, []byte(":")) // more tags may follow
	if !ok || string(tag) != "P" && string(tag) != "F" {
		return envelope{}, false
	}
	if _, err := time.Parse(time.RFC3339Nano, string(stamp)); err != nil {
		return envelope{}, false
	}
	return envelope{text: text, wrapped: true, partial: string(tag) == "P", from: "cri " + string(stream)}, true
}
