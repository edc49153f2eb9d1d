package transport

import (
	"net"
	"net/netip"
)

// That the host at the other end of an idle connection is gone is the system's to find out:
// its keep-alive costs no frame, and wakes no process. It says nothing of a process that
// lives and does not answer, nor of what is behind a proxy.

// watched has the system end a connection when the host at its other end is gone, and reports
// whether it does: no later than SilentIntervals+1 intervals after that was last heard. A
// connection that is decorated is not the system's, and what is done to it the system does not
// see.
func watched(conn net.Conn, n *Node) bool {
	tcp, ok := plainTCP(conn)
	if !ok {
		return false
	}
	if oneHost(conn) { // which is not gone while this process is here
		return tcp.SetKeepAlive(false) == nil
	}
	return watchHost(tcp, n.cfg.PingInterval) == nil
}

// plainTCP returns what is under a connection, if that is bare TCP.
func plainTCP(conn net.Conn) (*net.TCPConn, bool) {
	if s, ok := conn.(*secured); ok {
		conn = s.below.Conn
	}
	tcp, ok := conn.(*net.TCPConn)
	return tcp, ok
}

// port returns that of an address, 0 if it has none.
func port(addr net.Addr) uint16 {
	if addr == nil {
		return 0
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return 0
	}
	return ap.Port()
}

// watchedPort returns what HELLO says of the port that a connection is made from: 0 where the
// system does not watch it.
func (n *Node) watchedPort(conn net.Conn) uint16 {
	if !watched(conn, n) {
		return 0
	}
	return port(conn.LocalAddr())
}

// quiet reports whether the systems of both ends watch a connection that somebody has made from
// this port. Where it seems to come from another one, somebody stands in between.
func (n *Node) quiet(conn net.Conn, from uint16) bool {
	return from != 0 && port(conn.RemoteAddr()) == from && watched(conn, n)
}
