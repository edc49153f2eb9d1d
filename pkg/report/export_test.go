package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares what a test got with a file in testdata.
func golden(t testing.TB, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		writeFile(t, file, got)
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "if this is meant: go test ./pkg/report -update")
}

// clocks are ways in which global clocks show a run.
var clocks = map[string]func(int, time.Duration) time.Duration{
	"true": nil,
	"coarse": func(_ int, d time.Duration) time.Duration { // many events share a microsecond
		return d / 1e6
	},
	"off": func(machine int, d time.Duration) time.Duration {
		return d + time.Duration(machine)*100*time.Millisecond
	},
	"set back": func(machine int, d time.Duration) time.Duration {
		if machine == 1 && d > time.Second {
			return d - 700*time.Millisecond
		}
		return d
	},
}

// eachRun calls f with runs of all sorts.
func eachRun(t *testing.T, f func(t *testing.T, run *trace.Run, logged []logged)) {
	for name, show := range clocks {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(8) {
				rng := rand.New(rand.NewPCG(seed, 0))
				cfg := tracetest.Config{
					Seed: seed, Die: 3 + rng.IntN(8), Duration: time.Duration(1+rng.IntN(4)) * time.Second,
					Delay: time.Duration(rng.IntN(2)*rng.IntN(500)) * time.Millisecond, Time: show,
				}
				for range 1 + rng.IntN(6) {
					cfg.Rates = append(cfg.Rates, clock.Rate(1+rng.IntN(20))*clock.Hertz)
				}
				run := recorded(t, cfg)
				f(t, run, readLogs(t, run))
			}
		})
	}
}

func recorded(t testing.TB, cfg tracetest.Config) *trace.Run {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, cfg))
	return open(t, dir)
}

func open(t testing.TB, dir string) *trace.Run {
	run, err := trace.Open(dir)
	require.NoError(t, err)
	return run
}

func export(t testing.TB, run *trace.Run, f report.Format, o report.Options) (string, *report.Exported) {
	var b bytes.Buffer
	e, err := report.Export(&b, run, f, o)
	require.NoError(t, err)
	return b.String(), e
}

// logged is an event as its log has it, and what follows for it from all logs by brute
// force.
type logged struct {
	machine int
	micro   int64
	event.Event
	elapsed int64
	jump    uint64
	send    int // of a receive: the place of its send, -1: not known
}

// readLogs returns the events of a run, machine by machine.
func readLogs(t testing.TB, run *trace.Run) (all []logged) {
	started := int64(1 << 62)
	type message struct {
		from, to int32
		seq      uint64
	}
	sends := make(map[message]int)
	for _, l := range run.Logs {
		f, err := os.Open(l.Name)
		require.NoError(t, err)
		r := logging.NewReader(f, l.Name)
		var rec logging.Record
		var last clock.Time
		for r.Next(&rec) == nil {
			if rec.Line == 1 {
				started = min(started, rec.UnixMicro)
			}
			if rec.Kind != logging.EventRecord {
				continue
			}
			if rec.Event.Kind == event.Send {
				for _, m := range rec.Event.Messages() {
					sends[message{m.From, m.To, m.Seq}] = len(all)
				}
			}
			all = append(all, logged{machine: l.ID, micro: rec.UnixMicro, Event: rec.Event, jump: uint64(rec.Event.Clock - last), send: -1})
			last = rec.Event.Clock
		}
		require.NoError(t, f.Close())
	}
	for i := range all {
		e := &all[i]
		e.elapsed = e.micro - started
		if e.Kind != event.Receive {
			continue
		}
		m := e.Messages()[0]
		if send, ok := sends[message{m.From, m.To, m.Seq}]; ok {
			e.send = send
		}
	}
	return all
}

