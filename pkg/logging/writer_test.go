package logging_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// failing takes room bytes, then returns err.
type failing struct {
	bytes.Buffer
	room  int
	err   error
	calls int
}

func (f *failing) Write(p []byte) (int, error) {
	f.calls++
	n := min(len(p), f.room)
	f.room -= n
	f.Buffer.Write(p[:n])
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

const resumeLine = "1970-01-01T00:00:00.000000Z [INFO]  vm-0: resume: step=7 clock=9\n"

func TestFlushIsOneWrite(t *testing.T) {
	out := &failing{room: math.MaxInt}
	w := logging.NewWriter(out, 0)
	require.NoError(t, w.Flush())
	require.Zero(t, out.calls, "nothing to write")
	for range 3 {
		w.Resume(time.Unix(0, 0), logging.Resume{Step: 7, Clock: 9})
	}
	require.Equal(t, 3*len(resumeLine), w.Buffered())
	require.Zero(t, out.calls, "the caller decides when")
	require.NoError(t, w.Flush())
	require.Equal(t, 1, out.calls)
	require.Equal(t, strings.Repeat(resumeLine, 3), out.String())
	require.Zero(t, w.Buffered())
	require.NoError(t, w.Flush())
	require.Equal(t, 1, out.calls)
}

func TestWriteErrorIsSticky(t *testing.T) {
	full := errors.New("disk full")
	for name, tc := range map[string]struct{ err, want error }{
		"error":       {full, full},
		"short write": {nil, io.ErrShortWrite}, // a writer that breaks io.Writer's rules
	} {
		t.Run(name, func(t *testing.T) {
			out := &failing{room: len(resumeLine), err: tc.err}
			w := logging.NewWriter(out, 0)
			w.Resume(time.Unix(0, 0), logging.Resume{Step: 7, Clock: 9})
			w.Resume(time.Unix(0, 0), logging.Resume{Step: 7, Clock: 9})
			require.Equal(t, tc.want, w.Flush())
			require.Equal(t, len(resumeLine), w.Buffered(), "the line that did not get there")

			out.room = math.MaxInt // too late: a line is missing
			w.Resume(time.Unix(0, 0), logging.Resume{Step: 7, Clock: 9})
			require.Equal(t, len(resumeLine), w.Buffered())
			require.Equal(t, tc.want, w.Flush())
			require.Equal(t, 1, out.calls)
			require.Equal(t, resumeLine, out.String())
		})
	}
}

func TestWriterRefusesWhatCannotBeReadBack(t *testing.T) {
	start := func(change func(*logging.Start)) func(*logging.Writer) {
		s := logging.Start{Version: 1, Run: "r", Machines: 3, Rate: clock.Hertz, Die: 10, Peers: []int{1, 2}}
		change(&s)
		return func(w *logging.Writer) { w.Start(time.Unix(0, 0), s) }
	}
	ev := func(kind event.Kind, queue int, m ...event.Message) func(*logging.Writer) {
		e := &event.Event{Step: 5, Clock: 6, Queue: queue, Kind: kind}
		e.SetMessages(m...)
		return func(w *logging.Writer) { w.Event(time.Unix(0, 0), e) }
	}
	stop := func(s logging.Stop) func(*logging.Writer) {
		return func(w *logging.Writer) { w.Stop(time.Unix(0, 0), s) }
	}
	for _, tc := range []struct {
		write func(*logging.Writer)
		want  string // after "event log of machine 0: "
	}{
		{start(func(s *logging.Start) { s.Version = 2 }), "version 2: this program writes only version 1"},
		{start(func(s *logging.Start) { s.Run = `a\b` }), `run name "a\\b": want printable characters without backslash`},
		{start(func(s *logging.Start) { s.Run = "a\nb" }), `run name "a\nb": want printable characters without backslash`},
		{start(func(s *logging.Start) { s.Machines = 0 }), "0 machines: want 1 to 2147483647"},
		{start(func(s *logging.Start) { s.Rate = 0 }), "rate 0: want above 0 and at most 1000000 ticks per second, or max"},
		{start(func(s *logging.Start) { s.Rate = clock.MaxRate + 1 }),
			"rate 1000000.000000001: want above 0 and at most 1000000 ticks per second, or max"},
		{start(func(s *logging.Start) { s.Die = 0 }), "a die with 0 faces: want at least 1"},
		{start(func(s *logging.Start) { s.Peers = []int{1, 1} }), "peer 1 after 1: want ids from 0 to 2147483647 in ascending order"},
		{start(func(s *logging.Start) { s.Peers = []int{-1} }), "peer -1 after -1: want ids from 0 to 2147483647 in ascending order"},
		{ev(event.Internal, -1), "step 5: queue of -1 messages: want at least 0"},
		{ev(0, 0), "step 5: kind(0) with 0 messages: want internal with 0, send with 1 or more, receive with 1"},
		{ev(event.Send, 0), "step 5: send with 0 messages: want internal with 0, send with 1 or more, receive with 1"},
		{ev(event.Internal, 0, event.Message{}), "step 5: internal with 1 message: want internal with 0, send with 1 or more, receive with 1"},
		{ev(event.Receive, 0, event.Message{}, event.Message{}), "step 5: receive with 2 messages: want internal with 0, send with 1 or more, receive with 1"},
		{ev(event.Send, 0, event.Message{From: 0, To: -1, Sent: 6}), "step 5: a message to machine -1: want 0 to 2147483647"},
		{ev(event.Send, 0, event.Message{From: 1, To: 2, Sent: 6}), "step 5: a message from machine 1 with clock 6: want this machine and clock 6"},
		{ev(event.Send, 0, event.Message{From: 0, To: 2, Sent: 5}), "step 5: a message from machine 0 with clock 5: want this machine and clock 6"},
		{ev(event.Receive, 0, event.Message{From: -1, To: 0}), "step 5: a message from machine -1 to 0: want 0 to 2147483647, and to this machine"},
		{ev(event.Receive, 0, event.Message{From: 1, To: 2}), "step 5: a message from machine 1 to 2: want 0 to 2147483647, and to this machine"},
		{stop(logging.Stop{Queue: -1}), "queue of -1 messages: want at least 0"},
		{stop(logging.Stop{Pending: []logging.Count{{2, 1}, {1, 1}}}), "pending: peer 1 after 2: want ids from 0 to 2147483647 in ascending order"},
		{stop(logging.Stop{Pending: []logging.Count{{1, 0}}}), "pending: no messages of peer 1: want only peers with messages"},
		{stop(logging.Stop{Undelivered: []logging.Count{{1, 0}}}), "undelivered: no messages of peer 1: want only peers with messages"},
		{func(w *logging.Writer) { w.Offset(time.Unix(0, 0), logging.Offset{Peer: -1}) }, "an offset to peer -1: want ids from 0 to 2147483647"},
		{func(w *logging.Writer) { w.Offset(time.Unix(0, 0), logging.Offset{Within: -1}) }, "an offset within -1 µs, by a round trip of 0 µs: want at least 0"},
		{func(w *logging.Writer) { w.Offset(time.Unix(0, 0), logging.Offset{RTT: -1}) }, "an offset within 0 µs, by a round trip of -1 µs: want at least 0"},
		{func(w *logging.Writer) { w.Offset(time.Unix(-1, 0), logging.Offset{}) }, "time 1969-12-31T23:59:59Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Start(time.Unix(-1, 0), logging.Start{}) }, "time 1969-12-31T23:59:59Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Event(time.Unix(-1, 0), &event.Event{}) }, "time 1969-12-31T23:59:59Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Stop(time.Unix(-1, 0), logging.Stop{}) }, "time 1969-12-31T23:59:59Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Pause(time.Unix(-1, 0), logging.Pause{Elapsed: time.Second}) }, "time 1969-12-31T23:59:59Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Pause(time.Unix(0, 0), logging.Pause{}) }, "0s elapsed: want whole microseconds, at least one"},
		{func(w *logging.Writer) { w.Pause(time.Unix(0, 0), logging.Pause{Elapsed: 1500}) }, "1.5µs elapsed: want whole microseconds, at least one"},
		{func(w *logging.Writer) { w.Resume(time.Unix(0, 0), logging.Resume{Elapsed: -time.Second}) }, "-1s elapsed: want whole microseconds, at least one"},
		{func(w *logging.Writer) { w.Resume(time.Unix(-1, 0), logging.Resume{}) }, "time 1969-12-31T23:59:59Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Resume(time.Unix(253402300800, 0), logging.Resume{}) }, "time 10000-01-01T00:00:00Z: want the years 1970 to 9999"},
		{func(w *logging.Writer) { w.Resume(time.Unix(math.MinInt64, 0), logging.Resume{}) }, ""},
		{func(w *logging.Writer) { w.Resume(time.Time{}, logging.Resume{}) }, "time 0001-01-01T00:00:00Z: want the years 1970 to 9999"},
	} {
		var out bytes.Buffer
		w := logging.NewWriter(&out, 0)
		tc.write(w)
		err := w.Flush()
		if tc.want != "" {
			require.EqualError(t, err, "event log of machine 0: "+tc.want)
		}
		require.Error(t, err)
		w.Resume(time.Unix(0, 0), logging.Resume{})
		require.Equal(t, err, w.Flush())
		require.Empty(t, out.String())
	}
}

func TestWriterRefusesIDs(t *testing.T) {
	over := math.MaxInt32
	over++ // negative where an int has 32 bits
	for _, id := range []int{-1, over, math.MinInt} {
		w := logging.NewWriter(io.Discard, id)
		w.Resume(time.Unix(0, 0), logging.Resume{})
		require.EqualError(t, w.Flush(), fmt.Sprintf("event log of machine %d: want an id from 0 to 2147483647", id))
	}
}

func TestWriterLineLimit(t *testing.T) {
	line := func(run int) (string, error) {
		var out bytes.Buffer
		w := logging.NewWriter(&out, 0)
		w.Start(time.Unix(0, 0), logging.Start{Run: strings.Repeat("x", run), Machines: 1, Rate: clock.Hertz, Die: 10})
		err := w.Flush()
		return out.String(), err
	}
	short, err := line(1)
	require.NoError(t, err)
	most := logging.MaxLine - len(short) + 1

	longest, err := line(most)
	require.NoError(t, err)
	require.Len(t, longest, logging.MaxLine)
	records, err := readAll(logging.NewReader(strings.NewReader(longest+longest), ""))
	require.Equal(t, io.EOF, err)
	require.Len(t, records, 2)

	_, err = line(most + 1)
	require.EqualError(t, err, "event log of machine 0: a line of 1048577 bytes: want at most 1048576")
}

// A send to so many that no reader would take its line is refused, not cut.
func TestWriterRefusesTooManyRecipients(t *testing.T) {
	e := event.Event{Step: 1, Clock: 1, Kind: event.Send}
	m := slices.Repeat([]event.Message{{From: 0, To: 1, Seq: 1, Sent: 1}}, logging.MaxLine/len("1:1,")+1)
	e.SetMessages(m...)
	var out bytes.Buffer
	w := logging.NewWriter(&out, 0)
	w.Event(time.Unix(0, 0), &e)
	require.ErrorContains(t, w.Flush(), "event log of machine 0: a line of 1048")
	require.Empty(t, out.String())
}

func TestWriterDoesNotAllocate(t *testing.T) {
	events := benchEvents()
	w := logging.NewWriter(io.Discard, 0)
	now := benchStart
	round := func() {
		for i := range events {
			now = now.Add(time.Second / 3)
			w.Event(now, &events[i])
		}
		require.NoError(t, w.Flush())
	}
	round()
	require.Zero(t, testing.AllocsPerRun(100, round))
}
