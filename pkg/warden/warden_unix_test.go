//go:build unix

package warden

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/procs"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/exit"
)

// The test program is the process that is held, and in one test the warden too.
const asFake = "LAMPORT_TEST_WARDED"

func TestMain(m *testing.M) {
	switch os.Getenv(asFake) {
	case "":
		os.Exit(m.Run())
	case "echo": // says its id and what it is told, and ends in order
		fmt.Println("up", os.Getpid(), len(os.Getenv("VM_RATE")))
		b, _ := io.ReadAll(os.Stdin)
		fmt.Printf("told %q\n", b)
		os.Exit(exit.Interrupted)
	case "ends":
		os.Exit(3)
	case "deaf":
		fmt.Println("up", os.Getpid())
		time.Sleep(time.Hour) // where nothing else can come, select{} would be a deadlock
	case "warden":
		os.Setenv(asFake, "echo") //nolint:errcheck // a name that is none
		code, err := Run(Config{Program: os.Args[0], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Lock: os.Args[1], Takeover: time.Minute,
			Orphan: time.Minute, Interrupted: terminated()})
		if err != nil {
			fmt.Println(err)
		}
		os.Exit(code)
	}
}

// launched is a warden in this process, and its launcher's end.
type launched struct {
	*control.Lifeline
	lines *bufio.Scanner
	code  chan int
}

// launch has a warden hold a process.
func launch(t *testing.T, behaviour string, cfg Config) *launched {
	t.Helper()
	t.Setenv(asFake, behaviour)
	t.Setenv("VM_RATE", "5") // of somebody who starts machines by hand there, too
	stdin, lifeline := io.Pipe()
	stdout, out, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = stdout.Close() })
	cfg.Program, cfg.Stdin, cfg.Stdout, cfg.Stderr = os.Args[0], stdin, out, os.Stderr
	l := &launched{control.NewLifeline(lifeline), bufio.NewScanner(stdout), make(chan int, 1)}
	go func() {
		code, err := Run(cfg)
		_ = out.Close()
		assert.NoError(t, err)
		l.code <- code
	}()
	return l
}

// pid waits for the process to be up.
func (l *launched) pid(t *testing.T) int {
	t.Helper()
	require.True(t, l.lines.Scan(), "it is not up")
	words := strings.Fields(l.lines.Text())
	require.Equal(t, "up", words[0])
	if len(words) > 2 {
		assert.Equal(t, "0", words[2], "it does not inherit what is meant for others")
	}
	pid, err := strconv.Atoi(words[1])
	require.NoError(t, err)
	return pid
}

func (l *launched) told(t *testing.T) string {
	t.Helper()
	require.True(t, l.lines.Scan(), "it says nothing")
	return l.lines.Text()
}

func (l *launched) end(t *testing.T) int {
	t.Helper()
	select {
	case code := <-l.code:
		return code
	case <-time.After(time.Minute):
		require.Fail(t, "it does not end")
		return 0
	}
}

// isHeld reports whether a process stands still.
func isHeld(pid int) bool {
	p, err := procs.Find(pid)
	return err == nil && p.State == 'T'
}

func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "did not happen: %s", what)
	}
}

// What is for the process reaches it, and what is for the warden does not.
func TestLinesArePassedOn(t *testing.T) {
	l := launch(t, "echo", Config{})
	pid := l.pid(t)
	l.Go()
	l.Hold(true)
	eventually(t, func() bool { return isHeld(pid) }, "it is held")
	l.Hold(false)
	eventually(t, func() bool { return !isHeld(pid) }, "it goes on")
	l.Stop(3 * time.Second)
	assert.Equal(t, `told "go\n3s\n"`, l.told(t))
	assert.Equal(t, exit.Interrupted, l.end(t))
}

func TestCodeIsPassedOn(t *testing.T) {
	l := launch(t, "ends", Config{})
	assert.Equal(t, 3, l.end(t))
}

