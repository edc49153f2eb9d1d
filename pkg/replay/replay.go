// Package replay executes a recorded run again.
//
// A machine is a function of its seed and of the messages that it receives, in
// their order. Both stand in its log. So a run can be done again from its logs
// alone: [Run] does it in this process, and package vm with the same [Track] as
// processes over TCP. The machines are those of package machine, each message is
// one that its sender has sent again, and what they do must be what was recorded,
// field by field, but for the global time.
//
// Taken from the record is what neither seed nor rules decide: which machine's
// message was received next, and how many waited then (T. J. LeBlanc,
// J. M. Mellor-Crummey, "Debugging Parallel Programs with Instant Replay", IEEE
// Transactions on Computers 36(4), 1987: the order of the messages is recorded,
// their contents come about again).
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/tournament"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
)

// Result is a replay that came out the same.
type Result struct {
	Machines int // in the run
	Events   uint64
	Lasted   time.Duration // from the start to the last event, as recorded
	Crashes  int           // after which a machine came back
	Missing  []int         // machines without a log, the first 10: their messages are taken from the record
	Further  int           // how many more have none
	Unended  []int         // machines whose log has no end: they died for good
	Left     []int         // machines that were gone when others still sent to them
	Widest   int           // the most messages that a link held unreceived: processes need such a window
}

// Run executes the run again whose event logs these files are, one per machine, in
// any order. A [Difference] is the first there is: nothing that happened before
// it differs. Another error says that a log cannot be read, that the logs are not
// of one run, or that ctx has ended.
func Run(ctx context.Context, paths []string) (*Result, error) {
	logs := make([]Log, len(paths))
	for i, path := range paths {
		logs[i] = File(path)
	}
	return RunLogs(ctx, logs)
}

