package enginetest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Program is a program that a test has started.
type Program struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.Closer // the program ends when the test does, even if that is killed
	out   text
	errs  text
	ended chan struct{}

	within bool // it is the child of nsenter, which passes no signal on
}

// Start starts a program in a directory. Its standard input is open as long as the test
// lives. At the end of the test it is killed if it still runs.
func Start(t testing.TB, dir string, env []string, name string, args ...string) *Program {
	t.Helper()
	p := &Program{t: t, cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	p.cmd.WaitDelay = 10 * time.Second // for what it leaves running
	stdin, err := p.cmd.StdinPipe()
	if err == nil {
		p.stdin = stdin
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s\nstdout:\n%s\nstderr:\n%s", strings.Join(p.cmd.Args, " "), &p.out, &p.errs)
		}
	})
	return p
}

// Run is [Start] for a program that reads nothing and ends by itself. It returns the exit
// code and what the program says.
func Run(t testing.TB, dir string, env []string, name string, args ...string) (code int, out string) {
	t.Helper()
	p := Start(t, dir, env, name, args...)
	_ = p.stdin.Close()
	code = p.Wait()
	return code, p.Out() + p.Errors()
}

// Launcher runs launcher in a directory, as [Run] does.
func Launcher(t testing.TB, dir string, args ...string) (code int, out string) {
	t.Helper()
	return Run(t, dir, Environ(t), filepath.Join(Programs(t), "launcher"), args...)
}

// Stop closes the program's standard input, and kills it if it does not end by that.
func (p *Program) Stop() {
	_ = p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(Deadline):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// Wait waits for the program's end and returns its exit code, -1 for a signal.
func (p *Program) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Deadline):
		p.t.Fatalf("%s does not end", p.cmd.Args)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Ended reports whether the program has ended.
func (p *Program) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Signal sends it a signal.
func (p *Program) Signal(s os.Signal) error {
	if !p.within {
		return p.cmd.Process.Signal(s)
	}
	pids, err := children(p.PID())
	if err != nil {
		return err
	}
	child, err := os.FindProcess(pids[0])
	if err != nil {
		return err
	}
	return child.Signal(s)
}

// children returns the child processes of a process that has some.
func children(pid int) (pids []int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	for field := range strings.FieldsSeq(string(b)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, child)
	}
	if pids == nil {
		return nil, fmt.Errorf("process %d has no child", pid)
	}
	return pids, nil
}

// PID returns the id of its process.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Out returns what the program has written to standard output so far.
func (p *Program) Out() string { return p.out.String() }

// Errors returns what the program has written to standard error so far.
func (p *Program) Errors() string { return p.errs.String() }

// text is what a program writes while the test reads it.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
