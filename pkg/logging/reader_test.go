package logging_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

const head = "2026-11-22T17:13:40.066633Z [INFO]  vm-0: "

func TestReaderErrors(t *testing.T) {
	const (
		wantTime    = "expected a time in UTC from 1970 to 9999 such as 2006-01-02T15:04:05.000000Z, found "
		wantElapsed = "expected elapsed, seconds with six decimal places from 0.000001 to 9223372036.854775, found "
		wantKind    = `expected "start: ", "internal: ", "send: ", "receive: ", "pause: ", "resume: ", "stop: " or "offset: ", found `
		wantRun     = "expected a run name of printable characters without backslash, quoted where hclog does, found "
		wantRate    = "expected a rate in ticks per second such as 5 or 0.25, or max, found "
		uint64s     = "a whole number from 0 to 18446744073709551615 without leading zeros, found "
		int32s      = "a whole number from 0 to 2147483647 without leading zeros, found "
		ints        = "a whole number from 0 to 9223372036854775807 without leading zeros, found "
		positive    = "a whole number from 1 to 18446744073709551615 without leading zeros, found "
		endOfLine   = "expected the end of the line, found "
	)
	for _, tc := range []struct{ line, want string }{
		// the time
		{"", wantTime + "the end of the line"},
		{"hello", wantTime + `"hello"`},
		{"# a comment that is rather long, and is cut short in the error", wantTime + `"# a comment that is rather long, and is "…`},
		{strings.Repeat("ä", 30), wantTime + `"ääääääääääääääääääää"…`},
		{"x" + strings.Repeat("ä", 30), wantTime + `"xäääääääääääääääääää"…`},
		{"2026-11-22T17:13:40.06663Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T17:13:40.06663Z [INFO]  vm-0:"…`},
		{"2026-11-22T17:13:40.066633+00:00 [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T17:13:40.066633+00:00 [INFO] "…`},
		{"2026-11-22 17:13:40.066633Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22 17:13:40.066633Z [INFO]  vm-0"…`},
		{"2026-02-29T17:13:40.066633Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-02-29T17:13:40.066633Z [INFO]  vm-0"…`},
		{"2026-13-01T17:13:40.066633Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-13-01T17:13:40.066633Z [INFO]  vm-0"…`},
		{"2026-11-22T24:00:00.000000Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T24:00:00.000000Z [INFO]  vm-0"…`},
		{"2026-11-22T23:60:00.000000Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T23:60:00.000000Z [INFO]  vm-0"…`},
		{"2026-11-22T23:59:60.000000Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T23:59:60.000000Z [INFO]  vm-0"…`},
		{"2026-11-22T23:59:59.00x000Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T23:59:59.00x000Z [INFO]  vm-0"…`},
		{"2026-11-22T23:59:59.x00000Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T23:59:59.x00000Z [INFO]  vm-0"…`},
		{"2026-11-22T23:59:59.00000xZ [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"2026-11-22T23:59:59.00000xZ [INFO]  vm-0"…`},
		{"1969-12-31T23:59:59.999999Z [INFO]  vm-0: resume: step=1 clock=1", wantTime + `"1969-12-31T23:59:59.999999Z [INFO]  vm-0"…`},
		{"2026-11-22T17:13:40.066633Z", `expected " [INFO]  vm-", found the end of the line`},
		// the level and the machine
		{"2026-11-22T17:13:40.066633Z [DEBUG] vm-0: resume: step=1 clock=1", `expected " [INFO]  vm-", found " [DEBUG] vm-0: resume: step=1 clock=1"`},
		{"2026-11-22T17:13:40.066633Z [INFO]  vm-: resume: step=1 clock=1", "expected machine, " + int32s + `": resume: step=1 clock=1"`},
		{"2026-11-22T17:13:40.066633Z [INFO]  vm-01: resume: step=1 clock=1", "expected machine, " + int32s + `"01: resume: step=1 clock=1"`},
		{"2026-11-22T17:13:40.066633Z [INFO]  vm--1: resume: step=1 clock=1", "expected machine, " + int32s + `"-1: resume: step=1 clock=1"`},
		{"2026-11-22T17:13:40.066633Z [INFO]  vm-2147483648: resume: step=1", "expected machine, " + int32s + `"2147483648: resume: step=1"`},
		{"2026-11-22T17:13:40.066633Z [INFO]  vm-0 resume: step=1", `expected ": ", found " resume: step=1"`},
		// the kind
		{head, wantKind + "the end of the line"},
		{head + "peer is late: peer=2", wantKind + `"peer is late: peer=2"`},
		{head + "internal", wantKind + `"internal"`},
		// events
		{head + "internal: clock=1", `expected "step=", found "clock=1"`},
		{head + "internal: step=", "expected step, " + uint64s + "the end of the line"},
		{head + "internal: step=01 clock=1 queue=0", "expected step, " + uint64s + `"01 clock=1 queue=0"`},
		{head + "internal: step=00 clock=1 queue=0", "expected step, " + uint64s + `"00 clock=1 queue=0"`},
		{head + "internal: step=+1 clock=1 queue=0", "expected step, " + uint64s + `"+1 clock=1 queue=0"`},
		{head + "internal: step=18446744073709551616 clock=1 queue=0", "expected step, " + uint64s + `"18446744073709551616 clock=1 queue=0"`},
		{head + "internal: step=99999999999999999999 clock=1 queue=0", "expected step, " + uint64s + `"99999999999999999999 clock=1 queue=0"`},
		{head + "internal: step=00000000000000000001 clock=1 queue=0", "expected step, " + uint64s + `"00000000000000000001 clock=1 queue=0"`},
		{head + "internal: step=184467440737095516160 clock=1 queue=0", "expected step, " + uint64s + `"184467440737095516160 clock=1 queue=0"`},
		{head + "internal: step=1  clock=1 queue=0", `expected " clock=", found "  clock=1 queue=0"`},
		{head + "internal: step=1 clock=one queue=0", "expected clock, " + uint64s + `"one queue=0"`},
		{head + "internal: step=1 clock=1", `expected " queue=", found the end of the line`},
		{head + "internal: step=1 clock=1 queue=-1", "expected queue, " + ints + `"-1"`},
		{head + "internal: step=1 clock=1 queue=9223372036854775808", "expected queue, " + ints + `"9223372036854775808"`},
		{head + "internal: step=1 clock=1 queue=0 ", endOfLine + `" "`},
		{head + "internal: step=1 clock=1 queue=0\r", endOfLine + `"\r": the line ends in CR LF, and those of a log in LF`},
		{head + "internal: step=1 clock=1 queue=0 to=1:1", endOfLine + `" to=1:1"`},
		{head + "send: step=1 clock=1 queue=0", `expected " to=", found the end of the line`},
		{head + "send: step=1 clock=1 queue=0 to=", "expected recipient, " + int32s + "the end of the line"},
		{head + `send: step=1 clock=1 queue=0 to=""`, "expected recipient, " + int32s + `"\""`},
		{head + "send: step=1 clock=1 queue=0 to=2147483648:1", "expected recipient, " + int32s + `"2147483648:1"`},
		{head + "send: step=1 clock=1 queue=0 to=1", `expected ":", found the end of the line`},
		{head + "send: step=1 clock=1 queue=0 to=1:", "expected seq, " + uint64s + "the end of the line"},
		{head + `send: step=1 clock=1 queue=0 to="1:1"`, `expected ",", found "\""`},
		{head + "send: step=1 clock=1 queue=0 to=1:1,2:1", endOfLine + `",2:1"`},
		{head + `send: step=1 clock=1 queue=0 to="1:1,2:1`, `expected "\"", found the end of the line`},
		{head + `send: step=1 clock=1 queue=0 to="1:1,2:1;3:1"`, `expected "\"", found ";3:1\""`},
		{head + `send: step=1 clock=1 queue=0 to="1:1,2:1,"`, "expected recipient, " + int32s + `"\""`},
		{head + `send: step=1 clock=1 queue=0 to="1:1,2:1,3:1`, `expected "\"", found the end of the line`},
		{head + `send: step=1 clock=1 queue=0 to="1:1,2"`, `expected ":", found "\""`},
		{head + "receive: step=1 clock=1 queue=0", `expected " from=", found the end of the line`},
		{head + "receive: step=1 clock=1 queue=0 from=2147483648", "expected sender, " + int32s + `"2147483648"`},
		{head + "receive: step=1 clock=1 queue=0 from=1 sent=1", `expected " seq=", found " sent=1"`},
		{head + "receive: step=1 clock=1 queue=0 from=1 seq=x", "expected seq, " + uint64s + `"x"`},
		{head + "receive: step=1 clock=1 queue=0 from=1 seq=1", `expected " sent=", found the end of the line`},
		{head + "receive: step=1 clock=1 queue=0 from=1 seq=1 sent=", "expected sent, " + uint64s + "the end of the line"},
		// start
		{head + "start: version=2 run=r", `expected version 1, found "2 run=r"`},
		{head + "start: version=1 run=", wantRun + "the end of the line"},
		{head + "start: version=1 run=r", `expected " machines=", found the end of the line`},
		{head + "start: version=1 run= machines=3", wantRun + `" machines=3"`},
		{head + `start: version=1 run="r" machines=3`, wantRun + `"\"r\" machines=3"`},
		{head + `start: version=1 run="r r machines=3`, wantRun + `"\"r r machines=3"`},
		{head + `start: version=1 run="r \`, wantRun + `"\"r \\"`},
		{head + `start: version=1 run="r \x" machines=3`, wantRun + `"\"r \\x\" machines=3"`},
		{head + `start: version=1 run=r\x machines=3`, wantRun + `"r\\x machines=3"`},
		{head + "start: version=1 run=é machines=3", wantRun + `"é machines=3"`},
		{head + "start: version=1 run=\"\xff\" machines=3", wantRun + `"\"\xff\" machines=3"`},
		{head + "start: version=1 run=\"\t\" machines=3", wantRun + `"\"\t\" machines=3"`},
		{head + "start: version=1 run=r machines=0", `expected machines, a whole number from 1 to 2147483647 without leading zeros, found "0"`},
		{head + "start: version=1 run=r machines=3 rate=0 seed", wantRate + `"0 seed"`},
		{head + "start: version=1 run=r machines=3 rate=1.0 seed", wantRate + `"1.0 seed"`},
		{head + "start: version=1 run=r machines=3 rate=01 seed", wantRate + `"01 seed"`},
		{head + "start: version=1 run=r machines=3 rate=1e3 seed", wantRate + `"1e3 seed"`},
		{head + "start: version=1 run=r machines=3 rate=1000001", wantRate + `"1000001"`},
		{head + "start: version=1 run=r machines=3 rate=max seed=-1", "expected seed, " + uint64s + `"-1"`},
		{head + "start: version=1 run=r machines=3 rate=max seed=1 die=0", `expected die, a whole number from 1 to 9223372036854775807 without leading zeros, found "0"`},
		{head + "start: version=1 run=r machines=3 rate=max seed=1 die=6 peers=", "expected peer in ascending order, " + int32s + "the end of the line"},
		{head + `start: version=1 run=r machines=3 rate=max seed=1 die=6 peers="1"`, `expected ",", found "\""`},
		{head + `start: version=1 run=r machines=3 rate=max seed=1 die=6 peers="1,2`, `expected ",", found the end of the line`},
		{head + `start: version=1 run=r machines=3 rate=max seed=1 die=6 peers="1,"`, `expected peer in ascending order, a whole number from 2 to 2147483647 without leading zeros, found "\""`},
		{head + `start: version=1 run=r machines=3 rate=max seed=1 die=6 peers="1,1"`, `expected peer in ascending order, a whole number from 2 to 2147483647 without leading zeros, found "1\""`},
		{head + `start: version=1 run=r machines=3 rate=max seed=1 die=6 peers="1, 2"`, `expected peer in ascending order, a whole number from 2 to 2147483647 without leading zeros, found " 2\""`},
		{head + `start: version=1 run=r machines=3 rate=max seed=1 die=6 peers="" x`, endOfLine + `" x"`},
		// pause, resume, stop
		{head + "pause: step=1", `expected " clock=", found the end of the line`},
		{head + "pause: step=1 clock=1", `expected " elapsed=", found the end of the line`},
		{head + "pause: step=1 clock=1 elapsed=", wantElapsed + "the end of the line"},
		{head + "pause: step=1 clock=1 elapsed=1", wantElapsed + `"1"`},
		{head + "pause: step=1 clock=1 elapsed=1.5", wantElapsed + `"1.5"`},
		{head + "pause: step=1 clock=1 elapsed=01.500000", wantElapsed + `"01.500000"`},
		{head + "pause: step=1 clock=1 elapsed=1.5000x0", wantElapsed + `"1.5000x0"`},
		{head + "pause: step=1 clock=1 elapsed=0.000000", wantElapsed + `"0.000000"`},
		{head + "pause: step=1 clock=1 elapsed=-1.000000", wantElapsed + `"-1.000000"`},
		{head + "pause: step=1 clock=1 elapsed=9223372036.854776", wantElapsed + `"9223372036.854776"`},
		{head + "pause: step=1 clock=1 elapsed=1.5000000", endOfLine + `"0"`},
		{head + "resume: step=1 clock=1 elapsed=0.000000", wantElapsed + `"0.000000"`},
		{head + "resume: step=1 clock=1 elapsed=1.500000 queue=0", endOfLine + `" queue=0"`},
		{head + "resume: step=1", `expected " clock=", found the end of the line`},
		{head + "resume: step=1 clock=1 queue=0", `expected " elapsed=", found " queue=0"`},
		{head + "stop: step=1 clock=1 queue=0", `expected " pending=", found the end of the line`},
		{head + "stop: step=1 clock=1 queue=0 pending=1", `expected ":", found the end of the line`},
		{head + "stop: step=1 clock=1 queue=0 pending=1:0", "expected messages, " + positive + `"0"`},
		{head + `stop: step=1 clock=1 queue=3 pending="2:1,1:2"`, `expected peer in ascending order, a whole number from 3 to 2147483647 without leading zeros, found "1:2\""`},
		{head + `stop: step=1 clock=1 queue=0 pending="" undelivered=""`, `expected at least one peer, or no undelivered, found "\"\""`},
		{head + `stop: step=1 clock=1 queue=0 pending="" lost=1:1`, `expected " undelivered=", found " lost=1:1"`},
		{head + `stop: step=1 clock=1 queue=0 pending="" undelivered=1:1 `, endOfLine + `" "`},
		// offset
		{head + "offset: peer=2147483648", "expected peer, " + int32s + `"2147483648"`},
		{head + "offset: peer=1 within=1", `expected " ahead=", found " within=1"`},
		{head + "offset: peer=1 ahead=+1 within=1", "expected ahead, " + ints + `"+1 within=1"`},
		{head + "offset: peer=1 ahead=9223372036854775808 within=1", "expected ahead, " + ints + `"9223372036854775808 within=1"`},
		{head + "offset: peer=1 ahead=-0 within=1", `expected ahead below 0, a whole number from 1 to 9223372036854775808 without leading zeros, found "-0 within=1"`},
		{head + "offset: peer=1 ahead=- within=1", `expected ahead below 0, a whole number from 1 to 9223372036854775808 without leading zeros, found "- within=1"`},
		{head + "offset: peer=1 ahead=-9223372036854775809", `expected ahead below 0, a whole number from 1 to 9223372036854775808 without leading zeros, found "-9223372036854775809"`},
		{head + "offset: peer=1 ahead=-1 within=-1", "expected within, " + ints + `"-1"`},
		{head + "offset: peer=1 ahead=-1 within=1", `expected " rtt=", found the end of the line`},
		{head + "offset: peer=1 ahead=-1 within=1 rtt=2 ", endOfLine + `" "`},
	} {
		good := resumeLine
		r := logging.NewReader(strings.NewReader(good+good+tc.line+"\n"+good), "vm_0_1.log")
		records, err := readAll(r)
		require.Len(t, records, 2)
		require.EqualError(t, err, "vm_0_1.log:3: "+tc.want, "%q", tc.line)
		require.NotErrorIs(t, err, logging.ErrTorn)
		require.EqualValues(t, 2*len(good), r.Offset())
		var rec logging.Record
		require.Same(t, err, r.Next(&rec), "the error stays")
	}
}

// Any cut within the last line is told from a line that is wrong, and where to
// cut the file is known.
func TestReaderTornLine(t *testing.T) {
	golden, err := os.ReadFile("testdata/sample.log")
	require.NoError(t, err)
	for cut := range len(golden) + 1 {
		r := logging.NewReader(bytes.NewReader(golden[:cut]), "vm_0_1.log")
		records, err := readAll(r)
		whole := bytes.LastIndexByte(golden[:cut], '\n') + 1
		require.EqualValues(t, whole, r.Offset())
		require.Len(t, records, bytes.Count(golden[:cut], []byte("\n")))
		if whole == cut {
			require.Equal(t, io.EOF, err)
			continue
		}
		require.ErrorIs(t, err, logging.ErrTorn)
		var e *logging.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, len(records)+1, e.Line)
		require.Same(t, err, r.Next(new(logging.Record)), "the error stays")
	}
	_, err = readAll(logging.NewReader(strings.NewReader(resumeLine+head+"inter"), "vm_0_1.log"))
	require.EqualError(t, err, `vm_0_1.log:2: expected a newline after the last line, found it torn: "2026-11-22T17:13:40.066633Z [INFO]  vm-0"…`)
}

// The block that a line falls into, and how the file comes in, change nothing.
func TestReaderBlocks(t *testing.T) {
	var want []logging.Record
	for len(want) < 3000 {
		for _, rec := range sample(t) {
			rec.Line = len(want) + 1
			want = append(want, rec)
		}
	}
	log := writeAll(t, want)
	for name, r := range map[string]io.Reader{
		"blocks":           bytes.NewReader(log),
		"bytes":            iotest.OneByteReader(bytes.NewReader(log)),
		"halves":           iotest.HalfReader(bytes.NewReader(log)),
		"data with error":  iotest.DataErrReader(bytes.NewReader(log)),
		"empty in between": &hesitant{r: bytes.NewReader(log)},
	} {
		got, err := readAll(logging.NewReader(r, name))
		require.Equal(t, io.EOF, err, name)
		require.Equal(t, want, got, name)
	}
}

// hesitant returns nothing at every second call.
type hesitant struct {
	r  io.Reader
	ok bool
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.ok = !h.ok; h.ok {
		return 0, nil
	}
	return h.r.Read(p)
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestReaderReadErrors(t *testing.T) {
	broken := errors.New("input/output error")
	r := logging.NewReader(io.MultiReader(strings.NewReader(resumeLine+head), iotest.ErrReader(broken)), "vm_0_1.log")
	records, err := readAll(r)
	require.Len(t, records, 1)
	require.EqualError(t, err, "vm_0_1.log:2: cannot read on: input/output error")
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, logging.ErrTorn, "more may follow")

	_, err = readAll(logging.NewReader(nothing{}, "vm_0_1.log"))
	require.ErrorIs(t, err, io.ErrNoProgress)
}

func TestReaderLineLimit(t *testing.T) {
	r := logging.NewReader(strings.NewReader(resumeLine+strings.Repeat("x", logging.MaxLine)+"\n"), "vm_0_1.log")
	records, err := readAll(r)
	require.Len(t, records, 1)
	require.EqualError(t, err, `vm_0_1.log:2: expected a line of at most 1048576 bytes, found "`+strings.Repeat("x", 40)+`"… without an end`)
}

func TestReaderManyPeers(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000, 50_000} {
		rec := logging.Record{Line: 1, ID: 7, Kind: logging.StopRecord, Stop: logging.Stop{Step: 1}}
		start := logging.Record{Line: 2, ID: 7, Kind: logging.StartRecord,
			Start: logging.Start{Version: 1, Run: "r", Machines: n + 1, Rate: clock.Unpaced, Die: 10}}
		for p := range n {
			rec.Stop.Pending = append(rec.Stop.Pending, logging.Count{Peer: p, Messages: 12})
			rec.Stop.Undelivered = append(rec.Stop.Undelivered, logging.Count{Peer: p, Messages: 34})
			start.Start.Peers = append(start.Start.Peers, p)
		}
		want := []logging.Record{rec, start}
		got, err := readAll(logging.NewReader(bytes.NewReader(writeAll(t, want)), ""))
		require.Equal(t, io.EOF, err)
		require.Equal(t, want, got)
	}
}

