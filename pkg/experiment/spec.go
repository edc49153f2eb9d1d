// Package experiment says what a run is: its machines and their rates, the die,
// the seed, how long it lasts, what breaks, and, in virtual time, how long
// messages are under way.
//
// A [Spec] is plain data, and all that is needed to do a run again. The same Spec
// is done by processes (package cluster), in virtual time (package sim), and many
// times over (package sweep); it is recorded in the run's directory (package
// rundir). The texts that people write for its parts are read here and nowhere
// else: [ParseRates], [ParseLatency], [ParsePhase], [ParseFaults], [ParseSeed]. What
// is wrong with one is an [*Error], in the same words wherever it comes from.
package experiment

import (
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/shell"
)

const (
	// MaxDuration is the longest that a run with an end can last, 100 years: twice
	// that is still an instant, in case the last messages take long.
	MaxDuration = 100 * 365 * 24 * time.Hour
	// MaxWindow is the largest window of a link, in messages.
	MaxWindow = math.MaxInt32
	// MaxMachines is the largest number of machines. A shell may bear fewer.
	MaxMachines = 1 << 27
	// MaxName is the longest name of a run, in bytes.
	MaxName = 64
)

// Common is what all machines of a run are told alike.
type Common struct {
	Run      string        `json:"run"`      // its name, see [CheckName]
	Die      int           `json:"die"`      // faces, ≥ 1: 1 to 3 send, the others are internal
	Seed     uint64        `json:"seed"`     // decides all that is drawn
	Duration time.Duration `json:"duration"` // 0: until stopped
	// Window is the most messages of a link that may be unconsumed; 0: the
	// default of package transport.
	Window int `json:"window,omitzero"`
	// Faults are what breaks, and when; nil: nothing.
	Faults *fault.Plan `json:"faults,omitempty"`
}

// Spec is a run.
type Spec struct {
	Common
	Rates []clock.Rate `json:"rates"` // one per machine, in the order of their ids
	// Virtual is what a run in virtual time is told besides; nil: the run is in real
	// time.
	*Virtual `json:"virtual,omitempty"`
}

// Epoch is the global time at which every run in virtual time begins.
var Epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Virtual is what only a run in virtual time has.
type Virtual struct {
	Latency Latency `json:"latency"`
	Phase   Phase   `json:"phase"`
}

// Phase says how the machines' first ticks lie to each other.
type Phase uint8

const (
	// Together starts all machines at one instant, as a run of processes does.
	Together Phase = iota
	// Random starts each at a random instant of its first period, so that
	// machines of one rate do not tick at the same instants.
	Random
)

// ParsePhase reads what [Phase.String] returns: together or random. An error is
// an [*Error] about the field "phase".
func ParsePhase(s string) (Phase, error) {
	for _, p := range []Phase{Together, Random} {
		if s == p.String() {
			return p, nil
		}
	}
	return Together, &Error{"phase", strconv.Quote(s), errors.New("want together or random")}
}

// String returns the phase's name.
func (p Phase) String() string {
	if p == Random {
		return "random"
	}
	return "together"
}

// MarshalText writes the phase as [Phase.String] does.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the phase as [ParsePhase] does.
func (p *Phase) UnmarshalText(b []byte) error {
	v, err := ParsePhase(string(b))
	if err == nil {
		*p = v
	}
	return err
}

// Error says which part of a run's description is wrong, and why.
type Error struct {
	Field string // as run.json and the flags of the commands call it
	Value string // as it was given, "" where Err names it
	Err   error
}

// Error returns "field value: what is wrong and what is wanted".
func (e *Error) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Err.Error()
	}
	return e.Field + " " + e.Value + ": " + e.Err.Error()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

func invalid(field string, value any, format string, args ...any) error {
	return &Error{field, fmt.Sprint(value), fmt.Errorf(format, args...)}
}

// Check says what is wrong with the part that all machines share. Whether the
// faults are over in time, [Spec.Check] says too. An error is an [*Error].
func (c *Common) Check() error {
	if err := CheckName(c.Run); err != nil {
		return err
	}
	switch {
	case c.Die < 1:
		return invalid("die", c.Die, "a die has at least 1 face")
	case c.Duration < 0:
		return invalid("duration", c.Duration, "a duration cannot be negative")
	case c.Duration > MaxDuration:
		return invalid("duration", c.Duration, "want at most %v, which are 100 years", MaxDuration)
	case c.Window < 0 || c.Window > MaxWindow:
		return invalid("window", c.Window, "want 1 to %d messages", MaxWindow)
	}
	return nil
}

