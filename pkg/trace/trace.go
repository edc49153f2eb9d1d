// Package trace reads a recorded run and checks it against the laws.
//
// A [Run] is put together from the logs of its machines: by [Open] from the files
// in a directory, by [New] from any [Source] of records. [Run.Walk] goes through
// all of them at once, in an order that respects happened-before, holds every line
// against the laws, and shows it to any number of visitors. What it keeps in memory
// grows with the messages in flight, not with the events.
//
// The package shares no rule with package machine, which it checks: everything
// here follows from the logs and from Lamport's paper.
package trace

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// Source reads what one machine recorded, from the first line to the last. It is
// used by one goroutine at a time.
type Source interface {
	// Next reads the next record into rec and sets all of its fields. Line
	// counts from 1 and ascends. A record is one that a [logging.Writer] would
	// take, and what rec refers to (lists, and the messages of an event) is not
	// changed by later calls.
	//
	// At the end of the log it returns [io.EOF]. An error for which
	// errors.Is(err, logging.ErrTorn) says that the last line breaks off: the
	// log is taken as far as it goes. Every other error says that the log
	// cannot be read; it should name the log and the line, as [logging.Error]
	// does. After an error there is no further call but Close.
	Next(rec *logging.Record) error
	// Close gives back what the source holds. Its error is not looked at.
	Close() error
}

// BatchSource is a [Source] that reads many records at once, for less than what each by
// itself costs.
type BatchSource interface {
	Source
	// NextBatch reads the next records into entries, as many as these are, and sets all of
	// their fields. It returns how many it has read, and what Next would return for the
	// one after them if they are fewer.
	NextBatch(entries []logging.Entry) (n int, err error)
}

// NextBatch reads from any source as from a [BatchSource].
func NextBatch(s Source, entries []logging.Entry) (n int, err error) {
	if b, ok := s.(BatchSource); ok {
		return b.NextBatch(entries)
	}
	var rec logging.Record
	for n < len(entries) {
		if err := s.Next(&rec); err != nil {
			return n, err
		}
		entries[n].Set(&rec)
		n++
	}
	return n, nil
}

// Log is what one machine recorded, wherever it is kept.
type Log struct {
	ID   int    // of the machine, 0 … 2²⁰-1
	Name string // what messages call it: of a file that [Open] found, its path
	// File is the name of the file that it is, which has to fit its start line
	// (law run). Empty: it is no such file.
	File string
	// Open begins to read at the first line. It is called once more for every
	// look at the log: by [New] for the first line, by a walk, and by that walk
	// again where machines wait for each other or a law is broken, or where it has
	// no visitor and very many messages are underway at the end, or the lines are to
	// be put in order all the same. So two sources of a log may be in use at the
	// same time, in different goroutines; the later one must give the records that
	// the earlier one gives.
	Open func() (Source, error)
	// Text opens the log as text whose nth line is the record of Line n, to quote
	// from. nil: violations name lines, and quote none.
	Text func() (io.ReadCloser, error)
}

// TextLog returns a log in the format of package logging, wherever its bytes come
// from: open begins to read them at the first one.
func TextLog(id int, name string, open func() (io.ReadCloser, error)) Log {
	return Log{ID: id, Name: name, Text: open, Open: func() (Source, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return textSource{logging.NewReader(r, name), r}, nil
	}}
}

type textSource struct {
	*logging.Reader
	io.Closer
}

// Run is a recorded run: the logs of its machines.
type Run struct {
	Dir  string // of the logs, or the name of the stream that they are from; else empty
	Logs []Log  // by ID; two of one machine stand side by side
	// Machines is the largest number of machines that any log's first line
	// names, or that the logs' IDs need. 1 at least.
	Machines int
	// Record says what the run was to be, where its directory does; nil: nothing
	// is known of that. The logs have to fit it.
	Record     *rundir.Record
	unreadable error // why it is nil although there is one
}

// Present returns the machines that have a log, ascending. A name or a first line can
// claim a million of which there are three: whoever keeps something by machine
// does it for these, at [Step.Index].
func (r *Run) Present() []int {
	ids := make([]int, 0, len(r.Logs))
	for i := range r.Logs {
		if id := r.Logs[i].ID; len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	return ids
}

// roster are the machines that are there, as [Run.Present] lists them.
type roster []int

// index returns where a machine stands in the roster, false where it does not.
func (r roster) index(id int) (int, bool) {
	if id < len(r) && r[id] == id { // no smaller one is missing
		return id, true
	}
	return slices.BinarySearch(r, id)
}

// missing returns how many of the machines of a run are not there, and the first of
// those, but for which a list would be too long.
func (r roster) missing(machines int) (n int, first []int) {
	n = machines - len(r)
	for id := 0; len(first) < min(n, maxListed); id++ {
		if _, ok := r.index(id); !ok {
			first = append(first, id)
		}
	}
	return n, first
}

// listed writes ids as "0, 2, 5".
func listed(ids []int) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(id)
	}
	return strings.Join(words, ", ")
}

// maxListed is how many things of a kind are listed where there may be many.
const maxListed = 10

// maxMachines bounds what a forged name or first line can make this package
// allocate. A start line has no room for the peers of so many.
const maxMachines = 1 << 20

// New puts a run together from the logs of its machines, in any order. It reads no
// more than their first lines. What is wrong with those is for the walk to say,
// unless a log cannot be opened, or is of more machines than this package takes.
func New(logs ...Log) (*Run, error) {
	if len(logs) == 0 {
		return nil, errors.New("no event log: want one at least")
	}
	run := &Run{Logs: slices.Clone(logs), Machines: 1}
	for i := range run.Logs {
		l := &run.Logs[i]
		if l.ID < 0 || l.ID >= maxMachines {
			return nil, fmt.Errorf("%s: expected a machine from 0 to %d, found %d", l.Name, maxMachines-1, l.ID)
		}
		n, err := l.machines()
		if err != nil {
			return nil, err
		}
		run.Machines = max(run.Machines, l.ID+1, n)
	}
	slices.SortStableFunc(run.Logs, func(a, b Log) int { return a.ID - b.ID })
	return run, nil
}

// machines returns how many machines the log's first line says the run has, or
// 0 where it does not say so.
func (l *Log) machines() (int, error) {
	s, err := l.Open()
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	var rec logging.Record
	if s.Next(&rec) != nil || rec.Kind != logging.StartRecord {
		return 0, nil // what is wrong with the line is the walk's to say
	}
	if n := rec.Start.Machines; n > maxMachines {
		msg := fmt.Sprintf("expected at most %d machines, found %d", maxMachines, n)
		return 0, &logging.Error{File: l.Name, Line: rec.Line, Msg: msg}
	}
	return rec.Start.Machines, nil
}

// lines calls f for each line of the log up to its end, or to a line that cannot
// be read.
func (l *Log) lines(f func(*logging.Record)) error {
	s, err := l.Open()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	var rec logging.Record
	for s.Next(&rec) == nil {
		f(&rec)
	}
	return nil
}
