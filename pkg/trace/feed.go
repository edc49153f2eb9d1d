package trace

import (
	"errors"
	"io"

	"github.com/scalemodel/lamport/pkg/logging"
)

// feed reads one log ahead, in a goroutine of its own: reading costs more than
// checking.
type feed struct {
	log     *Log
	size    int // of a batch
	batches chan []logging.Entry
	free    chan []logging.Entry // of these, some may be nil: not made yet
	err     error                // why it ended, io.EOF at best; valid when batches is closed
	stop    <-chan struct{}
	beside  []func([]logging.Entry) // each is shown what is read, where it is read

	batch []logging.Entry // what is being used
	at    int
}

// readAhead returns how many batches each feed holds, and of how many lines, in a run of so many
// logs. Machines without a pace run in bursts; the walk follows one through its burst, of tens of
// thousands of lines, and the other feeds stand still when they have nothing free.
func readAhead(logs int) (batches, lines int) {
	if logs > 16 { // all together are many, and another one's lines are soon of use
		return 3, 64
	}
	return 32, 512
}

// newFeed starts to read a log of a run of so many. It goes on until the log ends or stop is
// closed. Each of beside is shown every batch before it is next's, by the goroutine that
// reads.
func newFeed(log *Log, logs int, stop <-chan struct{}, beside ...func([]logging.Entry)) *feed {
	ahead, size := readAhead(logs)
	f := &feed{
		log:     log,
		size:    size,
		batches: make(chan []logging.Entry, ahead),
		free:    make(chan []logging.Entry, ahead),
		stop:    stop,
		beside:  beside,
	}
	for range ahead {
		f.free <- nil
	}
	go f.read()
	return f
}

// wait returns when nothing of the feed is left; stop must be closed.
func (f *feed) wait() {
	for range f.batches { // which read closes last
	}
}

func (f *feed) read() {
	defer close(f.batches)
	source, err := f.log.Open()
	if err != nil {
		f.err = err
		return
	}
	defer func() { _ = source.Close() }()
	for f.err == nil {
		var batch []logging.Entry
		select {
		case batch = <-f.free:
		case <-f.stop:
			f.err = errStopped
			return
		}
		if batch == nil {
			batch = make([]logging.Entry, f.size)
		}
		var n int
		n, f.err = NextBatch(source, batch[:f.size]) // what was there is written over
		for _, show := range f.beside {
			show(batch[:n])
		}
		f.batches <- batch[:n] // there is room: it was taken from free
	}
}

var errStopped = errors.New("no longer wanted")

// next returns the next line, nil at the end; it is valid until the next call.
func (f *feed) next() *logging.Entry {
	for f.at == len(f.batch) {
		if f.batch != nil {
			f.free <- f.batch
		}
		batch, ok := <-f.batches
		if !ok {
			f.batch, f.at = nil, 0
			return nil
		}
		f.batch, f.at = batch, 0
	}
	f.at++
	return &f.batch[f.at-1]
}

// ahead returns the line that next has returned, and those behind it that are there already. Some
// of those can be skipped, for next to go on behind them.
func (f *feed) ahead() []logging.Entry { return f.batch[f.at-1:] }

func (f *feed) skip(n int) { f.at += n }

// ending returns why the log ended after next has returned nil: nil for a proper
// end of file, an error for which errors.Is(err, logging.ErrTorn) holds for one
// in the middle of a line.
func (f *feed) ending() error {
	if errors.Is(f.err, io.EOF) {
		return nil
	}
	return f.err
}
