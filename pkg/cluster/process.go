package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/summary"
)

// process is one machine's process.
type process struct {
	handle
	id       int
	host     string // "": this one
	cmd      *exec.Cmd
	lifeline *control.Lifeline
	stderr   string    // the file of its standard error
	since    time.Time // when it was started

	// For the goroutine that reads its reports, and after its end for all.
	milestone milestone
	result    *summary.Machine
}

// Death says how a machine ended that should not have.
type Death struct {
	ID     int
	Host   string   // on which it ran; "": this one
	State  string   // "exit status 2", "signal: killed", …
	Stderr string   // the file of its standard error
	Last   []string // the last lines of that
	// Hindered: it lacked what may come yet, so that the next try may do better.
	Hindered bool
}

// tail is how many lines of a dead machine's standard error are shown.
const tail = 5

func (d *Death) Error() string {
	s := fmt.Sprintf("machine %d", d.ID)
	if d.Host != "" {
		s += " on " + d.Host
	}
	s += " died: " + d.State
	if len(d.Last) > 0 {
		s += fmt.Sprintf(". Its last words, from %s: %s", d.Stderr, strings.Join(d.Last, " | "))
	}
	return s
}

// start starts machine id, for the first time or again, and returns the process
// and its standard output.
func (c *Cluster) start(id int, resume bool) (*process, io.Reader, error) {
	p := &process{id: id}
	if c.cfg.Elsewhere != nil {
		p.cmd = c.cfg.Elsewhere.Command(id, c.args(id, resume))
		p.host = c.cfg.Elsewhere.Site(id).Host
		// That this process is gone, ssh hears at the end of its input; and has to
		// pass that on.
		detach(p.cmd, false)
	} else {
		p.cmd = exec.Command(c.cfg.VM, c.args(id, resume)...)
		release, err := passListener(p.cmd, c.listeners[id])
		if err != nil {
			return nil, nil, err
		}
		defer release()
		detach(p.cmd, true)
	}
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VM_") })
	stderr, err := c.dir.Stderr(id, resume)
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	p.stderr = stderr.Name()
	p.cmd.Stderr = stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	p.lifeline = control.NewLifeline(stdin)
	p.handle = near{p.cmd}
	if p.host != "" {
		p.handle = far{p.cmd, p.lifeline, c.limits.patience}
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	forked := make(chan error)
	c.forks <- func() { forked <- p.cmd.Start() }
	if err := <-forked; err != nil {
		return nil, nil, err
	}
	p.since = time.Now()
	c.mu.Lock()
	c.processes[id] = p
	c.mu.Unlock()
	return p, stdout, nil
}

// args returns the arguments of machine id's process, but for its listener.
func (c *Cluster) args(id int, resume bool) []string {
	cfg := &c.cfg
	site := c.site(id)
	args := append(c.model(id),
		"--peers", c.peers(id),
		"--bind", site.Bind,
		"--log-dir", site.Dir,
		"--connect-timeout", c.limits.connect.String(),
		"--linger", c.limits.linger.String(),
	)
	if resume {
		args = append(args, "--resume")
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
	args = append(args, c.tlsArgs(id)...)
	options := control.Options{Supervised: true, Gated: !resume, StatusEvery: cfg.StatusEvery}
	if cfg.Elsewhere != nil {
		args = append(args, "--port", strconv.Itoa(cfg.Ports[id]))
		options.Warded = true
		if cfg.restarts() {
			options.Orphan = orphan
		}
	}
	return append(args, options.Args()...)
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

// site returns where a machine is.
func (c *Cluster) site(id int) Site {
	if c.cfg.Elsewhere != nil {
		return c.cfg.Elsewhere.Site(id)
	}
	return Site{Address: loopback, Bind: loopback, Dir: c.cfg.Dir}
}

func (c *Cluster) peers(id int) string {
	var peers []string
	for other, port := range c.Ports() {
		if other != id {
			peers = append(peers, fmt.Sprintf("%d=%s", other, net.JoinHostPort(c.site(other).Address, strconv.Itoa(port))))
		}
	}
	return strings.Join(peers, ",")
}

// wait waits for the end of a process whose reports were read, and tells how it
// has ended.
func (p *process) wait() exited {
	err := p.cmd.Wait()
	code := p.cmd.ProcessState.ExitCode()
	e := exited{
		id:        p.id,
		ending:    control.EndingOf(code),
		milestone: p.milestone,
		lived:     time.Since(p.since),
	}
	if e.ending == control.Stopped || e.ending == control.Completed && p.result != nil {
		return e
	}
	e.death = &Death{
		ID: p.id, Host: p.host, State: "exit status 0", Stderr: p.stderr, Last: lastLines(p.stderr, tail), Hindered: e.ending == control.Hindered,
	}
	if err != nil {
		e.death.State = err.Error()
	}
	switch {
	case p.host != "" && code == control.KilledCode:
		e.death.State = "killed by a signal"
	case p.host != "" && (code == lostCode || code < 0):
		e.ending = control.Killed // for all that is known: the host may be there again
		e.death.State = fmt.Sprintf("the connection was lost (ssh: %v)", err)
	case p.host != "" && p.milestone == absent:
		e.death.State += " before its first report"
	case p.milestone == absent:
		e.death.State += fmt.Sprintf(" before its first report (is %s the vm program of this release?)", p.cmd.Path)
	case p.result == nil && err == nil:
		e.death.State += " without a result"
	}
	return e
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
	const maxRead = 64 << 10
	if info, err := f.Stat(); err == nil && info.Size() > maxRead {
		_, _ = f.Seek(-maxRead, io.SeekEnd)
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
