package cluster

import "time"

// repairs keeps the accounts of machines that have died and are started again.
// Its methods but due are called by one goroutine.
type repairs struct {
	due  chan int // machines whose time to be started has come
	each []repair
}

type repair struct {
	restarts int
	died     time.Time
	down     time.Duration // in all
	quick    int           // deaths in a row that came soon after a start
	dead     bool          // since died
	killed   bool          // by the fault plan, which also says when it comes back
	back     bool          // it has said so, before the death was known
	paused   bool          // by the fault plan
}

const (
	// soon is how short a life says that a machine cannot live.
	soon = 2 * time.Second
	// mostQuick is after how many such lives in a row it is given up.
	mostQuick = 10
	// firstPause is how long a machine stays down, doubled for each quick
	// death up to lastPause.
	firstPause = 20 * time.Millisecond
	lastPause  = 2 * time.Second
)

func newRepairs(machines int) *repairs {
	return &repairs{due: make(chan int, 2*machines), each: make([]repair, machines)}
}

// begin takes in that a process has died, and arranges that due will name its
// machine. It reports false where that would be in vain: the machine has
// refused to go on, or dies again and again.
func (r *repairs) begin(p *process) bool {
	m := &r.each[p.id]
	code := p.cmd.ProcessState.ExitCode() // negative: killed, which says nothing of the program
	if time.Since(p.since) > soon || code == vmCrashed {
		m.quick = 0
	}
	m.quick++
	// A crash of a Go program has the same exit code, but comes later.
	refused := !p.began && code == vmRefused
	if m.quick > mostQuick || !p.spoke && code >= 0 || refused || code == vmDiffers {
		return false
	}
	m.dead, m.died = true, time.Now()
	pause := min(firstPause<<(m.quick-1), lastPause)
	time.AfterFunc(pause, func() { r.due <- p.id })
	return true
}

// planned takes in that a process has died, and reports whether the fault plan
// killed it.
func (r *repairs) planned(p *process) bool {
	m := &r.each[p.id]
	if !m.killed {
		return false
	}
	m.dead, m.died = true, time.Now()
	if m.back {
		r.now(p.id)
	}
	return true
}

// now lets due name a machine that the plan has killed, as soon as its death is
// known.
func (r *repairs) now(id int) {
	m := &r.each[id]
	m.back = m.killed && !m.dead
	if m.killed && m.dead {
		m.killed = false
		time.AfterFunc(0, func() { r.due <- id })
	}
}

// wanted reports whether a machine that due has named is to be started: it may be
// up again, or the plan may have killed it meanwhile.
func (r *repairs) wanted(id int) bool {
	m := &r.each[id]
	return m.dead && !m.killed
}

// done takes in that a machine was started again.
func (r *repairs) done(id int) {
	m := &r.each[id]
	m.dead = false
	m.restarts++
	m.down += time.Since(m.died)
}

// of returns how often a machine was started again, and how long it was down.
func (r *repairs) of(id int) (restarts int, down time.Duration) {
	return r.each[id].restarts, r.each[id].down
}

// any reports whether any machine was started again.
func (r *repairs) any() bool {
	for _, m := range r.each {
		if m.restarts > 0 {
			return true
		}
	}
	return false
}
