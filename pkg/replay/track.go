package replay

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Track is the record of one machine, followed turn by turn. It says what could
// not be known beforehand: which message was received when, and how many waited.
// It is not safe for concurrent use.
type Track struct {
	path   string
	source Source
	first  logging.Record
	turn   Turn

	began  int64 // Unix µs: when the run would have begun had it never stood still
	paused bool  // the last turn was a pause line

	// What the machine has come to, as recorded.
	step    uint64
	clock   clock.Time
	waiting int
}

// Turn is one line of a record after the first: what the machine did next. For an
// event it holds while the machine has not executed it.
type Turn struct {
	logging.Record
	// Here is how many messages must be here, unreceived, before a receive can
	// be what it was: the one it took, and those that waited after it.
	Here int
	// Since is when the turn came, counted from the machine's start, but for the time in
	// which the run stood still.
	Since time.Duration
}

// Source reads the record of one machine from its first line on, as package trace has it.
type Source interface {
	Next(rec *logging.Record) error
	Close() error
}

// Log is the record of one machine, wherever it is kept.
type Log struct {
	Name string // what messages call it
	Open func() (Source, error)
}

// File returns the event log in a file.
func File(path string) Log {
	return Log{Name: path, Open: func() (Source, error) {
		file, err := logging.Open(path)
		if err != nil {
			return nil, err
		}
		return fileSource{logging.NewReader(file, path), file}, nil
	}}
}

type fileSource struct {
	*logging.Reader
	io.Closer
}

// Open opens the event log of one machine and reads its first line.
func Open(path string) (*Track, error) { return File(path).track() }

// track opens the log and reads its first line.
func (l Log) track() (*Track, error) {
	source, err := l.Open()
	if err != nil {
		return nil, err
	}
	t := &Track{path: l.Name, source: source}
	if err := t.begin(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Track) begin() error {
	err := t.source.Next(&t.first)
	switch {
	case errors.Is(err, io.EOF):
		return &logging.Error{File: t.path, Line: 1, Msg: "expected a start line, found an empty log: this machine never began"}
	case err != nil:
		return err
	case t.first.Kind != logging.StartRecord:
		return &logging.Error{File: t.path, Line: t.first.Line, Msg: fmt.Sprintf("expected a start line, found %v", t.first.Kind)}
	}
	t.began = t.first.UnixMicro
	return nil
}

// Close closes the log.
func (t *Track) Close() { _ = t.source.Close() } // it was only read

// Path returns the name that the log was opened by.
func (t *Track) Path() string { return t.path }

// ID returns whose record it is.
func (t *Track) ID() int { return t.first.ID }

// Start returns what the machine was started with.
func (t *Track) Start() logging.Start { return t.first.Start }

// Next returns the next turn, or io.EOF where the record ends, be it in the middle
// of a line. It is valid until the next call. An error otherwise is a
// [logging.Error], or a [Difference]: there is nothing that a machine could do to
// come by such a line.
func (t *Track) Next() (*Turn, error) {
	turn := &t.turn
	if turn.Kind == logging.StopRecord {
		return nil, t.over()
	}
	err := t.source.Next(&turn.Record)
	for err == nil && turn.Kind == logging.OffsetRecord { // the machine did nothing
		err = t.source.Next(&turn.Record)
	}
	switch {
	case errors.Is(err, logging.ErrTorn):
		return nil, io.EOF
	case err != nil:
		return nil, err
	case turn.ID != t.first.ID:
		return nil, t.unreadable("a line of machine %d in the log of machine %d", turn.ID, t.first.ID)
	case turn.Kind == logging.StartRecord:
		return nil, t.unreadable("a second start line")
	case t.paused && turn.Kind != logging.ResumeRecord:
		return nil, t.unreadable("expected a resume line after the pause line")
	}
	t.paused = turn.Kind == logging.PauseRecord
	if turn.Kind == logging.ResumeRecord && turn.Resume.Elapsed > 0 {
		t.began = turn.UnixMicro - turn.Resume.Elapsed.Microseconds()
	}
	turn.Since = time.Duration(turn.UnixMicro-t.began) * time.Microsecond
	turn.Here = 0
	switch turn.Kind {
	case logging.EventRecord:
		return turn, t.event()
	case logging.PauseRecord:
		return turn, t.compare(&logging.Record{ID: turn.ID, Kind: logging.PauseRecord, Pause: logging.Pause{Step: t.step, Clock: t.clock, Elapsed: turn.Pause.Elapsed}})
	case logging.ResumeRecord:
		// What waited was lost with the process, and is sent again.
		t.waiting = 0
		return turn, t.compare(&logging.Record{ID: turn.ID, Kind: logging.ResumeRecord, Resume: logging.Resume{Step: t.step, Clock: t.clock, Elapsed: turn.Resume.Elapsed}})
	}
	return turn, nil
}

// over returns io.EOF if nothing follows the stop line, which remains the turn.
func (t *Track) over() error {
	var rest logging.Record
	err := t.source.Next(&rest)
	if err == nil {
		return &logging.Error{File: t.path, Line: rest.Line, Msg: "a line after the stop line"}
	}
	return err
}

func (t *Track) unreadable(format string, args ...any) error {
	return &logging.Error{File: t.path, Line: t.turn.Line, Msg: fmt.Sprintf(format, args...)}
}

// event takes in the recorded event. A machine receives while anything waits, and
// what waits does not go away by itself.
func (t *Track) event() error {
	ev := &t.turn.Event
	waited := t.waiting
	t.step, t.clock, t.waiting = ev.Step, ev.Clock, ev.Queue
	if ev.Kind != event.Receive {
		if waited > 0 {
			return t.differs(fmt.Sprintf("a receive, for the queue held %d", waited))
		}
		return nil
	}
	t.turn.Here = max(ev.Queue, ev.Queue+1) // a forged one may be the largest there is
	if t.turn.Here < waited {
		return t.differs(fmt.Sprintf("a queue of %d at least, for it held %d before", waited-1, waited))
	}
	return nil
}

// Compare holds what a machine did in this turn against the record. How many
// messages waited when it had received is the record's to say, as is the order in
// which they came; ev is told. The rest must be the same.
func (t *Track) Compare(ev *event.Event) error {
	if ev.Kind == event.Receive {
		ev.Queue = t.turn.Event.Queue
	}
	if ev.Equal(&t.turn.Event) {
		return nil
	}
	return t.compare(&logging.Record{ID: t.first.ID, Kind: logging.EventRecord, Event: *ev})
}

// CompareStop holds a machine's end against the record.
func (t *Track) CompareStop(stop logging.Stop) error {
	return t.compare(&logging.Record{ID: t.first.ID, Kind: logging.StopRecord, Stop: stop})
}

func (t *Track) compare(replayed *logging.Record) error {
	if did := text(replayed); did != text(&t.turn.Record) {
		return t.differs(did)
	}
	return nil
}

// differs returns what is to be said of this turn.
func (t *Track) differs(replayed string) error {
	return &Difference{File: t.path, Line: t.turn.Line, Recorded: text(&t.turn.Record), Replayed: replayed}
}
