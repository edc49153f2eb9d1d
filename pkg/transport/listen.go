package transport

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Listen listens on a TCP port of an address of this host, 0 for any free port.
// Its errors say in one line what is in the way, and wrap the system's; what to
// do about a port that is taken depends on the caller, who gives that advice.
func Listen(bind string, port int, advice string) (*net.TCPListener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("port %d: want 1 to 65535", port)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(bind, strconv.Itoa(port)))
	var op *net.OpError
	switch {
	case err == nil:
		return ln.(*net.TCPListener), nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d on %s is taken: %s (%w)", port, bind, advice, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %d on %s is not allowed to this user: choose one above 1023 (%w)", port, bind, syscall.EACCES)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("address %s is not one of this host: choose one that is, or 0.0.0.0 for all (%w)", bind, syscall.EADDRNOTAVAIL)
	case errors.As(err, &op):
		return nil, fmt.Errorf("cannot listen on %s port %d: %w", bind, port, op.Err)
	}
	return nil, fmt.Errorf("cannot listen on %s port %d: %w", bind, port, err)
}
