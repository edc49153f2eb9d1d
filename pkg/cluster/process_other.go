//go:build !unix

package cluster

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
)

// passListener frees the port for a process that is about to be started, since
// sockets cannot be handed down here. Another program could take it in
// between; the machine then says so.
func passListener(cmd *exec.Cmd, ln *net.TCPListener) (release func(), err error) {
	port := ln.Addr().(*net.TCPAddr).Port
	cmd.Args = append(cmd.Args, "--port", strconv.Itoa(port))
	if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return nil, err
	}
	return func() {}, nil
}
