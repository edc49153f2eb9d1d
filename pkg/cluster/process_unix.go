//go:build unix

package cluster

import (
	"net"
	"os"
	"os/exec"

	"github.com/scalemodel/lamport/pkg/control"
)

// passListener hands a listening socket down to a process that is about to be
// started: the port is the machine's from before its start, so no other program
// can take it meanwhile, and no peer finds it closed.
func passListener(cmd *exec.Cmd, ln *net.TCPListener) (release func(), err error) {
	f, err := ln.File()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{f}
	handed := control.Options{ListenFD: 3} // the first after the standard three
	cmd.Args = append(cmd.Args, handed.Args()...)
	return func() { _ = f.Close() }, nil
}