// RunLogs is [Run] for logs that are kept anywhere.
func RunLogs(ctx context.Context, logs []Log) (*Result, error) {
	r := &replayer{}
	defer r.close()
	if err := r.open(logs); err != nil {
		return nil, err
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return &r.result, nil
}

// replayer is one replay.
type replayer struct {
	players []*player              // those that have a log, by machine
	turns   *tournament.Tournament // by place in players, the global time of the turns of those that may go on
	result  Result
}

// player is one machine of it.
type player struct {
	id      int
	place   int // among the players
	track   *Track
	machine *machine.Machine
	turn    *Turn         // nil: the record has ended
	stop    *logging.Stop // the last turn, once it has been taken
	waits   bool          // for a message

	in   links
	here int   // messages on all of them
	next *link // the one that the turn receives from; nil: none, or the record is trusted
}

func (r *replayer) close() {
	for _, p := range r.players {
		p.track.Close()
	}
}

// player returns a machine's player, nil where it has no log.
func (r *replayer) player(id int) *player {
	if id < len(r.players) && r.players[id].id == id { // no smaller one is missing
		return r.players[id]
	}
	if i, ok := slices.BinarySearchFunc(r.players, id, func(p *player, id int) int { return p.id - id }); ok {
		return r.players[i]
	}
	return nil
}

// maxMachines bounds what a forged first line can make this package allocate.
const maxMachines = 1 << 20

// open opens the logs and makes their machines.
func (r *replayer) open(logs []Log) error {
	var first *Track
	seen := make(map[int]*Track)
	for _, l := range logs {
		path := l.Name
		t, err := l.track()
		if err != nil {
			return err
		}
		p := &player{id: t.ID(), track: t}
		r.players = append(r.players, p) // to be closed
		start := t.Start()
		if start.Machines > maxMachines {
			return &logging.Error{File: path, Line: t.first.Line, Msg: fmt.Sprintf("expected at most %d machines, found %d", maxMachines, start.Machines)}
		}
		if first == nil {
			first = t
			r.result.Machines = start.Machines
		}
		switch of := first.Start(); {
		case start.Run != of.Run || start.Machines != of.Machines:
			err = fmt.Errorf("%s is of run %q with %s, %s of run %q with %d: want the logs of one run", path, start.Run, figure.Plural(start.Machines, "machine"), first.Path(), of.Run, of.Machines)
		case t.ID() >= start.Machines:
			err = &logging.Error{File: path, Line: t.first.Line, Msg: fmt.Sprintf("machine %d in a run of %d", t.ID(), start.Machines)}
		case seen[t.ID()] != nil:
			err = fmt.Errorf("%s and %s are both of machine %d", seen[t.ID()].Path(), path, t.ID())
		}
		if err == nil {
			p.machine, err = machine.New(machine.Config{ID: t.ID(), Machines: start.Machines, Die: start.Die, Seed: start.Seed})
		}
		if err != nil {
			return err
		}
		p.in = newLinks(start.Machines)
		seen[t.ID()] = t
		t.first.Start.Peers = nil // all logs' together are many
	}
	for _, p := range r.players {
		p.track.source = newAhead(p.track.source, len(r.players))
	}
	slices.SortFunc(r.players, func(a, b *player) int { return a.id - b.id })
	for i, p := range r.players {
		p.place = i
	}
	r.turns = tournament.New(len(r.players))
	const maxListed = 10
	missing := r.result.Machines - len(r.players)
	for id := 0; len(r.result.Missing) < min(missing, maxListed); id++ {
		if r.player(id) == nil {
			r.result.Missing = append(r.result.Missing, id)
		}
	}
	r.result.Further = missing - len(r.result.Missing)
	return nil
}

// run takes all machines through their records, in an order in which each message
// is sent before it is received.
func (r *replayer) run(ctx context.Context) error {
	for _, p := range r.players {
		if err := r.advance(p); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		i, turn := r.turns.Winner()
		if turn == tournament.Never {
			break
		}
		p := r.players[i]
		if r.blocked(p) {
			p.waits = true
			r.turns.Set(i, tournament.Never)
			continue
		}
		if err := r.take(p); err != nil {
			return err
		}
	}
	if err := r.stuck(); err != nil {
		return err
	}
	return r.ends()
}

// checkEvery is after how many turns the replay looks whether it is still wanted.
const checkEvery = 1 << 12

// advance moves a machine to its next turn.
func (r *replayer) advance(p *player) error {
	var err error
	p.turn, err = p.track.Next()
	if errors.Is(err, io.EOF) {
		r.turns.Set(p.place, tournament.Never)
		return nil
	}
	if err != nil {
		return err
	}
	p.next = nil
	if ev := &p.turn.Event; p.turn.Kind == logging.EventRecord && ev.Kind == event.Receive {
		if from := ev.Messages()[0].From; !r.trusted(from) {
			p.next = p.in.from(from)
		}
	}
	r.turns.Set(p.place, p.key())
	return nil
}

// key is what turns are taken by: the earliest comes first, of equal ones the lowest machine's.
func (p *player) key() uint64 { return tournament.Key(p.turn.UnixMicro) }

// blocked reports whether a machine must wait for a message that others have to
// send first. What its record cannot have right is not waited for.
func (r *replayer) blocked(p *player) bool {
	l := p.next
	if l == nil {
		return false
	}
	m := &p.turn.Event.Messages()[0]
	if m.Seq != l.seq || int(m.From) >= r.result.Machines {
		return false
	}
	return l.waiting() == 0 || len(r.result.Missing) == 0 && p.here < p.turn.Here
}

// trusted reports whether a machine has no log, so that its messages are only known
// from those who received them.
func (r *replayer) trusted(id int32) bool {
	return int(id) < r.result.Machines && r.player(int(id)) == nil
}

// take lets a machine do what its turn says, and moves it on.
func (r *replayer) take(p *player) error {
	switch p.turn.Kind {
	case logging.EventRecord:
		if err := r.step(p); err != nil {
			return err
		}
		r.result.Events++
		r.result.Lasted = max(r.result.Lasted, p.turn.Since)
	case logging.ResumeRecord:
		r.result.Crashes++
	case logging.StopRecord:
		// What it leaves in its queue is known when the others have ended too.
		p.stop = &p.turn.Stop
	}
	return r.advance(p)
}

func (r *replayer) step(p *player) error {
	recorded := &p.turn.Event
	if recorded.Kind == event.Receive {
		m := recorded.Messages()[0]
		if p.next != nil {
			if p.next.waiting() == 0 {
				return p.track.differs(fmt.Sprintf("nothing, for machine %d has sent no message %d", m.From, m.Seq))
			}
			m.Seq, m.Sent = p.next.pop()
			p.here--
		}
		p.machine.Deliver(m)
	}
	var ev event.Event
	if err := p.machine.Step(&ev); err != nil {
		return p.track.differs(err.Error())
	}
	if err := p.track.Compare(&ev); err != nil {
		return err
	}
	if ev.Kind != event.Send {
		return nil
	}
	for _, m := range ev.Messages() {
		to := r.player(int(m.To))
		if to == nil {
			continue
		}
		l := to.in.from(m.From)
		l.push(m.Sent)
		r.result.Widest = max(r.result.Widest, l.waiting())
		to.here++
		if to.waits && !r.blocked(to) {
			to.waits = false
			r.turns.Set(to.place, to.key())
		}
	}
	return nil
}

// stuck says which machine waits for ever, if any: the earliest by global time.
func (r *replayer) stuck() error {
	var p *player
	for _, other := range r.players {
		if other.waits && (p == nil || other.key() < p.key()) {
			p = other
		}
	}
	if p == nil {
		return nil
	}
	m := p.turn.Event.Messages()[0]
	if p.next.waiting() == 0 {
		return p.track.differs(fmt.Sprintf("nothing, for machine %d sends no message %d before", m.From, m.Seq))
	}
	return p.track.differs(fmt.Sprintf("a queue of %d at most, for no more was sent before", p.here-1))
}

// ends holds the last lines against what is left on the links.
func (r *replayer) ends() error {
	left := make(map[int]bool)
	for _, p := range r.players {
		if p.stop == nil {
			r.result.Unended = append(r.result.Unended, p.id)
			continue
		}
		if err := p.track.CompareStop(r.stopOf(p)); err != nil {
			return err
		}
		for _, c := range p.stop.Undelivered {
			left[c.Peer] = true
		}
	}
	r.result.Left = slices.Sorted(maps.Keys(left))
	return nil
}

// stopOf returns the stop line of a machine after its last turn.
func (r *replayer) stopOf(p *player) logging.Stop {
	recorded := logging.ByPeer(p.stop.Pending)
	pending := make(map[int]uint64)
	for from, n := range recorded { // it may be right
		if r.trusted(int32(from)) && from != p.id {
			pending[from] = n
		}
	}
	for from, l := range p.in.all() {
		sender := r.player(int(from))
		if sender == nil || sender == p {
			continue
		}
		most, least := uint64(l.waiting()), uint64(0)
		// What became of the last messages of a machine that died for
		// good, or of those that could not be delivered, nobody knows.
		if sender.stop != nil {
			least = most - min(most, undelivered(sender.stop, p.id))
		}
		pending[int(from)] = min(max(recorded[int(from)], least), most)
	}
	waiting := uint64(0)
	for _, n := range pending {
		waiting += n
	}
	return logging.Stop{
		Step:        p.machine.Steps(),
		Clock:       p.machine.Clock(),
		Queue:       int(waiting),
		Pending:     logging.Counts(pending),
		Undelivered: p.stop.Undelivered,
	}
}

func undelivered(stop *logging.Stop, to int) uint64 {
	i, ok := slices.BinarySearchFunc(stop.Undelivered, to, func(c logging.Count, to int) int { return cmp.Compare(c.Peer, to) })
	if !ok {
		return 0
	}
	return stop.Undelivered[i].Messages
}