// Check says what is wrong with a run. An error is an [*Error].
func (s *Spec) Check() error {
	if err := s.Common.Check(); err != nil {
		return err
	}
	if err := checkMachines(len(s.Rates)); err != nil {
		return err
	}
	for id, r := range s.Rates {
		if err := r.Check(); err != nil {
			return &Error{"rates", fmt.Sprintf("of machine %d", id), err}
		}
		if r == clock.Unpaced && s.Virtual != nil {
			return &Error{Field: "rates", Err: fmt.Errorf("machine %d has the rate max: virtual time has no fastest rate, so want up to %v ticks per second", id, clock.MaxRate)}
		}
	}
	if s.Duration > 0 {
		if _, err := s.Faults.Within(s.Duration); err != nil {
			return &Error{Field: "faults", Err: err}
		}
	}
	return nil
}

func checkMachines(n int) error {
	if n < 1 || n > MaxMachines {
		return invalid("machines", n, "want 1 to %d", MaxMachines)
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// CheckName says what is wrong with the name of a run. A name goes over the wire,
// into logs and, for runs that nobody placed elsewhere, into the names of
// directories; so it is short and plain, and is neither "." nor "..". An error is
// an [*Error] about the field "run".
func CheckName(name string) error {
	if !nameForm.MatchString(name) || strings.Trim(name, ".") == "" {
		return invalid("run", strconv.Quote(name), "want a name of 1 to %d letters, digits, dots, dashes or underscores", MaxName)
	}
	return nil
}

// VirtualName is the name of all runs in virtual time, whose logs would differ
// otherwise although the runs do not.
const VirtualName = "sim"

// NewName draws a name that no other run on the network will have.
func NewName() string { return strings.ToLower(crand.Text()[:6]) }

// ParseSeed reads a seed, or draws one where s is empty. An error is an [*Error]
// about the field "seed".
func ParseSeed(s string) (uint64, error) {
	if s == "" {
		var b [8]byte
		_, _ = crand.Read(b[:]) // never fails
		// Short enough to be read out and typed again.
		return uint64(binary.BigEndian.Uint32(b[:])), nil
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, invalid("seed", strconv.Quote(s), "want a whole number from 0 to %d", uint64(math.MaxUint64))
	}
	return seed, nil
}

// ParseFaults reads the fault plan of a run with so many machines. What it draws
// is decided by the run's seed, and is over when the run is, unless the duration
// is 0. A text without a fault is no plan: nil. An error is an [*Error] about
// the field "faults" that wraps a [fault.SyntaxError].
func ParseFaults(text string, machines int, seed uint64, duration time.Duration) (*fault.Plan, error) {
	var plan *fault.Plan
	var err error
	if duration > 0 {
		plan, err = fault.ParseWithin(text, machines, duration)
	} else {
		plan, err = fault.Parse(text, machines)
	}
	if err != nil {
		return nil, &Error{Field: "faults", Err: err}
	}
	if plan.Empty() {
		return nil, nil
	}
	return plan.Seeded(seed), nil
}

// Describe says in a few words how many machines there are, and how fast.
func (s *Spec) Describe() string {
	const shown = 8
	noun := "rates"
	if len(s.Rates) == 1 {
		noun = "rate"
	}
	return fmt.Sprintf("%s, %s %s", figure.Plural(len(s.Rates), "machine"), noun, figure.Rates(s.Rates, shown))
}

// Command returns the command line that does the run again, for a shell: a run in
// virtual time comes out the same, one of processes throws the same dice.
func (s *Spec) Command() string {
	words := []string{"launcher", "run"}
	if s.Virtual != nil {
		words[1] = "sim"
	}
	flag := func(name, value string) { words = append(words, "--"+name, shell.Quote(value)) }
	var rates []string
	for _, r := range s.Rates {
		rates = append(rates, r.String())
	}
	flag("rates", strings.Join(rates, ","))
	if len(rates) == 1 {
		flag("machines", "1") // one rate alone is one for all
	}
	flag("die", strconv.Itoa(s.Die))
	flag("seed", strconv.FormatUint(s.Seed, 10))
	flag("duration", figure.Exact(s.Duration))
	if s.Window > 0 {
		flag("window", strconv.Itoa(s.Window))
	}
	if s.Virtual != nil {
		flag("latency", s.Latency.String())
		flag("phase", s.Phase.String())
	}
	if !s.Faults.Empty() {
		flag("faults", strings.ReplaceAll(s.Faults.String(), "\n", "; "))
	}
	return strings.Join(words, " ")
}

// Lasts says how long the run is to last.
func (c *Common) Lasts() string {
	if c.Duration == 0 {
		return "until interrupted"
	}
	return figure.Exact(c.Duration)
}
