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

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/standstill"
)

// What keeps a run from being started on this host. The commands know how each is
// mended.
var (
	// ErrPorts is about the ports that the machines are to have.
	ErrPorts = errors.New("ports")
	// ErrVM says that the vm program cannot be run.
	ErrVM = errors.New("vm program")
	// ErrNoVM says that there is no vm program where [FindVM] looks.
	ErrNoVM = errors.New("no vm program")
	// ErrNoPause says that this system cannot pause a process.
	ErrNoPause = errors.New("this system cannot pause a process")
)

// cause is an error of a kind that a caller branches on, in its own words.
type cause struct {
	kind error
	text string
	err  error // of the system, or nil
}

func (e *cause) Error() string   { return e.text }
func (e *cause) Unwrap() []error { return []error{e.kind, e.err} }

func portsError(format string, args ...any) error {
	return &experiment.Error{Field: "ports", Err: &cause{ErrPorts, fmt.Sprintf(format, args...), nil}}
}

// Check says what is wrong with a configuration, before anything is begun. That a
// port is taken, or that the directory cannot be made, only [New] finds out.
func (cfg *Config) Check() error {
	n := len(cfg.Rates)
	if n < 1 || n > MaxMachines {
		return &experiment.Error{Field: "machines", Value: strconv.Itoa(n), Err: fmt.Errorf("want 1 to %d; each is a process of this host", MaxMachines)}
	}
	if err := cfg.Spec.Check(); err != nil {
		return err
	}
	switch {
	case cfg.Virtual != nil:
		return errors.New("the run is one in virtual time")
	case len(cfg.Ports) != n:
		return portsError("%s for %s: give one each", figure.Plural(len(cfg.Ports), "port"), figure.Plural(n, "machine"))
	case cfg.Faults.Has(fault.Pause) && !standstill.Can && cfg.Elsewhere == nil:
		return &experiment.Error{Field: "faults", Err: ErrNoPause}
	}
	type place struct {
		address string
		port    int
	}
	seen := make(map[place]int)
	for id, port := range cfg.Ports {
		at := place{loopback, port}
		if cfg.Elsewhere != nil {
			at.address = cfg.Elsewhere.Site(id).Address
		}
		if other, twice := seen[at]; twice && port != 0 {
			return portsError("machines %d and %d have one port, %d: give each its own", other, id, port)
		}
		seen[at] = id
	}
	if cfg.Elsewhere != nil {
		return nil
	}
	if _, err := exec.LookPath(cfg.VM); err != nil {
		if e, ok := errors.AsType[*exec.Error](err); ok {
			err = e.Err
		}
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return &cause{ErrVM, fmt.Sprintf("the vm program %q cannot be run: %v", cfg.VM, err), err}
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
			return nil, portsError("port %q: want a number from 1 to 65535", part)
		}
		ports = append(ports, int(port))
	}
	if len(ports) != machines {
		return nil, portsError("%s for %s: give one each", figure.Plural(len(ports), "port"), figure.Plural(machines, "machine"))
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
	return "", &cause{ErrNoVM, fmt.Sprintf("the program %q is neither beside this one nor in the path", name), exec.ErrNotFound}
}
