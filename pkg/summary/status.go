package summary

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Phase is how far a machine has come in its run.
type Phase string

// The phases, in their order.
const (
	Connecting Phase = "connecting" // waits for its peers
	Running    Phase = "running"    // ticks, or waits for the agreed start
	Ending     Phase = "ending"     // waits for the last messages
	Done       Phase = "done"       // its log is closed
)

// Status is what a machine says of itself while it runs. A vm process that is
// supervised writes one as a line of JSON whenever its phase changes, and on
// request now and then between.
type Status struct {
	Phase    Phase      `json:"phase"`
	Start    time.Time  `json:"start,omitzero"` // agreed, from Running on
	Steps    uint64     `json:"steps"`
	Clock    clock.Time `json:"clock"`
	Queue    int        `json:"queue"`
	Sent     uint64     `json:"sent,omitzero"`     // messages
	Received uint64     `json:"received,omitzero"` // messages that were consumed
	// Late is how late the last tick ran, 0 for a machine without a pace.
	Late time.Duration `json:"late_ns,omitzero"`
	// Stalled says that the next step waits for room on a full link.
	Stalled bool `json:"stalled,omitzero"`
	// Machine is the result, with Done.
	Machine *Machine `json:"machine,omitempty"`
	// Process is no word of the machine's: who has started its process and
	// passes the report on fills it in.
	Process Process `json:"-"`
}

// Process is how it stands with a machine's process, which cannot say so itself
// while it is held or dead. The zero value is one that is up.
type Process struct {
	State ProcessState
	Since time.Time // when it came to that, unless it is up
}

// ProcessState is what has become of a process.
type ProcessState uint8

// The states of a process.
const (
	Up         ProcessState = iota
	Paused                  // stopped, and to go on later
	Down                    // dead, and to be started again later
	Restarting              // dead, and being started again
	Lost                    // dead, and given up
)
