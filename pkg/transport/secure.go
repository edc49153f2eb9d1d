package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// TLS is how the machines of a run prove to each other who they are, underneath their
// links: by certificates at both ends.
type TLS struct {
	// Client and Server are for the ends that dial and accept. Each has to demand a
	// certificate of the other end, and to verify in the handshake that it is of the run: by
	// a [tls.CertificateVerificationError] where that fails. Sessions must not be resumed.
	Client, Server *tls.Config
	// Machine returns whose certificate the other end has shown. An error says that it is
	// no machine's.
	Machine func(tls.ConnectionState) (id int, err error)
}

// MaxUnproved is how many bytes somebody may send before it is known who that is, where
// there is TLS: its handshake with a chain of certificates, and HELLO.
const MaxUnproved = 64 << 10

// errUnproved says that somebody has sent too much before that.
var errUnproved = refuse(CodeTLS, "more than %d bytes before it is known who that is", MaxUnproved)

// sharing returns the same for connections that carry both links between two machines,
// where the other end can do that as well. Nothing changes for those that cannot, or that
// only ask something.
func (t *TLS) sharing() *TLS {
	with := *t
	with.Client, with.Server = t.Client.Clone(), t.Server.Clone()
	with.Client.NextProtos = []string{sharedProtocol}
	chosen := t.Server.Clone()
	chosen.NextProtos = with.Client.NextProtos
	with.Server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(h.SupportedProtos, sharedProtocol) {
			return chosen, nil
		}
		return nil, nil
	}
	return &with
}

// secure puts TLS on a connection, where there is to be TLS, and returns the machine whose
// certificate the other end has: AnyID without TLS. The connection has a deadline, until.
// It is that of the dialer's stream, where it carries two. With an error, it
// returns what the other end can be told that on.
func (n *Node) secure(raw net.Conn, client bool, until time.Time) (conn net.Conn, shown int, err error) {
	if n.cfg.TLS == nil {
		return raw, AnyID, nil
	}
	under := &below{Conn: raw}
	s := &secured{below: under}
	if client {
		s.Conn = tls.Client(under, n.cfg.TLS.Client)
	} else {
		s.Conn = tls.Server(under, n.cfg.TLS.Server)
	}
	growStack(0)
	if err := s.Handshake(); err != nil {
		return raw, AnyID, handshakeError(err, client)
	}
	state := s.ConnectionState()
	if shown, err = n.cfg.TLS.Machine(state); err != nil {
		err = &RefusedError{Code: CodeCertificate, Text: err.Error(), cause: err}
	}
	if state.NegotiatedProtocol != sharedProtocol {
		return s, shown, err
	}
	_ = raw.SetDeadline(time.Time{})
	first := &n.share(s).streams[streamOfDialer]
	_ = first.SetDeadline(until)
	return first, shown, err
}

// handshakeStack is about how much stack a handshake needs, in bytes.
const handshakeStack = 13 << 10

// growStack has this goroutine's stack grow to what a handshake needs, at once and while there
// is little on it. Else it grows in the midst of the cryptography, to twice the size again and
// again, and all that is on it is copied each time: of the start of a hundred machines under TLS
// that is a fifteenth of all processor time. The argument is 0, and keeps the compiler from
// doing without the room.
//
//go:noinline
func growStack(at int) byte {
	var room [handshakeStack]byte
	room[at] = 1
	return room[len(room)-1-at]
}

// proved lifts the bounds for those who have not shown who they are.
func proved(conn net.Conn) {
	if s, ok := conn.(*stream); ok {
		conn = s.shared.conn
	}
	if s, ok := conn.(*secured); ok {
		s.below.proved.Store(true)
	}
}

// handshakeError says what an error of a handshake means: a [RefusedError] where it is not
// one of the network. Nobody has proved anything by it, so it is not final. The other end
// has had an alert of TLS, and hears nothing more; but for one that speaks without TLS.
func handshakeError(err error, client bool) error {
	header, isHeader := errors.AsType[tls.RecordHeaderError](err)
	invalid, isInvalid := errors.AsType[*tls.CertificateVerificationError](err)
	remote := remoteAlert(err)
	e := &RefusedError{passing: true, cause: err}
	switch {
	case errors.Is(err, errUnproved):
		e.Code, e.Text = CodeTLS, errUnproved.Text
	case isInvalid:
		e.Code, e.Text, e.cause = CodeCertificate, invalid.Err.Error(), invalid.Err
	case remote != nil:
		e.Code, e.Text = CodeTLS, fmt.Sprintf("the other end has ended the TLS handshake (%v): its diagnostics say why", remote)
	case isHeader && openFrame(header.RecordHeader) && client:
		e.Code, e.Text = CodeTLS, "the machine there speaks without TLS, and this one with it"
	case isHeader && openFrame(header.RecordHeader):
		return errOpen
	case isHeader:
		e.Code, e.Text = CodeProtocol, "it does not begin with a TLS handshake"
	case onNetwork(err):
		return err
	default:
		e.Code, e.Text = CodeTLS, fmt.Sprintf("no TLS handshake: %v", err)
	}
	return e
}

// What is said where TLS is at one end only, to whoever has none.
var (
	errOpen   = refuse(CodeTLS, "TLS is spoken here, and the other end speaks without")
	errSealed = refuse(CodeTLS, "the other end speaks TLS, and TLS is not spoken here")
)

// openFrame reports whether what came in the place of a TLS record is the beginning of a
// HELLO, or of the ERROR that answers it, as machines without TLS send them.
func openFrame(b [5]byte) bool {
	length := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	switch frameType(b[4]) {
	case frameHello:
		return length <= MaxHello
	case frameError:
		return length <= 1+2+MaxErrorText
	}
	return false
}

// looksLikeTLS reports whether somebody begins with a TLS handshake, of any version.
func looksLikeTLS(b []byte) bool { return len(b) >= 2 && b[0] == 0x16 && b[1] == 0x03 }

// remoteAlert returns the reason for which the other end has ended TLS, nil if it has not.
func remoteAlert(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return op.Err
	}
	return nil
}

// onNetwork reports whether an error is that of a network, and not of what came over it.
func onNetwork(err error) bool {
	op, isOp := errors.AsType[*net.OpError](err)
	var timeout net.Error
	return isOp && op.Op != "local error" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.As(err, &timeout) && timeout.Timeout()
}

// secured is a connection under TLS.
type secured struct {
	*tls.Conn
	below *below
}

// Close ends the connection without the alert that TLS ends with. Our own frames say
// where a stream ends, and what was cut off is sent again; and the alert could have to
// wait for a peer that does not read.
func (s *secured) Close() error { return s.below.Close() }

// below is what lies under TLS. It bounds what somebody unknown may send.
type below struct {
	net.Conn
	proved atomic.Bool // the other end has shown who it is
	read   int         // bytes so far, until it has
}

// NetConn returns the connection itself.
func (b *below) NetConn() net.Conn { return b.Conn }

// Read reads from the connection.
func (b *below) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if !b.proved.Load() {
		if b.read += n; b.read > MaxUnproved {
			return 0, errUnproved
		}
	}
	return n, err
}
