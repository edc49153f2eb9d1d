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
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
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
	VM       string        // path of the vm program, see FindVM
	// StatusEvery is how often each machine reports, 0 for only when its phase
	// changes.
	StatusEvery time.Duration
	Window      int    // of the links, the vm's default if 0
	LogLevel    string // of the processes' talk, the vm's default if ""
	Version     string // of this program, for the record
}

const (
	host           = "127.0.0.1"
	connectTimeout = 30 * time.Second
	// linger is how long machines wait at the end for each other's last
	// messages. All of them end at one instant, so this is only ever used
	// up on a host that is far too busy.
	linger = 10 * time.Second
	// shortLinger replaces it where a machine has died: it will not answer.
	shortLinger = 500 * time.Millisecond
	// patience is how long after that a machine is killed.
	patience = 8 * time.Second
)

// Death says how a machine ended that should not have.
type Death struct {
	ID    int
	State string   // "exit status 2", "signal: killed", …
	Last  []string // the last lines of its talk
	// Unstarted says that the machine gave up before the run began.
	Unstarted bool
}

// tail is how many lines of a dead machine's talk are shown.
const tail = 5

func (d *Death) Error() string {
	s := fmt.Sprintf("machine %d died: %s", d.ID, d.State)
	if len(d.Last) > 0 {
		s += ". Its last words: " + strings.Join(d.Last, " | ")
	}
	return s
}

// Cluster is a run on this host.
type Cluster struct {
	cfg       Config
	listeners []*net.TCPListener
	forks     chan func()

	mu        sync.Mutex // guards processes
	processes []*process
}

// process is one machine's process.
type process struct {
	id       int
	cmd      *exec.Cmd
	lifeline io.WriteCloser
	talk     string // file of its standard error
	began    bool
	result   *summary.Machine
}

// New prepares a run: it checks the configuration and binds the ports, but leaves
// no trace on disk.
func New(cfg Config) (*Cluster, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, forks: make(chan func())}
	for id, port := range cfg.Ports {
		ln, err := transport.Listen(host, port, fmt.Sprintf(
			"end the program that holds it, or give machine %d another one with --ports (--ports auto takes free ones)", id))
		if err != nil {
			c.closeListeners()
			return nil, err
		}
		c.listeners = append(c.listeners, ln)
	}
	return c, nil
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
// or after ctx has ended. watch, if not nil, is called with what they report,
// one call at a time. Run returns what each machine did, by id; for one that has
// died there is no result, and the error is the first [Death].
func (c *Cluster) Run(ctx context.Context, watch func(id int, s summary.Status)) ([]*summary.Machine, error) {
	defer c.closeListeners()
	if err := c.prepareDir(); err != nil {
		return nil, err
	}
	go c.fork()
	defer close(c.forks)
	var watching sync.Mutex
	report := func(id int, s summary.Status) {
		watching.Lock()
		defer watching.Unlock()
		if watch != nil {
			watch(id, s)
		}
	}
	ends := make(chan *Death, len(c.cfg.Rates)) // nil: in order
	for id := range c.cfg.Rates {
		p, out, err := c.start(id)
		if err != nil {
			c.Kill()
			for range id {
				<-ends //nolint:errcheck // they were killed; why they ended is known
			}
			return nil, fmt.Errorf("machine %d cannot be started: %w", id, err)
		}
		go func() { ends <- p.wait(out, report) }()
	}

	var first *Death
	stop, overdue := ctx.Done(), (<-chan time.Time)(nil)
	for left := len(c.cfg.Rates); left > 0; {
		select {
		case death := <-ends:
			left--
			if death != nil && first == nil {
				first = death
				c.stop(shortLinger)
				overdue = time.After(shortLinger + patience)
			}
		case <-stop:
			stop = nil
			c.stop(linger)
			overdue = time.After(linger + patience)
		case <-overdue:
			c.Kill()
		}
	}
	results := make([]*summary.Machine, len(c.cfg.Rates))
	for i, p := range c.processes {
		results[i] = p.result
	}
	if first != nil {
		return results, first
	}
	return results, nil
}

// Kill ends all processes at once. It may be called at any time.
func (c *Cluster) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		_ = p.cmd.Process.Kill() // an error says that it has ended already
	}
}

// stop tells all machines to end in order, and how long they may wait for each
// other. It does not wait for them.
func (c *Cluster) stop(linger time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		// A process that has ended does not hear it, which is fine.
		_, _ = fmt.Fprintln(p.lifeline, linger)
		_ = p.lifeline.Close()
	}
}

// start starts machine id and returns the process and its standard output.
func (c *Cluster) start(id int) (*process, io.Reader, error) {
	cfg := c.cfg
	args := []string{
		"--supervised",
		"--id", strconv.Itoa(id),
		"--peers", c.peers(id),
		"--rate", cfg.Rates[id].String(),
		"--duration", cfg.Duration.String(),
		"--seed", strconv.FormatUint(cfg.Seed, 10),
		"--die", strconv.Itoa(cfg.Die),
		"--run", cfg.Run,
		"--bind", host,
		"--log-dir", cfg.Dir,
		"--connect-timeout", connectTimeout.String(),
		"--linger", linger.String(),
		"--status-every", cfg.StatusEvery.String(),
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
	p.talk = filepath.Join(cfg.Dir, fmt.Sprintf("vm_%d.stderr", id))
	talk, err := os.Create(p.talk)
	if err != nil {
		return nil, nil, err
	}
	defer talk.Close()
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
	c.mu.Lock()
	c.processes = append(c.processes, p)
	c.mu.Unlock()
	return p, out, nil
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
func (p *process) wait(out io.Reader, report func(int, summary.Status)) *Death {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s summary.Status
		if json.Unmarshal(lines.Bytes(), &s) != nil {
			continue // not ours: a panic's text, perhaps
		}
		p.began = p.began || s.Phase == summary.Running
		if s.Phase == summary.Done {
			p.result = s.Machine
		}
		report(p.id, s)
	}
	_, _ = io.Copy(io.Discard, out)
	err := p.cmd.Wait()
	if p.result != nil {
		return nil
	}
	d := &Death{ID: p.id, State: "without a word", Last: lastLines(p.talk, tail), Unstarted: !p.began}
	if err != nil {
		d.State = err.Error()
	}
	return d
}

// lastLines returns up to n lines from the end of a file, none if it cannot be
// read.
func lastLines(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return nil
	}
	lines := strings.Split(string(b), "\n")
	return lines[max(0, len(lines)-n):]
}

func (c *Cluster) closeListeners() {
	for _, ln := range c.listeners {
		_ = ln.Close()
	}
}

// prepareDir makes the run's directory and writes its record.
func (c *Cluster) prepareDir() error {
	dir := c.cfg.Dir
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("the run's directory cannot be made: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(escapeGlob(dir), "vm_*"))
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, RecordName)); err == nil {
		old = append(old, filepath.Join(dir, RecordName))
	}
	if len(old) > 0 {
		return fmt.Errorf("%s is of an earlier run, which is not overwritten: choose another --out, or move it away", old[0])
	}
	err = c.record().write(filepath.Join(dir, RecordName))
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("directory %s is not writable for this user: choose another --out", dir)
	}
	return err
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}
