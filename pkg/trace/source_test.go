package trace_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// memory is a log that was never text.
type memory struct {
	records []logging.Record
	end     error // nil: io.EOF
	opened  atomic.Int64
	open    atomic.Int64 // sources that are not closed
}

func (m *memory) log(id int) trace.Log {
	return trace.Log{ID: id, Name: fmt.Sprintf("machine %d", id), Open: func() (trace.Source, error) {
		m.opened.Add(1)
		m.open.Add(1)
		return &memorySource{m: m}, nil
	}}
}

type memorySource struct {
	m  *memory
	at int
}

func (s *memorySource) Next(rec *logging.Record) error {
	if s.at == len(s.m.records) {
		if s.m.end != nil {
			return s.m.end
		}
		return io.EOF
	}
	*rec = s.m.records[s.at]
	s.at++
	return nil
}

func (s *memorySource) Close() error {
	s.m.open.Add(-1)
	return errors.New("nobody looks at this")
}

// inMemory returns the records of logs, by machine.
func (l logs) inMemory(t require.TestingT) []*memory {
	var all []*memory
	for _, name := range l.names() {
		m := new(memory)
		r := logging.NewReader(strings.NewReader(l[name]), name)
		for {
			var rec logging.Record
			if m.end = r.Next(&rec); m.end != nil {
				break
			}
			m.records = append(m.records, rec)
		}
		all = append(all, m)
	}
	return all
}

func run(t require.TestingT, memories []*memory) *trace.Run {
	var logs []trace.Log
	for id, m := range memories {
		logs = append(logs, m.log(id))
	}
	slices.Reverse(logs) // any order will do
	run, err := trace.New(logs...)
	require.NoError(t, err)
	return run
}

// Where the records come from makes no difference: not to the verdict, nor to
// the figures, the order of the walk, or the total order. Nothing stays open.
func TestAnySource(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		l := goodRun(t)
		if rapid.Bool().Draw(t, "one log ends early") {
			name := l.names()[0]
			l[name] = l[name][:len(l[name])*2/3] // mostly in the middle of a line
		}
		files, memories := shelf.open(t, l), l.inMemory(t)
		sources := run(t, memories)
		require.Equal(t, files.Machines, sources.Machines)

		want, wantErr := files.Stats()
		got, err := sources.Stats()
		require.NoError(t, wantErr)
		require.NoError(t, err)
		for _, s := range []*trace.Stats{want, got} { // what names the files
			s.Dir = ""
			s.Verdict.Open = slices.Repeat([]string{"something"}, len(s.Verdict.Open))
		}
		require.Equal(t, want, got)
		wantEvents, _ := order(t, files, trace.Options{Vectors: true})
		gotEvents, _ := order(t, sources, trace.Options{Vectors: true})
		require.Equal(t, wantEvents, gotEvents)

		wantOrder, wantOpen, err := orderOf(files)
		require.NoError(t, err)
		gotOrder, gotOpen, err := orderOf(sources)
		require.NoError(t, err)
		require.Equal(t, wantOrder, gotOrder)
		require.Len(t, gotOpen, len(wantOpen))
		times := 4 // New, Stats, Walk, Order
		if got.ClockSteps != nil {
			times++ // Stats, without these
		}
		for _, m := range memories {
			require.Zero(t, m.open.Load())
			require.EqualValues(t, times, m.opened.Load())
		}
	})
}

// A broken run from no file: lines are found again and named, and none is quoted.
func TestViolationsOfAnySource(t *testing.T) {
	l := small(t)
	l.edit(t, log1, "to=0:3", "to=0:4")
	memories := l.inMemory(t)
	v, err := run(t, memories).Walk(trace.Options{})
	require.NoError(t, err)
	require.Equal(t, map[trace.Law]uint64{trace.LawFIFO: 1}, v.Broken)
	require.Equal(t, []trace.Ref{{File: "machine 1", Line: 11}, {File: "machine 1", Line: 10}}, v.Violations[0].Events)
	require.Equal(t, "machine 1:11: fifo: message 4 to machine 0 is sent after message 2, expected 3", v.Violations[0].String())
	for _, m := range memories {
		require.Zero(t, m.open.Load())
	}

	// Machines that wait for each other, so that logs are read ahead.
	cycle(l, 3)
	v, err = run(t, l.inMemory(t)).Walk(trace.Options{})
	require.NoError(t, err)
	require.EqualValues(t, 1, v.Broken[trace.LawAcyclic])
}

// A source that cannot be opened, or read on, ends the walk with its error.
func TestSourceFails(t *testing.T) {
	broken := errors.New("the cable is out")
	memories := small(t).inMemory(t)
	memories[1].records, memories[1].end = memories[1].records[:5], broken
	r := run(t, memories)
	_, err := r.Walk(trace.Options{})
	require.Equal(t, broken, err)
	_, _, err = orderOf(r)
	require.Equal(t, broken, err)
	_, err = r.Stats()
	require.Equal(t, broken, err)
	for _, m := range memories {
		require.Zero(t, m.open.Load())
	}

	nowhere := memories[0].log(1)
	opens := 0
	nowhere.Open = func() (trace.Source, error) {
		if opens++; opens > 1 { // New is let in
			return nil, broken
		}
		return &memorySource{m: memories[0]}, nil
	}
	r, err = trace.New(memories[0].log(0), nowhere)
	require.NoError(t, err)
	_, err = r.Walk(trace.Options{})
	require.Equal(t, broken, err)
	_, err = trace.New(nowhere)
	require.Equal(t, broken, err)
}

