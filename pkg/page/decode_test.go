package page

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// decoded is a run as a page reads it from its columns.
type decoded struct {
	run    *Run
	bytes  []byte
	events [][]decodedEvent // by machine
	clocks [][][]uint64     // vector clocks, by machine and checkpoint
}

type decodedEvent struct {
	kind        event.Kind
	micro       int64
	clock       uint64
	queue, line int64
	step        uint64
	messages    []decodedMessage
}

type decodedMessage struct {
	peer  int
	seq   uint64
	sent  uint64 // of a receive
	other int64  // position at the other end, -1: not known
}

// reader reads one column.
type columnReader struct {
	t require.TestingT
	b []byte
	n int
}

func (d *decoded) column(t require.TestingT, name string, machine int) *columnReader {
	for _, s := range d.run.Columns.Sections {
		if s.Name == name && s.Machine == machine {
			return &columnReader{t, d.bytes[s.Offset : s.Offset+s.Bytes], s.Count}
		}
	}
	require.FailNow(t, "no such column", "%s of %d", name, machine)
	return nil
}

func (r *columnReader) unsigned() uint64 {
	n, size := binary.Uvarint(r.b)
	require.Positive(r.t, size)
	r.b = r.b[size:]
	r.n--
	return n
}

func (r *columnReader) signed() int64 {
	n, size := binary.Varint(r.b)
	require.Positive(r.t, size)
	r.b = r.b[size:]
	r.n--
	return n
}

func (r *columnReader) isEmpty() bool { return len(r.b) == 0 && r.n == 0 }

// unzigzag is the inverse of zigzag.
func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// decode is the twin of what the page does, and of what is written.
func decode(t require.TestingT, run *Run, b []byte) *decoded {
	require.Len(t, b, run.Columns.Bytes)
	d := &decoded{run: run, bytes: b}
	for i := range run.Machines {
		d.events = append(d.events, d.machine(t, i))
	}
	for i := range run.Machines { // receives may name sends of any machine
		d.stamps(t, i)
		d.clocks = append(d.clocks, d.vectors(t, i))
	}
	return d
}

func (d *decoded) machine(t require.TestingT, i int) (events []decodedEvent) {
	c := make(map[string]*columnReader)
	for _, name := range []string{"kind", "micro", "clock", "queue", "line", "step", "messages", "to", "seq", "arrives", "from", "rseq", "sends"} {
		c[name] = d.column(t, name, i)
	}
	var last decodedEvent
	out, in := make(map[int]*lastOn), make(map[int]*lastOn)
	on := func(links map[int]*lastOn, peer int) *lastOn {
		if links[peer] == nil {
			links[peer] = &lastOn{}
			if k := d.placeOf(peer); k >= 0 {
				links[peer].position = int(d.run.First[k]) - 1
			}
		}
		return links[peer]
	}
	other := func(n uint64, l *lastOn) int64 {
		if n == 0 {
			return -1
		}
		l.position += int(unzigzag(n - 1))
		return int64(l.position)
	}
	for range d.run.Machines[i].Events {
		e := decodedEvent{
			kind: event.Kind(c["kind"].unsigned()), micro: last.micro + c["micro"].signed(), clock: last.clock + 1 + uint64(c["clock"].signed()),
			queue: last.queue + c["queue"].signed(), line: last.line + 1 + c["line"].signed(), step: last.step + 1 + uint64(c["step"].signed()),
		}
		switch e.kind {
		case event.Send:
			for range c["messages"].unsigned() {
				m := decodedMessage{peer: int(c["to"].unsigned())}
				l := on(out, m.peer)
				l.seq += 1 + uint64(c["seq"].signed())
				m.seq, m.other = l.seq, other(c["arrives"].unsigned(), l)
				e.messages = append(e.messages, m)
			}
		case event.Receive:
			m := decodedMessage{peer: int(c["from"].unsigned())}
			l := on(in, m.peer)
			l.seq += 1 + uint64(c["rseq"].signed())
			m.seq, m.other = l.seq, other(c["sends"].unsigned(), l)
			e.messages = append(e.messages, m)
		}
		events = append(events, e)
		last = e
	}
	for name, column := range c {
		require.True(t, column.isEmpty(), name)
	}
	return events
}

// stamps adds the timestamps of the messages that a machine received.
func (d *decoded) stamps(t require.TestingT, i int) {
	sent := d.column(t, "sent", i)
	before := uint64(0)
	for k := range d.events[i] {
		e := &d.events[i][k]
		if e.kind == event.Receive {
			m := &e.messages[0]
			expected := before
			if m.other >= 0 {
				j := d.placeOf(m.peer)
				expected = d.events[j][m.other-int64(d.run.First[j])].clock
			}
			m.sent = expected + uint64(sent.signed())
		}
		before = e.clock
	}
	require.True(t, sent.isEmpty())
}

// vectors returns the vector clocks at the checkpoints of a machine.
func (d *decoded) vectors(t require.TestingT, i int) [][]uint64 {
	column := d.column(t, "vector", i)
	every := d.run.Columns.CheckpointEvery
	n := (len(d.events[i]) + every - 1) / every
	list := make([][]uint64, n)
	for range d.run.Machines {
		last := uint64(0)
		for k := range n {
			last += column.unsigned()
			list[k] = append(list[k], last)
		}
	}
	require.True(t, column.isEmpty())
	return list
}

func (d *decoded) placeOf(id int) int {
	return slices.IndexFunc(d.run.Machines, func(m Machine) bool { return m.ID == id })
}

// want collects from a walk what is to be read again.
type want struct {
	begins  int64
	events  [][]decodedEvent
	vectors [][][]uint64
}

func (w *want) WantsVectors() bool { return true }

