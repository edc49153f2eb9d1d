package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Two machines have two links, and a connection for each would cost them two TLS
// handshakes, in which they prove to each other the same. So where both ends can,
// one connection carries both links: the handshake says by ALPN that each of its ends may
// begin a link on it. What the links carry, and how each of them begins and ends, is
// as on connections of their own.

// sharedProtocol is the name by which both ends agree on that (RFC 7301).
const sharedProtocol = "lamport-links/1"

// The two streams of a shared connection, by whose link they are.
const (
	streamOfDialer = iota
	streamOfAcceptor
)

// A shared connection carries chunks: a header of 4 bytes, then a part of a stream. The
// header's highest bit says of which one; the others, how long the part is. 0 is the end
// of the stream.
const (
	chunkHeader = 4
	chunkStream = 1 << 31
	maxChunk    = 64<<10 - chunkHeader // of those that we send: with the header, four whole records of TLS
	maxUnread   = 64 << 10             // how much of a stream is kept for its reader
	minRead     = 2 << 10              // at first; a busy connection is read in records of TLS
	maxRead     = 16 << 10
)

// closingMoment is how long a write may take that is under way when its stream is closed.
const closingMoment = LastWordTimeout / 4

// shared is a connection under TLS that carries both links between two machines. It ends
// when both of its streams are closed here, when either of them can write no
// more, and when the other end is gone.
type shared struct {
	n       *Node
	conn    net.Conn
	streams [2]stream

	writing chan struct{} // a token: whoever has it may write
	out     []byte        // what is written, in the hands of whoever has the token
	limited atomic.Bool   // the connection has a deadline for writing

	once sync.Once
	over chan struct{} // closed when the connection is
}

// share divides a connection in two, until ctx ends.
func (n *Node) share(conn net.Conn) *shared {
	c := &shared{n: n, conn: conn, writing: make(chan struct{}, 1), over: make(chan struct{})}
	for i := range c.streams {
		s := &c.streams[i]
		s.shared, s.closing, s.relimited = c, make(chan struct{}), make(chan struct{}, 1)
		s.changed.L = &s.mu
	}
	stop := context.AfterFunc(n.ctx, c.close)
	n.wg.Go(func() {
		defer stop()
		c.end(c.read())
	})
	return c
}

// end ends the connection, and says why.
func (c *shared) end(why error) {
	for i := range c.streams {
		c.streams[i].end(why)
	}
	c.close()
}

// close ends the connection at once.
func (c *shared) close() {
	c.once.Do(func() {
		close(c.over)
		_ = c.conn.Close()
		for i := range c.streams {
			c.streams[i].end(net.ErrClosed)
		}
	})
}

func (c *shared) isOver() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

// read hands what comes to the streams until the connection ends.
func (c *shared) read() error {
	buf := make([]byte, minRead)
	var to *stream
	end, left := 0, 0 // of what is read, and of the chunk that began before it
	for {
		n, err := c.conn.Read(buf[end:])
		end += n
		at := 0
		for at < end {
			if left > 0 {
				part := buf[at:min(end, at+left)]
				to.take(part)
				at, left = at+len(part), left-len(part)
				continue
			}
			if end-at < chunkHeader {
				break
			}
			head := binary.BigEndian.Uint32(buf[at:])
			at += chunkHeader
			if head%chunkStream > maxChunk {
				return refuse(CodeProtocol, "a chunk of %d bytes, want at most %d", head%chunkStream, maxChunk)
			}
			to, left = &c.streams[head/chunkStream], int(head%chunkStream)
			if left == 0 {
				to.end(io.EOF)
			}
		}
		full := end == len(buf)
		end = copy(buf, buf[at:end])
		if full && len(buf) < maxRead {
			buf = append(make([]byte, 0, maxRead), buf[:end]...)[:maxRead]
		}
		if err != nil {
			return err
		}
	}
}

// write writes chunks of one stream, and its end, if it is to end. The caller may write, and has
// given the connection its deadline.
func (c *shared) write(s *stream, bufs [][]byte, last bool) (written int64, err error) {
	var head uint32
	if s == &c.streams[streamOfAcceptor] {
		head = chunkStream
	}
	flush := func() error {
		part := len(c.out) - chunkHeader
		binary.BigEndian.PutUint32(c.out, head|uint32(part))
		if _, err := c.conn.Write(c.out); err != nil {
			return err
		}
		written += int64(part)
		c.out = c.out[:chunkHeader]
		return nil
	}
	c.out = append(c.out[:0], make([]byte, chunkHeader)...)
	for _, b := range bufs {
		for len(b) > 0 {
			if len(c.out) == chunkHeader+maxChunk {
				if err := flush(); err != nil {
					return written, err
				}
			}
			n := min(len(b), chunkHeader+maxChunk-len(c.out))
			c.out = append(c.out, b[:n]...)
			b = b[n:]
		}
	}
	if len(c.out) > chunkHeader {
		if err := flush(); err != nil {
			return written, err
		}
	}
	if last {
		return written, flush()
	}
	return written, nil
}

// limit gives the connection a deadline for writing. It is for whoever may write.
func (c *shared) limit(t time.Time) {
	c.limited.Store(!t.IsZero())
	_ = c.conn.SetWriteDeadline(t)
}

// stream is one of the two streams of a shared connection: a [net.Conn] for one link.
// It can be closed while the other one goes on.
type stream struct {
	shared  *shared
	closing chan struct{} // closed when the stream is closed here
	// relimited is a token: there is another deadline for writing.
	relimited chan struct{}

	mu       sync.Mutex
	changed  sync.Cond   // on mu: of what follows
	unread   []byte      // what has come
	taken    int         // how much of that has been read
	err      error       // why nothing more comes
	closed   bool        // here
	said     bool        // that nothing follows: the other end knows it, or is told
	writing  bool        // somebody writes on the connection
	readEnd  time.Time   // when a read ends at the latest; zero: none
	wake     *time.Timer // at readEnd, those who read; nil: none
	writeEnd time.Time   // when a write does
}

