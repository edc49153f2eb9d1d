package vm

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// OverError says that a machine that came back had ended its run for good before, so that it
// did nothing but help its peers to theirs.
type OverError struct {
	Step  uint64 // of its last event
	Short string // how much of the run it had, if that is not all of it; "": it is
}

func (e *OverError) Error() string {
	if e.Short != "" {
		return fmt.Sprintf("the run is over already: this machine was stopped for good after %s", e.Short)
	}
	return fmt.Sprintf("the run is over already: this machine had come to its end, at step %d", e.Step)
}

// over says how a run has ended that the log says has. It was short if the machine was stopped
// before its time, by the log's times, and had ticks left.
func (p *past) over(cfg *Config) *OverError {
	e := &OverError{Step: p.stop.Step}
	ran := max(p.last.Sub(p.began), 0)
	if cfg.Duration == 0 || ran+patience > cfg.Duration {
		return e
	}
	switch ticks := cfg.Rate.Ticks(int64(cfg.Duration)); {
	case cfg.Rate == clock.Unpaced:
		e.Short = fmt.Sprintf("%s of %s", figure.Duration(ran), figure.Duration(cfg.Duration))
	case e.Step < ticks:
		e.Short = fmt.Sprintf("%s of %s", figure.Count(e.Step), figure.Plural(ticks, "tick"))
	}
	return e
}
