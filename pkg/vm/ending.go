package vm

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/logging"
)

// endGrace is how long a machine that has ended waits for its peers to read its
// last word.
const endGrace = time.Second

// goodbye returns how long that is where a peer has not said in time that it holds this
// machine's last messages, though it was waited for as long as linger: it may be dead, and those
// that live read at once.
func goodbye(linger time.Duration) time.Duration { return min(endGrace, max(linger, companyTime)) }

// ending closes a run: the peers' last messages, the stop line, and the goodbye.
type ending struct {
	*stepper
	mode   closing
	peers  farewell
	linger time.Duration // as configured
	leave  func() error  // for a while, to come back
	logger hclog.Logger
}

// farewell is what an ending needs of a *transport.Node, which says what each
// means.
type farewell interface {
	Leave(ctx, company context.Context) (undelivered map[int]uint64)
	Settle(ctx context.Context) bool
	Close(ctx context.Context)
	Left() []int
	Err() error
}

// run ends the run of ctx, which may have ended before, or do so while the machine
// waits. An earlier process may have written the stop line already. It returns
// that line and who left the run before.
func (e *ending) run(ctx context.Context, past *logging.Stop) (stop *logging.Stop, left []int, err error) {
	finish, company, giveUp := lingering{e.linger, e.mode.endless()}.wait(ctx, func() bool { return e.peers.Err() != nil })
	defer giveUp()
	if stop = past; stop == nil {
		waiting, cancel := untilPaused(ctx, finish)
		defer cancel()
		if stop, err = e.writeStop(ctx, waiting, company); err != nil {
			return nil, nil, err
		}
	}
	left = e.peers.Left()
	// The stop line says what became of every message; so the peers may
	// forget theirs.
	patience := endGrace
	if !e.peers.Settle(finish) {
		e.logger.Warn("not all peers have said that they hold this machine's last messages")
		patience = goodbye(e.linger)
	}
	grace, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.peers.Close(grace)
	if err := e.journal.close(); err != nil {
		return nil, nil, err
	}
	return stop, left, nil
}

// writeStop writes the stop line, when all messages of the peers are here or waiting
// ends; of those that go on, when company does. A machine that is paused meanwhile, by the end
// of ctx, writes none: when it comes back, it can still do better than to say what is missing.
func (e *ending) writeStop(ctx, waiting, company context.Context) (*logging.Stop, error) {
	undelivered := e.peers.Leave(waiting, company)
	all := waiting.Err() == nil && company.Err() == nil
	if paused(ctx) {
		return nil, e.leave()
	}
	// A machine that came back at the very end may learn only now that its peers
	// know more than its log.
	if err := e.peers.Err(); err != nil {
		return nil, err
	}
	e.collect()
	e.mode.release()
	stop := logging.Stop{
		Step:        e.machine.Steps(),
		Clock:       e.machine.Clock(),
		Queue:       e.machine.QueueLen(),
		Pending:     logging.Counts(e.machine.Pending()),
		Undelivered: logging.Counts(undelivered),
	}
	e.compare(true)
	e.stepper.peers = nil // no line follows
	e.journal.log.Stop(e.wall(), stop)
	if err := e.commitLast(); err != nil {
		return nil, err
	}
	return &stop, e.mode.check(stop, all)
}
