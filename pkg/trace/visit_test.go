package trace_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// witness notes the lines that it is shown, and leaves after so many.
type witness struct {
	stays   int // 0: to the end
	vectors bool
	seen    []naiveEvent
	counted int // vector clocks
}

func (w *witness) WantsVectors() bool { return w.vectors }

func (w *witness) Visit(s *trace.Step) error {
	w.seen = append(w.seen, naiveEvent{s.Machine, s.Line})
	if s.Vector != nil {
		w.counted++
	}
	if len(w.seen) == w.stays {
		return trace.ErrEnough
	}
	return nil
}

// One walk reads each log once, for all visitors and the laws.
func TestOneWalkForAll(t *testing.T) {
	memories := three(t).inMemory(t)
	r := run(t, memories)
	var first, second witness
	figures := trace.NewCollector(r)
	v, err := r.Walk(trace.Options{}, &first, figures, &second)
	require.NoError(t, err)
	require.Equal(t, trace.Correct, v.State)
	require.NotEmpty(t, first.seen)
	require.Equal(t, first.seen, second.seen)
	for _, m := range memories {
		require.EqualValues(t, 2, m.opened.Load(), "New, and one walk")
	}
	alone, err := r.Stats()
	require.NoError(t, err)
	require.Equal(t, alone, figures.Stats(v))
}

// Who has seen enough leaves, and the others go on in their order.
func TestVisitorsLeave(t *testing.T) {
	r := run(t, three(t).inMemory(t))
	var all witness
	want, err := r.Walk(trace.Options{}, &all)
	require.NoError(t, err)
	for _, stays := range [][]int{{1, 0, 1}, {0, 7, 0}, {3, 3, 3}, {1, 0, 500}} {
		visitors := []*witness{{stays: stays[0]}, {stays: stays[1]}, {stays: stays[2]}}
		v, err := r.Walk(trace.Options{}, visitors[0], visitors[1], visitors[2])
		require.NoError(t, err)
		require.Equal(t, want, v, "the laws are held to the end")
		for i, w := range visitors {
			n := stays[i]
			if n == 0 {
				n = len(all.seen)
			}
			require.Equal(t, all.seen[:n], w.seen)
		}
	}
}

// Without the laws a walk ends with its last visitor: nobody looks at what comes
// after.
func TestUncheckedWalkEndsWithItsVisitors(t *testing.T) {
	memories := three(t).inMemory(t)
	unreadable := errors.New("unreadable")
	for _, m := range memories {
		m.end = unreadable
	}
	r := run(t, memories)
	before := goleak.IgnoreCurrent()
	a, b := witness{stays: 5}, witness{stays: 200}
	v, err := r.Walk(trace.Options{Unchecked: true}, &a, &b)
	require.NoError(t, err)
	require.Nil(t, v)
	require.Len(t, a.seen, 5)
	require.Len(t, b.seen, 200)
	_, err = r.Walk(trace.Options{Unchecked: true})
	require.NoError(t, err, "nobody is there")
	_, err = r.Walk(trace.Options{Unchecked: true}, &witness{})
	require.Equal(t, unreadable, err)
	_, err = r.Walk(trace.Options{}, &witness{stays: 5})
	require.Equal(t, unreadable, err, "the laws want to see the rest")
	for _, m := range memories {
		require.Zero(t, m.open.Load())
	}
	goleak.VerifyNone(t, before)
}

// The order of a walk is the same without the laws, whatever is wrong with the logs.
func TestUncheckedWalkHasTheSameOrder(t *testing.T) {
	for _, d := range damages {
		l := small(t)
		d.do(t, l)
		r, err := trace.Open(l.dir(t))
		require.NoError(t, err)
		var checked, unchecked witness
		_, err = r.Walk(trace.Options{}, &checked)
		require.NoError(t, err)
		v, err := r.Walk(trace.Options{Unchecked: true}, &unchecked)
		require.NoError(t, err)
		require.Nil(t, v)
		require.Equal(t, checked.seen, unchecked.seen, d.name)
	}
}

// Vector clocks are kept if one wants them.
func TestVectorsForWhoWantsThem(t *testing.T) {
	r := run(t, small(t).inMemory(t))
	const events = 15
	for _, tt := range []struct {
		options trace.Options
		wants   []bool
		counted int
	}{
		{trace.Options{}, []bool{false, false}, 0},
		{trace.Options{}, []bool{false, true}, events},
		{trace.Options{}, []bool{true, false}, events},
		{trace.Options{Vectors: true}, []bool{false, false}, events},
		{trace.Options{Unchecked: true}, []bool{false, true}, events},
	} {
		a, b := witness{vectors: tt.wants[0]}, witness{vectors: tt.wants[1]}
		_, err := r.Walk(tt.options, &a, &b)
		require.NoError(t, err)
		require.Equal(t, []int{tt.counted, tt.counted}, []int{a.counted, b.counted})
	}
}