// happenedBefore returns, by brute force, which events can be reached from which, going on
// in a machine and along messages.
func happenedBefore(all []logged) [][]bool {
	next := make([][]int, len(all))
	for i, e := range all {
		if i+1 < len(all) && all[i+1].machine == e.machine {
			next[i] = append(next[i], i+1)
		}
		if e.send >= 0 {
			next[e.send] = append(next[e.send], i)
		}
	}
	reached := make([][]bool, len(all))
	for i := range all {
		reached[i] = make([]bool, len(all))
		todo := slices.Clone(next[i])
		for len(todo) > 0 {
			j := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !reached[i][j] {
				reached[i][j] = true
				todo = append(todo, next[j]...)
			}
		}
	}
	return reached
}

// row is a line of the tables; nil is for what is not there.
type row struct {
	Time     string    `json:"time"`
	Elapsed  int64     `json:"elapsed_us"`
	Machine  int       `json:"machine"`
	Step     uint64    `json:"step"`
	Kind     string    `json:"kind"`
	Clock    uint64    `json:"clock"`
	Jump     int64     `json:"jump"`
	Queue    int       `json:"queue"`
	Messages []carried `json:"messages,omitempty"`
	Sent     *uint64   `json:"sent,omitempty"`
	Latency  *int64    `json:"latency_us,omitempty"`
	Vector   []uint64  `json:"vector,omitempty"`
}

// carried is a message in a row.
type carried struct {
	Peer int32  `json:"peer"`
	Seq  uint64 `json:"seq"`
}

// rowOf is what the tables should say of an event.
func rowOf(all []logged, i int) row {
	e := &all[i]
	r := row{
		Time:    time.UnixMicro(e.micro).UTC().Format(logging.TimeFormat),
		Elapsed: e.elapsed, Machine: e.machine, Step: e.Step, Kind: e.Kind.String(),
		Clock: uint64(e.Clock), Jump: int64(e.jump), Queue: e.Queue,
	}
	switch m := e.Messages(); e.Kind {
	case event.Receive:
		r.Messages, r.Sent = []carried{{m[0].From, m[0].Seq}}, (*uint64)(&m[0].Sent)
		if e.send >= 0 {
			latency := e.micro - all[e.send].micro
			r.Latency = &latency
		}
	case event.Send:
		for _, m := range m {
			r.Messages = append(r.Messages, carried{m.To, m.Seq})
		}
	}
	return r
}

// cells are the row's in CSV.
func (r row) cells(vectors bool) []string {
	cells := []string{r.Time}
	for _, v := range []any{r.Elapsed, r.Machine, r.Step, r.Kind, r.Clock, r.Jump, r.Queue} {
		cells = append(cells, fmt.Sprint(v))
	}
	var messages, sent, latency string
	if len(r.Messages) > 0 {
		var pairs [][2]uint64
		for _, m := range r.Messages {
			pairs = append(pairs, [2]uint64{uint64(m.Peer), m.Seq})
		}
		b, _ := json.Marshal(pairs)
		messages = string(b)
	}
	if r.Sent != nil {
		sent = fmt.Sprint(*r.Sent)
	}
	if r.Latency != nil {
		latency = fmt.Sprint(*r.Latency)
	}
	cells = append(cells, messages, sent, latency)
	if vectors {
		b, _ := json.Marshal(r.Vector)
		cells = append(cells, string(b))
	}
	return cells
}

// JSON Lines hold what the logs hold, are what encoding/json writes, and come in an order
// that respects happened-before.
func TestJSONL(t *testing.T) {
	eachRun(t, func(t *testing.T, run *trace.Run, all []logged) {
		text, e := export(t, run, report.JSONL, report.Options{})
		assert.Equal(t, trace.Correct, e.Verdict.State)
		var got []row
		at := make(map[[2]uint64]int) // by machine and step
		var again bytes.Buffer
		enc, dec := json.NewEncoder(&again), json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		for dec.More() {
			var r row
			require.NoError(t, dec.Decode(&r))
			require.NoError(t, enc.Encode(r))
			at[[2]uint64{uint64(r.Machine), r.Step}] = len(got)
			got = append(got, r)
		}
		require.Equal(t, again.String(), text)
		require.Len(t, got, len(all))
		place := func(i int) int { return at[[2]uint64{uint64(all[i].machine), all[i].Step}] }
		for i := range all {
			require.Equal(t, rowOf(all, i), got[place(i)])
			if i > 0 && all[i-1].machine == all[i].machine {
				require.Less(t, place(i-1), place(i))
			}
			if s := all[i].send; s >= 0 {
				require.Less(t, place(s), place(i))
			}
		}
	})
}

