package vm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// fakeDisk is a log file that fails as it is told to, and knows which messages
// stand in it for good.
type fakeDisk struct {
	durable bool // only what was synced counts
	fails   bool // the next write, or sync if durable
	takes   int  // so many whole lines of a write that fails

	written []logging.Record // not for good yet
	sent    map[int]uint64   // by recipient: the number of the last message
	taken   map[int]uint64   // by sender
	stops   int              // stop lines
	closed  bool
	onEvent func(*event.Event) // is called for each event that is written; nil: nothing
}

var errDisk = errors.New("disk error")

func (d *fakeDisk) Write(p []byte) (int, error) {
	lines, failed := bytes.SplitAfter(p, []byte("\n")), d.fails && !d.durable
	if failed {
		d.fails = false // the next write would succeed, and must not be tried
		lines = lines[:min(d.takes, len(lines)-1)]
	}
	n := len(bytes.Join(lines, nil))
	r := logging.NewReader(bytes.NewReader(p[:n]), "disk")
	for rec := (logging.Record{}); r.Next(&rec) == nil; {
		d.written = append(d.written, rec)
		if rec.Kind == logging.StopRecord {
			d.stops++
		}
		if rec.Kind == logging.EventRecord && d.onEvent != nil {
			d.onEvent(&rec.Event)
		}
	}
	if failed {
		return n, errDisk
	}
	if !d.durable {
		d.keep()
	}
	return n, nil
}

func (d *fakeDisk) Sync() error {
	if d.fails {
		d.fails = false
		d.written = nil // as after fsync(2): the next one finds nothing to do
		return errDisk
	}
	d.keep()
	return nil
}

func (d *fakeDisk) keep() {
	for _, rec := range d.written {
		for _, m := range rec.Event.Messages() {
			if rec.Event.Kind == event.Send {
				d.sent[int(m.To)] = m.Seq
			} else {
				d.taken[int(m.From)] = m.Seq
			}
		}
	}
	d.written = nil
}

func (d *fakeDisk) Close() error {
	d.closed = true
	return nil
}

// fakeLinks is the outside. It sees more than it should where the journal breaks
// its invariants.
type fakeLinks struct {
	t     require.TestingT
	disk  *fakeDisk
	rooms []int
	got   map[int][]clock.Time // by recipient
	acked map[int]uint64       // by sender
}

func (l *fakeLinks) SendAll(to int, payloads [][]byte) (first uint64) {
	first = uint64(len(l.got[to])) + 1
	for _, p := range payloads {
		l.got[to] = append(l.got[to], clock.Time(binary.BigEndian.Uint64(p)))
	}
	require.LessOrEqual(l.t, uint64(len(l.got[to])), l.disk.sent[to], "I1: sent to machine %d, but not logged", to)
	return first
}

func (l *fakeLinks) Consumed(from int, seq uint64) {
	require.Greater(l.t, seq, l.acked[from], "nothing is acknowledged twice")
	require.LessOrEqual(l.t, seq, l.disk.taken[from], "I2: acknowledged to machine %d, but not logged", from)
	l.acked[from] = seq
}

func (l *fakeLinks) Room(to int) int { return l.rooms[to] }

// twinJournal is a journal as one would first write it down: a list of what has
// happened, which the outside learns all at once, or never.
type twinJournal struct {
	happened []event.Event
	got      map[int][]clock.Time
	acked    map[int]uint64
	broken   bool
}

func (w *twinJournal) commit(fails bool) {
	if w.broken = w.broken || fails; w.broken {
		return
	}
	for _, ev := range w.happened {
		for _, m := range ev.Messages() {
			if ev.Kind == event.Send {
				w.got[int(m.To)] = append(w.got[int(m.To)], m.Sent)
			} else {
				w.acked[int(m.From)] = m.Seq
			}
		}
	}
	w.happened = nil
}

func (w *twinJournal) waiting(to int) (n int) {
	for _, ev := range w.happened {
		for _, m := range ev.Messages() {
			if ev.Kind == event.Send && int(m.To) == to {
				n++
			}
		}
	}
	return n
}

