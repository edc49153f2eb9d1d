package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/summary"
)

// conductor carries out a run: it tells the supervisor what happens and does what
// that decides. Its methods are called by one goroutine, except where they say
// otherwise.
type conductor struct {
	*Cluster
	supervisor *supervisor
	watch      func(id int, s summary.Status)
	watching   sync.Mutex       // held while watch is called
	known      []summary.Status // the last that watch was told, by machine; guarded by watching
	began      time.Time        // by the clock of this host, of a run elsewhere; guarded by watching
	greetings  greetings        // of a run elsewhere

	events  chan event
	over    chan struct{} // closed when no event is waited for any more
	overdue *time.Timer   // stopped where nothing is waited for

	// The fault plan is handed out until acting ends.
	acting    context.Context
	endFaults context.CancelFunc
}

func (c *Cluster) newConductor(watch func(id int, s summary.Status)) *conductor {
	if watch == nil {
		watch = func(int, summary.Status) {}
	}
	r := &conductor{
		Cluster:    c,
		supervisor: newSupervisor(&c.cfg, c.limits),
		watch:      watch,
		known:      make([]summary.Status, len(c.cfg.Rates)),
		greetings:  make(greetings),
		events:     make(chan event, len(c.cfg.Rates)),
		over:       make(chan struct{}),
		overdue:    time.NewTimer(0),
	}
	r.overdue.Stop()
	r.acting, r.endFaults = context.WithCancel(context.Background())
	return r
}

// close gives up what goroutines still want to tell.
func (r *conductor) close() {
	r.overdue.Stop()
	r.endFaults()
	close(r.over)
}

// post tells of an event. It may be called by any goroutine.
func (r *conductor) post(e event) {
	select {
	case r.events <- e:
	case <-r.over:
	}
}

// startAll starts all machines. Where one cannot be, none is left.
func (r *conductor) startAll() error {
	for id := range r.cfg.Rates {
		err := r.launch(id, false)
		if err == nil {
			continue
		}
		r.Kill()
		for left := id; left > 0; {
			if _, ok := (<-r.events).(exited); ok {
				left--
			}
		}
		return err
	}
	return nil
}

// launch starts a machine's process and has its reports and its end posted.
func (r *conductor) launch(id int, resume bool) error {
	greeted := func() {}
	if r.cfg.Elsewhere != nil && !resume { // those that come back come one by one
		greeted = sync.OnceFunc(r.greetings.begin(r.site(id).Host))
	}
	p, stdout, err := r.start(id, resume)
	if err != nil {
		greeted()
		return fmt.Errorf("machine %d cannot be started: %w", id, err)
	}
	go func() {
		for s := range control.Reports(stdout) {
			greeted()
			r.report(p, s)
		}
		greeted()
		r.post(p.wait())
	}()
	return nil
}

// report takes in a report of a process. It is called by the goroutine that reads
// them.
func (r *conductor) report(p *process, s summary.Status) {
	if s.Machine != nil {
		p.result = s.Machine
	}
	if p.host != "" && !s.Start.IsZero() {
		s.Start = r.beganHere()
	}
	m := arrived
	if s.Phase == summary.Running {
		m = begun
	}
	if m > p.milestone {
		p.milestone = m
		r.post(reached{p.id, m, s.Start})
	}
	r.watching.Lock()
	defer r.watching.Unlock()
	s.Process = r.known[p.id].Process
	r.known[p.id] = s
	r.watch(p.id, s)
}

// beganHere returns when a run elsewhere has begun, by the clock of this host: those of
// others may say anything. Its machines report that they begin when they do.
func (r *conductor) beganHere() time.Time {
	r.watching.Lock()
	defer r.watching.Unlock()
	if r.began.IsZero() {
		r.began = time.Now()
	}
	return r.began
}

// tell tells who watches what the supervisor knows of the processes, where that is
// new.
func (r *conductor) tell() {
	r.watching.Lock()
	defer r.watching.Unlock()
	for id := range r.known {
		s := &r.known[id]
		now := r.supervisor.machines[id].process()
		if now == s.Process {
			continue
		}
		s.Process = now
		switch now.State {
		case summary.Down, summary.Restarting, summary.Lost:
			// What it last said is true no more; when it is back, it has its
			// peers to find.
			s.Phase, s.Late, s.Stalled = summary.Connecting, 0, false
		}
		r.watch(id, *s)
	}
}

// conduct takes the run from the start of its machines to the end of the last.
func (r *conductor) conduct(ctx context.Context) {
	r.carryOut(r.supervisor.begin(time.Now()))
	done := ctx.Done()
	for !r.supervisor.over() {
		var e event
		select {
		case e = <-r.events:
		case <-done:
			done, e = nil, interrupted{}
		case <-r.overdue.C:
			e = overdue{}
		}
		r.carryOut(r.supervisor.on(time.Now(), e))
	}
}

// carryOut does what was decided, and what is decided in answer to that.
func (r *conductor) carryOut(actions []action) {
	for len(actions) > 0 {
		a := actions[0]
		actions = actions[1:]
		if s, ok := a.(start); ok {
			actions = append(actions, r.supervisor.on(time.Now(), started{s.id, r.launch(s.id, true)})...)
			continue
		}
		r.act(a)
	}
	r.tell()
}

func (r *conductor) act(a action) {
	switch a := a.(type) {
	case openGate:
		for id := range r.cfg.Rates {
			r.newest(id).lifeline.Go()
		}
	case restart:
		time.AfterFunc(time.Until(a.at), func() { r.post(due{a.id}) })
	case stopAll:
		for id := range r.cfg.Rates {
			r.newest(id).lifeline.Stop(a.linger)
		}
	case stop:
		r.newest(a.id).lifeline.Stop(a.linger)
	case killAll:
		r.Kill()
	case kill:
		r.newest(a.id).kill()
	case hold:
		if err := r.newest(a.id).hold(a.on); err != nil {
			r.noteFault("not done: " + err.Error())
		}
	case note:
		r.noteFault(a.text)
	case playFaults:
		go r.playFaults(r.acting, a.start)
	case endFaults:
		r.endFaults()
	case overdueAt:
		r.overdue.Stop()
		if !a.at.IsZero() {
			r.overdue.Reset(time.Until(a.at))
		}
	}
}
