package logging_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// The writer's slow twin: hclog itself, given the same keys and values.

func newHclog(w io.Writer, id int, now *time.Time) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       fmt.Sprintf("vm-%d", id),
		Output:     w,
		TimeFormat: logging.TimeFormat,
		TimeFn:     func() time.Time { return now.UTC() },
	})
}

func hclogRecord(l hclog.Logger, rec *logging.Record) {
	switch rec.Kind {
	case logging.StartRecord:
		s := rec.Start
		l.Info("start", "version", logging.Version, "run", s.Run, "machines", s.Machines, "rate", s.Rate.String(),
			"seed", s.Seed, "die", s.Die, "peers", joined(s.Peers, func(p int) string { return fmt.Sprint(p) }))
	case logging.EventRecord:
		hclogEvent(l, &rec.Event)
	case logging.PauseRecord:
		l.Info("pause", "step", rec.Pause.Step, "clock", rec.Pause.Clock, "elapsed", secondsText(rec.Pause.Elapsed))
	case logging.ResumeRecord:
		args := []any{"step", rec.Resume.Step, "clock", rec.Resume.Clock}
		if rec.Resume.Elapsed != 0 {
			args = append(args, "elapsed", secondsText(rec.Resume.Elapsed))
		}
		l.Info("resume", args...)
	case logging.StopRecord:
		s := rec.Stop
		args := []any{"step", s.Step, "clock", s.Clock, "queue", s.Queue, "pending", joined(s.Pending, countText)}
		if len(s.Undelivered) > 0 {
			args = append(args, "undelivered", joined(s.Undelivered, countText))
		}
		l.Info("stop", args...)
	case logging.OffsetRecord:
		o := rec.Offset
		l.Info("offset", "peer", o.Peer, "ahead", o.Ahead, "within", o.Within, "rtt", o.RTT)
	}
}

func secondsText(d time.Duration) string {
	return fmt.Sprintf("%d.%06d", d/time.Second, d%time.Second/time.Microsecond)
}

func hclogEvent(l hclog.Logger, e *event.Event) {
	m := e.Messages()
	switch e.Kind {
	case event.Internal:
		l.Info("internal", "step", e.Step, "clock", uint64(e.Clock), "queue", e.Queue)
	case event.Send:
		l.Info("send", "step", e.Step, "clock", uint64(e.Clock), "queue", e.Queue,
			"to", joined(m, func(m event.Message) string { return fmt.Sprintf("%d:%d", m.To, m.Seq) }))
	case event.Receive:
		l.Info("receive", "step", e.Step, "clock", uint64(e.Clock), "queue", e.Queue,
			"from", m[0].From, "seq", m[0].Seq, "sent", uint64(m[0].Sent))
	}
}

func countText(c logging.Count) string { return fmt.Sprintf("%d:%d", c.Peer, c.Messages) }

func joined[T any](items []T, text func(T) string) string {
	var all []string
	for _, v := range items {
		all = append(all, text(v))
	}
	return strings.Join(all, ",")
}

// Random records. Small numbers and the ends of the ranges are as likely as
// what lies between.

func numbers(least, most uint64) *rapid.Generator[uint64] {
	return rapid.OneOf(
		rapid.SampledFrom([]uint64{least, least + 1, most - 1, most}),
		rapid.Uint64Range(least, min(most, least+1000)),
		rapid.Custom(func(t *rapid.T) uint64 { // each number of digits alike
			return max(least, min(most, rapid.Uint64().Draw(t, "n")>>rapid.IntRange(0, 63).Draw(t, "shift")))
		}),
	)
}

