//go:build unix && !linux

package procs

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// All returns the processes of this host.
func All() (all []Process, err error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,args=").Output()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("ps: %q", line)
		}
		p := Process{State: f[2][0], Args: strings.Join(f[3:], " ")}
		id, err := strconv.Atoi(f[0])
		parent, err2 := strconv.Atoi(f[1])
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("ps: %q", line)
		}
		p.ID, p.Parent = id, parent
		all = append(all, p)
	}
	return all, nil
}
