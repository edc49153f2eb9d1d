package replay

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Mode says what has to be the same in two logs.
type Mode int

// The modes of a comparison.
const (
	ButTimes Mode = iota // all but the time of each line: what a replay does again
	Exact                // every byte: what a run in virtual time does again
	ButNames             // all but the times and the run's name: what the same run may do again
)

// Outcome is how the log of a machine that ran again compares with its record.
type Outcome int

// The outcomes of a comparison. Nothing is the same that was not read: the zero
// Outcome is Differs.
const (
	// Differs: some line does, or the log ends before its record.
	Differs Outcome = iota
	// Same: each line is, to the end of both.
	Same
	// Stopped: the record was stopped where the log goes on. Its last line stops
	// after what all lines before it have led to, and those are the same.
	Stopped
	// BrokenOff: the record ends without a stop line where the log goes on. All
	// its lines are the same, and the beginning of one that is torn.
	BrokenOff
	// StopDiffers: both end in a stop line after the same events, and only these
	// differ, in what waited or was not delivered. That is no difference where the
	// record was stopped and other machines went on.
	StopDiffers
)

var outcomes = [...]string{"differs", "same", "stopped", "broken off", "stop differs"}

// String returns the outcome in a word or two.
func (o Outcome) String() string { return outcomes[o] }

// Comparison is what [Compare] has found.
type Comparison struct {
	Outcome Outcome
	Lines   int // from the first, that are the same, but for offsets
	// Difference is the line after these, nil if the outcome is Same.
	Difference *Difference
}

// Err returns the Difference of all logs that are not the same to their ends.
func (c *Comparison) Err() error {
	if c.Outcome == Same {
		return nil
	}
	return c.Difference
}

// Compare holds the log of a machine that ran again against its record, line by
// line, as far as they are the same. An error says that a log cannot be compared: it is
// not there, cannot be read, or holds no whole line; or it is the later one, and its last
// line is torn, which nothing does that ended well.
func Compare(record, replayed string, mode Mode) (*Comparison, error) {
	f, err := logging.Open(record)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	g, err := logging.Open(replayed)
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.Close() }()
	c := comparer{mode: mode, was: newLines(f, record), is: newLines(g, replayed)}
	return c.compare()
}

// comparer is one comparison.
type comparer struct {
	mode    Mode
	was, is *lines
	last    []byte // the last line that is the same, in the record
	same    int
}

func (c *comparer) compare() (*Comparison, error) {
	for {
		a, err := c.was.next()
		if err != nil {
			return nil, err
		}
		b, err := c.is.next()
		switch {
		case err != nil:
			return nil, err
		case c.is.torn:
			return nil, c.is.fail("expected a newline after the last line, found it torn", logging.ErrTorn)
		case c.was.torn || (a == nil) != (b == nil) || !bytes.Equal(c.compared(a), c.compared(b)):
			return c.part(a, b)
		case a == nil:
			return &Comparison{Outcome: Same, Lines: c.same}, nil
		}
		c.same++
		c.last = append(c.last[:0], a...)
	}
}

// compared returns what is to be the same of a line.
func (c *comparer) compared(line []byte) []byte {
	if c.mode == Exact {
		return line
	}
	line = line[min(len(line), timeLen):]
	if c.mode == ButNames {
		if from, to := bytes.Index(line, []byte(" run=")), bytes.LastIndex(line, []byte(" machines=")); from >= 0 && from < to {
			return slices.Concat(line[:from], line[to:])
		}
	}
	return line
}

// part says what it means that the logs part at these lines, of which nil is an end.
func (c *comparer) part(a, b []byte) (*Comparison, error) {
	result := &Comparison{Outcome: c.outcome(a, b), Lines: c.same, Difference: &Difference{
		File: c.was.name, Line: c.was.n, Recorded: c.shown(a), Replayed: c.shown(b),
	}}
	// Stop lines are what they seem only if nothing follows them.
	var mustEnd []*lines
	switch result.Outcome {
	case Stopped:
		mustEnd = []*lines{c.was}
	case StopDiffers:
		mustEnd = []*lines{c.was, c.is}
	}
	for _, l := range mustEnd {
		switch more, err := l.next(); {
		case err != nil:
			return nil, err
		case more != nil:
			result.Outcome = Differs
		}
	}
	return result, nil
}

