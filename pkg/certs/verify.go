package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
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

// passport is what a chain of certificates has proved that authorities of the run vouch
// for. A machine is met again whenever a connection is made anew, all of them at once after a
// partition, and the signatures of its chain are a good part of what a handshake costs.
type passport struct {
	name        Name
	from, until time.Time // in between, all of the chain is valid
	uses        [2]bool   // as a server, as a client
}

// The uses of a certificate, as places in passport.uses.
const (
	asServer = iota
	asClient
)

var uses = [...]struct {
	key  x509.ExtKeyUsage
	name string
}{asServer: {x509.ExtKeyUsageServerAuth, "server"}, asClient: {x509.ExtKeyUsageClientAuth, "client"}}

// verify decides whether the chain that somebody has shown, its own certificate first,
// is one of this run, for this use, at this time. It returns whose it is.
func verify(chain []*x509.Certificate, roots *x509.CertPool, use int, run string, now time.Time) (Name, error) {
	p, err := vouched(chain, roots, now)
	if err != nil {
		return Name{}, err
	}
	return p.admit(chain, use, run)
}

// admit decides about somebody for whom an authority vouches.
func (p *passport) admit(chain []*x509.Certificate, use int, run string) (Name, error) {
	switch {
	case !p.uses[use]:
		return Name{}, faulty(ErrUsage, "a certificate (%s) is not for a TLS %s: a machine is both, so it has to allow server auth and client auth", subject(chain[0]), uses[use].name)
	case p.name.Run != run:
		return Name{}, faulty(ErrRun, "the certificate is that of %v, and this is run %q", p.name, run)
	}
	return p.name, nil
}

// vouched verifies the signatures of a chain, and whether it is valid now.
func vouched(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) (p *passport, err error) {
	if len(chain) == 0 {
		return nil, faulty(ErrNone, "the other end has shown no certificate")
	}
	leaf := chain[0]
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	chains, err := leaf.Verify(options)
	if expired(err) {
		// The time is looked at before the signature. What somebody has signed himself
		// should not be called a certificate of ours.
		options.CurrentTime = leaf.NotAfter
		if _, err = leaf.Verify(options); err == nil || expired(err) {
			return nil, outdated(leaf, now)
		}
	}
	if err != nil {
		return nil, unsigned(leaf, err)
	}
	p = &passport{from: leaf.NotBefore, until: leaf.NotAfter}
	for _, c := range chains {
		p.takes(c)
	}
	p.name, err = nameOf(leaf)
	return p, err
}

func expired(err error) bool {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok && invalid.Reason == x509.Expired
}

// takes takes in what one verified chain allows. There is more than one only where an
// authority has more than one certificate.
func (p *passport) takes(chain []*x509.Certificate) {
	for i, u := range uses {
		// As [x509.VerifyOptions] has it: who says nothing of its use allows any.
		p.uses[i] = p.uses[i] || !slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
			return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 &&
				!slices.Contains(c.ExtKeyUsage, u.key) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
		})
	}
	for _, c := range chain {
		if c.NotBefore.After(p.from) {
			p.from = c.NotBefore
		}
		if c.NotAfter.Before(p.until) {
			p.until = c.NotAfter
		}
	}
}

// maxMet is how many chains are remembered, at most. All are of an authority of the run.
const maxMet = 10_000

// met remembers the chains that were verified under the same authorities.
type met struct {
	mu        sync.Mutex
	passports map[[sha256.Size]byte]*passport
}

// verify is [verify], but knows whom it has met.
func (m *met) verify(chain []*x509.Certificate, roots *x509.CertPool, use int, run string, now time.Time) (Name, error) {
	hash := sha256.New()
	for _, c := range chain {
		hash.Write(c.Raw) // which begins with its length
	}
	key := [sha256.Size]byte(hash.Sum(nil))
	m.mu.Lock()
	p := m.passports[key]
	m.mu.Unlock()
	if p == nil || now.Before(p.from) || now.After(p.until) {
		var err error
		if p, err = vouched(chain, roots, now); err != nil {
			return Name{}, err
		}
		m.mu.Lock()
		if m.passports == nil {
			m.passports = make(map[[sha256.Size]byte]*passport)
		}
		if len(m.passports) < maxMet {
			m.passports[key] = p
		}
		m.mu.Unlock()
	}
	return p.admit(chain, use, run)
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
func unsigned(leaf *x509.Certificate, err error) error {
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		return faulty(ErrAuthority, "a certificate (%s) is signed by none of the run's authorities", subject(leaf))
	}
	return faulty(ErrAuthority, "a certificate (%s) cannot be verified: %v", subject(leaf), err)
}

// instant returns a time as people read it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