var (
	anyNumber = numbers(0, math.MaxUint64)
	anyID     = rapid.Map(numbers(0, math.MaxInt32), func(v uint64) int { return int(v) })
	anyQueue  = rapid.Map(numbers(0, math.MaxInt), func(v uint64) int { return int(v) })
	anyMicro  = rapid.OneOf(
		rapid.Int64Range(0, 253402300799999999),
		rapid.Map(rapid.Int64Range(-3_000_000, 3_000_000), func(d int64) int64 { // around midnight
			return time.Date(2026, 12, 31, 24, 0, 0, 0, time.UTC).UnixMicro() + d
		}),
	)
	// anyName is any string that may be tried as the name of a run; many are refused.
	anyName = rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9._-]{0,20}`),
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune(`a" =:,'\-~é日`+"\u00a0\u200b\U0001F600\ufffd"))),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", " ", `"`, `""`, `a" machines=9`, `\`, `\"`, "a\tb", "a\nb", "a\x00", "\xff", "é", "\x7f"}),
	)
	// goodName is one that can be read back.
	goodName = rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9._-]{0,20}`),
		rapid.StringOf(rapid.RuneFrom([]rune(`a" =:,'-~é日`), unicode.L, unicode.N, unicode.S).
			Filter(func(r rune) bool { return unicode.IsPrint(r) && r != '\\' })),
	)
	anyRate = rapid.OneOf(
		rapid.SampledFrom([]clock.Rate{1, clock.Hertz, clock.Hertz * 5 / 2, clock.MaxRate, clock.Unpaced}),
		rapid.Map(rapid.Uint64Range(1, uint64(clock.MaxRate)), func(v uint64) clock.Rate { return clock.Rate(v) }),
	)
	anyCounts = rapid.Map(rapid.MapOfN(anyID, numbers(0, math.MaxUint64), 0, 5), logging.Counts)
	anyPeers  = rapid.Map(rapid.MapOfN(anyID, rapid.Just(uint64(1)), 0, 5), func(m map[int]uint64) (peers []int) {
		for _, c := range logging.Counts(m) {
			peers = append(peers, c.Peer)
		}
		return peers
	})
)

func drawEvent(t *rapid.T, id int) event.Event {
	e := event.Event{
		Step:  anyNumber.Draw(t, "step"),
		Clock: clock.Time(anyNumber.Draw(t, "clock")),
		Queue: anyQueue.Draw(t, "queue"),
		Kind:  rapid.SampledFrom([]event.Kind{event.Internal, event.Send, event.Receive}).Draw(t, "kind"),
	}
	message := func() event.Message {
		return event.Message{From: int32(id), To: int32(anyID.Draw(t, "to")), Seq: anyNumber.Draw(t, "seq"), Sent: e.Clock}
	}
	switch e.Kind {
	case event.Send:
		m := make([]event.Message, rapid.SampledFrom([]int{1, 2, 3, 4, 40}).Draw(t, "recipients"))
		for i := range m {
			m[i] = message()
		}
		e.SetMessages(m...)
	case event.Receive:
		e.SetMessages(event.Message{From: int32(anyID.Draw(t, "from")), To: int32(id),
			Seq: anyNumber.Draw(t, "seq"), Sent: clock.Time(anyNumber.Draw(t, "sent"))})
	}
	return e
}

func drawRecord(t *rapid.T, id int, micro int64) logging.Record {
	rec := logging.Record{ID: id, UnixMicro: micro}
	rec.Kind = rapid.SampledFrom([]logging.RecordKind{logging.EventRecord, logging.StartRecord, logging.ResumeRecord,
		logging.StopRecord, logging.PauseRecord, logging.OffsetRecord, logging.EventRecord}).Draw(t, "record")
	switch rec.Kind {
	case logging.StartRecord:
		rec.Start = logging.Start{
			Version: logging.Version, Run: goodName.Draw(t, "run"),
			Machines: int(numbers(1, math.MaxInt32).Draw(t, "machines")), Rate: anyRate.Draw(t, "rate"),
			Seed: anyNumber.Draw(t, "seed"), Die: int(numbers(1, math.MaxInt).Draw(t, "die")), Peers: anyPeers.Draw(t, "peers"),
		}
	case logging.EventRecord:
		rec.Event = drawEvent(t, id)
	case logging.ResumeRecord:
		rec.Resume = logging.Resume{Step: anyNumber.Draw(t, "step"), Clock: clock.Time(anyNumber.Draw(t, "clock"))}
		if rapid.Bool().Draw(t, "elapsed") {
			rec.Resume.Elapsed = drawElapsed(t)
		}
	case logging.PauseRecord:
		rec.Pause = logging.Pause{Step: anyNumber.Draw(t, "step"), Clock: clock.Time(anyNumber.Draw(t, "clock")), Elapsed: drawElapsed(t)}
	case logging.StopRecord:
		rec.Stop = logging.Stop{Step: anyNumber.Draw(t, "step"), Clock: clock.Time(anyNumber.Draw(t, "clock")),
			Queue: anyQueue.Draw(t, "queue"), Pending: anyCounts.Draw(t, "pending"), Undelivered: anyCounts.Draw(t, "undelivered")}
	case logging.OffsetRecord:
		rec.Offset = logging.Offset{Peer: anyID.Draw(t, "peer"), Ahead: int64(anyNumber.Draw(t, "ahead")),
			Within: int64(anyNumber.Draw(t, "within") >> 1), RTT: int64(anyNumber.Draw(t, "rtt") >> 1)}
	}
	return rec
}

