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

// ending closes a run: the peers' last messages, the stop line, and the goodbye.
type ending struct {
	*stepper
	mode   closing
	peers  farewell
	linger time.Duration // as configured
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
		if stop, err = e.writeStop(finish, company); err != nil {
			return nil, nil, err
		}
	}
	left = e.peers.Left()
	// The stop line says what became of every message; so the peers may
	// forget theirs.
	if !e.peers.Settle(finish) {
		e.logger.Warn("not all peers have said that they hold this machine's last messages")
	}
	grace, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	e.peers.Close(grace)
	if err := e.journal.close(); err != nil {
		return nil, nil, err
	}
	return stop, left, nil
}

// writeStop writes the stop line, when all messages of the peers are here or ctx
// ends; of those that go on, when company does.
func (e *ending) writeStop(ctx, company context.Context) (*logging.Stop, error) {
	undelivered := e.peers.Leave(ctx, company)
	all := ctx.Err() == nil && company.Err() == nil
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
	if err := e.commit(); err != nil {
		return nil, err
	}
	return &stop, e.mode.check(stop, all)
}