// Whatever happens in whatever order, and whichever write fails: nobody outside
// knows what is not in the log, and whatever a commit has put there they know.
func TestJournalAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		peer := rapid.IntRange(1, machines-1) // the journal is machine 0's
		disk := &fakeDisk{durable: rapid.Bool().Draw(t, "durable"), sent: map[int]uint64{}, taken: map[int]uint64{}}
		out := &fakeLinks{t: t, disk: disk, rooms: make([]int, machines), got: map[int][]clock.Time{}, acked: map[int]uint64{}}
		j := newJournal(0, disk, disk.durable, out, make([]uint64, machines))
		twin := &twinJournal{got: map[int][]clock.Time{}, acked: map[int]uint64{}}
		var step uint64
		sent, taken := make([]uint64, machines), make([]uint64, machines)
		record := func(kind event.Kind, messages ...event.Message) {
			step++
			ev := event.Event{Step: step, Clock: clock.Time(step), Kind: kind}
			ev.SetMessages(messages...)
			j.record(time.Unix(0, 0), &ev)
			twin.happened = append(twin.happened, ev)
		}
		message := func(to int) event.Message {
			sent[to]++
			return event.Message{To: int32(to), Seq: sent[to], Sent: clock.Time(step + 1)}
		}
		commit := func(t *rapid.T, fails bool) {
			// With nothing to write, no write fails.
			fails = fails && (disk.durable || j.log.Buffered() > 0) && !twin.broken
			disk.fails, disk.takes = fails, rapid.IntRange(0, 3).Draw(t, "lines before it fails")
			twin.commit(fails)
			if err := j.commit(); twin.broken {
				require.ErrorIs(t, err, errDisk)
				return
			}
			tight := false
			for _, room := range out.rooms[1:] {
				tight = tight || room < commitSteps
			}
			require.Equal(t, tight, j.tight)
		}
		t.Repeat(map[string]func(*rapid.T){
			"internal": func(*rapid.T) { record(event.Internal) },
			"send": func(t *rapid.T) {
				messages := []event.Message{message(peer.Draw(t, "to"))}
				if to := peer.Draw(t, "and to"); to != int(messages[0].To) {
					messages = append(messages, message(to))
				}
				record(event.Send, messages...)
			},
			"receive": func(t *rapid.T) {
				from := peer.Draw(t, "from")
				taken[from]++
				record(event.Receive, event.Message{From: int32(from), Seq: taken[from]})
			},
			"commit":       func(t *rapid.T) { commit(t, false) },
			"commit fails": func(t *rapid.T) { commit(t, rapid.IntRange(0, 9).Draw(t, "chance") == 0) },
			"room": func(t *rapid.T) {
				out.rooms[peer.Draw(t, "on the link to")] = rapid.OneOf(rapid.IntRange(0, 5), rapid.Just(commitSteps-1), rapid.Just(commitSteps)).Draw(t, "room")
			},
			"": func(t *rapid.T) {
				require.Equal(t, twin.got, out.got)
				require.Equal(t, twin.acked, out.acked)
				for to := 1; to < machines; to++ {
					require.Equal(t, out.rooms[to] > twin.waiting(to), j.room(to))
				}
			},
		})
	})
}

// A disk that loses what it could not sync does not say so twice.
func TestCommitAfterASyncThatFailed(t *testing.T) {
	disk := &fakeDisk{durable: true, fails: true, sent: map[int]uint64{}, taken: map[int]uint64{}}
	j := newJournal(0, disk, true, &fakeLinks{t: t, disk: disk, rooms: make([]int, 2)}, make([]uint64, 2))
	ev := event.Event{Step: 1, Clock: 1, Kind: event.Send}
	ev.SetMessages(event.Message{To: 1, Seq: 1, Sent: 1})
	j.record(time.Unix(0, 0), &ev)
	for range 2 {
		require.ErrorIs(t, j.commit(), errDisk)
	}
}
