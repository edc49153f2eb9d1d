package transport

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Listen listens on a TCP port of an address of this host, "" for all of them, 0 for any
// free port.
// Where the system does not allow it, the error is a [ListenError].
func Listen(addr string, port int) (*net.TCPListener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("port %d: want 1 to 65535", port)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(port)))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) { // which would say the address once more
			err = op.Err
		}
		return nil, &ListenError{addr, port, err}
	}
	return ln.(*net.TCPListener), nil
}

// ListenError says why this host does not let us listen on a port of an address.
// What to do about it depends on who chose them.
type ListenError struct {
	Addr string
	Port int
	Err  error // the system's: errors.Is(err, syscall.EADDRINUSE), for example
}

func (e *ListenError) Error() string {
	addr := e.Addr
	if addr == "" {
		addr = "all addresses"
	}
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d on %s is taken", e.Port, addr)
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("port %d on %s is not allowed to this user", e.Port, addr)
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("address %s is not one of this host", addr)
	}
	return fmt.Sprintf("cannot listen on %s port %d: %v", addr, e.Port, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }
