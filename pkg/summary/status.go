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
	Phase Phase      `json:"phase"`
	Start time.Time  `json:"start,omitzero"` // agreed, from Running on
	Steps uint64     `json:"steps"`
	Clock clock.Time `json:"clock"`
	Queue int        `json:"queue"`
	// Machine is the result, with Done.
	Machine *Machine `json:"machine,omitempty"`
}
