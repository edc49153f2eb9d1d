// Package cluster runs the machines of a run as processes of this host: it
// binds their ports, starts them, watches them, and stops them.
//
// Every process is tied to this one twice: by its standard input, whose end
// tells it to stop in order, and on Linux by a signal that the kernel sends
// when the parent is gone. So nothing outlives a launcher that is killed.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Config is what a run is started with. The fields up to VM must be set.
type Config struct {
	Run      string
	Rates    []clock.Rate // one per machine
	Ports    []int        // one per machine, 0: any free one
	Die      int
	Seed     uint64
	Duration time.Duration // 0: until stopped
	Dir      string        // of the run, made if it is not there
	VM       string        // the vm program, see FindVM
	// StatusEvery is how often each machine reports, 0 for only when its phase
	// changes.
	StatusEvery time.Duration
	// Restart starts a machine that dies again, from its log.
	Restart bool
	// Faults are done to the machines and their connections; nil: none.
	Faults *fault.Plan
	// Replay, if not nil, is the record of each machine in an earlier run, which
	// is to be done again. Run, Rates, Die and Seed must be those of the
	// records, as far as they have one; there is no Duration. AtPace keeps the
	// pace of the records.
	Replay []string
	AtPace bool

	Sync     bool   // machines wait for the disk before they send
	Window   int    // of the links, the vm's default if 0
	LogLevel string // of the processes' talk, the vm's default if ""
	Version  string // of this program, for the record
}

// MaxMachines is how many machines a run can have. Every one is a process with
// a link to each other, so a host is exhausted long before.
const MaxMachines = 1000

const (
	host = "127.0.0.1"
	// vmInterrupted is the exit code of a machine that was stopped.
	vmInterrupted = 130
	// vmDiffers is that of a machine which does not do what its record says,
	// vmCrashed of one that has crashed because it says so.
	vmDiffers = 1
	vmCrashed = 4
	// vmRefused is the exit code of a machine that would not begin, or go on.
	vmRefused = 2
)

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
		linger:      10 * time.Second,
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

// Death says how a machine ended that should not have.
type Death struct {
	ID    int
	State string   // "exit status 2", "signal: killed", …
	Talk  string   // the file of all that it said
	Last  []string // the last lines of that
}

// tail is how many lines of a dead machine's talk are shown.
const tail = 5

func (d *Death) Error() string {
	s := fmt.Sprintf("machine %d died: %s", d.ID, d.State)
	if len(d.Last) > 0 {
		s += fmt.Sprintf(". Its last words, from %s: %s", d.Talk, strings.Join(d.Last, " | "))
	}
	return s
}

// ErrNotBegun says that a run was stopped before it had begun.
var ErrNotBegun = errors.New("interrupted before the run began")

// Cluster is a run on this host.
type Cluster struct {
	cfg       Config
	limits    limits
	listeners []*net.TCPListener
	dir       *runDir
	forks     chan func()

	faults     hclog.Logger // what the plan does; nil: nothing yet
	faultsFile *os.File

	mu        sync.Mutex // guards processes
	processes []*process // by machine, the newest of each; nil: not started
}

// process is one machine's process.
type process struct {
	id       int
	cmd      *exec.Cmd
	lifeline io.WriteCloser
	talk     string // file of its standard error

	// For the goroutine that waits for it, and after its end for all.
	spoke   bool // at least one report was understood
	arrived bool
	began   bool
	result  *summary.Machine
	since   time.Time // when it was started
}

// end is the end of a process.
type end struct {
	process *process
	death   *Death // nil: in order
}

// New prepares a run: it checks the configuration, binds the ports, and makes
// the directory with the run's record. An error leaves nothing behind; otherwise
// [Cluster.Run] must follow.
func New(cfg Config) (*Cluster, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	c := &Cluster{
		cfg:       cfg,
		limits:    limitsOf(&cfg),
		forks:     make(chan func()),
		processes: make([]*process, len(cfg.Rates)),
	}
	for id, port := range cfg.Ports {
		ln, err := transport.Listen(host, port)
		if err != nil {
			c.closeListeners()
			return nil, portError(err, id)
		}
		c.listeners = append(c.listeners, ln)
	}
	var err error
	if c.dir, err = newRunDir(cfg.Dir, c.record()); err != nil {
		c.closeListeners()
		return nil, err
	}
	return c, nil
}

