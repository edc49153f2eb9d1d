package vm

import (
	"fmt"
	"io"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// What is committed at once, at most.
const (
	commitBytes = 128 << 10
	commitSteps = 2048
)

// journal is a machine's event log, and the only way from the machine to its
// peers: it tells them what its lines say, and only once these have been handed
// to the operating system.
type journal struct {
	id   int
	log  *logging.Writer
	file logFile
	sync bool // a line counts once it would survive a loss of power
	out  links

	// unsent are the messages whose sends have been recorded since the last
	// commit.
	//
	// Invariant I1: a message leaves only after the line of its send. So it waits
	// here, and nothing but a commit whose flush succeeded hands it to out.
	unsent outgoing

	// consumed is, by sender, the number of the last message whose receive has
	// been recorded; unacked are the senders for which out knows of a smaller
	// one, each listed once (isUnacked).
	//
	// Invariant I2: a message is acknowledged only after the line of its
	// receive. So nothing but a commit whose flush succeeded tells out.
	consumed  []uint64
	unacked   []int
	isUnacked []bool

	tight bool // some link may be out of room before the next commit
	// failed is the error of the first commit that failed, after which none
	// succeeds: a disk that could not be synced once may call the next try a
	// success, though the lines of the first are lost.
	failed error
}

// links is what a journal needs of a *transport.Node.
type links interface {
	// SendAll puts messages on the link to a machine. The first of them gets the
	// number that is returned.
	SendAll(to int, payloads [][]byte) (first uint64)
	// Consumed acknowledges all messages from a machine up to this number.
	Consumed(from int, seq uint64)
	// Room returns how many messages the link to a machine can take.
	Room(to int) int
}

// logFile is what a journal needs of a *logging.File.
type logFile interface {
	io.WriteCloser
	Sync() error
}

// newJournal returns the journal of machine id, which has consumed these messages
// already, by sender: one number for each machine of the run.
func newJournal(id int, file logFile, sync bool, out links, consumed []uint64) *journal {
	return &journal{
		id:        id,
		log:       logging.NewWriter(file, id),
		file:      file,
		sync:      sync,
		out:       out,
		unsent:    newOutgoing(len(consumed)),
		consumed:  consumed,
		isUnacked: make([]bool, len(consumed)),
	}
}

// record notes what the machine has done at this instant.
func (j *journal) record(at time.Time, ev *event.Event) {
	j.log.Event(at, ev)
	switch ev.Kind {
	case event.Send:
		j.unsent.add(ev.Messages())
	case event.Receive:
		m := ev.Messages()[0]
		j.consumed[m.From] = m.Seq
		if !j.isUnacked[m.From] {
			j.isUnacked[m.From] = true
			j.unacked = append(j.unacked, int(m.From))
		}
	}
}

// full reports whether it is time to commit.
func (j *journal) full() bool { return j.log.Buffered() >= commitBytes }

// commit hands the log's lines to the operating system, and only then lets the
// world see what they say. Where it fails, the world sees nothing, then and ever
// after.
func (j *journal) commit() error {
	if j.failed == nil {
		j.failed = j.flush()
	}
	if j.failed != nil {
		return j.failed
	}
	j.unsent.send(j.out.SendAll)
	for _, from := range j.unacked {
		j.out.Consumed(from, j.consumed[from])
		j.isUnacked[from] = false
	}
	j.unacked = j.unacked[:0]
	j.tight = j.scarce()
	return nil
}

func (j *journal) flush() error {
	if err := j.log.Flush(); err != nil || !j.sync {
		return err
	}
	return j.file.Sync()
}

// scarce reports whether any link could be full before the next commit, so that
// each step has to ask.
func (j *journal) scarce() bool {
	for id := range j.consumed {
		if id != j.id && j.out.Room(id) < commitSteps {
			return true
		}
	}
	return false
}

// room reports whether the link to this machine can take one more message.
func (j *journal) room(to int) bool { return j.out.Room(to) > j.unsent.waiting(to) }

// close closes the file. What was not committed is not in it.
func (j *journal) close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("the event log cannot be closed: %w", err)
	}
	return nil
}
