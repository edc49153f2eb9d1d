package gather

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/scalemodel/lamport/pkg/certs"
)

// ClientTLS returns the configuration of a [Client] with these credentials: it delivers to
// what gathers the logs of its run, and to no machine that pretends to.
func ClientTLS(c *certs.Credentials) *tls.Config {
	conf := c.Client()
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		if err := verify(state); err != nil {
			return err
		}
		name, err := certs.PeerOf(state)
		if err == nil && name.Machine != certs.NoMachine {
			err = fmt.Errorf("%v answers, and not what gathers its logs", name)
		}
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
	return conf
}

// Peer is the Peer of a [Config] whose machines have certificates of package certs. Whoever
// gathers may deliver for all.
func Peer(state *tls.ConnectionState) (run string, machine int, err error) {
	name, err := certs.PeerOf(*state)
	return name.Run, name.Machine, err
}

// stranger reports whether an error says that one end is not who the other wants, or one of
// them has no certificate: that does not pass by itself.
func stranger(err error) bool {
	_, theirs := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	alert, heard := errors.AsType[*net.OpError](err)
	ours := heard && alert.Op == "remote error" && slices.ContainsFunc(refusals, func(a tls.AlertError) bool { return alert.Err.Error() == a.Error() })
	return theirs || ours || plain
}

// refusals are the alerts of an end that takes no certificate like the one that it was shown,
// or was shown none (RFC 8446, 6.2). Outside of QUIC their type has no name, and tells what it
// is by its text alone.
var refusals = []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}