// portError says beside why a machine cannot have its port how to mend it.
func portError(err error, id int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: end the program that holds it, or give machine %d another one with --ports (--ports auto takes free ones) (%w)", err, id, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: choose one above 1023 (%w)", err, syscall.EACCES)
	}
	return err
}

// Ports returns the port of each machine, those that were free for any too.
func (c *Cluster) Ports() []int {
	ports := make([]int, len(c.listeners))
	for i, ln := range c.listeners {
		ports[i] = ln.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// Run starts the machines and waits for their end: when their duration is over,
// or after ctx has ended. It is called once. watch, if not nil, is called with
// what they report, one call at a time.
//
// Run returns what each machine did, by id; for one that has died there may be no
// result, and the error is the first [Death]. Where no machine has begun, there
// are no results and no run: its directory is removed, but for what a
// machine that died had to say.
func (c *Cluster) Run(ctx context.Context, watch func(id int, s summary.Status)) ([]*summary.Machine, error) {
	defer c.closeListeners()
	defer func() { _ = c.faultsFile.Close() }() // a nil file only returns an error
	go c.fork()
	defer close(c.forks)
	var watching sync.Mutex
	arrivals := make(chan int, len(c.cfg.Rates))     // machines that have come up
	begins := make(chan time.Time, len(c.cfg.Rates)) // the agreed start
	report := func(p *process, s summary.Status) {
		watching.Lock()
		defer watching.Unlock()
		if !p.arrived {
			p.arrived = true
			arrivals <- p.id
		}
		if s.Phase == summary.Running && !p.began {
			p.began = true
			begins <- s.Start
		}
		if watch != nil {
			watch(p.id, s)
		}
	}
	ends := make(chan end, len(c.cfg.Rates))
	launch := func(id int, resume bool) error {
		p, out, err := c.start(id, resume)
		if err != nil {
			return fmt.Errorf("machine %d cannot be started: %w", id, err)
		}
		go func() { ends <- end{p, p.wait(out, report)} }()
		return nil
	}
	for id := range c.cfg.Rates {
		if err := launch(id, false); err != nil {
			c.Kill()
			for range id {
				<-ends
			}
			c.dir.remove(true)
			return nil, err
		}
	}

	repairs := newRepairs(len(c.cfg.Rates))
	first := c.supervise(ctx, arrivals, begins, ends, repairs, launch)
	results := make([]*summary.Machine, len(c.cfg.Rates))
	began := repairs.any()
	for i, p := range c.processes {
		results[i] = p.result
		if p.result != nil {
			p.result.Restarts, p.result.Down = repairs.of(i)
		}
		began = began || p.began
	}
	switch {
	case !began && first == nil:
		c.dir.remove(true)
		return nil, ErrNotBegun
	case !began:
		c.dir.remove(false)
		return nil, first
	case first != nil:
		return results, first
	}
	return results, nil
}

// supervise waits for the end of all machines and returns the first that died,
// if any, and was not to be started again. What does not end when it should is
// told to, and then killed.
func (c *Cluster) supervise(ctx context.Context, arrivals <-chan int, begins <-chan time.Time, ends <-chan end, repairs *repairs, launch func(id int, resume bool) error) (first *Death) {
	l := c.limits
	// A machine gives up by itself when it does not find its peers.
	late := fmt.Sprintf("it had not begun within %v", l.connect+l.patience)
	overdue := time.NewTimer(l.connect + l.patience)
	defer overdue.Stop()

	acting, calm := context.WithCancel(context.Background())
	defer calm()
	acts := make(chan fault.Action)
	begun, stopping, killed := 0, false, false
	stop := func(linger time.Duration) {
		if !stopping {
			stopping = true
			calm()
			c.lift(repairs)
			c.stop(linger)
			overdue.Reset(linger + l.patience)
		}
	}
	interrupted := ctx.Done()
	var since time.Time
	absent := make(map[int]bool)
	for id := range c.cfg.Rates {
		absent[id] = true
	}
	for left := len(c.cfg.Rates); left > 0; {
		select {
		case e := <-ends:
			death := e.death
			if death != nil && !killed && (repairs.planned(e.process) || c.cfg.Restart && repairs.begin(e.process)) {
				if stopping { // the plan does not order its return any more
					repairs.now(e.process.id)
				}
				continue // it comes back
			}
			left--
			if death == nil {
				continue
			}
			if first == nil {
				first = death
				if killed {
					first.State += ", by the launcher: " + late
				}
			}
			stop(l.shortLinger)
		case id := <-arrivals:
			// Did the first ones look for each other already, the last ones would have
			// little of the processor to come up.
			if absent[id] && len(absent) == 1 {
				c.open()
			}
			delete(absent, id)
		case id := <-repairs.due:
			if !repairs.wanted(id) {
				continue
			}
			if err := launch(id, true); err != nil {
				left--
				if first == nil {
					first = &Death{ID: id, State: err.Error()}
				}
				stop(l.shortLinger)
				continue
			}
			repairs.done(id)
			if stopping {
				c.stopOne(id, l.linger)
			}
		case a := <-acts:
			c.act(a, repairs)
		case start := <-begins:
			if begun == 0 && c.cfg.Duration == 0 && c.cfg.restarts() {
				since = start // of a run without an end, how long it will be is known then
			}
			if begun++; begun == 1 && !c.cfg.Faults.Empty() {
				go c.schedule(acting, start, acts)
			}
			if begun != len(c.cfg.Rates) || stopping {
				continue
			}
			overdue.Stop()
			if c.cfg.Duration > 0 {
				late = fmt.Sprintf("it had not ended %v after its time", l.linger+l.patience)
				overdue.Reset(time.Until(start) + c.cfg.Duration + l.linger + l.patience)
			}
		case <-interrupted:
			interrupted = nil
			if !since.IsZero() {
				l.linger += time.Since(since)
			}
			if !stopping {
				late = fmt.Sprintf("it had not stopped %v after it was told to", l.linger+l.patience)
			}
			stop(l.linger)
		case <-overdue.C:
			// After a pause of this very process, the machines' ends may
			// be there to be read: they get their second chance too.
			if !stopping {
				stop(l.shortLinger)
				continue
			}
			killed = true
			c.Kill()
		}
	}
	return first
}

// open lets the machines look for each other.
func (c *Cluster) open() {
	for _, p := range c.processes {
		_, _ = fmt.Fprintln(p.lifeline, "go") // who has died meanwhile does not hear it, which is fine
	}
}

// Kill ends all processes at once. It may be called at any time.
func (c *Cluster) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		if p == nil {
			continue
		}
		_ = p.cmd.Process.Kill() // an error says that it has ended already
		_ = p.lifeline.Close()   // for what a program that is not ours may have started
	}
}

