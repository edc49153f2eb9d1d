package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is what both ends of a link have: its lock, and at most one session.
type line struct {
	n *Node

	heard atomic.Int64 // when the other end was last heard, as Node.now

	// mu guards all of a link that changes, but for heard. Whoever holds it may
	// take no other lock of this package than that of Node.changes.
	mu      sync.Mutex
	work    sync.Cond // on mu: there may be something for the writer
	session *session  // nil: none
	due     frameSet  // control frames to be written as soon as the phase lets them go out
	stats   Stats
}

// session is one connection of a link, with one goroutine that reads it and one
// that writes.
type session struct {
	conn    net.Conn
	oneHost bool          // both ends seem to be on one host
	quiet   bool          // the systems of both ends tell if the other's host is gone
	ended   chan struct{} // closed when no goroutine of it is left

	// Guarded by line.mu.
	over bool   // nothing more is read; the writer ends, too
	last []byte // the frame that it ends with; nil: none
}

func newSession(conn net.Conn, quiet bool) *session {
	return &session{conn: conn, oneHost: oneHost(conn), quiet: quiet, ended: make(chan struct{})}
}

// converse serves the session: write runs in a goroutine of its own, read in
// this one. When read ends, so does write, and the connection is closed. If
// read's error is a reason that the other end does not know, it is told.
//
// No goroutine is left when converse returns. So one that serves the next
// connection meets no writer that could take frames meant for it.
func (l *line) converse(s *session, write func(*session) error, read func() error) error {
	written := make(chan struct{})
	go func() {
		defer close(written)
		// The reader sees a write that failed as the end of the connection.
		if write(s) != nil {
			_ = s.conn.Close()
		}
	}()
	err := read()
	l.mu.Lock()
	s.over = true
	if e := unsaid(err); e != nil {
		s.last = errorFrame(e)
	}
	lastWord := s.last != nil
	l.mu.Unlock()
	l.work.Signal()
	if lastWord {
		_ = s.conn.SetWriteDeadline(time.Now().Add(LastWordTimeout))
		<-written
		linger(s.conn)
	}
	_ = s.conn.Close()
	<-written
	l.mu.Lock()
	l.session = nil
	l.mu.Unlock()
	close(s.ended)
	l.n.changes.notify()
	return err
}

// put writes one or more frames, with mu released meanwhile.
func (l *line) put(s *session, frames uint64, bufs [][]byte) error {
	l.mu.Unlock()
	n, err := writeAll(s.conn, bufs)
	l.mu.Lock()
	l.stats.Frames += frames
	l.stats.Bytes += uint64(n)
	l.stats.Writes++
	return err
}

// putLast writes what the session ends with, if anything.
func (l *line) putLast(s *session) error {
	if s.last == nil {
		return nil
	}
	return l.put(s, 1, [][]byte{s.last})
}

// lastHeard returns when the other end was last heard, as Node.now.
func (l *line) lastHeard() time.Duration { return time.Duration(l.heard.Load()) }

// giveUp closes the connection, if one stands; mu is held. The reader sees to the rest.
func (l *line) giveUp() {
	if l.session != nil && !l.session.over {
		_ = l.session.conn.Close()
	}
}

// greeted counts a frame of the handshake, which is a write of its own.
func (l *line) greeted(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Frames++
	l.stats.Bytes += uint64(bytes)
	l.stats.Writes++
}

// connected reports whether the link has a session.
func (l *line) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil
}

func (l *line) addStats(s *Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Add(l.stats)
}

// writeAll sends the pieces, with one system call where conn allows it.
func writeAll(conn net.Conn, bufs [][]byte) (int64, error) {
	if len(bufs) == 1 {
		n, err := conn.Write(bufs[0])
		return int64(n), err
	}
	v := net.Buffers(bufs)
	return v.WriteTo(conn)
}

// sayError tells the other end why the connection is closed.
func sayError(conn net.Conn, e *RefusedError) {
	_ = conn.SetWriteDeadline(time.Now().Add(LastWordTimeout))
	_, _ = conn.Write(errorFrame(e))
}

// linger waits, not for long, for the other end to close first. Were this end
// to close while the other still sends, the answer to that would be a reset,
// which can destroy our last frame before it is read.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(LastWordTimeout))
	var sink [4 << 10]byte
	for {
		if _, err := conn.Read(sink[:]); err != nil {
			return
		}
	}
}
