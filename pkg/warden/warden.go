// Package warden holds a machine's process on a host where its launcher is not.
//
// A launcher has a hold on the processes of its own host: it can kill and pause them,
// and sees how they end. What carries the conversation to another host (ssh) carries
// neither signals nor their exit codes, and leaves a process that is paused when the
// connection breaks as it is, for ever. A warden is the process's parent there. It
// passes on what the launcher says, carries out the orders that are meant for itself
// (see [control.Orders]), and sees to it that the process does not outlive the lifeline.
package warden

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/standstill"
)

// Config is what a process is held with.
type Config struct {
	Program string
	Args    []string

	Stdin          io.Reader // the launcher's lifeline
	Stdout, Stderr io.Writer // of the process

	// Linger is how long the process lingers at its end, unless the launcher says
	// otherwise. After that and twice [control.Grace] from the end of the lifeline
	// on, it is killed.
	Linger time.Duration

	// Orphan is how long the process goes on after the lifeline has ended without an
	// order to stop: the connection may be made anew, and then another warden takes
	// over. This one kills its process then, which the other's goes on from. 0: it ends
	// in order, at once.
	Orphan time.Duration

	// Lock is a file that only one warden holds at a time. One that finds it held
	// has the other end its process first: it has lost its launcher, and has not
	// noticed. "": none.
	Lock string
	// Takeover is how long that may take.
	Takeover time.Duration

	// Interrupted, if not nil, is closed to end the process: in order, or as Orphan
	// says.
	Interrupted <-chan struct{}

	grace time.Duration // of tests; 0: twice that of the process itself
}

// ErrHeld says that another warden does not let go of its process.
var ErrHeld = errors.New("an earlier process of this machine does not end")

// Run starts the process, holds it until its end, and returns its exit code:
// [control.KilledCode] where a signal has ended it. An error says that it was not
// started.
func Run(cfg Config) (code int, err error) {
	if cfg.Lock != "" {
		l, err := takeOver(cfg.Lock, cfg.Takeover)
		if err != nil {
			return exit.Misused, err
		}
		defer l.release()
	}
	cmd := exec.Command(cfg.Program, cfg.Args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VM_") })
	cmd.Stdout, cmd.Stderr = cfg.Stdout, cfg.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return exit.Misused, err
	}
	release := tie(cmd)
	defer release()
	if err := cmd.Start(); err != nil {
		return exit.Misused, fmt.Errorf("cannot start the machine: %w", err)
	}
	if cfg.grace == 0 {
		cfg.grace = 2 * control.Grace
	}
	w := &ward{process: cmd.Process, lifeline: stdin, linger: cfg.Linger, grace: cfg.grace, orphan: cfg.Orphan, stderr: cfg.Stderr}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state says how it has ended
		close(ended)
	}()
	w.hold(cfg.Stdin, cfg.Interrupted, ended)
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return control.KilledCode, nil
}

// ward is a process that is held.
type ward struct {
	process  *os.Process
	lifeline io.WriteCloser // of the process
	linger   time.Duration
	grace    time.Duration // beyond linger
	orphan   time.Duration
	told     bool // how long it is to linger: the last that a launcher says
	held     bool
	stderr   io.Writer
}

// hold obeys the lifeline until the process has ended.
func (w *ward) hold(stdin io.Reader, interrupted, ended <-chan struct{}) {
	done := make(chan struct{})
	defer close(done)
	lines := listen(stdin, done)
	var late, alone <-chan time.Time
	end := func() {
		lines, interrupted, alone = nil, nil, nil
		w.resume() // to hear that it is to end
		_ = w.lifeline.Close()
		limit := w.linger + min(w.grace, math.MaxInt64-w.linger)
		late = time.After(limit)
	}
	for {
		select {
		case <-ended:
			return
		case line, ok := <-lines:
			switch {
			case ok:
				w.obey(line)
			case w.orphan > 0 && !w.told:
				lines, alone = nil, time.After(w.orphan)
			default:
				end()
			}
		case <-alone:
			end()
		case <-interrupted:
			if w.orphan > 0 && !w.told {
				interrupted = nil
				w.kill()
				continue
			}
			end()
		case <-late:
			w.kill()
		}
	}
}

// listen sends the lines of a lifeline, until its end or done.
func listen(stdin io.Reader, done <-chan struct{}) <-chan control.Line {
	lines := make(chan control.Line)
	go func() {
		defer close(lines)
		for line := range control.Orders(stdin) {
			line.Text = slices.Clone(line.Text)
			select {
			case lines <- line:
			case <-done:
				return
			}
		}
	}()
	return lines
}

func (w *ward) obey(line control.Line) {
	switch line.Order {
	case control.Kill:
		w.kill()
	case control.Hold:
		w.held = true
		w.say("hold", standstill.Hold(w.process, true))
	case control.Resume:
		w.resume()
	case control.Pass:
		if line.Linger >= 0 {
			w.linger, w.told = line.Linger, true
		}
		_, _ = w.lifeline.Write(line.Text) // it may have ended
	}
}

func (w *ward) kill() { _ = w.process.Kill() } // it may have ended

func (w *ward) resume() {
	if w.held {
		w.held = false
		w.say("resume", standstill.Hold(w.process, false))
	}
}

// say tells of what could not be done where the process's own diagnostics are.
func (w *ward) say(what string, err error) {
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		_, _ = fmt.Fprintf(w.stderr, "vm: cannot %s the machine: %v\n", what, err)
	}
}