// A record that is read into again and again holds nothing of an earlier line.
func TestReaderClearsTheRecord(t *testing.T) {
	records := sample(t)
	start, send, internal := records[0], records[2], records[1]
	resume := logging.Record{Kind: logging.ResumeRecord, Resume: logging.Resume{Step: 3, Clock: 5}}
	pause := logging.Record{Kind: logging.PauseRecord, Pause: logging.Pause{Step: 3, Clock: 5, Elapsed: time.Second}}
	later := logging.Record{Kind: logging.ResumeRecord, Resume: logging.Resume{Step: 3, Clock: 5, Elapsed: time.Minute}}
	stop := records[4]
	order := []logging.Record{stop, start, send, internal, send, stop, resume, internal, start, pause, resume, later, resume, pause, internal, stop}
	for i := range order {
		order[i].Line = i + 1
	}
	got, err := readAll(logging.NewReader(bytes.NewReader(writeAll(t, order)), ""))
	require.Equal(t, io.EOF, err)
	require.Equal(t, order, got)
}

func TestReaderListsAreFresh(t *testing.T) {
	line := string(startLine(t, 3))
	r := logging.NewReader(strings.NewReader(line+strings.ReplaceAll(line, "1,2,3", "4,5,6")), "")
	var rec logging.Record
	require.NoError(t, r.Next(&rec))
	first := rec.Start.Peers
	require.NoError(t, r.Next(&rec))
	require.Equal(t, []int{1, 2, 3}, first)
}