// CSV holds the same rows, and is what encoding/csv writes.
func TestCSV(t *testing.T) {
	eachRun(t, func(t *testing.T, run *trace.Run, _ []logged) {
		for _, vectors := range []bool{false, true} {
			o := report.Options{Vectors: vectors}
			lines, _ := export(t, run, report.JSONL, o)
			text, _ := export(t, run, report.CSV, o)
			var want bytes.Buffer
			w := csv.NewWriter(&want)
			header := strings.Split("time,elapsed_us,machine,step,kind,clock,jump,queue,messages,sent,latency_us", ",")
			if vectors {
				header = append(header, "vector")
			}
			require.NoError(t, w.Write(header))
			for dec := json.NewDecoder(strings.NewReader(lines)); dec.More(); {
				var r row
				require.NoError(t, dec.Decode(&r))
				require.NoError(t, w.Write(r.cells(vectors)))
			}
			w.Flush()
			if vectors && run.Machines == 1 { // encoding/csv quotes only what has a comma
				text = strings.ReplaceAll(text, `"`, "")
			}
			require.Equal(t, want.String(), text)

			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			require.NoError(t, err)
			require.Equal(t, header, rows[0])
		}
	})
}

// Vector clocks say exactly what happened before what (Fidge 1988, Mattern 1989).
func TestVectors(t *testing.T) {
	eachRun(t, func(t *testing.T, run *trace.Run, all []logged) {
		text, _ := export(t, run, report.JSONL, report.Options{Vectors: true})
		vectors := make(map[[2]uint64][]uint64)
		for dec := json.NewDecoder(strings.NewReader(text)); dec.More(); {
			var r row
			require.NoError(t, dec.Decode(&r))
			require.Len(t, r.Vector, run.Machines)
			vectors[[2]uint64{uint64(r.Machine), r.Step}] = r.Vector
		}
		compareVectors(t, all, func(i int) []uint64 { return vectors[[2]uint64{uint64(all[i].machine), all[i].Step}] })
	})
}

func compareVectors(t *testing.T, all []logged, vectorOf func(i int) []uint64) {
	before := happenedBefore(all)
	vectors := make([][]uint64, len(all))
	for i := range all {
		vectors[i] = vectorOf(i)
	}
	for i, a := range all {
		for j := range all {
			if i != j && before[i][j] != (vectors[j][a.machine] >= vectors[i][a.machine]) {
				require.Fail(t, "vector clocks are wrong", "%v and %v", a, all[j])
			}
		}
	}
}

func TestGolden(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(1, 5, 4), Duration: 3 * time.Second, Seed: 7, Delay: 400 * time.Millisecond})
	for _, tt := range []struct {
		file    string
		format  report.Format
		options report.Options
	}{
		{"small.shiviz", report.ShiViz, report.Options{}},
		{"small.perfetto.json", report.Perfetto, report.Options{}},
		{"small.csv", report.CSV, report.Options{}},
		{"small.vectors.csv", report.CSV, report.Options{Vectors: true}},
		{"small.jsonl", report.JSONL, report.Options{}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			got, e := export(t, run, tt.format, tt.options)
			assert.Equal(t, trace.Correct, e.Verdict.State)
			assert.Empty(t, e.Notes)
			golden(t, tt.file, []byte(got))
		})
	}
}

