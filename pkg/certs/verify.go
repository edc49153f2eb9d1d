package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/quote"
)

// PeerOf returns whose certificate the other end of a connection has. The handshake, by
// a configuration of [Credentials], has verified it.
func PeerOf(state tls.ConnectionState) (Name, error) {
	if len(state.PeerCertificates) == 0 {
		return Name{}, faulty(ErrNone, "the other end has shown no certificate")
	}
	return nameOf(state.PeerCertificates[0])
}

// nameOf returns the one name of ours in a certificate. There may be others' beside it.
func nameOf(cert *x509.Certificate) (Name, error) {
	var ours []string
	for _, u := range cert.URIs {
		if u.Scheme == scheme {
			ours = append(ours, u.String())
		}
	}
	switch len(ours) {
	case 0:
		return Name{}, faulty(ErrName, "a certificate (%s) names no machine: want a URI such as %s among its subject alternative names",
			subject(cert), Name{Run: "exam"}.URI())
	case 1:
		n, err := ParseURI(ours[0])
		if err != nil {
			return Name{}, faulty(ErrName, "a certificate (%s) names no machine: %v", subject(cert), err)
		}
		return n, nil
	}
	return Name{}, faulty(ErrName, "a certificate (%s) names %d machines: want one", subject(cert), len(ours))
}

// subject is how a certificate is called that may name no machine. Whoever made it has
// chosen that, so it is kept short and quoted.
func subject(cert *x509.Certificate) string {
	s := cert.Subject.String()
	if s == "" {
		return "without a subject"
	}
	return quote.Short(s, 80)
}

// verify decides whether the chain that somebody has shown, its own certificate first,
// is one of this run, for this use, at this time. It returns whose it is.
func verify(chain []*x509.Certificate, roots *x509.CertPool, use x509.ExtKeyUsage, run string, now time.Time) (Name, error) {
	if len(chain) == 0 {
		return Name{}, faulty(ErrNone, "the other end has shown no certificate")
	}
	leaf := chain[0]
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}}
	_, err := leaf.Verify(options)
	if out, ok := errors.AsType[x509.CertificateInvalidError](err); ok && out.Reason == x509.Expired {
		// The time is looked at before the signature. What somebody has signed himself
		// should not be called a certificate of ours.
		options.CurrentTime = leaf.NotAfter
		if _, other := leaf.Verify(options); other == nil {
			return Name{}, outdated(leaf, now)
		} else if again, ok := errors.AsType[x509.CertificateInvalidError](other); !ok || again.Reason != x509.Expired {
			err = other
		}
	}
	if err != nil {
		return Name{}, unsigned(leaf, use, err)
	}
	name, err := nameOf(leaf)
	switch {
	case err != nil:
		return Name{}, err
	case name.Run != run:
		return Name{}, faulty(ErrRun, "the certificate is that of %v, and this is run %q", name, run)
	}
	return name, nil
}

// outdated says of a certificate of ours that its time is over or has not come.
func outdated(leaf *x509.Certificate, now time.Time) error {
	whose := subject(leaf)
	if name, err := nameOf(leaf); err == nil {
		whose = name.String()
	}
	switch {
	case now.After(leaf.NotAfter):
		return faulty(ErrExpired, "the certificate of %s expired at %s", whose, instant(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return faulty(ErrNotYet, "the certificate of %s is valid only from %s on, and here it is %s: do the clocks of the hosts agree?",
			whose, instant(leaf.NotBefore), instant(now))
	}
	return faulty(ErrExpired, "an authority over the certificate of %s has expired", whose)
}

// unsigned says why nobody vouches for a certificate.
func unsigned(leaf *x509.Certificate, use x509.ExtKeyUsage, err error) error {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case ok && invalid.Reason == x509.IncompatibleUsage:
		side := "server"
		if use == x509.ExtKeyUsageClientAuth {
			side = "client"
		}
		return faulty(ErrUsage, "a certificate (%s) is not for a TLS %s: a machine is both, so it has to allow server auth and client auth", subject(leaf), side)
	case ok && invalid.Reason == x509.Expired:
		return faulty(ErrExpired, "a certificate (%s), or an authority over it, has expired", subject(leaf))
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return faulty(ErrAuthority, "a certificate (%s) is signed by none of the run's authorities", subject(leaf))
	}
	return faulty(ErrAuthority, "a certificate (%s) cannot be verified: %v", subject(leaf), err)
}

// instant returns a time as people read it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
