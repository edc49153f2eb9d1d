package vm

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
)

// recorded executes the instructions that a record names, each when it is its
// turn: what has come is held until then.
type recorded struct {
	*stepper
	turns  *follower
	atPace bool
	back   bool // from a crash that is in the record
}

func newRecorded(cfg *Config, s *stepper, p *past) (*recorded, error) {
	r := &recorded{stepper: s, turns: newFollower(cfg.Replay, len(cfg.Peers)+1), atPace: cfg.AtPace}
	s.take = r.turns.hold
	return r, r.turns.skip(p.lines)
}

// comeBack notes nothing: the record says which crashes there were.
func (r *recorded) comeBack() { r.back = true }

func (r *recorded) exact() bool { return r.atPace }

func (r *recorded) leave(now int64) int64 { return now }

func (r *recorded) over(ran time.Duration) (elapsed time.Duration, measured bool) { return ran, true }

// endless: the others' records may be longer.
func (r *recorded) endless() bool { return true }

func (r *recorded) release() { r.turns.release(r.machine.Deliver) }

// check compares the ends. What did not come because nobody waited for it is no
// difference.
func (r *recorded) check(stop logging.Stop, all bool) error {
	if !r.turns.finished || !all {
		return nil
	}
	return r.turns.track.CompareStop(stop)
}

func (r *recorded) drive() error {
	for {
		turn, err := r.turns.next()
		switch {
		case err != nil:
			return err
		case turn == nil:
			return errors.New("the record ends without a stop line: the machine died here for good, or was paused")
		}
		if going, err := r.await(turn); !going || err != nil {
			return err
		}
		switch turn.Kind {
		case logging.StopRecord:
			r.turns.finished = true
			return nil
		case logging.PauseRecord: // and then, as after a crash, it comes back
			r.journal.log.Pause(r.wall(), turn.Pause)
		case logging.ResumeRecord:
			if !r.back {
				if err := r.commit(); err != nil {
					return err
				}
				return ErrCrash
			}
			r.journal.log.Resume(r.wall(), turn.Resume)
		case logging.EventRecord:
			if going, err := r.execute(turn); !going || err != nil {
				return err
			}
		}
		r.back = false
	}
}

// await waits, if the pace of the record is to be kept, until a turn is due. It
// reports false when the run has ended before.
func (r *recorded) await(turn *replay.Turn) (going bool, err error) {
	due := int64(turn.Since)
	if !r.atPace || r.pacer.now() >= due {
		return true, nil
	}
	// What the others wait for may be this commit's.
	if err := r.commit(); err != nil {
		return false, err
	}
	return r.until(due), nil
}

// execute waits until all is here that the turn needs, and executes it. It
// reports false when the run has ended before.
func (r *recorded) execute(turn *replay.Turn) (going bool, err error) {
	if err := r.gather(turn); err != nil {
		return false, err
	}
	if !r.turns.may(turn) {
		if err := r.commit(); err != nil { // as in await
			return false, err
		}
	}
	for !r.turns.may(turn) {
		select {
		case <-r.inbox.wake:
			r.collect()
		case <-r.stop:
			return false, nil
		}
	}
	r.turns.give(turn, r.machine.Deliver)
	var ev event.Event
	if going, err := r.step(&ev); !going || err != nil {
		return false, err
	}
	if err := r.turns.track.Compare(&ev); err != nil {
		return false, err
	}
	r.record(r.instant(), &ev)
	if r.journal.full() {
		return true, r.commit()
	}
	return true, nil
}

// gather takes in what has come, for a turn that can come at all.
func (r *recorded) gather(turn *replay.Turn) error {
	if turn.Here > 0 {
		if from := int(r.turns.from(turn)); from >= len(r.turns.held) || from == r.turns.track.ID() {
			return fmt.Errorf("%s:%d: a message of machine %d, which is no peer", r.turns.track.Path(), turn.Line, from)
		}
	}
	r.collect()
	return nil
}

// follower holds what has come until its turn in a record.
type follower struct {
	track    *replay.Track
	finished bool // the stop line has come
	// held are the messages that are here, by sender and in the order of their
	// links; in all there are so many.
	held [][]event.Message
	here int
}

func newFollower(track *replay.Track, machines int) *follower {
	return &follower{track: track, held: make([][]event.Message, machines)}
}

// skip moves behind so many lines of the record, which an earlier process of the
// replay has done.
func (f *follower) skip(lines int) error {
	for line := 1; line < lines; line++ { // the first has been read
		if _, err := f.track.Next(); err != nil {
			return fmt.Errorf("the log is not the beginning of what its record says: %w", err)
		}
	}
	return nil
}

func (f *follower) hold(messages []event.Message) {
	for _, m := range messages {
		f.held[m.From] = append(f.held[m.From], m)
	}
	f.here += len(messages)
}

// next returns the next turn, nil where the record ends.
func (f *follower) next() (*replay.Turn, error) {
	turn, err := f.track.Next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return turn, err
}

// may reports whether all is here that a turn needs.
func (f *follower) may(t *replay.Turn) bool {
	return t.Here == 0 || f.here >= t.Here && len(f.held[f.from(t)]) > 0
}

func (f *follower) from(t *replay.Turn) int32 { return t.Event.Messages()[0].From }

// give delivers the message that a turn receives, if it receives one.
func (f *follower) give(t *replay.Turn, deliver func(event.Message)) {
	if t.Here == 0 {
		return
	}
	queue := &f.held[f.from(t)]
	deliver((*queue)[0])
	*queue = (*queue)[1:] // append moves what is left when it has no room
	f.here--
}

// release delivers all that is held.
func (f *follower) release(deliver func(event.Message)) {
	for from, messages := range f.held {
		for _, m := range messages {
			deliver(m)
		}
		f.held[from] = nil
	}
}