// An error of one visitor ends the walk for all, and whoever comes after it is not
// shown the line.
func TestVisitorFails(t *testing.T) {
	r := run(t, small(t).inMemory(t))
	broken := errors.New("the disk is full")
	var before, after witness
	n := 0
	v, err := r.Walk(trace.Options{}, &before, trace.VisitorFunc(func(*trace.Step) error {
		if n++; n == 4 {
			return broken
		}
		return nil
	}), &after)
	require.Equal(t, broken, err)
	require.Nil(t, v)
	require.Len(t, before.seen, 4)
	require.Equal(t, before.seen[:3], slices.Clone(after.seen))
}

// hidden is a Collector to which nothing but the walk itself shows lines.
type hidden struct{ figures *trace.Collector }

func (h hidden) Visit(s *trace.Step) error { return h.figures.Visit(s) }
func (h hidden) WantsVectors() bool        { return h.figures.WantsVectors() }
func (h hidden) End(index int)             { h.figures.End(index) }

// The figures are the same whether a log's own are gathered where it is read or by the walk.
func TestFiguresBesideTheWalkAndInIt(t *testing.T) {
	same := func(t require.TestingT, r *trace.Run) {
		beside, within := trace.NewCollector(r), trace.NewCollector(r)
		v, err := r.Walk(trace.Options{}, beside, hidden{within})
		require.NoError(t, err)
		require.Equal(t, within.Stats(v), beside.Stats(v))
	}
	for _, d := range damages {
		l := small(t)
		d.do(t, l)
		r, err := trace.Open(l.dir(t))
		require.NoError(t, err)
		same(t, r)
	}
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) { same(t, shelf.open(t, goodRun(t))) })
}

// swapped returns a log in which some lines stand before the one that they should stand behind.
func swapped(t *rapid.T, log []byte) []byte {
	lines := bytes.SplitAfter(log, []byte("\n"))
	for range min(20, len(lines)-1) {
		i := rapid.IntRange(1, len(lines)-1).Draw(t, "line")
		lines[i-1], lines[i] = lines[i], lines[i-1]
	}
	return bytes.Join(lines, nil)
}

// The figures are the same whether events are shown in streaks or one by one: of machines with and
// without a pace, with many events in one instant or one, where lines are missing, stand twice or
// elsewhere, and where clocks were set.
func TestFiguresOfStreaksAndOfLines(t *testing.T) {
	streaks := 0
	rapid.Check(t, func(t *rapid.T) {
		grain := rapid.SampledFrom([]time.Duration{1, time.Millisecond, 50 * time.Millisecond}).Draw(t, "grain")
		set := rapid.SampledFrom([]time.Duration{0, 0, 7 * time.Second, -300 * time.Millisecond}).Draw(t, "set")
		l := record(t, tracetest.Config{
			Rates:    rapid.SliceOfN(rapid.SampledFrom(hertz(3, 50, 200, 900)), 1, 4).Draw(t, "rates"),
			Duration: time.Second,
			Seed:     rapid.Uint64().Draw(t, "seed"),
			Die:      rapid.IntRange(1, 10).Draw(t, "die"),
			Delay:    rapid.SampledFrom([]time.Duration{0, time.Millisecond, 300 * time.Millisecond}).Draw(t, "delay"),
			Time: func(machine int, elapsed time.Duration) time.Duration {
				if machine == 1 && elapsed > time.Second/2 {
					elapsed += set
				}
				return elapsed.Truncate(grain)
			},
		})
		var logs []trace.Log
		for i, name := range l.names() {
			log := []byte(l[name])
			if rapid.Bool().Draw(t, "damage") {
				log = damaged(t, log)
			}
			if rapid.Bool().Draw(t, "swap") {
				log = swapped(t, log)
			}
			if rapid.Bool().Draw(t, "unpaced") {
				log = regexp.MustCompile(`rate=\S+`).ReplaceAll(log, []byte("rate=max"))
			}
			logs = append(logs, trace.TextLog(i, name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(log)), nil }))
		}
		r, err := trace.New(logs...)
		require.NoError(t, err)
		inStreaks, byLines := trace.NewCollector(r), trace.NewCollector(r)
		want, wantErr := r.Walk(trace.Options{}, hidden{byLines})
		v, err := r.Walk(trace.Options{}, inStreaks)
		require.Equal(t, wantErr, err)
		require.Equal(t, want, v)
		if err == nil {
			require.Equal(t, byLines.Stats(want), inStreaks.Stats(v))
			streaks++
		}
	})
	require.NotZero(t, streaks)
}