// other returns the other stream of the same connection.
func (s *stream) other() *stream {
	if s == &s.shared.streams[streamOfDialer] {
		return &s.shared.streams[streamOfAcceptor]
	}
	return &s.shared.streams[streamOfDialer]
}

// take keeps a part of the stream for its reader, and waits where there is too much of it.
func (s *stream) take(part []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && s.err == nil && len(s.unread)-s.taken+len(part) > maxUnread {
		s.changed.Wait()
	}
	if s.closed || s.err != nil {
		return // nobody wants it
	}
	if s.taken > 0 && len(s.unread)+len(part) > cap(s.unread) {
		s.unread = append(s.unread[:0], s.unread[s.taken:]...)
		s.taken = 0
	}
	s.unread = append(s.unread, part...)
	s.changed.Broadcast()
}

// end says that nothing more comes, for that reason.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.changed.Broadcast()
}

// Read reads what the other end has written on this stream.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case s.taken < len(s.unread):
			n := copy(p, s.unread[s.taken:])
			if s.taken += n; s.taken == len(s.unread) {
				s.unread, s.taken = s.unread[:0], 0
			}
			s.changed.Broadcast()
			return n, nil
		case s.err != nil:
			return 0, s.err
		case !s.readEnd.IsZero() && !time.Now().Before(s.readEnd):
			return 0, os.ErrDeadlineExceeded
		}
		s.changed.Wait()
	}
}

// Write writes on this stream.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.writeAll([][]byte{p}, false)
	return int(n), err
}

// writeAll writes the pieces as one.
func (s *stream) writeAll(bufs [][]byte, last bool) (int64, error) {
	if err := s.beginWrite(); err != nil {
		return 0, err
	}
	n, err := s.shared.write(s, bufs, last)
	if err != nil {
		// Of TLS, nothing can follow a record that was cut off.
		s.shared.close()
	}
	s.mu.Lock()
	s.writing = false
	s.mu.Unlock()
	<-s.shared.writing
	return n, err
}

// beginWrite waits for the connection to be free for this stream.
func (s *stream) beginWrite() error {
	for free := false; !free; {
		var late <-chan time.Time
		if end := s.writeDeadline(); !end.IsZero() {
			timer := time.NewTimer(time.Until(end))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case s.shared.writing <- struct{}{}:
			free = true
		case <-s.relimited:
		case <-s.closing:
			return net.ErrClosed
		case <-s.shared.over:
			return net.ErrClosed
		case <-late:
			return os.ErrDeadlineExceeded
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.shared.writing
		return net.ErrClosed
	}
	// In one step: what another deadline or the close of the stream changes from now on must not
	// be undone.
	s.writing = true
	if !s.writeEnd.IsZero() || s.shared.limited.Load() {
		s.shared.limit(s.writeEnd)
	}
	return nil
}

// CloseWrite tells the other end that nothing more follows on this stream. Where it cannot, Close
// will.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	said := s.said
	s.mu.Unlock()
	if said {
		return nil
	}
	if _, err := s.writeAll(nil, true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = true
	return nil
}

// Close ends the stream here, and the connection where the other stream has ended as well.
// It does not wait. What is being written on this stream at that moment is mostly done, and
// has a moment left; if it is not done then, the peer does not read, and the connection
// is cut off.
func (s *stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	close(s.closing)
	s.unread, s.taken = nil, 0
	if s.writing {
		s.shared.limit(time.Now().Add(closingMoment))
	}
	tell := !s.said && !s.shared.isOver()
	s.said = true
	if s.wake != nil {
		s.wake.Stop()
	}
	if tell { // the end of the connection waits for mu, and the node's for that
		s.shared.n.wg.Go(s.sayEnd)
	}
	s.mu.Unlock()
	s.changed.Broadcast()
	if s.other().isClosed() {
		s.shared.close()
	}
	return nil
}

// sayEnd tells the other end that this stream is closed, and ends the connection if it
// cannot be told.
func (s *stream) sayEnd() {
	c := s.shared
	timer := time.NewTimer(LastWordTimeout)
	defer timer.Stop()
	select {
	case c.writing <- struct{}{}:
	case <-c.over:
		return
	case <-timer.C:
		c.close()
		return
	}
	defer func() { <-c.writing }()
	c.limit(time.Now().Add(LastWordTimeout))
	if _, err := c.write(s, nil, true); err != nil {
		c.close()
	}
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *stream) writeDeadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeEnd
}

// SetDeadline is for reading and for writing.
func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline is for the reads that wait, and for those that come.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake != nil {
		s.wake.Stop()
	}
	s.readEnd, s.wake = t, nil
	if !t.IsZero() {
		s.wake = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
	s.changed.Broadcast()
	return nil
}

// SetWriteDeadline is for the write that is under way, and for those that come.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeEnd = t
	if s.writing {
		s.shared.limit(t)
	}
	select {
	case s.relimited <- struct{}{}:
	default:
	}
	return nil
}

// LocalAddr returns the address of this end of the connection.
func (s *stream) LocalAddr() net.Addr { return s.shared.conn.LocalAddr() }

// RemoteAddr returns the address of the other end.
func (s *stream) RemoteAddr() net.Addr { return s.shared.conn.RemoteAddr() }

// NetConn returns the connection, which both streams have in common.
func (s *stream) NetConn() net.Conn { return s.shared.conn }
