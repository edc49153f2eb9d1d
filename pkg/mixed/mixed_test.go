package mixed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/mixed"
)

// styles are how programs show what machine id wrote as a line.
var styles = map[string]func(id int, line string) string{
	"as it is":             func(_ int, l string) string { return l },
	"CR LF":                func(_ int, l string) string { return l + "\r" },
	"compose 2":            func(id int, l string) string { return fmt.Sprintf("vm-%d-1  | %s", id, l) },
	"compose 1":            func(id int, l string) string { return fmt.Sprintf("vm%d_1  | %s", id, l) },
	"compose, coloured":    func(id int, l string) string { return fmt.Sprintf("\x1b[36mvm%d_1  |\x1b[0m %s", id, l) },
	"docker service logs":  func(id int, l string) string { return fmt.Sprintf("run_vm.%d.x1y2z3@hosta    | %s", id+1, l) },
	"docker logs -t":       func(_ int, l string) string { return "2026-11-26T20:40:00.123456789Z " + l },
	"kubectl --prefix":     func(id int, l string) string { return fmt.Sprintf("[pod/vm-%d/vm] %s", id, l) },
	"kubectl --timestamps": func(_ int, l string) string { return "2026-11-26T20:40:00.123456Z " + l },
	"both":                 func(id int, l string) string { return fmt.Sprintf("[pod/vm-%d/vm] 2026-11-26T20:40:00.1Z %s", id, l) },
	"stern":                func(id int, l string) string { return fmt.Sprintf("vm-%d vm %s", id, l) },
	"podman logs --names":  func(id int, l string) string { return fmt.Sprintf("run-vm%d %s", id, l) },
	"srun -l":              func(id int, l string) string { return fmt.Sprintf("%2d: %s", id, l) },
	"mpirun --tag-output":  func(id int, l string) string { return fmt.Sprintf("[1,%d]<stdout>:%s", id, l) },
	"mpirun -l":            func(id int, l string) string { return fmt.Sprintf("[%d] %s", id, l) },
	"journalctl":           func(id int, l string) string { return fmt.Sprintf("Nov 26 12:00:00 host vm[%d]: %s", 100+id, l) },
	"journalctl -o short-iso": func(id int, l string) string {
		return fmt.Sprintf("2026-11-26T12:00:00+0000 host vm[%d]: %s", 100+id, l)
	},
	"journalctl -o with-unit": func(id int, l string) string {
		return fmt.Sprintf("Thu 2026-11-26 12:00:00 UTC host vm@%d.service[7]: %s", id, l)
	},
	"journalctl -o json": func(id int, l string) string { return object("_PID", fmt.Sprint(id), "MESSAGE", l, "PRIORITY", "6") },
	"journalctl, bytes": func(_ int, l string) string {
		numbers := make([]int, len(l))
		for i := range numbers {
			numbers[i] = int(l[i])
		}
		b, _ := json.Marshal(map[string]any{"MESSAGE": numbers})
		return string(b)
	},
	"containerd": func(_ int, l string) string { return "2026-11-26T20:40:00.123456789Z stdout F " + l },
	"cri-o":      func(_ int, l string) string { return "2026-11-26T20:40:00.123456789+01:00 stdout F " + l },
	"docker json-file": func(_ int, l string) string {
		return object("log", l+"\n", "stream", "stdout", "time", "2026-11-26T20:40:00.123456789Z")
	},
	"a log shipper": func(_ int, l string) string { return object("message", l, "host", "a") },
}

func object(fields ...string) string {
	m := make(map[string]string)
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	b, _ := json.Marshal(m)
	return string(b)
}

// talk is what else stands in such a stream. None of it is of an event log.
var talk = []string{
	"",
	"2026-11-26T20:40:00.123456Z [INFO]  vm-0: all links are up; waiting for the others",
	"2026-11-26T20:40:00.123456Z [INFO]  vm-0: starting: listening=127.0.0.1:2050 rate=1 seed=7 run=a",
	"2026-11-26T20:40:00.123456Z [WARN]  vm-1: connection lost: to=127.0.0.1:2050 reason=EOF",
	"events:      40: 6 internal, 0 send, 34 receive",
	"[srun] slurmstepd: error: *** STEP 1.0 ON a CANCELLED ***",
	"{\"level\":\"info\"}",
	"{",
	"\xff\xfe\x00",
}

