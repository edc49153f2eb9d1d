package logging

import (
	"bytes"
	"strconv"
)

// kinds are the words that say what a line is.
var kinds = []string{"internal", "receive", "send", "start", "resume", "pause", "offset", "stop"}

// Finding is what [Find] finds in a text.
type Finding uint8

// What can be found.
const (
	NoLine Finding = iota // nothing of an event log
	Line                  // a line of one begins here
	Piece                 // a part of one: something has torn it apart
)

// Find looks for a line of an event log in a line of text in front of which other
// programs may have put something: the name of a container, a time, a rank. It
// returns where the line begins and whose it is.
//
// It looks at the time, the level, the machine and the kind, and at nothing behind
// them: whether the whole is a line is for a [Reader] to say. A [Piece] is the head of a line
// that ends too early, or a line whose head is missing. Where a line is cut in two, at least
// one of both parts is found to be one.
func Find(text []byte) (at, id int, found Finding) {
	torn := false
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(levelAndName))
		if i < 0 {
			break
		}
		i += from
		from = i + len(levelAndName)
		rest := text[from:]
		digits := numberLen(rest)
		rest = rest[digits:]
		if i >= timeLen && isTime(text[i-timeLen:i]) && digits > 0 && bytes.HasPrefix(rest, []byte(": ")) && isKind(rest[2:]) {
			if torn {
				return 0, 0, Piece
			}
			id, err := strconv.Atoi(string(text[from : from+digits]))
			if err != nil || id > maxID {
				return 0, 0, Piece
			}
			return i - timeLen, id, Line
		}
		// What another line follows on breaks off before it.
		if next := bytes.Index(rest, []byte(levelAndName)); next >= 0 {
			rest = rest[:max(next-timeLen, 0)]
		}
		torn = torn || breaksOff(rest)
	}
	if torn || headless(text) {
		return 0, 0, Piece
	}
	return 0, 0, NoLine
}

const levelAndName = " [INFO]  vm-"

func numberLen(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// isTime reports whether these bytes look like a time.
func isTime(b []byte) bool {
	for i, form := range []byte("0000-00-00T00:00:00.000000Z") {
		if form == '0' && (b[i] < '0' || b[i] > '9') || form != '0' && b[i] != form {
			return false
		}
	}
	return true
}

// isKind reports whether a text begins with the word that says what a line is.
func isKind(b []byte) bool {
	for _, k := range kinds {
		if len(b) > len(k)+1 && string(b[:len(k)]) == k && b[len(k)] == ':' && b[len(k)+1] == ' ' {
			return true
		}
	}
	return false
}

// breaksOff reports whether what follows a machine's number ends in the middle of what
// it says that the line is.
func breaksOff(rest []byte) bool {
	for _, k := range kinds {
		if bytes.HasPrefix([]byte(": "+k+": "), bytes.TrimSuffix(rest, []byte("\r"))) {
			return true
		}
	}
	return false
}

// headless reports whether the end of a line stands in a text, from within its time, its
// level or its machine's name on.
func headless(text []byte) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(": "))
		if i < 0 {
			return false
		}
		from += i + 2
		rest := text[from:]
		if !isKind(rest) || !endsInNumber(text[:from-2]) {
			continue
		}
		rest = rest[bytes.IndexByte(rest, ' ')+1:]
		for _, field := range []string{"step=", "version=", "peer="} {
			if bytes.HasPrefix(rest, []byte(field)) {
				return true
			}
		}
	}
}

// endsInNumber reports whether a text ends as a machine's name does, or where that was cut.
func endsInNumber(b []byte) bool {
	name := bytes.TrimRight(b, "0123456789")
	digits := len(b) - len(name)
	return len(name) == 0 || digits > 0 && (bytes.HasSuffix(name, []byte("m-")) || len(name) == 1 && name[0] == '-')
}
