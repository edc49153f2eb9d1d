package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is what both ends of a link have: at most one connection, with one
// goroutine that reads it and one that writes.
type line struct {
	heard atomic.Int64 // when the other end was last heard, as Node.now

	mu    sync.Mutex
	work  sync.Cond // on mu: there may be something for the writer
	conn  net.Conn  // what the writer writes to; if it is another, it ends
	last  []byte    // the frame that it ends with
	stats Stats
}

// converse serves a connection: write runs in a goroutine of its own, read in
// this one. When read ends, so does write, and the connection is closed. If
// read's error is a reason that the other end does not know, it is told.
//
// No goroutine is left when converse returns. So one that serves the next
// connection meets no writer that could take frames meant for it.
func (l *line) converse(conn net.Conn, write func(net.Conn) error, read func() error) error {
	written := make(chan struct{})
	go func() {
		defer close(written)
		// The reader sees a write that failed as the end of the connection.
		if write(conn) != nil {
			_ = conn.Close()
		}
	}()
	err := read()
	l.mu.Lock()
	l.conn = nil
	if e := unsaid(err); e != nil {
		l.last = errorFrame(e)
	}
	lastWord := l.last != nil
	l.mu.Unlock()
	l.work.Signal()
	if lastWord {
		_ = conn.SetWriteDeadline(time.Now().Add(LastWordTimeout))
		<-written
		linger(conn)
	}
	_ = conn.Close()
	<-written
	return err
}

// put writes one or more frames, with mu released meanwhile.
func (l *line) put(conn net.Conn, frames uint64, bufs [][]byte) error {
	l.mu.Unlock()
	n, err := writeAll(conn, bufs)
	l.mu.Lock()
	l.stats.Frames += frames
	l.stats.Bytes += uint64(n)
	l.stats.Writes++
	return err
}

// putLast writes what the session ends with, if anything.
func (l *line) putLast(conn net.Conn) error {
	if l.last == nil {
		return nil
	}
	return l.put(conn, 1, [][]byte{l.last})
}

// silent closes the connection if the other end was last heard before oldest.
// The reader sees to the rest.
func (l *line) silent(oldest time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || time.Duration(l.heard.Load()) >= oldest {
		return false
	}
	_ = l.conn.Close()
	return true
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
	if tcp, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(LastWordTimeout))
	var sink [4 << 10]byte
	for {
		if _, err := conn.Read(sink[:]); err != nil {
			return
		}
	}
}
