package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/warden"
)

// takeover is how long a machine's earlier process on this host may take to end that
// has lost its launcher.
const takeover = 20 * time.Second

// away reports whether a launcher on another host asks for something else than a
// machine.
func (o *options) away() bool { return o.control.Warded || o.control.ProbePorts != "" }

// runAway does what it asks for.
func (o *options) runAway(c *cli.Context) error {
	if o.control.ProbePorts != "" {
		return probePorts(c.App.Writer, unbracketed(c.String("bind")), o.control.ProbePorts)
	}
	return o.ward(c)
}

// probePorts says which ports this host has; for each 0, one that is free.
func probePorts(stdout io.Writer, bind, list string) error {
	var ports []control.Port
	var held []net.Listener // until all are there: so that none comes twice
	defer func() {
		for _, ln := range held {
			_ = ln.Close()
		}
	}()
	for text := range strings.SplitSeq(list, ",") {
		port, err := strconv.Atoi(text)
		if err != nil {
			return command.Usage("--probe-ports %q: want numbers", list)
		}
		ln, err := transport.Listen(bind, port)
		if err != nil {
			ports = append(ports, control.Port{Port: port, Problem: err.Error()})
			continue
		}
		held = append(held, ln)
		ports = append(ports, control.Port{Port: ln.Addr().(*net.TCPAddr).Port})
	}
	return control.WritePorts(stdout, ports)
}

// ward holds a machine's process, which is this program with the same arguments, for
// a launcher on another host.
func (o *options) ward(c *cli.Context) error {
	program, err := os.Executable()
	if err != nil {
		return exit.With(exit.Misused, err)
	}
	// What this one writes has no reader once the connection is gone.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	interrupted := make(chan struct{})
	go func() {
		<-signals
		close(interrupted)
	}()
	code, err := warden.Run(warden.Config{
		Program: program,
		Args:    slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool { return arg == "--warded" }),
		Stdin:   c.App.Reader, Stdout: c.App.Writer, Stderr: c.App.ErrWriter,
		Orphan:      o.control.Orphan,
		Linger:      c.Duration("linger"),
		Lock:        filepath.Join(c.String("log-dir"), fmt.Sprintf("vm_%s.warden", filepath.Base(c.String("id")))),
		Takeover:    takeover,
		Interrupted: interrupted,
	})
	switch {
	case errors.Is(err, warden.ErrHeld):
		return exit.With(exit.Retry, err) // a later try may find it gone
	case err != nil:
		return exit.With(exit.Misused, err)
	case code == exit.OK:
		return nil
	}
	return exit.With(code, nil)
}
