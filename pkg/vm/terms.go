package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/transport"
)

// What the machines of a run have to be told alike, each tells the others when they meet.
// What follows from a difference is decided here.

// terms are what a machine tells its peers of how it was started. Those of a peer may lack
// any part.
type terms struct {
	die      int           // faces; 0: not said
	timed    bool          // duration is said
	duration time.Duration // 0: until it is stopped
	seed     string        // a number, or seedDrawn; "": not said
	// draws is said by machine 0, with the seed that it has drawn, or begun its run with: all
	// take that which were given none.
	draws  bool
	draw   uint64
	rate   clock.Rate // of this machine; 0: not said
	faults string     // what tells its fault plan from others, see faultsMark; "": it has none
	replay bool       // it does again what a record says
	// back is what a machine says that comes back to its run, nil of any other.
	back *comeback
}

// seedDrawn is in the place of a seed that a machine has drawn itself.
const seedDrawn = "drawn"

// newTerms returns those of a machine with this die and seed, as its log may have them. The
// seed of one that has begun is the log's, whatever it was given now.
func newTerms(cfg *Config, die int, seed uint64, begun bool) terms {
	t := terms{die: die, timed: true, duration: cfg.Duration, rate: cfg.Rate, faults: faultsMark(cfg.Faults), replay: cfg.Replay != nil}
	switch {
	case t.replay:
		return t
	case begun:
	case cfg.SeedDrawn:
		t.seed = seedDrawn
	default:
		t.seed = strconv.FormatUint(seed, 10)
	}
	if cfg.ID == 0 && (begun || cfg.SeedDrawn) {
		t.draws, t.draw = true, seed
	}
	return t
}

// faultsMark returns what tells a fault plan from others, "" for none.
func faultsMark(plan *fault.Plan) string {
	if plan.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte(plan.String()))
	return hex.EncodeToString(sum[:4])
}

// encode returns what parseTerms reads. docs/protocol.md describes it.
func (t terms) encode() (b []byte) {
	if t.die > 0 {
		b = fmt.Appendf(b, "die=%d ", t.die)
	}
	if t.timed {
		b = fmt.Appendf(b, "duration=%v ", t.duration)
	}
	if t.seed != "" {
		b = fmt.Appendf(b, "seed=%s ", t.seed)
	}
	if t.draws {
		b = fmt.Appendf(b, "draw=%d ", t.draw)
	}
	if t.rate != 0 {
		b = fmt.Appendf(b, "rate=%v ", t.rate)
	}
	if t.replay {
		b = append(b, "replay "...)
	}
	if t.back != nil {
		b = fmt.Appendf(b, "at=%v ", t.back.at.Truncate(time.Microsecond))
		if t.back.paused {
			b = append(b, "paused "...)
		}
	}
	if mark := "faults=" + t.faults + " "; t.faults != "" && len(b)+len(mark) <= transport.MaxTerms { // the rest comes first
		b = append(b, mark...)
	}
	return b[:max(len(b)-1, 0)]
}

// parseTerms reads what a peer says. Parts that are not known here are passed over: another
// release may have more to say.
func parseTerms(b []byte) (t terms, err error) {
	for part := range strings.FieldsSeq(string(b)) {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "die":
			t.die, err = strconv.Atoi(value)
			if err == nil && t.die < 1 {
				err = errors.New("not a die")
			}
		case "duration":
			t.timed = true
			t.duration, err = time.ParseDuration(value)
			if err == nil && t.duration < 0 {
				err = errors.New("below 0")
			}
		case "seed":
			t.seed = value
			if value != seedDrawn {
				_, err = strconv.ParseUint(value, 10, 64)
			}
		case "draw":
			t.draws = true
			t.draw, err = strconv.ParseUint(value, 10, 64)
		case "rate":
			t.rate, err = clock.ParseRate(value)
		case "faults":
			t.faults = value
			if _, err = hex.DecodeString(value); err == nil && len(value) != 8 {
				err = errors.New("want 8 digits")
			}
		case "replay":
			t.replay = true
		case "at":
			var at time.Duration
			at, err = time.ParseDuration(value)
			if err == nil && at < 0 {
				err = errors.New("below 0")
			}
			t.comesBack().at = at
		case "paused":
			t.comesBack().paused = true
		}
		if err != nil {
			return terms{}, fmt.Errorf("%q: %w", part, err)
		}
	}
	return t, nil
}