// outcome is what the lines where logs part say, if nothing follows them.
func (c *comparer) outcome(a, b []byte) Outcome {
	before, ok := parse(c.last)
	if !ok || before.Kind == logging.StopRecord { // nothing can follow that is right
		return Differs
	}
	now, ok := parse(b)
	if !ok {
		return Differs
	}
	if a == nil || c.was.torn {
		if bytes.HasPrefix(c.compared(b), c.compared(a)) {
			return BrokenOff
		}
		return Differs
	}
	then, ok := parse(a)
	switch {
	case !ok || !stopsAfter(then, before):
		return Differs
	case now.Kind != logging.StartRecord && now.Kind != logging.StopRecord:
		return Stopped
	case stopsAfter(now, before):
		return StopDiffers
	}
	return Differs
}

// shown returns a line as a [Difference] shows it.
func (c *comparer) shown(line []byte) string {
	if line == nil {
		return "the end of the log"
	}
	if c.mode == Exact || len(line) < timeLen { // where it is torn
		return string(line)
	}
	return strings.TrimPrefix(string(c.compared(line)), "[INFO]  ")
}

// parse returns the record of a line, if it is one.
func parse(line []byte) (*logging.Record, bool) {
	rec := new(logging.Record)
	r := logging.NewReader(io.MultiReader(bytes.NewReader(line), strings.NewReader("\n")), "")
	return rec, r.Next(rec) == nil
}

// stopsAfter reports whether rec is the stop line of a machine whose last line was
// before.
func stopsAfter(rec, before *logging.Record) bool {
	step, now := progress(before)
	return rec.Kind == logging.StopRecord && rec.ID == before.ID && rec.Stop.Step == step && rec.Stop.Clock == now
}

// progress returns the step and the clock that a line leaves a machine at.
func progress(rec *logging.Record) (step uint64, now clock.Time) {
	switch rec.Kind {
	case logging.EventRecord:
		return rec.Event.Step, rec.Event.Clock
	case logging.PauseRecord:
		return rec.Pause.Step, rec.Pause.Clock
	case logging.ResumeRecord:
		return rec.Resume.Step, rec.Resume.Clock
	case logging.StopRecord:
		return rec.Stop.Step, rec.Stop.Clock
	}
	return 0, 0
}

// lines reads a log as text.
type lines struct {
	*bufio.Scanner
	name string
	n    int  // the line that next has returned
	torn bool // it has no newline
}

func newLines(r io.Reader, name string) *lines {
	l := &lines{Scanner: bufio.NewScanner(r), name: name}
	l.Buffer(make([]byte, 32<<10), logging.MaxLine)
	l.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if l.torn = atEOF && len(data) > 0; l.torn {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	return l
}

// next returns the next line without its newline, nil at the end. Lines that compare clocks
// of hosts are passed over, for they say nothing of what the machine did. A log without a
// whole line is none.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.any()
		if line == nil || !isOffset(line) {
			return line, err
		}
	}
}

// isOffset reports whether a line compares clocks of hosts.
func isOffset(line []byte) bool {
	_, rest, _ := bytes.Cut(line[min(len(line), timeLen):], []byte(": "))
	return bytes.HasPrefix(rest, []byte("offset: "))
}

// any returns the next line, of whichever kind.
func (l *lines) any() ([]byte, error) {
	l.n++
	scanned := l.Scan()
	line := l.Bytes()
	switch {
	case l.Err() != nil:
		return nil, l.fail("cannot read on: "+l.Err().Error(), l.Err())
	case !scanned && l.n == 1:
		return nil, l.fail("expected a start line, found an empty log: this machine never began", nil)
	case !scanned:
		return nil, nil
	case l.torn && l.n == 1:
		return nil, l.fail("expected a start line, found it torn", logging.ErrTorn)
	case !l.torn && len(line) < timeLen:
		return nil, l.fail("too short for a line of an event log", nil)
	}
	return line, nil
}

func (l *lines) fail(what string, err error) error {
	return &logging.Error{File: l.name, Line: l.n, Msg: what, Err: err}
}
