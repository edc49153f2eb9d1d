package transport

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// watchHost has the system end a connection if the host at its other end is gone. What was just
// written to it then waits for its own time, so the two bounds add up: to seven quarters of
// the interval and two intervals, and what the system takes for granted before it tries again.
func watchHost(conn *net.TCPConn, interval time.Duration) error {
	if interval < 2*time.Second { // the system counts in whole seconds
		return unix.ERANGE
	}
	err := conn.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable:   true,
		Idle:     interval.Truncate(time.Second),
		Interval: (interval / 2).Truncate(time.Second),
		Count:    SilentIntervals, // without effect: the time for what is not answered counts instead
	})
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((interval * 7 / 4).Milliseconds()))
	})
	if failed != nil {
		return failed
	}
	return err
}
