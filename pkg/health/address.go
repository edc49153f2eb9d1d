package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Address is where a machine can be asked: a TCP address, or the path of a Unix socket.
type Address struct {
	network string // tcp or unix
	address string
}

// ParseAddress reads HOST:PORT, a PORT of the loopback address, :PORT of all addresses, or unix:PATH.
func ParseAddress(text string) (Address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		path = strings.TrimPrefix(path, "//") // as in a URL
		if path == "" {
			return Address{}, fmt.Errorf("%q names no socket: want unix:PATH", text)
		}
		return Address{"unix", path}, nil
	}
	if isPort(text) {
		return Address{"tcp", net.JoinHostPort("127.0.0.1", text)}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || !isPort(port) || strings.ContainsAny(host, "/ ") {
		return Address{}, fmt.Errorf("%q: want HOST:PORT, a PORT of this host, or unix:PATH", text)
	}
	return Address{"tcp", net.JoinHostPort(host, port)}, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// String returns the address as [ParseAddress] reads it.
func (a Address) String() string {
	if a.network == "unix" {
		return "unix:" + a.address
	}
	return a.address
}

// dial connects to the address; one that stands for all addresses of a host is asked by
// its loopback address.
func (a Address) dial(ctx context.Context) (net.Conn, error) {
	address := a.address
	if a.network == "tcp" {
		host, port, _ := net.SplitHostPort(address)
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			host = "localhost"
		}
		address = net.JoinHostPort(host, port)
	}
	return new(net.Dialer).DialContext(ctx, a.network, address)
}

// listen listens on the address. A socket that an earlier process has left behind is
// replaced, and one that somebody listens on is not: like a port that is taken, it is [syscall.EADDRINUSE].
func (a Address) listen() (net.Listener, error) {
	if a.network == "unix" {
		if err := a.removeStale(); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen(a.network, a.address)
	if err == nil {
		return ln, nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok { // which would say the address once more
		err = op.Err
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%v is taken: %w", a, err)
	}
	return nil, fmt.Errorf("cannot listen on %v: %w", a, err)
}

// removeStale removes a socket on which nobody listens any more. What else is in the way is not ours
// to remove, and does not go away by itself, as a process does that has the socket.
func (a Address) removeStale() error {
	info, err := os.Lstat(a.address)
	switch {
	case err != nil:
		return nil //nolint:nilerr // mostly there is nothing, and listening will name the rest
	case info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("%s is there already, and is no socket", a.address)
	}
	conn, err := net.Dial("unix", a.address)
	if err == nil {
		_ = conn.Close()
	}
	const windowsRefused = syscall.Errno(10061)
	stale := errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, windowsRefused)
	if !stale {
		return fmt.Errorf("%v is taken: %w", a, syscall.EADDRINUSE) // also by who has no time, or lets us not in
	}
	if err := os.Remove(a.address); err != nil {
		return fmt.Errorf("the socket that an earlier process has left behind cannot be removed: %w", err)
	}
	return nil
}