// log returns a log of machine id, of about so many lines.
func log(t require.TestingT, id, lines int, r *rand.Rand) string {
	var b bytes.Buffer
	w := logging.NewWriter(&b, id)
	at := time.Date(2026, 11, 26, 20, 40, 0, 0, time.UTC)
	w.Start(at, logging.Start{Run: `a "b"`, Machines: 9, Rate: 5 * clock.Hertz, Seed: 1, Die: 10, Peers: []int{0, 1, 2}})
	for step := range lines {
		ev := event.Event{Kind: event.Internal, Step: uint64(step + 1), Clock: clock.Time(step + 1), Queue: r.IntN(3)}
		w.Event(at, &ev)
	}
	w.Stop(at, logging.Stop{Step: uint64(lines), Clock: clock.Time(lines)})
	require.NoError(t, w.Flush())
	return b.String()
}

// Any interleaving of any logs, in any style, with anything else between, comes apart to the
// same bytes; and every record knows its line in the stream.
func TestSplitIsTheInverseOfMixing(t *testing.T) {
	names := slices.Sorted(maps.Keys(styles))
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		ids := rapid.SliceOfNDistinct(rapid.IntRange(0, 1<<20-1), 1, 5, rapid.ID[int]).Draw(t, "ids")
		logs := make(map[int]string)
		for _, id := range ids {
			logs[id] = log(t, id, rapid.SampledFrom([]int{0, 1, 30, 400}).Draw(t, "lines"), r)
		}
		compareSplit(t, logs, styles[rapid.SampledFrom(names).Draw(t, "style")], r)
	})
}

func TestEveryStyle(t *testing.T) {
	for name, style := range styles {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 0))
			compareSplit(t, map[int]string{0: log(t, 0, 20, r), 7: log(t, 7, 0, r), 12: log(t, 12, 3, r)}, style, r)
		})
	}
}