// stop tells all machines to end in order, and how long they may wait for each
// other. It does not wait for them.
func (c *Cluster) stop(linger time.Duration) {
	for id := range c.cfg.Rates {
		c.stopOne(id, linger)
	}
}

func (c *Cluster) stopOne(id int, linger time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A process that has ended does not hear it, which is fine.
	p := c.processes[id]
	_, _ = fmt.Fprintln(p.lifeline, linger)
	_ = p.lifeline.Close()
}

// start starts machine id, for the first time or again, and returns the process
// and its standard output.
func (c *Cluster) start(id int, resume bool) (*process, io.Reader, error) {
	cfg := c.cfg
	args := append(c.model(id),
		"--supervised",
		"--peers", c.peers(id),
		"--bind", host,
		"--log-dir", cfg.Dir,
		"--connect-timeout", c.limits.connect.String(),
		"--linger", c.limits.linger.String(),
		"--status-every", cfg.StatusEvery.String(),
	)
	if resume {
		args = append(args, "--resume")
	} else {
		args = append(args, "--gated")
	}
	if cfg.Sync {
		args = append(args, "--sync")
	}
	if cfg.Faults.Touches(id) {
		args = append(args, "--faults", cfg.Faults.String())
	}
	if cfg.Window > 0 {
		args = append(args, "--window", strconv.Itoa(cfg.Window))
	}
	if cfg.LogLevel != "" {
		args = append(args, "--log-level", cfg.LogLevel)
	}
	p := &process{id: id, cmd: exec.Command(cfg.VM, args...)}
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VM_") })
	release, err := passListener(p.cmd, c.listeners[id])
	if err != nil {
		return nil, nil, err
	}
	defer release()
	detach(p.cmd)
	talk, err := c.dir.talk(id, resume)
	if err != nil {
		return nil, nil, err
	}
	defer talk.Close()
	p.talk = talk.Name()
	p.cmd.Stderr = talk
	if p.lifeline, err = p.cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	started := make(chan error)
	c.forks <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, nil, err
	}
	p.since = time.Now()
	c.mu.Lock()
	c.processes[id] = p
	c.mu.Unlock()
	return p, out, nil
}

