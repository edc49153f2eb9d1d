package sim

import (
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/machine"
)

// entry is an event on its way to its line.
type entry struct {
	at    int64
	step  uint64
	clock clock.Time
	sent  clock.Time // of what was received
	queue uint32
	kind  event.Kind
	n     uint8     // messages: one was received, or so many sent
	peers [2]int32  // whom they are from, or to
	seqs  [2]uint32 // their numbers on their links
}

// block is what a machine did in a row.
type block struct {
	id      int
	entries []entry
}

// scribe writes the logs of some machines. The lines of a machine are formatted and
// written by one scribe, in their order, while the run goes on: so their bytes are the
// same whoever writes them, and when.
type scribe struct {
	logs *logs
	in   chan block
	ev   event.Event
}

// waiting is how many blocks wait for a scribe at most; then the run waits.
const waiting = 8

// run writes what comes, until nothing more does.
func (s *scribe) run() {
	for b := range s.in {
		s.write(b)
		select {
		case s.logs.spare <- b.entries[:0]:
		default:
		}
		s.logs.open.Done()
	}
}

// write writes the lines of a block.
func (s *scribe) write(b block) {
	w := s.logs.writers[b.id]
	for i := range b.entries {
		en := &b.entries[i]
		s.describe(b.id, en)
		w.Event(instant(en.at), &s.ev)
	}
	if err := w.Flush(); err != nil {
		s.logs.fail(err)
	}
}

// describe makes an event of an entry.
func (s *scribe) describe(id int, en *entry) {
	ev := &s.ev
	ev.Step, ev.Clock, ev.Queue, ev.Kind = en.step, en.clock, int(en.queue), en.kind
	to := func(i int) event.Message {
		return event.Message{From: int32(id), To: en.peers[i], Seq: uint64(en.seqs[i]), Sent: en.clock}
	}
	switch {
	case en.kind == event.Receive:
		ev.SetMessages(event.Message{From: en.peers[0], To: int32(id), Seq: uint64(en.seqs[0]), Sent: en.sent})
	case en.n == 0:
		ev.SetMessages()
	case en.n == 1:
		ev.SetMessages(to(0))
	default:
		ev.SetMessages(to(0), to(1))
	}
}

// next returns the place of the next entry of a machine's log.
func (l *logs) next(id int32) *entry {
	b := l.blocks[id]
	if len(b) == cap(b) {
		if len(b) > 0 {
			l.hand(int(id))
		}
		b = l.fresh()
	}
	b = b[:len(b)+1]
	l.blocks[id] = b
	return &b[len(b)-1]
}

// fresh returns a block without entries.
func (l *logs) fresh() []entry {
	select {
	case b := <-l.spare:
		return b
	default:
		return make([]entry, 0, l.perBlock)
	}
}

// hand has what a machine did written down.
func (l *logs) hand(id int) {
	b := block{id, l.blocks[id]}
	l.blocks[id] = nil
	if len(b.entries) == 0 {
		return
	}
	if l.writing == nil { // one core does it all
		(&scribe{logs: l}).write(b)
		l.blocks[id] = b.entries[:0]
		return
	}
	l.open.Add(1)
	l.writing[id%len(l.writing)].in <- b
}

// settle has everything that some machines did in their logs, and returns the first error
// of any log.
func (l *logs) settle(ids ...int) error {
	for _, id := range ids {
		l.hand(id)
	}
	l.open.Wait()
	return l.failed()
}

// fail keeps the first error.
func (l *logs) fail(err error) { l.err.CompareAndSwap(nil, &err) }

// failed returns the first error of any log.
func (l *logs) failed() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// start has scribes write, one for each of several cores.
func (l *logs) start(cores int) {
	if cores < 2 {
		return
	}
	n := min(cores, len(l.files))
	l.spare = make(chan []entry, n*waiting)
	for range n {
		s := &scribe{logs: l, in: make(chan block, waiting)}
		l.writing = append(l.writing, s)
		l.scribes.Go(s.run)
	}
}

// logIdle takes down a step that received nothing, and sends its messages.
func (s *shard) logIdle(nd *node, now int64, to machine.Recipients) {
	en := s.logs.next(nd.id)
	*en = entry{at: now, step: nd.state.Steps(), clock: nd.state.Clock(), kind: event.Internal}
	if to.Len() > 0 {
		en.kind, en.n = event.Send, uint8(to.Len())
	}
	for i := range to.Len() {
		en.peers[i], en.seqs[i] = int32(to.At(i)), s.send(nd, to.At(i), now)
	}
}

// logReceive takes down a step that received a message.
func (s *shard) logReceive(nd *node, now int64, queue uint32, m *message) {
	*s.logs.next(nd.id) = entry{
		at: now, step: nd.state.Steps(), clock: nd.state.Clock(), sent: m.sent, queue: queue,
		kind: event.Receive, n: 1, peers: [2]int32{m.from}, seqs: [2]uint32{m.seq},
	}
}
