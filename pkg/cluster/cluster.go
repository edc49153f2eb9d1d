// Package cluster runs the machines of a run as processes, of this host or of others
// (see [Elsewhere]): it binds their ports, starts them, watches them, and stops them.
//
// Every process is tied to this one twice: by its standard input, whose end
// tells it to stop in order, and on Linux by a signal that the kernel sends
// when the parent is gone. So nothing outlives a launcher that is killed. On another
// host it is the end of the connection that tells them.
package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Config is what a run is started with. The fields up to VM must be set.
type Config struct {
	experiment.Spec // in real time

	Ports []int  // one per machine, 0: any free one
	Dir   string // of the run, made if it is not there
	VM    string // the vm program, see FindVM

	// StatusEvery is how often each machine reports, 0 for only when its phase
	// changes.
	StatusEvery time.Duration
	// Restart starts a machine that dies again, from its log.
	Restart bool
	// Replay, if not nil, is the record of each machine in an earlier run, which
	// is to be done again. The Spec must be that of the records, as far as they
	// have one; there is no Duration. AtPace keeps the pace of the records.
	Replay []string
	AtPace bool

	// Elsewhere, if not nil, is where the machines are. VM is not used then, and a
	// port that they are to share must have been bound on its host once.
	Elsewhere Elsewhere
	// Hosts are, for the record, the names of the machines' hosts; nil: this one.
	Hosts []string

	TLS      bool   // machines know each other by certificates, which are made for this run
	Sync     bool   // machines wait for the disk before they send
	LogLevel string // of the processes' diagnostics, the vm's default if ""
	Version  string // of this program, for the record
}

// MaxMachines is how many machines a run can have. Every one is a process with
// a link to each other, so a host is exhausted long before.
const MaxMachines = 1000

const loopback = "127.0.0.1"

// limits are how long things may take before they are given up.
type limits struct {
	// connect is for all machines to find each other.
	connect time.Duration
	// linger is how long machines wait at the end for each other's last
	// messages. All of them end at one instant, so this is only ever used
	// up on a host that is far too busy, or where one comes back meanwhile:
	// it has to read first what it has done in all the run.
	linger time.Duration
	// shortLinger replaces it where a machine has died: it will not answer.
	shortLinger time.Duration
	// patience is how long after its time a machine is told to end, and how
	// long after that it is killed.
	patience time.Duration
}

func limitsOf(cfg *Config) limits {
	machines := len(cfg.Rates)
	l := limits{
		// The links are as many as the pairs.
		connect:     30*time.Second + time.Duration(machines*machines)*time.Millisecond,
		linger:      max(10*time.Second, time.Duration(machines*machines)*200*time.Microsecond),
		shortLinger: 500 * time.Millisecond,
		patience:    8 * time.Second,
	}
	if cfg.restarts() {
		l.linger += cfg.Duration
	}
	return l
}

// restarts reports whether machines that die may come back.
func (cfg *Config) restarts() bool { return cfg.Restart || cfg.Faults.Has(fault.Kill) }

// ErrNotBegun says that a run was stopped before it had begun.
var ErrNotBegun = errors.New("interrupted before the run began")

// PortError says why a machine cannot have its port. Whether another one would do
// depends on who chose it.
type PortError struct {
	ID  int   // the machine
	Err error // a [transport.ListenError], mostly
}

func (e *PortError) Error() string { return e.Err.Error() }

func (e *PortError) Unwrap() error { return e.Err }

// listened returns the ports that are bound here.
func (cfg *Config) listened() []int {
	if cfg.Elsewhere != nil {
		return nil
	}
	return cfg.Ports
}

// Cluster is a run as processes.
type Cluster struct {
	cfg       Config
	limits    limits
	listeners []*net.TCPListener
	dir       *rundir.Dir
	forks     chan func()
	certs     string // the directory of the certificates; "": none

	faults     hclog.Logger // what the plan does; nil: nothing yet
	faultsFile *os.File

	mu        sync.Mutex // guards processes
	processes []*process // by machine, the newest of each; nil: not started
}

