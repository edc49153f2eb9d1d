package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/fault"
)

func check(cfg Config) error {
	switch n := len(cfg.Rates); {
	case n == 0:
		return errors.New("a run has at least 1 machine")
	case n > MaxMachines:
		return fmt.Errorf("%d machines: at most %d run as processes of one host", n, MaxMachines)
	case len(cfg.Ports) != n:
		return fmt.Errorf("%d ports for %d machines: give one each, or --ports auto", len(cfg.Ports), n)
	case cfg.Die < 1:
		return fmt.Errorf("--die %d: a die has at least 1 face", cfg.Die)
	case cfg.Duration < 0:
		return fmt.Errorf("--duration %v: a duration cannot be negative", cfg.Duration)
	}
	if cfg.Faults.Has(fault.Pause) && !CanPause {
		return errors.New("--faults: this system cannot pause a process")
	}
	seen := make(map[int]int)
	for id, port := range cfg.Ports {
		if other, twice := seen[port]; twice && port != 0 {
			return fmt.Errorf("machines %d and %d have one port, %d: give each its own, or --ports auto", other, id, port)
		}
		seen[port] = id
	}
	if _, err := exec.LookPath(cfg.VM); err != nil {
		if e, ok := errors.AsType[*exec.Error](err); ok {
			err = e.Err
		}
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return fmt.Errorf("the vm program %q cannot be run: %w (choose another --vm, or leave it out to take the one beside this program)", cfg.VM, err)
	}
	return nil
}

// ParsePorts reads a list of ports for so many machines: "2050,3050,4050", or
// "auto" for any that are free.
func ParsePorts(s string, machines int) ([]int, error) {
	if s == "auto" {
		return make([]int, machines), nil
	}
	var ports []int
	for part := range strings.SplitSeq(s, ",") {
		port, err := strconv.ParseUint(strings.TrimSpace(part), 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("port %q: want a number from 1 to 65535, or --ports auto", part)
		}
		ports = append(ports, int(port))
	}
	if len(ports) != machines {
		return nil, fmt.Errorf("%d ports for %d machines: give one each, or --ports auto", len(ports), machines)
	}
	return ports, nil
}

// FindVM returns the path of the vm program: beside this one, or else where the
// system looks for programs.
func FindVM() (string, error) {
	name := "vm"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		beside := filepath.Join(filepath.Dir(self), name)
		if path, err := exec.LookPath(beside); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("the program %q is neither beside this one nor in the path: build it with \"make build\", or say where it is with --vm", name)
}

// Check says what is wrong with a configuration, before anything is begun. That a
// port is taken, or that the directory cannot be made, only [New] finds out.
func (cfg *Config) Check() error { return check(*cfg) }
