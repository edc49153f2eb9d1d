package lab

import (
	"errors"
	"fmt"

	"github.com/scalemodel/lamport/pkg/trace"
)

// ErrOneClock says that times are to be corrected where all are by one clock.
var ErrOneClock = errors.New("its runs have no clocks that could be apart")

// statsOf returns the figures of a run, with its times as recorded or by the clock of one
// host; so are the lines that the others are shown.
func statsOf(run *trace.Run, isCorrected bool, others ...trace.Visitor) (*trace.Stats, error) {
	if isCorrected {
		return run.CorrectedStats(others...)
	}
	return run.Stats(others...)
}

// corrected returns a run with its times by the clock of one host, and words that say so.
func corrected(run *trace.Run) (*trace.Run, string, error) {
	run, offsets, err := run.Corrected()
	switch {
	case err != nil:
		return nil, "", err
	case offsets == nil:
		return run, "times of one clock", nil
	}
	return run, fmt.Sprintf("times by the clock of machine %d", offsets.Reference), nil
}
