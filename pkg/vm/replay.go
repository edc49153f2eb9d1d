package vm

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
)

// ErrCrash ends a machine in a replay where its record has it crash. It is to be
// started again with Config.Resume, as it was then.
var ErrCrash = errors.New("the record has the machine crash here; start it again with --resume")

// forEver is as long as a time can be added to any.
const forEver = time.Duration(math.MaxInt64 / 2)

// follower makes a machine do again what its record says: it holds what has come
// until its turn.
type follower struct {
	track *replay.Track
	over  bool // the stop line has come
	// held are the messages that are here, by sender and in the order of their
	// links; in all there are so many.
	held [][]event.Message
	here int
}

func newFollower(track *replay.Track, machines int) *follower {
	return &follower{track: track, held: make([][]event.Message, machines)}
}

// checkRecord says where a configuration is not that of its record.
func checkRecord(cfg *Config) error {
	t, s := cfg.Replay, cfg.Replay.Start()
	switch {
	case cfg.Duration != 0:
		return fmt.Errorf("duration %v: a replay is over when its record is", cfg.Duration)
	case len(cfg.Peers)+1 != s.Machines:
		return fmt.Errorf("%s is of a run of %d machines: want %d peers, not %d", t.Path(), s.Machines, s.Machines-1, len(cfg.Peers))
	case cfg.ID != t.ID() || cfg.Run != s.Run || cfg.Rate != s.Rate || cfg.Seed != s.Seed || cfg.Die != s.Die:
		return fmt.Errorf("%s is of another machine: its id, run, rate, seed and die must be the record's", t.Path())
	}
	own := filepath.Join(cfg.LogDir, logging.FileName(cfg.ID, cfg.Rate))
	if isRecord, err := sameFile(own, t.Path()); err == nil && isRecord { // what is wrong else, opening it will say
		return fmt.Errorf("%s is the record, and the replay's log would be the same file: choose another directory for it", own)
	}
	return nil
}

func sameFile(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second), err
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

func (f *follower) hold(m event.Message) {
	f.held[m.From] = append(f.held[m.From], m)
	f.here++
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

// tickAsRecorded executes the instructions that the record names, each when it is
// its turn, until the record or the run ends.
func (r *runner) tickAsRecorded(stop <-chan struct{}) error {
	back := !r.past.start.IsZero() // from a crash
	for {
		turn, err := r.follow.next()
		switch {
		case err != nil:
			return err
		case turn == nil:
			return errors.New("the record ends without a stop line: the machine died here for good")
		}
		if due := int64(turn.Since); r.cfg.AtPace && r.pacer.now() < due {
			// What the others wait for may be this commit's.
			if err := r.commit(); err != nil {
				return err
			}
			if !r.pacer.until(due, stop) {
				return nil
			}
		}
		switch turn.Kind {
		case logging.StopRecord:
			r.follow.over = true
			return nil
		case logging.ResumeRecord:
			if !back {
				if err := r.commit(); err != nil {
					return err
				}
				return ErrCrash
			}
			r.logResume()
		case logging.EventRecord:
			if going, err := r.stepAsRecorded(turn, stop); !going || err != nil {
				return err
			}
		}
		back = false
	}
}

// stepAsRecorded waits until all is here that the turn needs, and executes it. It
// reports false when the run has ended before.
func (r *runner) stepAsRecorded(turn *replay.Turn, stop <-chan struct{}) (going bool, err error) {
	f := r.follow
	if t := turn; t.Here > 0 && (int(f.from(t)) >= len(f.held) || int(f.from(t)) == r.cfg.ID) {
		return false, fmt.Errorf("%s:%d: a message of machine %d, which is no peer", f.track.Path(), t.Line, f.from(t))
	}
	r.collect()
	if !f.may(turn) {
		if err := r.commit(); err != nil { // as above
			return false, err
		}
	}
	for !f.may(turn) {
		select {
		case <-r.inbox.wake:
			r.collect()
		case <-stop:
			return false, nil
		}
	}
	f.give(turn, r.machine.Deliver)
	if going, err := r.step(math.MaxInt64, stop); !going || err != nil {
		return going, err
	}
	if r.log.Buffered() >= commitBytes {
		return true, r.commit()
	}
	return true, nil
}