// compareSplit mixes logs and takes them apart again.
func compareSplit(t require.TestingT, logs map[int]string, style func(int, string) string, r *rand.Rand) {
	ids, rest := slices.Sorted(maps.Keys(logs)), make(map[int][]string)
	for id, text := range logs {
		rest[id] = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	var stream strings.Builder
	var at []string // what stands in each line of the stream, "": not of a log
	passed := 0
	for len(rest) > 0 {
		id := ids[r.IntN(len(ids))]
		if len(rest[id]) == 0 {
			delete(rest, id)
			continue
		}
		text := rest[id][0]
		if r.IntN(4) == 0 {
			text = talk[r.IntN(len(talk))]
			at = append(at, "")
			passed++
		} else {
			rest[id] = rest[id][1:]
			at = append(at, text)
		}
		stream.WriteString(style(id, text) + "\n")
	}
	split, err := mixed.Split(strings.NewReader(stream.String()), "stream")
	require.NoError(t, err)
	defer func() { require.NoError(t, split.Close()) }()
	require.Len(t, split.Machines, len(ids))
	require.EqualValues(t, passed, split.Passed)
	require.EqualValues(t, len(at), split.Lines)
	for _, m := range split.Machines {
		require.Equal(t, logs[m.ID], again(t, m, at))
	}
}

// again writes what is read of a machine, and holds its line numbers and its text against
// what stands in the stream.
func again(t require.TestingT, m *mixed.Machine, at []string) string {
	text, err := io.ReadAll(iotest.HalfReader(m.Text()))
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	var b bytes.Buffer
	w := logging.NewWriter(&b, m.ID)
	r := m.Open()
	for {
		var rec logging.Record
		err := r.Next(&rec)
		if errors.Is(err, io.EOF) {
			require.NoError(t, w.Flush())
			return b.String()
		}
		require.NoError(t, err)
		before := b.Len()
		switch rec.Kind {
		case logging.StartRecord:
			w.Start(rec.Time(), rec.Start)
		case logging.EventRecord:
			w.Event(rec.Time(), &rec.Event)
		case logging.StopRecord:
			w.Stop(rec.Time(), rec.Stop)
		}
		require.NoError(t, w.Flush())
		line := strings.TrimSuffix(b.String()[before:], "\n")
		require.Equal(t, at[rec.Line-1], line)
		require.Equal(t, lines[rec.Line-1], line)
	}
}

// A long line comes in parts in the files of container runtimes.
func TestParts(t *testing.T) {
	peers := make([]int, 9000)
	for i := range peers {
		peers[i] = i + 1
	}
	var b bytes.Buffer
	w := logging.NewWriter(&b, 0)
	w.Start(time.Date(2026, 11, 26, 20, 40, 0, 0, time.UTC), logging.Start{Machines: 9001, Rate: clock.Hertz, Die: 10, Peers: peers})
	require.NoError(t, w.Flush())
	line := strings.TrimSuffix(b.String(), "\n")
	const part = 16 << 10
	require.Greater(t, len(line), 2*part)
	for name, show := range map[string]func(text string, last bool) string{
		"cri": func(text string, last bool) string {
			return "2026-11-26T20:40:00.123456789Z stdout " + map[bool]string{true: "F", false: "P"}[last] + " " + text
		},
		"docker": func(text string, last bool) string {
			if last {
				text += "\n"
			}
			return object("log", text, "stream", "stdout")
		},
	} {
		var stream strings.Builder
		for rest := line; ; rest = rest[part:] {
			if len(rest) <= part {
				stream.WriteString(show(rest, true) + "\n")
				break
			}
			stream.WriteString(show(rest[:part], false) + "\n")
			stream.WriteString(strings.Replace(show("talk", true), "stdout", "stderr", 1) + "\n")
		}
		split, err := mixed.Split(strings.NewReader(stream.String()), name)
		require.NoError(t, err, name)
		require.Len(t, split.Machines, 1)
		var rec logging.Record
		require.NoError(t, split.Machines[0].Open().Next(&rec))
		assert.Equal(t, peers, rec.Start.Peers)
	}
}

// The stream may end in the midst of several lines, which are all in its last one then: the text of
// the log ends there as well, whatever is read first.
func TestPartsAtTheEnd(t *testing.T) {
	part := func(stream string, n int) string {
		return "2026-11-26T20:40:00.123456789Z " + stream + " P " + line[:n] + "\n"
	}
	split, err := mixed.Split(strings.NewReader("talk\n"+part("stdout", 70)+part("stderr", 60)), "s")
	require.NoError(t, err)
	require.Len(t, split.Machines, 1)
	text, err := io.ReadAll(io.LimitReader(split.Machines[0].Text(), 1000))
	require.NoError(t, err)
	assert.Equal(t, "\n\n"+line[:60]+line[:70], string(text))
}

const line = "2026-11-26T20:40:00.123456Z [INFO]  vm-12: internal: step=1 clock=1 queue=0"

// What is torn apart is reported with its place, and so is what is wrong with a whole line.
func TestTroubleHasAPlace(t *testing.T) {
	for _, c := range []struct{ stream, want string }{
		{"", "s: no line of an event log in 0 lines: want what machines wrote, their logs or the output of vm --log-to stdout"},
		{"a\nb\n", "s: no line of an event log in 2 lines: want what machines wrote, their logs or the output of vm --log-to stdout"},
		{"a\n" + line[:60] + "\n", ""},
		{"a\n" + line[:40] + line + "\n", `s:2: expected a whole line of an event log, found a piece of one: "` + line[:40] + line + `": several programs wrote to one place at once, or a machine died there`},
		{"0: " + line + "\n0: " + line[30:] + "\n", `s:2: expected a whole line of an event log, found a piece of one: "0: ` + line[30:] + `": several programs wrote to one place at once, or a machine died there`},
		{strings.Replace(line, "vm-12", "vm-1048576", 1) + "\n", "s:1: expected a machine from 0 to 1048575, found 1048576"},
	} {
		split, err := mixed.Split(strings.NewReader(c.stream), "s")
		if c.want != "" {
			assert.EqualError(t, err, c.want)
			continue
		}
		require.NoError(t, err)
		var rec logging.Record
		assert.ErrorContains(t, split.Machines[0].Open().Next(&rec), "s:2: expected ")
	}
	_, err := mixed.Split(iotest.ErrReader(io.ErrClosedPipe), "s")
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// A stream may end in the middle of a line, as one that is still written.
func TestTornEnd(t *testing.T) {
	for _, front := range []string{"", "vm-12-1  | "} {
		split, err := mixed.Split(strings.NewReader("talk\n"+front+line+"\n"+front+line[:60]), "s")
		require.NoError(t, err)
		r := split.Machines[0].Open()
		var rec logging.Record
		require.NoError(t, r.Next(&rec))
		assert.Equal(t, 2, rec.Line)
		err = r.Next(&rec)
		require.ErrorIs(t, err, logging.ErrTorn)
		assert.ErrorContains(t, err, "s:3: ")
	}
}

// Something without an end is no line, and fills no memory.
func TestEndlessLine(t *testing.T) {
	endless := io.LimitReader(zeros{}, 64<<20)
	split, err := mixed.Split(io.MultiReader(endless, strings.NewReader("\n"+line+"\n")), "s")
	require.NoError(t, err)
	var rec logging.Record
	require.NoError(t, split.Machines[0].Open().Next(&rec))
	assert.Equal(t, 2, rec.Line)
	assert.EqualValues(t, 1, split.Passed)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Of logs that do not fit in memory nothing is left behind but open files.
func TestNoTemporaryFileIsLeft(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	r := rand.New(rand.NewPCG(1, 2))
	split, err := mixed.Split(strings.NewReader(log(t, 0, 5000, r)+log(t, 1, 5000, r)), "s")
	require.NoError(t, err)
	for _, m := range split.Machines {
		r, rec, n := m.Open(), logging.Record{}, 0
		for r.Next(&rec) == nil {
			n++
		}
		assert.Equal(t, 5002, n)
	}
	require.NoError(t, split.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestNoRoomForATemporaryFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/nowhere")
	t.Setenv("TMP", t.TempDir()+"/nowhere")
	_, err := mixed.Split(strings.NewReader(log(t, 0, 5000, rand.New(rand.NewPCG(1, 2)))), "s")
	assert.ErrorContains(t, err, "TMPDIR")
}

// FuzzSplit gives it any stream. Whatever comes apart can be read to its end, or to an error with a
// place in the stream, and has as many lines as the stream says.
func FuzzSplit(f *testing.F) {
	for _, style := range styles {
		f.Add([]byte(style(12, line) + "\n" + style(12, line)))
		f.Add([]byte(style(12, line[:50])))
	}
	f.Add([]byte(line[:40] + line))
	f.Add([]byte("2026-11-26T20:40:00.123456789Z stdout P " + line + "\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		split, err := mixed.Split(bytes.NewReader(stream), "s")
		if err != nil {
			var e *logging.Error
			require.True(t, errors.Is(err, mixed.ErrNoLines) || errors.As(err, &e), "%v", err)
			return
		}
		defer func() { require.NoError(t, split.Close()) }()
		lines := bytes.Count(stream, []byte("\n"))
		if !bytes.HasSuffix(stream, []byte("\n")) {
			lines++
		}
		require.EqualValues(t, lines, split.Lines)
		for _, m := range split.Machines {
			r, last := m.Open(), 0
			for {
				var rec logging.Record
				err := r.Next(&rec)
				if err == nil {
					require.Equal(t, m.ID, rec.ID)
					require.Greater(t, rec.Line, last)
					last = rec.Line
					continue
				}
				var e *logging.Error
				if !errors.Is(err, io.EOF) {
					require.ErrorAs(t, err, &e)
					require.Greater(t, e.Line, last)
					require.LessOrEqual(t, e.Line, lines)
				}
				break
			}
			_, err := io.Copy(io.Discard, m.Text())
			require.NoError(t, err)
		}
	})
}

func ExampleSplit() {
	stream := strings.NewReader("vm-0-1  | listening\nvm-12-1 | " + line + "\n")
	logs, err := mixed.Split(stream, "compose.log")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = logs.Close() }()
	for _, m := range logs.Machines {
		var rec logging.Record
		err := m.Open().Next(&rec)
		fmt.Println(m.ID, rec.Line, rec.Event.Kind, err)
	}
	fmt.Println(logs.Passed, "passed over")
	// Output:
	// 12 2 internal <nil>
	// 1 passed over
}