// New prepares a run: it checks the configuration and whether this host can bear the
// run, binds the ports, and makes the directory with the run's record. An error
// leaves nothing behind; otherwise [Cluster.Run] must follow.
func New(cfg Config) (*Cluster, error) { return newOn(thisHost(), cfg) }

// newOn is [New] on a host.
func newOn(h host, cfg Config) (*Cluster, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Elsewhere == nil {
		if err := h.fits(len(cfg.Rates)); err != nil {
			return nil, err
		}
	}
	c := &Cluster{
		cfg:       cfg,
		limits:    limitsOf(&cfg),
		forks:     make(chan func()),
		processes: make([]*process, len(cfg.Rates)),
	}
	for id, port := range cfg.listened() {
		ln, err := transport.Listen(loopback, port)
		if err != nil {
			c.closeListeners()
			return nil, &PortError{ID: id, Err: err}
		}
		c.listeners = append(c.listeners, ln)
	}
	err := c.makeCertificates()
	if err == nil {
		c.dir, err = rundir.Claim(cfg.Dir, c.record())
	}
	if err != nil {
		c.closeListeners()
		c.removeCertificates()
		return nil, err
	}
	return c, nil
}

// record returns what is needed to do the run again.
func (c *Cluster) record() *rundir.Record {
	r := &rundir.Record{
		Version: c.cfg.Version,
		Spec:    c.cfg.Spec,
		Ports:   c.Ports(),
		Hosts:   c.cfg.Hosts,
		Restart: c.cfg.Restart,
		TLS:     c.cfg.TLS,
		Sync:    c.cfg.Sync,
	}
	if len(c.cfg.Replay) > 0 {
		if path, err := filepath.Abs(c.cfg.Replay[0]); err == nil {
			r.ReplayOf = filepath.Base(filepath.Dir(path))
		}
	}
	return r
}

// Ports returns the port of each machine, those that were free for any too.
func (c *Cluster) Ports() []int {
	if c.cfg.Elsewhere != nil {
		return c.cfg.Ports
	}
	ports := make([]int, len(c.listeners))
	for i, ln := range c.listeners {
		ports[i] = ln.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// Run starts the machines and waits for their end: when their duration is over,
// or after ctx has ended. It is called once. watch, if not nil, is called with
// what they report, and when something becomes of their processes, one call at a
// time.
//
// Run returns what each machine did, by id; for one that has died there may be no
// result, and the error is the first [Death]. Where no machine has begun, there
// are no results and no run: its directory is removed, but for what a
// machine that died had to say.
func (c *Cluster) Run(ctx context.Context, watch func(id int, s summary.Status)) ([]*summary.Machine, error) {
	defer c.closeListeners()
	defer c.removeCertificates()
	defer func() { _ = c.faultsFile.Close() }() // a nil file only returns an error
	go c.fork()
	defer close(c.forks)
	r := c.newConductor(watch)
	defer r.close()
	if err := r.startAll(); err != nil {
		c.dir.Discard(true)
		return nil, err
	}
	r.conduct(ctx)
	return c.conclude(r.supervisor)
}

// conclude returns what a run has come to that is over.
func (c *Cluster) conclude(s *supervisor) ([]*summary.Machine, error) {
	switch {
	case !s.hasBegun() && s.first == nil:
		c.dir.Discard(true)
		return nil, ErrNotBegun
	case !s.hasBegun():
		c.dir.Discard(false)
		return nil, s.first
	}
	results := make([]*summary.Machine, len(c.processes))
	for id, p := range c.processes {
		if results[id] = p.result; p.result != nil {
			p.result.Restarts, p.result.Down = s.machines[id].restarts, s.machines[id].down
		}
	}
	if s.first != nil {
		return results, s.first
	}
	return results, nil
}

// newest returns the latest process of a machine.
func (c *Cluster) newest(id int) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[id]
}

// Kill ends all processes at once. It may be called at any time.
func (c *Cluster) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		if p == nil {
			continue
		}
		p.kill()
		p.lifeline.Cut() // for what a program that is not ours may have started
	}
}

func (c *Cluster) closeListeners() {
	for _, ln := range c.listeners {
		_ = ln.Close()
	}
}