// model returns the arguments that say which machine it is and what it does.
func (c *Cluster) model(id int) []string {
	cfg := &c.cfg
	switch {
	case cfg.Replay == nil:
		return []string{
			"--id", strconv.Itoa(id),
			"--rate", cfg.Rates[id].String(),
			"--duration", cfg.Duration.String(),
			"--seed", strconv.FormatUint(cfg.Seed, 10),
			"--die", strconv.Itoa(cfg.Die),
			"--run", cfg.Run,
		}
	case cfg.AtPace:
		return []string{"--replay", cfg.Replay[id], "--pace", "recorded"}
	}
	return []string{"--replay", cfg.Replay[id]}
}

// fork starts processes from one thread that lives as long as the run: the
// kernel's signal at a parent's death comes at the death of the very thread
// that made the child (golang.org/issue/27505).
func (c *Cluster) fork() {
	holdThread()
	for f := range c.forks {
		f()
	}
}

func (c *Cluster) peers(id int) string {
	var peers []string
	for other, port := range c.Ports() {
		if other != id {
			peers = append(peers, fmt.Sprintf("%d=%s:%d", other, host, port))
		}
	}
	return strings.Join(peers, ",")
}

// wait reads what the process reports until its end, and returns how it died,
// or nil if it ended in order.
func (p *process) wait(out io.Reader, report func(*process, summary.Status)) *Death {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s summary.Status
		if json.Unmarshal(lines.Bytes(), &s) != nil || s.Phase == "" {
			continue // not ours: a panic's text, perhaps
		}
		p.spoke = true
		if s.Machine != nil {
			p.result = s.Machine
		}
		report(p, s)
	}
	_, _ = io.Copy(io.Discard, out)
	err := p.cmd.Wait()
	code := p.cmd.ProcessState.ExitCode()
	if p.result != nil && code == 0 || code == vmInterrupted {
		return nil
	}
	d := &Death{ID: p.id, State: "exit status 0", Talk: p.talk, Last: lastLines(p.talk, tail)}
	if err != nil {
		d.State = err.Error()
	}
	switch {
	case !p.spoke:
		d.State += fmt.Sprintf(" before its first report (is %s the vm program of this release?)", p.cmd.Path)
	case p.result == nil && err == nil:
		d.State += " without a result"
	}
	return d
}

// lastLines returns up to n lines from the end of a file, or where a Go program
// says why it crashes, the first ones of that: what follows are the calls. It
// returns none if the file cannot be read.
func lastLines(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	const most = 64 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return nil
	}
	lines := strings.Split(string(b), "\n")
	crash := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "SIG")
	})
	if crash >= 0 {
		return lines[crash:min(crash+n, len(lines))]
	}
	return lines[max(0, len(lines)-n):]
}

func (c *Cluster) closeListeners() {
	for _, ln := range c.listeners {
		_ = ln.Close()
	}
}