func TestReaderExtremes(t *testing.T) {
	e := event.Event{Step: math.MaxUint64, Clock: clock.Max, Queue: math.MaxInt, Kind: event.Receive}
	e.SetMessages(event.Message{From: math.MaxInt32, To: math.MaxInt32, Seq: math.MaxUint64, Sent: clock.Max})
	want := []logging.Record{
		{Line: 1, ID: math.MaxInt32, UnixMicro: 253402300799999999, Kind: logging.EventRecord, Event: e},
		{Line: 2, ID: 0, UnixMicro: 0, Kind: logging.EventRecord, Event: event.Event{Kind: event.Internal}},
	}
	log := writeAll(t, want)
	require.Contains(t, string(log), "9999-12-31T23:59:59.999999Z [INFO]  vm-2147483647: receive: step=18446744073709551615 ")
	got, err := readAll(logging.NewReader(bytes.NewReader(log), ""))
	require.Equal(t, io.EOF, err)
	require.Equal(t, want, got)
	require.Equal(t, time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), got[0].Time())
}

// Recipients are any number, in any order, and may repeat: the laws judge them.
func TestReaderManyRecipients(t *testing.T) {
	for _, n := range []int{1, 2, 3, 1000, 100_000} {
		want := logging.Record{Line: 1, ID: 7, Kind: logging.EventRecord, Event: event.Event{Step: 1, Clock: 2, Kind: event.Send}}
		m := make([]event.Message, n)
		for i := range m {
			m[i] = event.Message{From: 7, To: int32(n - i/2), Seq: 3, Sent: 2}
		}
		want.Event.SetMessages(m...)
		log := writeAll(t, []logging.Record{want})
		got, err := readAll(logging.NewReader(bytes.NewReader(log), ""))
		require.Equal(t, io.EOF, err)
		require.Equal(t, []logging.Record{want}, got)
	}
}

