package logging_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// at returns the microseconds of a time of day in the sample.
func at(t testing.TB, clock string) int64 {
	tm, err := time.Parse(logging.TimeFormat, "2026-11-22T"+clock+"Z")
	require.NoError(t, err)
	return tm.UnixMicro()
}

// sample is testdata/sample.log as records, the sample of the design.
func sample(t testing.TB) []logging.Record {
	internal := event.Event{Step: 1, Clock: 1, Kind: event.Internal}
	send := event.Event{Step: 2, Clock: 2, Kind: event.Send}
	send.SetMessages(event.Message{From: 0, To: 1, Seq: 1, Sent: 2}, event.Message{From: 0, To: 2, Seq: 1, Sent: 2})
	receive := event.Event{Step: 3, Clock: 8, Queue: 2, Kind: event.Receive}
	receive.SetMessages(event.Message{From: 1, To: 0, Seq: 4, Sent: 7})
	return []logging.Record{
		{Line: 1, UnixMicro: at(t, "17:13:40.066633"), Kind: logging.StartRecord, Start: logging.Start{
			Version: 1, Run: "q7f3k2", Machines: 3, Rate: clock.Hertz, Seed: 42, Die: 10, Peers: []int{1, 2}}},
		{Line: 2, UnixMicro: at(t, "17:13:41.066640"), Kind: logging.EventRecord, Event: internal},
		{Line: 3, UnixMicro: at(t, "17:13:42.066641"), Kind: logging.EventRecord, Event: send},
		{Line: 4, UnixMicro: at(t, "17:13:43.066642"), Kind: logging.EventRecord, Event: receive},
		{Line: 5, UnixMicro: at(t, "17:14:40.066633"), Kind: logging.StopRecord, Stop: logging.Stop{
			Step: 60, Clock: 212, Queue: 3, Pending: []logging.Count{{Peer: 1, Messages: 2}, {Peer: 2, Messages: 1}}}},
	}
}

// write puts one record into w.
func write(w *logging.Writer, rec *logging.Record) {
	switch rec.Kind {
	case logging.StartRecord:
		w.Start(rec.Time(), rec.Start)
	case logging.EventRecord:
		w.Event(rec.Time(), &rec.Event)
	case logging.PauseRecord:
		w.Pause(rec.Time(), rec.Pause)
	case logging.ResumeRecord:
		w.Resume(rec.Time(), rec.Resume)
	case logging.StopRecord:
		w.Stop(rec.Time(), rec.Stop)
	case logging.OffsetRecord:
		w.Offset(rec.Time(), rec.Offset)
	}
}

// writeAll returns the records as text, whichever machines they are of.
func writeAll(t require.TestingT, records []logging.Record) []byte {
	var log bytes.Buffer
	var w *logging.Writer
	for i := range records {
		if i == 0 || records[i].ID != records[i-1].ID {
			w = logging.NewWriter(&log, records[i].ID)
		}
		write(w, &records[i])
		require.NoError(t, w.Flush())
	}
	return log.Bytes()
}

// readAll reads records until the error that ends them.
func readAll(r *logging.Reader) ([]logging.Record, error) {
	var records []logging.Record
	var rec logging.Record
	for {
		if err := r.Next(&rec); err != nil {
			return records, err
		}
		records = append(records, rec)
	}
}

func TestSample(t *testing.T) {
	golden, err := os.ReadFile("testdata/sample.log")
	require.NoError(t, err)

	require.Equal(t, string(golden), string(writeAll(t, sample(t))))

	r := logging.NewReader(bytes.NewReader(golden), "vm_0_1.log")
	records, err := readAll(r)
	require.Equal(t, io.EOF, err)
	require.Equal(t, sample(t), records)
	require.EqualValues(t, len(golden), r.Offset())
}

// The page that describes the format is held to it: its lines can be read and
// are what the writer writes, and its expressions match them.
func TestFormatPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/log-format.md")
	require.NoError(t, err)
	blocks := func(lang string) (all []string) {
		for _, m := range regexp.MustCompile("(?ms)^```"+lang+"\n(.*?)^```$").FindAllSubmatch(page, -1) {
			all = append(all, string(m[1]))
		}
		require.NotEmpty(t, all, lang)
		return all
	}
	expressions := blocks("regex")
	anyLine := regexp.MustCompile(strings.TrimSpace(expressions[0]))
	anyEvent := regexp.MustCompile(strings.TrimSpace(expressions[1]))
	kinds := map[logging.RecordKind]bool{}
	for _, log := range blocks("log") {
		records, err := readAll(logging.NewReader(strings.NewReader(log), "log-format.md"))
		require.Equal(t, io.EOF, err)
		require.Equal(t, log, string(writeAll(t, records)))
		for i, line := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
			kinds[records[i].Kind] = true
			require.Regexp(t, anyLine, line)
			require.Equal(t, records[i].Kind == logging.EventRecord, anyEvent.MatchString(line), line)
		}
	}
	require.Len(t, kinds, 6, "kinds of line shown")
}

func TestFileName(t *testing.T) {
	for want, rate := range map[string]clock.Rate{
		"vm_0_1.log":    clock.Hertz,
		"vm_0_2.5.log":  clock.Hertz * 5 / 2,
		"vm_0_0.25.log": clock.Hertz / 4,
		"vm_0_max.log":  clock.Unpaced,
	} {
		require.Equal(t, want, logging.FileName(0, rate))
	}
	require.Equal(t, "vm_12_1000000.log", logging.FileName(12, clock.MaxRate))
}

func TestCounts(t *testing.T) {
	require.Empty(t, logging.Counts(nil))
	require.Equal(t, []logging.Count{{Peer: 1, Messages: 2}, {Peer: 2, Messages: 9}, {Peer: 30, Messages: 1}},
		logging.Counts(map[int]uint64{30: 1, 2: 9, 7: 0, 1: 2}))
}

func TestByPeerIsTheInverseOfCounts(t *testing.T) {
	require.Nil(t, logging.ByPeer(nil))
	for _, m := range []map[int]uint64{{1: 2}, {30: 1, 2: 9, 1: 2}} {
		require.Equal(t, m, logging.ByPeer(logging.Counts(m)))
	}
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		-time.Hour: time.Microsecond, 0: time.Microsecond, 999: time.Microsecond,
		time.Microsecond: time.Microsecond, 1999: time.Microsecond, math.MaxInt64: math.MaxInt64 - 807,
	} {
		require.Equal(t, want, logging.Elapsed(d), "%d", d)
	}
}

func TestKindNames(t *testing.T) {
	var names []string
	for k := logging.RecordKind(0); k < 8; k++ {
		names = append(names, k.String())
	}
	require.Equal(t, []string{"record(0)", "start", "event", "resume", "stop", "pause", "offset", "record(7)"}, names)
}

func TestErrorUnwraps(t *testing.T) {
	err := error(&logging.Error{File: "a.log", Line: 7, Msg: "expected a, found b", Err: logging.ErrTorn})
	require.EqualError(t, err, "a.log:7: expected a, found b")
	require.ErrorIs(t, err, logging.ErrTorn)
	require.NoError(t, errors.Unwrap(&logging.Error{}))
}
