//go:build unix

// Package procs tells tests which processes there are.
package procs

import (
	"fmt"
	"syscall"
	"time"
)

// Process is a process as it was a moment ago.
type Process struct {
	ID, Parent int
	State      byte   // S, R, T, Z, … as ps has it
	Args       string // its arguments, with a blank between them
}

// Runs reports whether the process has not ended: one that only waits for its parent to take note
// of that has.
func (p Process) Runs() bool { return p.State != 0 && p.State != 'Z' && p.State != 'X' }

// Hold stops a process with SIGSTOP, and returns when it stands still. On a busy host, it could do
// much between the one and the other.
func Hold(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if p, err := Find(pid); err != nil || p.State == 'T' {
			return err
		}
	}
	return fmt.Errorf("process %d does not stand still", pid)
}

// Find returns a process, the zero Process where there is none of this id.
func Find(pid int) (Process, error) {
	all, err := All()
	for _, p := range all {
		if p.ID == pid {
			return p, nil
		}
	}
	return Process{}, err
}
