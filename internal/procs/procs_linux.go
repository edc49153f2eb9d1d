package procs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// All returns the processes of this host, or of this container. It reads them from /proc: not every
// machine has a ps.
func All() (all []Process, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		args, err2 := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || err2 != nil {
			continue // it has ended
		}
		p := Process{Args: strings.TrimRight(strings.ReplaceAll(string(args), "\x00", " "), " ")}
		if p.ID, err = strconv.Atoi(filepath.Base(dir)); err != nil {
			return nil, err
		}
		// "1 (name) S 0 …", where the name may hold anything.
		if _, err := fmt.Sscanf(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " %c %d ", &p.State, &p.Parent); err != nil {
			return nil, fmt.Errorf("%s/stat: %w: %q", dir, err, stat)
		}
		all = append(all, p)
	}
	return all, nil
}