func (t *terms) comesBack() *comeback {
	if t.back == nil {
		t.back = new(comeback)
	}
	return t.back
}

// The parts of [TermsError], named like the flags of experiment.Error.
const (
	PartDie      = "die"
	PartReplay   = "replay"
	PartDuration = "duration"
	PartSeed     = "seed"
	PartFaults   = "faults"
)

// TermsError says in what two machines of one run were started differently, in words that
// are the same at both.
type TermsError struct {
	Part string // PartDie, …
	Text string
}

func (e *TermsError) Error() string { return e.Text }

// named are the terms of a machine.
type named struct {
	id int
	terms
}

// differ returns in what two machines were started differently: what there can be no run
// with, nil if there can, and what people should know. It does not depend on the
// order of the two.
func differ(a, b named) (fatal *TermsError, worth []*TermsError) {
	if a.id > b.id {
		a, b = b, a
	}
	switch {
	case a.replay != b.replay:
		if !a.replay {
			a, b = b, a
		}
		return &TermsError{PartReplay, fmt.Sprintf("machine %d does again what a record says, machine %d does not", a.id, b.id)}, nil
	case a.die != b.die && a.die > 0 && b.die > 0:
		return &TermsError{PartDie, fmt.Sprintf("machine %d throws a die of %s, machine %d one of %d", a.id, figure.Plural(a.die, "face"), b.id, b.die)}, nil
	}
	if a.timed && b.timed && a.duration != b.duration {
		first, last := a, b
		if a.duration == 0 || b.duration > 0 && b.duration < a.duration {
			first, last = b, a
		}
		until := "until it is stopped"
		if last.duration > 0 {
			until = "for " + last.duration.String()
		}
		worth = append(worth, &TermsError{PartDuration, fmt.Sprintf("machine %d runs for %v, machine %d %s: what machine %d is sent after its end is lost",
			first.id, first.duration, last.id, until, first.id)})
	}
	// Who has drawn his own takes that of machine 0, which is the first of the two if it is any.
	if a.seed != b.seed && a.seed != "" && b.seed != "" && b.seed != seedDrawn && (a.seed != seedDrawn || a.id == 0) {
		worth = append(worth, &TermsError{PartSeed, fmt.Sprintf("machine %d has %s, machine %d %s: no one seed repeats their dice",
			a.id, seedText(a.seed), b.id, seedText(b.seed))})
	}
	if a.faults != b.faults && a.faults != "" && b.faults != "" { // one of a launcher is given none that does not touch it
		worth = append(worth, &TermsError{PartFaults, fmt.Sprintf("machine %d has another fault plan than machine %d", a.id, b.id)})
	}
	return nil, worth
}

func seedText(seed string) string {
	if seed == seedDrawn {
		return "drawn its own seed"
	}
	return "seed " + seed
}

// meetings hold the peers' terms against this machine's.
type meetings struct {
	me     named
	logger hclog.Logger

	mu    sync.Mutex
	said  map[string]bool  // what was said already
	heard map[int]terms    // of each peer, the newest
	back  map[int]comeback // the peers whose processes have come back
}

func newMeetings(id int, t terms, logger hclog.Logger) *meetings {
	return &meetings{
		me: named{id, t}, logger: logger,
		said: make(map[string]bool), heard: make(map[int]terms), back: make(map[int]comeback),
	}
}

// meet says what is worth it, once, however often the machines meet. Its error says that
// there can be no run with this peer. It is for [transport.Config.Meet].
func (m *meetings) meet(peer int, said []byte) error {
	t, err := parseTerms(said)
	if err != nil {
		return fmt.Errorf("machine %d says of itself %w", peer, err)
	}
	fatal, worth := differ(m.me, named{peer, t})
	if fatal != nil {
		return fatal
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard[peer] = t
	if t.back != nil {
		m.back[peer] = *t.back
	}
	for _, d := range worth {
		if !m.said[d.Text] {
			m.said[d.Text] = true
			m.logger.Warn("two machines of this run were started differently", "reason", d)
		}
	}
	return nil
}

// comebacks returns what peers have said whose processes have come back. That they have does
// not say that they are not in the run again.
func (m *meetings) comebacks() []comeback {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.back))
}
