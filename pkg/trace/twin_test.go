package trace_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// slowSource has read all records of a log, one by one, before it gives the first away.
type slowSource struct {
	records []logging.Record
	err     error
}

func readSlowly(s trace.Source) *slowSource {
	slow := new(slowSource)
	for {
		var rec logging.Record
		if slow.err = s.Next(&rec); slow.err != nil {
			return slow
		}
		slow.records = append(slow.records, rec)
	}
}

func (s *slowSource) Next(rec *logging.Record) error {
	if len(s.records) == 0 {
		return s.err
	}
	*rec, s.records = s.records[0], s.records[1:]
	return nil
}

func (s *slowSource) Close() error { return nil }

// slowly returns the logs as they are read by one goroutine, record by record.
func slowly(logs []trace.Log) []trace.Log {
	slow := make([]trace.Log, len(logs))
	for i, l := range logs {
		open := l.Open
		l.Open = func() (trace.Source, error) {
			s, err := open()
			if err != nil {
				return nil, err
			}
			return readSlowly(s), nil
		}
		slow[i] = l
	}
	return slow
}

// seen is all that a walk shows of a step.
type seen struct {
	machine, index, line int
	micro                int64
	event                string
	other                *logging.Record
	sent                 trace.Flight
	vector               string
}

// walked is what becomes of a walk.
type walked struct {
	steps   []seen
	verdict *trace.Verdict
	err     error
}

func walkAll(t require.TestingT, logs []trace.Log, o trace.Options) (w walked) {
	run, err := trace.New(logs...)
	require.NoError(t, err)
	w.verdict, w.err = run.Walk(o, trace.VisitorFunc(func(s *trace.Step) error {
		x := seen{machine: s.Machine, index: s.Index, line: s.Line, micro: s.Micro, other: s.Other, vector: fmt.Sprint(s.Vector)}
		if s.Event != nil {
			x.event = fmt.Sprintf("%v queue %d %v", s.Event, s.Event.Queue, s.Event.Messages())
		}
		if s.Sent != nil {
			x.sent = *s.Sent
			x.sent.Vector = append([]uint64(nil), s.Sent.Vector...)
		}
		w.steps = append(w.steps, x)
		return nil
	}))
	return w
}

// damaged returns a log with random damage.
func damaged(t *rapid.T, log []byte) []byte {
	lines := bytes.SplitAfter(bytes.Clone(log), []byte("\n"))
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2, 5}).Draw(t, "damages") {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
		j := rapid.IntRange(0, len(lines)-1).Draw(t, "another")
		switch rapid.IntRange(0, 4).Draw(t, "how") {
		case 0:
			lines[i], lines[j] = lines[j], lines[i]
		case 1:
			lines[i] = nil
		case 2:
			lines[i] = bytes.Repeat(lines[i], 2)
		case 3:
			if n := len(lines[i]); n > 0 {
				k := rapid.IntRange(0, n-1).Draw(t, "byte")
				lines[i][k] = rapid.SampledFrom([]byte("0123456789: =,\"\nx\x00")).Draw(t, "by")
			}
		case 4: // it is torn there
			lines = lines[:i+1]
			lines[i] = lines[i][:len(lines[i])/2]
		}
	}
	return bytes.Join(lines, nil)
}

// However logs are read, side by side and in batches, or record by record, what is seen of
// them is the same: records, their order, and what is wrong with them.
func TestReadingInBatchesIsReading(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(200, 900, 30), Duration: time.Second, Seed: 3, Delay: 3 * time.Millisecond}))
	run, err := trace.Open(dir)
	require.NoError(t, err)
	var whole [][]byte
	for _, l := range run.Logs {
		b, err := os.ReadFile(l.Name)
		require.NoError(t, err)
		whole = append(whole, b)
	}
	rapid.Check(t, func(t *rapid.T) {
		logs := make([]trace.Log, len(whole))
		for i := range logs {
			log := whole[i]
			if rapid.Bool().Draw(t, "damage") {
				log = damaged(t, log)
			}
			logs[i] = trace.TextLog(i, fmt.Sprint("log ", i), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(log)), nil })
		}
		o := trace.Options{All: true, Vectors: rapid.Bool().Draw(t, "vectors"), VectorBytes: rapid.SampledFrom([]int64{0, 24, 500}).Draw(t, "bytes")}
		want := walkAll(t, slowly(logs), o)
		got := walkAll(t, logs, o)
		require.Equal(t, want.err, got.err)
		require.Equal(t, want.verdict, got.verdict)
		if want.err == nil {
			require.Equal(t, want.steps, got.steps)
		}
	})
}
