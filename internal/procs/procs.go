//go:build unix

// Package procs tells tests which processes there are.
package procs

// Process is a process as it was a moment ago.
type Process struct {
	ID, Parent int
	State      byte   // S, R, T, Z, … as ps has it
	Args       string // its arguments, with a blank between them
}

// Runs reports whether the process has not ended: one that only waits for its parent to take note
// of that has.
func (p Process) Runs() bool { return p.State != 0 && p.State != 'Z' && p.State != 'X' }

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