func TestKill(t *testing.T) {
	l := launch(t, "deaf", Config{})
	pid := l.pid(t)
	l.Hold(true) // which keeps nobody from being killed
	l.Kill()
	assert.Equal(t, control.KilledCode, l.end(t))
	assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestProgramIsNone(t *testing.T) {
	_, err := Run(Config{Program: "/nowhere/vm", Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard})
	assert.ErrorContains(t, err, "cannot start the machine: ")
}

// A launcher that is gone leaves nothing behind: not even a process that is held, or
// one that does not hear.
func TestLauncherIsGone(t *testing.T) {
	l := launch(t, "echo", Config{})
	pid := l.pid(t)
	l.Hold(true)
	eventually(t, func() bool { return isHeld(pid) }, "it is held")
	l.Cut()
	assert.Equal(t, `told ""`, l.told(t))
	assert.Equal(t, exit.Interrupted, l.end(t))

	l = launch(t, "deaf", Config{grace: 10 * time.Millisecond})
	l.pid(t)
	l.Cut()
	assert.Equal(t, control.KilledCode, l.end(t))
}

// One that may come back goes on, for a while.
func TestOrphan(t *testing.T) {
	l := launch(t, "echo", Config{Orphan: 50 * time.Millisecond})
	l.pid(t)
	l.Cut()
	assert.Equal(t, `told ""`, l.told(t), "when nobody comes")
	assert.Equal(t, exit.Interrupted, l.end(t))

	interrupted := make(chan struct{})
	l = launch(t, "echo", Config{Orphan: time.Hour, Interrupted: interrupted})
	l.pid(t)
	l.Cut()
	close(interrupted)
	assert.Equal(t, control.KilledCode, l.end(t), "another takes over, and goes on from there")

	l = launch(t, "echo", Config{Orphan: time.Hour})
	l.pid(t)
	l.Stop(time.Second)
	assert.Equal(t, exit.Interrupted, l.end(t), "it is told to stop")

	interrupted = make(chan struct{})
	l = launch(t, "echo", Config{Interrupted: interrupted})
	l.pid(t)
	close(interrupted)
	assert.Equal(t, `told ""`, l.told(t), "it ends in order")
	assert.Equal(t, exit.Interrupted, l.end(t))
}

// wardenProcess is a warden that is a process of its own.
type wardenProcess struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	once  sync.Once
}

func startWarden(t *testing.T, lock string) *wardenProcess {
	t.Helper()
	w := &wardenProcess{cmd: exec.Command(os.Args[0], lock)}
	w.cmd.Env = append(os.Environ(), asFake+"=warden", "GORACE=atexit_sleep_ms=0")
	w.cmd.Stderr = os.Stderr
	var err error
	w.stdin, err = w.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := w.cmd.StdoutPipe()
	require.NoError(t, err)
	w.lines = bufio.NewScanner(stdout)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() { _ = w.cmd.Process.Kill(); w.wait() })
	return w
}

func (w *wardenProcess) wait() { w.once.Do(func() { _ = w.cmd.Wait() }) }

// A warden that has lost its launcher and does not know makes way.
func TestTakeOver(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "vm_0.warden")
	require.NoError(t, os.WriteFile(lock, []byte("1                   \n"), 0o600)) // of one that is long gone
	first := startWarden(t, lock)
	require.True(t, first.lines.Scan())
	assert.Regexp(t, `^up \d+`, first.lines.Text())
	second := startWarden(t, lock)
	require.True(t, second.lines.Scan())
	assert.Regexp(t, `^up \d+`, second.lines.Text())
	assert.False(t, first.lines.Scan(), "its process is gone before the other's comes")
	first.wait()
	assert.Equal(t, control.KilledCode, first.cmd.ProcessState.ExitCode())
	_, err := io.WriteString(second.stdin, "1s\n")
	require.NoError(t, err)
	require.NoError(t, second.stdin.Close())
	require.True(t, second.lines.Scan())
	second.wait()
	assert.Equal(t, exit.Interrupted, second.cmd.ProcessState.ExitCode())
}

// A lock whose holder does not go is an error, not a second process.
func TestTakeOverInVain(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	held, err := takeOver(lock, time.Minute)
	require.NoError(t, err)
	// Nobody is to be told: the id is gone.
	_, err = held.f.WriteAt(bytes.Repeat([]byte(" "), 21), 0)
	require.NoError(t, err)
	_, err = takeOver(lock, 30*time.Millisecond)
	assert.ErrorIs(t, err, ErrHeld)
	held.release()
	again, err := takeOver(lock, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, os.Getpid(), holder(again.f))
	again.release()
}