func (w *want) Visit(s *trace.Step) error {
	if w.begins == 0 {
		w.begins = s.Micro
	}
	if s.Event == nil {
		return nil
	}
	e := decodedEvent{
		kind: s.Event.Kind, micro: s.Micro - w.begins, clock: uint64(s.Event.Clock), queue: int64(s.Event.Queue), line: int64(s.Line), step: s.Event.Step,
	}
	for _, m := range s.Event.Messages() {
		if s.Event.Kind == event.Receive {
			e.messages = append(e.messages, decodedMessage{peer: int(m.From), seq: m.Seq, sent: uint64(m.Sent)})
		} else {
			e.messages = append(e.messages, decodedMessage{peer: int(m.To), seq: m.Seq})
		}
	}
	w.events[s.Index] = append(w.events[s.Index], e)
	w.vectors[s.Index] = append(w.vectors[s.Index], slices.Clone(s.Vector))
	return nil
}

// show reads a run as a page shows it, and as a walk shows it.
func show(t require.TestingT, dir string, o Options) (*Run, []byte, *want) {
	run, err := trace.Open(dir)
	require.NoError(t, err)
	c := NewCollector(run, o)
	n := len(run.Present())
	w := &want{events: make([][]decodedEvent, n), vectors: make([][][]uint64, n)}
	stats, err := run.Stats(append(c.Visitors(), w)...)
	require.NoError(t, err)
	head, b := c.Run(stats)
	return head, b, w
}

// digits finds small figures, which can become large ones that a log still may have.
var digits = regexp.MustCompile(` (clock|step)=(\d{1,3})\b`)

// spoil does to the logs of a run what crashes, hands and strangers do.
func spoil(t *rapid.T, dir string) {
	entries, err := filepath.Glob(filepath.Join(dir, "vm_*.log"))
	require.NoError(t, err)
	name := rapid.SampledFrom(entries).Draw(t, "log")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
	switch rapid.IntRange(0, 4).Draw(t, "how") {
	case 0:
		if len(entries) > 1 {
			require.NoError(t, os.Remove(name))
			return
		}
	case 1:
		lines = lines[:i+1]
	case 2:
		lines = slices.Delete(lines, i, i+1)
	case 3:
		lines = slices.Insert(lines, i, lines[i])
	case 4:
		lines[i] = digits.ReplaceAllString(lines[i], " ${1}=1844674407370951${2}")
	}
	require.NoError(t, os.WriteFile(name, []byte(strings.Join(lines, "")), 0o666))
}

// What is read from the columns is what the logs say, of any run and of any part of one.
func TestColumns(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(dir, fmt.Sprint(n))
		require.NoError(t, os.Mkdir(dir, 0o777))
		cfg := tracetest.Config{
			Rates: make([]clock.Rate, rapid.IntRange(1, 5).Draw(t, "machines")), Duration: time.Duration(rapid.IntRange(0, 5).Draw(t, "seconds")) * time.Second,
			Seed: rapid.Uint64().Draw(t, "seed"), Die: rapid.IntRange(1, 10).Draw(t, "die"), Delay: 300 * time.Millisecond,
		}
		for i := range cfg.Rates {
			cfg.Rates[i] = clock.Rate(rapid.Uint64Range(1, 20).Draw(t, "rate")) * clock.Hertz
		}
		require.NoError(t, tracetest.Record(dir, cfg))
		for range rapid.IntRange(0, 2).Draw(t, "spoilt") {
			spoil(t, dir)
		}
		var o Options
		if rapid.Bool().Draw(t, "part") {
			o.From = time.Duration(rapid.IntRange(0, 4).Draw(t, "from")) * time.Second
			o.To = o.From + time.Duration(rapid.IntRange(1, 3).Draw(t, "lasts"))*time.Second
			o.Events = rapid.IntRange(1, 300).Draw(t, "events")
		}
		run, b, w := show(t, dir, o)
		d := decode(t, run, b)
		for i, events := range d.events {
			first := int(run.First[i])
			if len(events) == 0 {
				continue
			}
			require.LessOrEqual(t, first+len(events), len(w.events[i]))
			for k := range events {
				d.back(t, i, k)
				for m := range events[k].messages {
					events[k].messages[m].other = 0 // what is read again has none
				}
			}
			require.Equal(t, w.events[i][first:first+len(events)], events)
			for c, vector := range d.clocks[i] {
				at := first + min((c+1)*run.Columns.CheckpointEvery, len(events)) - 1
				for j := range vector {
					require.Equal(t, max(w.vectors[i][at][j], run.First[j]), max(vector[j], run.First[j]))
				}
			}
		}
		if o == (Options{}) {
			for i := range d.events {
				require.Len(t, d.events[i], len(w.events[i]))
			}
		}
	})
}

// back follows each message of an event to its other end and back.
func (d *decoded) back(t require.TestingT, i, k int) {
	e := &d.events[i][k]
	for _, m := range e.messages {
		if m.other < 0 {
			continue
		}
		j := d.placeOf(m.peer)
		require.GreaterOrEqual(t, j, 0)
		other := &d.events[j][m.other-int64(d.run.First[j])]
		found := slices.ContainsFunc(other.messages, func(o decodedMessage) bool {
			return o.peer == d.run.Machines[i].ID && o.seq == m.seq
		})
		require.True(t, found, "machine %d, position %d", i, k)
	}
}

func TestZigzag(t *testing.T) {
	for _, n := range []int64{0, -1, 1, -2, 1 << 62, -1 << 63, 1<<63 - 1} {
		require.Equal(t, n, unzigzag(zigzag(n)))
		require.Equal(t, binary.AppendVarint(nil, n), binary.AppendUvarint(nil, zigzag(n)))
	}
}
