package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
)

// LinkStats is how it stands between a machine and a peer.
type LinkStats struct {
	Peer int  // AnyID while it is not known which machine it is
	To   bool // the connection to it stands
	From bool // the one from it does
	Left bool // it has ended or left the run, so that neither will stand again

	Sent       uint64 // messages given to Send by this process
	Resent     uint64 // of these, sent again after a connection broke
	Unconsumed uint64 // sent, and not yet consumed by the peer: they lie in the outbox
	Window     uint64 // how many of them there may be
	Consumed   uint64 // messages of the peer that were acknowledged, by earlier processes too
	Reconnects uint64 // connections to it after the first
}

// Stands reports whether there is nothing to wait for between the two.
func (s LinkStats) Stands() bool { return s.Left || s.To && s.From }

// Links returns how it stands with each peer, in the order of Config.Peers. It may be
// called at any time, from any goroutine.
func (n *Node) Links() []LinkStats {
	all := make([]LinkStats, len(n.out))
	for i, l := range n.out {
		s := &all[i]
		l.mu.Lock()
		s.Peer, s.To, s.Left = l.id, l.session != nil, l.peerClosed()
		s.Sent, s.Window = l.box.next-1-l.past, l.window
		if !l.peerClosed() {
			s.Unconsumed = l.box.unconsumed()
		}
		s.Resent, s.Reconnects = l.stats.Resent, l.stats.Reconnects
		l.mu.Unlock()
		if s.Peer == AnyID {
			continue
		}
		in := n.in[s.Peer]
		in.mu.Lock()
		s.From, s.Consumed = in.session != nil, in.consumed
		in.mu.Unlock()
	}
	return all
}

// Received returns how many bytes have come on all links, without handshakes.
func (n *Node) Received() uint64 { return n.received.Load() }

// counted counts what is read from a connection.
type counted struct {
	io.Reader
	bytes *atomic.Uint64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bytes.Add(uint64(n))
	return n, err
}

// asks reports whether a connection that brought no HELLO has brought a question in HTTP,
// which [Config.Asked] answers. As a frame's length, its first bytes are out of all bounds.
func (n *Node) asks(frames *frameReader) bool {
	return n.cfg.Asked != nil && bytes.HasPrefix(frames.unread(), []byte("GET "))
}

// errAsked says that a connection brings a question.
var errAsked = errors.New("a question")

// mayAsk reports whether somebody who calls from an address that is none of the peers' may ask
// all the same: from this very host. A probe in the machine's container does.
func (n *Node) mayAsk(conn net.Conn) bool {
	if n.cfg.Asked == nil {
		return false
	}
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return false
	}
	to, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return from.Addr().Unmap().IsLoopback() || err == nil && from.Addr() == to.Addr()
}

// unread returns what was read from the stream and not yet handed out.
func (f *frameReader) unread() []byte { return f.buf[f.start:f.end] }

// answer lets whoever asks have an answer. The connection counts as unknown for as long as that
// takes, and has the time that a HELLO has.
func (n *Node) answer(conn net.Conn, frames *frameReader) {
	defer conn.Close()
	n.cfg.Asked(conn, frames.unread())
	n.gate.leave(conn)
}