func TestNewRefuses(t *testing.T) {
	_, err := trace.New()
	require.EqualError(t, err, "no event log: want one at least")
	m := small(t).inMemory(t)[0]
	for _, id := range []int{-1, 1 << 20} {
		_, err = trace.New(m.log(id))
		require.EqualError(t, err, fmt.Sprintf("machine %d: expected a machine from 0 to 1048575, found %d", id, id))
	}
	m.records[0].Start.Machines = 1<<20 + 1
	_, err = trace.New(m.log(0))
	require.EqualError(t, err, "machine 0:1: expected at most 1048576 machines, found 1048577")
}

// What it takes to read logs that are compressed.
func gzipLog(id int, path string) trace.Log {
	return trace.TextLog(id, path, func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return struct {
			io.Reader
			io.Closer
		}{z, f}, nil
	})
}

func TestCompressedLogs(t *testing.T) {
	dir := t.TempDir()
	l := record(t, tracetest.Config{Rates: tracetest.Hertz(10, 50, 40), Duration: 6 * time.Second, Seed: 11, Delay: 30 * time.Millisecond})
	var compressed []trace.Log
	for id, name := range l.names() {
		f, err := os.Create(filepath.Join(dir, name+".gz"))
		require.NoError(t, err)
		z := gzip.NewWriter(f)
		_, err = io.WriteString(z, l[name])
		require.NoError(t, errors.Join(err, z.Close(), f.Close()))
		compressed = append(compressed, gzipLog(id, f.Name()))
		compressed[id].File = name
	}
	r, err := trace.New(compressed...)
	require.NoError(t, err)
	v, err := r.Walk(trace.Options{})
	require.NoError(t, err)
	assert.Equal(t, l.check(t), v)

	// The start line has to fit the name, and what breaks a law is quoted.
	compressed[1].File = "vm_1_7.log"
	r, err = trace.New(compressed...)
	require.NoError(t, err)
	v, err = r.Walk(trace.Options{})
	require.NoError(t, err)
	require.Equal(t, map[trace.Law]uint64{trace.LawRun: 1}, v.Broken)
	require.Equal(t, []trace.Ref{{File: compressed[1].Name, Line: 1, Text: strings.TrimSuffix(l.lines("vm_1_50.log")[0], "\n")}}, v.Violations[0].Events)

	// A file that breaks off is unreadable where it does.
	require.NoError(t, os.Truncate(compressed[0].Name, 200))
	r, err = trace.New(compressed...)
	require.NoError(t, err)
	_, err = r.Walk(trace.Options{})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, compressed[0].Name+":")
}

// broadcast is a run in which machine 0 sends to all others in one event, as far as an
// event takes them, and each of these receives its message.
func broadcast(machines int) []*memory {
	all := make([]*memory, machines)
	add := func(id int, rec logging.Record) {
		rec.ID, rec.Line, rec.UnixMicro = id, len(all[id].records)+1, int64(id+1)*1e6
		all[id].records = append(all[id].records, rec)
	}
	for id := range machines {
		all[id] = new(memory)
		start := logging.Start{Run: "made", Machines: machines, Rate: clock.Hertz, Die: 10}
		for peer := range machines {
			if peer != id {
				start.Peers = append(start.Peers, peer)
			}
		}
		add(id, logging.Record{Kind: logging.StartRecord, Start: start})
	}
	send := event.Event{Step: 1, Clock: 1, Kind: event.Send}
	var messages []event.Message
	for id := machines - 1; id > 0; id-- { // in any order
		messages = append(messages, event.Message{To: int32(id), Seq: 1, Sent: 1})
	}
	send.SetMessages(messages...)
	add(0, logging.Record{Kind: logging.EventRecord, Event: send})
	stops := make([]logging.Stop, machines)
	stops[0] = logging.Stop{Step: 1, Clock: 1}
	for _, m := range send.Messages() {
		receive := event.Event{Step: 1, Clock: 2, Kind: event.Receive}
		receive.SetMessages(m)
		add(int(m.To), logging.Record{Kind: logging.EventRecord, Event: receive})
		stops[m.To] = logging.Stop{Step: 1, Clock: 2}
	}
	for id := range machines {
		add(id, logging.Record{Kind: logging.StopRecord, Stop: stops[id]})
	}
	return all
}

// The laws hold for each message of a send, however many there are.
func TestManyMessagesInASend(t *testing.T) {
	for _, machines := range []int{2, 3, 4, 9, 300} {
		memories := broadcast(machines)
		r := run(t, memories)
		v, err := r.Walk(trace.Options{})
		require.NoError(t, err)
		require.Equal(t, trace.Correct, v.State, "%v", v.Violations)
		sent := len(memories[0].records[1].Event.Messages())
		require.EqualValues(t, sent, v.Sent)
		require.EqualValues(t, sent, v.Received)
		all, _, err := orderOf(r)
		require.NoError(t, err)
		require.Len(t, all, sent+1)

		// The last of them is not received: one link has lost it.
		last := memories[0].records[1].Event.Messages()[sent-1].To
		lost := memories[last]
		lost.records = slices.Delete(lost.records, 1, 2)
		lost.records[1].Stop = logging.Stop{}
		v, err = r.Walk(trace.Options{})
		require.NoError(t, err)
		require.Equal(t, map[trace.Law]uint64{trace.LawConservation: 1}, v.Broken)
		require.Contains(t, v.Violations[0].What, fmt.Sprintf("machine 0 sent 1 message to machine %d, where 0 are received", last))
	}
}