// Whatever was done to the logs: as long as they can be read, what comes out keeps
// the rules of its form.
func TestBrokenRunsAreExported(t *testing.T) {
	broken, incomplete := 0, 0
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg := tracetest.Config{Rates: tracetest.Hertz(6, 5, 4), Duration: 4 * time.Second, Seed: seed, Die: 5}
		if seed%2 == 1 {
			cfg.Time = clocks["coarse"]
		}
		run := recorded(t, cfg)
		spoil(t, rng, run)
		run = open(t, run.Dir)
		var b bytes.Buffer
		e, err := report.Export(&b, run, report.JSONL, report.Options{})
		require.NoError(t, err)
		switch e.Verdict.State {
		case trace.Broken:
			broken++
		case trace.Incomplete:
			incomplete++
		}
		assert.Equal(t, e.Verdict.Events, uint64(strings.Count(b.String(), "\n")))

		text, _ := export(t, run, report.ShiViz, report.Options{})
		hosts := parseShiViz(t, text)
		events := 0
		for _, h := range hosts {
			events += len(h)
		}
		assert.EqualValues(t, e.Verdict.Events, events)

		text, _ = export(t, run, report.Perfetto, report.Options{})
		parsePerfetto(t, text)

		text, _ = export(t, run, report.CSV, report.Options{Vectors: true})
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		require.NoError(t, err)
		assert.EqualValues(t, e.Verdict.Events, len(rows)-1)
	}
	assert.Greater(t, broken, 40)
	assert.Greater(t, incomplete, 15)
}

// spoil changes one log of a run so that each line can still be read.
func spoil(t *testing.T, rng *rand.Rand, run *trace.Run) {
	l := run.Logs[rng.IntN(len(run.Logs))]
	text, err := os.ReadFile(l.Name)
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	i, j := rng.IntN(len(lines)), rng.IntN(len(lines))
	torn := 0
	switch rng.IntN(8) {
	case 0: // a line is lost
		lines = slices.Delete(lines, i, i+1)
	case 1: // it is there twice
		lines = slices.Insert(lines, i, lines[j])
	case 2: // two stand in each other's place
		lines[i], lines[j] = lines[j], lines[i]
	case 3: // a number is another one
		fields := strings.Split(lines[i], "=")
		k := 1 + rng.IntN(len(fields)-1)
		if fields[k][0] >= '1' && fields[k][0] <= '8' {
			fields[k] = string(fields[k][0]+1) + fields[k][1:]
		}
		lines[i] = strings.Join(fields, "=")
	case 4: // the machine dies
		lines = lines[:i+1]
	case 5: // in the middle of a line
		lines, torn = lines[:i+1], 1+rng.IntN(10)
	case 6: // the disk dies
		require.NoError(t, os.Remove(l.Name))
		return
	case 7: // the clocks are tampered with
		for k := range lines {
			lines[k] = strings.ReplaceAll(lines[k], "sent=", "sent=1")
		}
	}
	whole := strings.Join(lines, "")
	whole = whole[:len(whole)-torn]
	// What cannot be read is another test's.
	r := logging.NewReader(strings.NewReader(whole), "")
	var rec logging.Record
	for err = r.Next(&rec); err == nil; {
		err = r.Next(&rec)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, logging.ErrTorn) {
		require.NoError(t, os.WriteFile(l.Name, []byte(whole), 0o666))
	}
}

// A line that cannot be read ends the export, with all that came before it and in
// good form.
func TestUnreadableLog(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(10, 10), Duration: 3 * time.Second})
	log := run.Logs[1].Name
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(log, bytes.Replace(text, []byte("step=20 "), []byte("step=2O "), 1), 0o666))
	for _, f := range report.Formats {
		var b bytes.Buffer
		e, err := report.Export(&b, run, f, report.Options{})
		assert.Nil(t, e)
		var unreadable *logging.Error
		require.ErrorAs(t, err, &unreadable)
		assert.Equal(t, 21, unreadable.Line)
		switch f {
		case report.ShiViz:
			hosts := parseShiViz(t, b.String())
			assert.Len(t, hosts["vm-1"], 19)
		case report.Perfetto:
			parsePerfetto(t, b.String())
		default:
			assert.Regexp(t, `(,1,19,|"machine":1,"step":19,)`, b.String())
			assert.NotRegexp(t, `(,1,20,|"machine":1,"step":20,)`, b.String())
			assert.True(t, strings.HasSuffix(b.String(), "\n"))
		}
	}
}

