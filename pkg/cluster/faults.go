package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// schedule hands out what the plan says, when it says so, until ctx ends.
func (c *Cluster) schedule(ctx context.Context, start time.Time, acts chan<- fault.Action) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for a := range c.cfg.Faults.Actions(fault.Forever) {
		timer.Reset(time.Until(start.Add(a.At)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case acts <- a:
		}
	}
}

// act does to the processes what the plan says, and notes it. What happens to
// connections the machines do themselves, by the same plan.
func (c *Cluster) act(a fault.Action, repairs *repairs) {
	c.noteFault(a.String())
	for _, id := range a.Machines {
		m := &repairs.each[id]
		switch {
		case a.Kind == fault.Kill && !a.Over:
			m.killed, m.back = true, false
			c.mu.Lock()
			_ = c.processes[id].cmd.Process.Kill() // it may have ended
			c.mu.Unlock()
		case a.Kind == fault.Kill:
			repairs.now(id)
		case a.Kind == fault.Pause:
			m.paused = !a.Over
			c.pause(id, m.paused)
		}
	}
}

func (c *Cluster) pause(id int, stop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := pause(c.processes[id].cmd.Process, stop); err != nil {
		c.noteFault("not done: " + err.Error())
	}
}

// lift ends what the plan does to processes, so that all can come to their end.
func (c *Cluster) lift(repairs *repairs) {
	for id := range repairs.each {
		m := &repairs.each[id]
		if m.paused {
			m.paused = false
			c.pause(id, false)
		}
		if m.killed && m.dead {
			repairs.now(id)
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
