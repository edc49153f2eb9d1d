package replay

import (
	"errors"

	"github.com/scalemodel/lamport/pkg/logging"
)

// ahead is a [Source] that reads another one ahead, in a goroutine of its own, so that a
// replay executes what was read while the rest is read.
type ahead struct {
	of      Source
	size    int                  // lines of a batch
	batches chan []logging.Entry // read
	free    chan []logging.Entry // of these, some may be nil: not made yet
	err     error                // why it ended; valid when batches is closed
	stop    chan struct{}

	batch []logging.Entry // what is being used
	at    int
}

// batchSource is a Source that reads many lines at once, as package trace has it.
type batchSource interface {
	NextBatch(entries []logging.Entry) (n int, err error)
}

// newAhead reads a source ahead from where it is, one of so many.
func newAhead(of Source, sources int) *ahead {
	const batches, few = 8, 16
	a := &ahead{
		of:      of,
		size:    512,
		batches: make(chan []logging.Entry, batches),
		free:    make(chan []logging.Entry, batches),
		stop:    make(chan struct{}),
	}
	if sources > few { // all together take memory
		a.size = 64
	}
	for range batches {
		a.free <- nil
	}
	go a.read()
	return a
}

// Close ends the reading.
func (a *ahead) Close() error {
	close(a.stop)
	for range a.batches { // which read closes last
	}
	return a.of.Close()
}

func (a *ahead) read() {
	defer close(a.batches)
	for a.err == nil {
		var batch []logging.Entry
		select {
		case batch = <-a.free:
		case <-a.stop:
			a.err = errClosed
			return
		}
		if batch == nil {
			batch = make([]logging.Entry, a.size)
		}
		var n int
		n, a.err = a.next(batch[:a.size])
		a.batches <- batch[:n] // there is room: it was taken from free
	}
}

var errClosed = errors.New("the log is closed")

func (a *ahead) next(entries []logging.Entry) (n int, err error) {
	if s, ok := a.of.(batchSource); ok {
		return s.NextBatch(entries)
	}
	var rec logging.Record
	for ; n < len(entries); n++ {
		if err := a.of.Next(&rec); err != nil {
			return n, err
		}
		entries[n].Set(&rec)
	}
	return n, nil
}

// Next reads the next line that the source has, or returns its error.
func (a *ahead) Next(rec *logging.Record) error {
	for a.at == len(a.batch) {
		if a.batch != nil {
			a.free <- a.batch
		}
		batch, ok := <-a.batches
		if a.batch, a.at = batch, 0; !ok {
			return a.err
		}
	}
	e := &a.batch[a.at]
	a.at++
	if e.Other != nil {
		*rec = *e.Other
		return nil
	}
	if rec.Kind != logging.EventRecord { // else nothing is in its other fields
		*rec = logging.Record{Kind: logging.EventRecord}
	}
	rec.Line, rec.UnixMicro, rec.ID, rec.Event = e.Line, e.UnixMicro, e.ID, e.Event
	return nil
}
