package causal

import (
	"fmt"
	"io"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// logs are those of a run, by machine, that was never text.
type logs [][]logging.Record

// source reads one of them.
type source struct{ records []logging.Record }

func (s *source) Next(rec *logging.Record) error {
	if len(s.records) == 0 {
		return io.EOF
	}
	*rec, s.records = s.records[0], s.records[1:]
	return nil
}

func (s *source) Close() error { return nil }

// run returns the run of those that are there.
func (l logs) run(t require.TestingT) *trace.Run {
	var found []trace.Log
	for id, records := range l {
		if records != nil {
			found = append(found, trace.Log{ID: id, Name: fmt.Sprint("machine ", id), Open: func() (trace.Source, error) {
				return &source{records}, nil
			}})
		}
	}
	run, err := trace.New(found...)
	require.NoError(t, err)
	return run
}

// maker makes a random run, step by step.
type maker struct {
	logs    logs
	clocks  []uint64
	steps   []uint64
	sent    map[[2]int]uint64
	waiting [][]event.Message
	micro   int64
	skew    []int64 // of the machines' clocks
}

// newRun draws a run that keeps the laws: messages may be lost at its end only.
func newRun(t *rapid.T, machines, steps int) *maker {
	m := &maker{
		logs: make(logs, machines), clocks: make([]uint64, machines), steps: make([]uint64, machines),
		sent: make(map[[2]int]uint64), waiting: make([][]event.Message, machines), micro: 1_000_000,
	}
	for id := range machines {
		m.skew = append(m.skew, int64(rapid.IntRange(0, 3).Draw(t, "skew")*7_000))
		m.add(id, start(machines))
	}
	for range steps {
		m.step(t)
	}
	return m
}

func (m *maker) add(id int, rec logging.Record) {
	rec.ID, rec.UnixMicro, rec.Line = id, m.micro+m.skew[id], len(m.logs[id])+1
	m.logs[id] = append(m.logs[id], rec)
}

func (m *maker) step(t *rapid.T) {
	n := len(m.logs)
	m.micro += int64(rapid.IntRange(0, 1000).Draw(t, "µs"))
	id := rapid.IntRange(0, n-1).Draw(t, "machine")
	what := rapid.IntRange(0, 9).Draw(t, "what")
	if what == 9 {
		m.add(id, logging.Record{Kind: logging.ResumeRecord, Resume: logging.Resume{Step: m.steps[id], Clock: clock.Time(m.clocks[id])}})
		return
	}
	m.steps[id]++
	e := event.Event{Step: m.steps[id], Kind: event.Internal, Queue: len(m.waiting[id])}
	m.clocks[id]++
	switch {
	case what < 4 && len(m.waiting[id]) > 0:
		in := m.waiting[id][0]
		m.waiting[id] = m.waiting[id][1:]
		m.clocks[id] = max(m.clocks[id]-1, uint64(in.Sent)) + 1
		e.Kind = event.Receive
		e.SetMessages(in)
	case what < 8 && n > 1:
		e.Kind = event.Send
		var out []event.Message
		for range rapid.IntRange(1, 3).Draw(t, "messages") {
			to := rapid.IntRange(0, n-2).Draw(t, "to")
			if to >= id {
				to++
			}
			m.sent[[2]int{id, to}]++
			out = append(out, event.Message{From: int32(id), To: int32(to), Seq: m.sent[[2]int{id, to}], Sent: clock.Time(m.clocks[id])})
			m.waiting[to] = append(m.waiting[to], out[len(out)-1])
		}
		e.SetMessages(out...)
	}
	e.Clock = clock.Time(m.clocks[id])
	m.add(id, eventRecord(e))
}

// harm breaks a run: what a crash leaves, and what nobody but a stranger would write.
func (m *maker) harm(t *rapid.T) {
	id := rapid.IntRange(0, len(m.logs)-1).Draw(t, "whose")
	log := &m.logs[id]
	if len(*log) < 2 {
		return
	}
	i := rapid.IntRange(1, len(*log)-1).Draw(t, "line")
	j := rapid.IntRange(1, len(*log)-1).Draw(t, "other line")
	switch rapid.IntRange(0, 5).Draw(t, "harm") {
	case 0: // the log is missing, but not all can be
		if len(m.logs) > 1 && slices.IndexFunc(m.logs, func(l []logging.Record) bool { return l == nil }) < 0 {
			*log = nil
		}
	case 1: // it breaks off
		*log = (*log)[:i]
	case 2: // a line is missing
		*log = slices.Delete(slices.Clone(*log), i, i+1)
	case 3: // a line is there twice
		*log = slices.Insert(slices.Clone(*log), i, (*log)[j])
	case 4: // two lines have changed places: there may be a cycle
		*log = slices.Clone(*log)
		(*log)[i], (*log)[j] = (*log)[j], (*log)[i]
	case 5: // a message has another number, and another stamp
		rec := (*log)[i]
		if all := slices.Clone(rec.Event.Messages()); len(all) > 0 {
			all[0].Seq += uint64(rapid.IntRange(0, 3).Draw(t, "seq"))
			all[0].Sent += clock.Time(rapid.IntRange(0, 3).Draw(t, "sent"))
			rec.Event.SetMessages(all...)
			*log = slices.Clone(*log)
			(*log)[i] = rec
		}
	}
	for k := range *log {
		(*log)[k].Line = k + 1
	}
}

func start(machines int) logging.Record {
	return logging.Record{Kind: logging.StartRecord, Start: logging.Start{Run: "made", Machines: machines, Rate: clock.Hertz, Die: 10}}
}

func eventRecord(e event.Event) logging.Record {
	return logging.Record{Kind: logging.EventRecord, Event: e}
}
