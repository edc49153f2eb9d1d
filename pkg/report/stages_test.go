package report

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// twin is an export without stages: every line is formatted while it is shown.
type twin struct {
	form    form
	text    []byte
	vectors bool
}

func (t *twin) WantsVectors() bool { return t.vectors }

func (t *twin) Visit(s *trace.Step) error {
	t.text = t.form.add(t.text, s)
	return nil
}

// What is formatted behind the walk is what was shown, though the walk has moved on: over
// many batches and texts, with all that a line refers to.
func TestStagesAgainstTheirTwin(t *testing.T) {
	run := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(1000, 300, 700, 40), Duration: 4 * time.Second, Seed: 5, Die: 4, Delay: 30 * time.Millisecond})
	for _, f := range Formats {
		for _, vectors := range []bool{false, true} {
			w := &twin{vectors: vectors || f == ShiViz}
			w.form = newForm(run, f, w.vectors)
			w.text = w.form.begin(nil)
			v, err := run.Walk(trace.Options{}, w)
			require.NoError(t, err)
			require.Greater(t, v.Events, uint64(10*batchLines))
			w.text = w.form.end(w.text, v)

			var got bytes.Buffer
			_, err = Export(&got, run, f, Options{Vectors: vectors})
			require.NoError(t, err)
			require.Greater(t, got.Len(), ahead*full)
			assert.True(t, bytes.Equal(w.text, got.Bytes()), "%s, vectors %v", f, vectors)
		}
	}
}

// Vector clocks of many machines fill a batch before its lines do.
func TestBatchIsBounded(t *testing.T) {
	var b *batch
	b = b.empty()
	step := &trace.Step{Event: new(event.Event), Vector: make([]uint64, MaxVectors)}
	for !b.isFull() {
		b.add(step, true)
	}
	assert.Len(t, b.steps, batchVectors/MaxVectors)
	assert.False(t, b.empty().isFull())
	for !b.isFull() {
		b.add(step, false)
	}
	assert.Len(t, b.steps, batchLines)
}

var errFull = errors.New("full")

// brittle takes some writes, then fails once and must not be written to again.
type brittle struct {
	t      *testing.T
	takes  int
	failed bool
}

func (b *brittle) Write(p []byte) (int, error) {
	assert.False(b.t, b.failed, "a write after one that failed")
	if b.takes--; b.takes < 0 {
		b.failed = true
		return 0, errFull
	}
	return len(p), nil
}

// A writer that fails ends the walk soon, and is left alone.
func TestWriterFailsBehindTheWalk(t *testing.T) {
	run := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(1000, 1000), Duration: 20 * time.Second})
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for takes := range 4 {
		e, err := NewExporter(&brittle{t: t, takes: takes}, run, JSONL, Options{})
		require.NoError(t, err)
		shown := 0
		_, err = run.Walk(trace.Options{}, trace.VisitorFunc(func(s *trace.Step) error {
			shown++
			return e.Visit(s)
		}))
		require.Equal(t, errFull, err)
		assert.Less(t, shown, 40_000, "it went on to the end")
		_, err = e.End(nil)
		require.Equal(t, errFull, err)
	}
}
