package trace

import (
	"fmt"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Law is a statement that holds in every correct run.
type Law string

// The laws.
const (
	// LawRun: all logs are of one run. There is one for each machine. It
	// opens with its only start line, which fits the file's name, holds
	// lines of that machine only, and nothing stands behind its stop line.
	// The run's name, machines and die are the same in all. Where the run has
	// a record, all of this fits it, and no machine was faster than its rate.
	//
	// Seeds may differ: machines that are started by hand draw their own.
	LawRun Law = "run"
	// LawStep: a machine's steps are 1, 2, 3, … without a hole. A resume or
	// stop line repeats the last one.
	LawStep Law = "step"
	// LawIncrement: an internal event or a send moves the clock by 1
	// (Lamport 1978, IR1). A resume or stop line does not move it.
	LawIncrement Law = "increment"
	// LawReceive: a receive sets the clock to max(previous, sent) + 1
	// (Lamport 1978, IR2).
	LawReceive Law = "receive"
	// LawMatch: every receive has exactly one send with the same sender,
	// recipient and number, and names that send's clock.
	LawMatch Law = "match"
	// LawCondition: the Clock Condition, C(send) < C(receive).
	LawCondition Law = "condition"
	// LawFIFO: on each link the sends are numbered 1, 2, 3, … and received
	// in that order, none twice and none left out.
	LawFIFO Law = "fifo"
	// LawConservation: on each link, what was sent was received, or is
	// pending in the recipient's stop line, or undelivered in the sender's.
	LawConservation Law = "conservation"
	// LawAcyclic: no event happened before itself.
	LawAcyclic Law = "acyclic"
)

// Laws lists all laws.
var Laws = []Law{
	LawRun, LawStep, LawIncrement, LawReceive, LawMatch,
	LawCondition, LawFIFO, LawConservation, LawAcyclic,
}

// Ref is a line of a log.
type Ref struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text,omitempty"` // the line itself, cut if it is very long
}

func (r Ref) String() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// Violation is a place where a law is broken: the line where it shows first, and
// with it the other lines that are needed to see it.
type Violation struct {
	Law    Law    `json:"law"`
	What   string `json:"what"`
	Events []Ref  `json:"events"` // at least one
}

// String returns "file:line: law: what", and the lines below.
func (v *Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s: %s", v.Events[0], v.Law, v.What)
	for _, e := range v.Events {
		if e.Text != "" {
			fmt.Fprintf(&b, "\n    %v: %s", e, e.Text)
		}
	}
	return b.String()
}

// State is what can be said of a run.
type State string

// The states of a run.
const (
	Correct    State = "correct"    // all laws hold, and nothing is missing
	Incomplete State = "incomplete" // no law is broken, but not all can be said
	Broken     State = "broken"     // a law is broken
)

// Verdict is the result of holding a run against the laws.
type Verdict struct {
	State    State `json:"state"`
	Machines int   `json:"machines"`

	Events   uint64 `json:"events"`
	Sent     uint64 `json:"sent"` // messages
	Received uint64 `json:"received"`
	Pending  uint64 `json:"pending"`
	// Undelivered is how many messages never reached their recipient, as far as
	// both ends of their link have stopped: then their two logs know.
	Undelivered uint64 `json:"undelivered"`
	// Unmatched is how many receives name a send that the sender's log, which
	// is missing or breaks off, does not show.
	Unmatched uint64 `json:"unmatched"`

	// Paused is how many machines have left the run to come back, and have not.
	Paused int `json:"paused,omitempty"`

	Broken     map[Law]uint64 `json:"broken,omitempty"` // how often each law is broken
	Violations []Violation    `json:"violations,omitempty"`
	// Open lists what is missing and what cannot be said for that reason.
	Open []string `json:"open,omitempty"`
	// Remarks are what is to be known of the run, and takes nothing from it.
	Remarks []string `json:"remarks,omitempty"`
}

// Violated returns how many violations there are in all.
func (v *Verdict) Violated() uint64 {
	var n uint64
	for _, count := range v.Broken {
		n += count
	}
	return n
}

// String says the verdict in one line. What is open it does not list.
func (v *Verdict) String() string {
	what := figure.Plural(v.Events, "event") + " on " + figure.Plural(v.Machines, "machine")
	switch v.State {
	case Correct:
		return fmt.Sprintf("correct: all laws hold for %s; %s sent = %s received + %s pending",
			what, figure.Plural(v.Sent, "message"), figure.Count(v.Received), figure.Count(v.Pending))
	case Incomplete:
		return fmt.Sprintf("incomplete: no law is broken by %s, but not all can be said", what)
	default:
		var laws []string
		for _, l := range Laws {
			if n := v.Broken[l]; n > 0 {
				laws = append(laws, fmt.Sprintf("%s (%s)", l, figure.Count(n)))
			}
		}
		return fmt.Sprintf("BROKEN: %s among %s: %s", figure.Plural(v.Violated(), "violation"), what, strings.Join(laws, ", "))
	}
}