// A line may be forged, but what it makes the reader hold is bounded by its length.
func TestReaderAllocatesNoMoreThanALineIsWorth(t *testing.T) {
	most := (logging.MaxLine - 100) / len("0:0,")
	for name, end := range map[string]string{"good": `0:0"` + "\n", "without its last mark": "0:0\n", "of commas": strings.Repeat(",", 400) + "\n"} {
		line := head + `send: step=1 clock=1 queue=0 to="` + strings.Repeat("0:0,", most-200) + end
		require.Less(t, len(line), logging.MaxLine)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readAll(logging.NewReader(strings.NewReader(line), ""))
		runtime.ReadMemStats(&after)
		require.Error(t, err) // io.EOF, where the line is good
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64*logging.MaxLine), name)
	}
}

// Each event's messages are its own: a feed keeps them while the reader reads on.
func TestReaderMessagesAreFresh(t *testing.T) {
	send := func(clock, recipients string) string {
		return head + "send: step=1 clock=" + clock + ` queue=0 to="` + recipients + "\"\n"
	}
	r := logging.NewReader(strings.NewReader(send("1", "1:1,2:1,3:1")+send("2", "4:1,5:1,6:1")), "")
	var rec logging.Record
	require.NoError(t, r.Next(&rec))
	first := rec.Event
	require.NoError(t, r.Next(&rec))
	require.Equal(t, []event.Message{{From: 0, To: 1, Seq: 1, Sent: 1}, {From: 0, To: 2, Seq: 1, Sent: 1}, {From: 0, To: 3, Seq: 1, Sent: 1}}, first.Messages())
}

func TestReaderDoesNotAllocate(t *testing.T) {
	var log bytes.Buffer
	w := logging.NewWriter(&log, 0)
	events, now := benchEvents(), benchStart
	for range 200 {
		for i := range events {
			now = now.Add(time.Second / 7)
			w.Event(now, &events[i])
		}
	}
	require.NoError(t, w.Flush())
	r := logging.NewReader(&log, "")
	var rec logging.Record
	require.NoError(t, r.Next(&rec))
	// The days of these lines do not change.
	require.Zero(t, testing.AllocsPerRun(30_000, func() {
		if err := r.Next(&rec); err != nil {
			t.Fatal(err)
		}
	}))
}
