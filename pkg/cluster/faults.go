package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// playFaults posts what the plan says, when it says so, until ctx ends. It is
// called by a goroutine of its own.
func (r *conductor) playFaults(ctx context.Context, start time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for a := range r.cfg.Faults.Actions(fault.Forever) {
		timer.Reset(time.Until(start.Add(a.At)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			r.post(struck{a})
		}
	}
}

// noteFault writes a line to the faults' log. A disk that is full does not end
// the run for that.
func (c *Cluster) noteFault(what string) {
	if c.faults == nil {
		f, err := c.dir.Create(rundir.FaultsName)
		if err != nil {
			return
		}
		c.faults, c.faultsFile = logging.Diagnostics(f, "faults", hclog.Info), f
	}
	c.faults.Info(what)
}