type brokenWriter struct{ left int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriterFails(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(500, 500), Duration: 3 * time.Second})
	for _, f := range report.Formats {
		for _, size := range []int{0, 70_000, 150_000} {
			_, err := report.Export(&brokenWriter{size}, run, f, report.Options{})
			assert.Equal(t, errBroken, err, "%s after %d bytes", f, size)
		}
	}
}

func TestRefused(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(1), Duration: time.Second})
	_, err := report.Export(io.Discard, run, "svg", report.Options{})
	require.ErrorContains(t, err, `format "svg"`)
	run.Machines = report.MaxVectors + 1
	for _, f := range report.Formats {
		_, err := report.Export(io.Discard, run, f, report.Options{Vectors: true})
		if f == report.Perfetto {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "1025 machines")
	}
}

func TestNoEvents(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(1, 1)})
	for f, want := range map[report.Format]string{
		report.ShiViz: "(?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})\n\n",
		report.CSV:    "time,elapsed_us,machine,step,kind,clock,jump,queue,messages,sent,latency_us\n",
		report.JSONL:  "",
	} {
		got, e := export(t, run, f, report.Options{})
		assert.Equal(t, want, got)
		assert.Equal(t, f == report.ShiViz, len(e.Notes) == 1)
	}
	text, _ := export(t, run, report.Perfetto, report.Options{})
	assert.Empty(t, parsePerfetto(t, text).slices)
}

// liveHeap is a writer that looks now and then at how much memory is in use.
type liveHeap struct {
	written, next, most uint64
}

func (l *liveHeap) Write(p []byte) (int, error) {
	if l.written += uint64(len(p)); l.written >= l.next {
		l.next = l.written + 5<<20
		l.most = max(l.most, heap())
	}
	return len(p), nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An export holds no more than the messages in flight and what is read ahead, however long the run:
// all its events would take 25 MB.
func TestMemoryIsBounded(t *testing.T) {
	run := recorded(t, tracetest.Config{Rates: tracetest.Hertz(4000, 4000, 4000), Duration: 20 * time.Second, Delay: 10 * time.Millisecond})
	for _, f := range report.Formats {
		before := heap()
		var l liveHeap
		e, err := report.Export(&l, run, f, report.Options{})
		require.NoError(t, err)
		require.Greater(t, l.written, uint64(15<<20))
		require.EqualValues(t, 240_000, e.Verdict.Events)
		assert.Less(t, l.most-min(l.most, before), uint64(10<<20), f)
	}
}

func ExampleExport() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 2), Duration: 2 * time.Second, Seed: 6}); err != nil {
		panic(err)
	}
	run, err := trace.Open(dir)
	if err != nil {
		panic(err)
	}
	e, err := report.Export(os.Stdout, run, report.CSV, report.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(e.Verdict)
	// Output:
	// time,elapsed_us,machine,step,kind,clock,jump,queue,messages,sent,latency_us
	// 2026-11-22T17:13:40.500000Z,500000,1,1,internal,1,1,0,,,
	// 2026-11-22T17:13:41.000000Z,1000000,0,1,send,1,1,0,"[[1,1]]",,
	// 2026-11-22T17:13:41.000000Z,1000000,1,2,receive,2,1,0,"[[0,1]]",1,0
	// 2026-11-22T17:13:41.500000Z,1500000,1,3,internal,3,1,0,,,
	// 2026-11-22T17:13:42.000000Z,2000000,0,2,internal,2,1,0,,,
	// 2026-11-22T17:13:42.000000Z,2000000,1,4,internal,4,1,0,,,
	// correct: all laws hold for 6 events on 2 machines; 1 message sent = 1 received + 0 pending
}

func readFile(t testing.TB, path string) []byte {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func writeFile(t testing.TB, path string, b []byte) { require.NoError(t, os.WriteFile(path, b, 0o666)) }

// thousandths returns a JSON number with up to three places in thousandths.
func thousandths(t testing.TB, n json.Number) int64 {
	whole, frac, _ := strings.Cut(string(n), ".")
	v, err := strconv.ParseInt(whole+(frac + "000")[:3], 10, 64)
	require.NoError(t, err)
	require.LessOrEqual(t, len(frac), 3)
	return v
}