func drawElapsed(t *rapid.T) time.Duration {
	return logging.Elapsed(time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "elapsed ns")))
}

// drawTime gives a time that writes as micro, with nanoseconds to be cut off
// and in a zone that must not show.
func drawTime(t *rapid.T, micro int64) time.Time {
	return time.UnixMicro(micro).Add(time.Duration(rapid.IntRange(0, 999).Draw(t, "ns"))).
		In(time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone")))
}

func TestWriterWritesWhatHclogWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := anyID.Draw(t, "id")
		var fast, slow bytes.Buffer
		var now time.Time
		w, l := logging.NewWriter(&fast, id), newHclog(&slow, id, &now)
		micro := anyMicro.Draw(t, "micro")
		for range rapid.IntRange(1, 8).Draw(t, "lines") {
			rec := drawRecord(t, id, micro)
			now = drawTime(t, micro)
			switch rec.Kind {
			case logging.StartRecord:
				w.Start(now, rec.Start)
			case logging.EventRecord:
				w.Event(now, &rec.Event)
			case logging.PauseRecord:
				w.Pause(now, rec.Pause)
			case logging.ResumeRecord:
				w.Resume(now, rec.Resume)
			case logging.StopRecord:
				w.Stop(now, rec.Stop)
			case logging.OffsetRecord:
				w.Offset(now, rec.Offset)
			}
			hclogRecord(l, &rec)
			// The next line is close by, forwards or backwards, or anywhere.
			if rapid.Bool().Draw(t, "near") {
				micro = min(max(0, micro+rapid.Int64Range(-2_000_000, 2_000_000).Draw(t, "µs")), 253402300799999999)
			} else {
				micro = anyMicro.Draw(t, "micro")
			}
		}
		require.NoError(t, w.Flush())
		require.Equal(t, slow.String(), fast.String())
	})
}

// A run's name is either written as hclog writes it and read back as it was, or
// it is refused.
func TestRunNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := logging.Record{Line: 1, Kind: logging.StartRecord, Start: logging.Start{
			Version: 1, Run: anyName.Draw(t, "run"), Machines: 1, Rate: clock.Hertz, Die: 10}}
		var fast, slow bytes.Buffer
		w := logging.NewWriter(&fast, 0)
		write(w, &rec)
		if err := w.Flush(); err != nil {
			require.ErrorContains(t, err, "want printable characters without backslash")
			require.Empty(t, fast.Bytes())
			return
		}
		now := rec.Time()
		hclogRecord(newHclog(&slow, 0, &now), &rec)
		require.Equal(t, slow.String(), fast.String())
		records, err := readAll(logging.NewReader(&fast, ""))
		require.Equal(t, io.EOF, err)
		require.Equal(t, []logging.Record{rec}, records)
	})
}

// hclog's marks, one by one: a name of this mark alone shows whether it is quoted.
func TestRunNameMarks(t *testing.T) {
	for r := rune(' '); r <= 0x17f; r++ {
		name := string(r)
		if r == '\\' || !unicode.IsPrint(r) {
			continue
		}
		rec := logging.Record{Kind: logging.StartRecord, Start: logging.Start{
			Version: 1, Run: name, Machines: 1, Rate: clock.Hertz, Die: 10}}
		var slow bytes.Buffer
		now := rec.Time()
		hclogRecord(newHclog(&slow, 0, &now), &rec)
		require.Equal(t, slow.String(), string(writeAll(t, []logging.Record{rec})))
	}
}

// The names that runs really have must never be among the refused.
func TestPlainRunNamesAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z0-9._-]{1,64}`).Draw(t, "run")
		var log bytes.Buffer
		w := logging.NewWriter(&log, 0)
		w.Start(time.Unix(0, 0), logging.Start{Run: name, Machines: 1, Rate: clock.Hertz, Die: 10})
		require.NoError(t, w.Flush())
		require.Contains(t, log.String(), " run="+name+" ")
	})
}

// What was written is read back, whatever it was.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []logging.Record
		for i := range rapid.IntRange(0, 10).Draw(t, "lines") {
			rec := drawRecord(t, anyID.Draw(t, "id"), anyMicro.Draw(t, "micro"))
			rec.Line = i + 1
			records = append(records, rec)
		}
		log := writeAll(t, records)
		got, err := readAll(logging.NewReader(bytes.NewReader(log), "vm.log"))
		require.Equal(t, io.EOF, err)
		require.Equal(t, records, got)
	})
}
