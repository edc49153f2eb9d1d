package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// Credentials are what one process of a run proves itself with, and whom it believes.
// All methods are safe for concurrent use.
type Credentials struct {
	files Files
	name  Name
	now   func() time.Time
	every time.Duration // how long a look at the files does, lookEvery

	mu   sync.Mutex
	log  *slog.Logger
	held *loaded
	seen stamp     // of the files that were tried last
	when time.Time // the files were looked at, by the real clock
	why  string
	aged bool // that held has expired was said
}

// loaded is what stood in the files.
type loaded struct {
	cert  tls.Certificate // with its Leaf
	roots *x509.CertPool
	met   met // by these roots
}

// FileError says which of the [Files] does not do.
type FileError struct {
	Which string // cert, key or ca
	Err   error
}

// Error returns what is wrong with it.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap returns e.Err.
func (e *FileError) Unwrap() error { return e.Err }

// Open reads the files. It fails where they do not belong together, and where the
// certificate is not one that a peer with the same files would take: see [ErrExpired]
// and the others. The error is a [*FileError].
func Open(f Files) (*Credentials, error) {
	c, err := open(f, time.Now)
	if err != nil {
		return nil, err
	}
	c.every = lookEvery
	return c, nil
}

// lookEvery is for how long the files need not be looked at again. At the start of a hundred
// machines, each shakes hands a hundred times within seconds, and each time asks twice.
const lookEvery = 100 * time.Millisecond

func open(f Files, now func() time.Time) (*Credentials, error) {
	c := &Credentials{files: f, now: now, log: slog.New(slog.DiscardHandler), seen: look(f)}
	held, name, err := load(f, now())
	if err != nil {
		return nil, err
	}
	c.held, c.name = held, name
	return c, nil
}

// Log says from now on in a log when the files are read again, when what is in them
// does not do, and when the certificate has expired.
func (c *Credentials) Log(l *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = l
}

// Files returns where it was read from.
func (c *Credentials) Files() Files { return c.files }

// Name returns whose the certificate is. It stays the same when the files change: a
// certificate of somebody else is not taken.
func (c *Credentials) Name() Name { return c.name }

// NotAfter returns when the certificate expires.
func (c *Credentials) NotAfter() time.Time { return c.current().cert.Leaf.NotAfter }

// curves are those of the key exchange: the one that every TLS 1.3 has, and that takes
// the least time. A hundred machines shake hands ten thousand times before they start, and
// with the exchange that also withstands a quantum computer, the usual one of crypto/tls,
// that takes half as long again.
var curves = []tls.CurveID{tls.CurveP256}

// Server returns the configuration for the end of a connection that accepts: TLS 1.3,
// and nobody without a certificate of the same run. It may be changed before its first
// use, but for what says who is let in.
func (c *Credentials) Server() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: curves,
		GetCertificate:   func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.certificate(), nil },
		// The chain is verified in VerifyConnection, by what the files hold at that time.
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: c.verifier(asClient),
		// A session that is resumed shows the certificates of when it began. After a
		// rotation it would be refused again and again, as long as it is remembered.
		SessionTicketsDisabled: true,
		// A record costs the same whatever its size: these are not pages for a browser
		// that waits for the first words.
		DynamicRecordSizingDisabled: true,
	}
}

// Client returns the configuration for the end of a connection that dials, as
// [Credentials.Server] for the other one. It needs no ServerName.
func (c *Credentials) Client() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		CurvePreferences:     curves,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.certificate(), nil },
		// This only turns off what crypto/tls would verify by itself, by the name of a
		// host. VerifyConnection is called in each handshake and verifies the chain, its
		// use, and the run; and an error of it ends the handshake.
		InsecureSkipVerify:          true,
		VerifyConnection:            c.verifier(asServer),
		DynamicRecordSizingDisabled: true,
	}
}

// verifier returns what verifies a peer's certificate, by the authorities of that time.
func (c *Credentials) verifier(use int) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		held := c.current()
		_, err := held.met.verify(state.PeerCertificates, held.roots, use, c.name.Run, c.now())
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
}

// certificate returns what is shown to a peer.
func (c *Credentials) certificate() *tls.Certificate {
	held := c.current()
	if leaf := held.cert.Leaf; c.now().After(leaf.NotAfter) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.aged && c.held == held {
			c.aged = true
			c.log.Error("this machine's certificate has expired: connections that stand remain, but no peer takes a new one", "file", c.files.Cert, "expired", instant(leaf.NotAfter))
		}
	}
	return &held.cert
}

// current returns what the files hold, and reads them only if they have changed. Where
// what is new does not do, perhaps because it is only half written, the old stays.
func (c *Credentials) current() *loaded {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.when) < c.every {
		return c.held
	}
	c.when = time.Now()
	now := look(c.files)
	if now.same(c.seen) {
		return c.held
	}
	// The look is from before the reading: what changes meanwhile is read next time.
	c.seen = now
	held, name, err := load(c.files, c.now())
	if err == nil && name != c.name {
		err = fmt.Errorf("%s is of %v, and this is %v", c.files.Cert, name, c.name)
	}
	switch {
	case err == nil:
		c.held, c.why, c.aged = held, "", false
		c.log.Info("certificates were read again", "file", c.files.Cert, "valid-until", instant(held.cert.Leaf.NotAfter))
	case err.Error() != c.why:
		c.why = err.Error()
		c.log.Warn("new certificates do not do; the old ones stay", "reason", err)
	}
	return c.held
}

// stamp tells whether files have changed, by what the system knows of them without
// reading. A link counts as what it leads to, so that a change of it is one: that is how
// Kubernetes changes all files of a volume in one step.
type stamp [3]os.FileInfo

func look(f Files) (s stamp) {
	for i, name := range [...]string{f.Cert, f.Key, f.CA} {
		s[i], _ = os.Stat(name) // nil is a stamp as well; load says why
	}
	return s
}

func (s stamp) same(other stamp) bool {
	for i, a := range s {
		b := other[i]
		if a == nil || b == nil {
			if a != b {
				return false
			}
			continue
		}
		if !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() || !os.SameFile(a, b) {
			return false
		}
	}
	return true
}

// maxFile is the largest file of certificates that is read, in bytes.
const maxFile = 1 << 20

// load reads the files, and decides whether peers with the same ones would take them.
func load(f Files, now time.Time) (*loaded, Name, error) {
	fail := func(which string, err error) (*loaded, Name, error) { return nil, Name{}, &FileError{which, err} }
	_, believed, err := readCertificates(f.CA)
	if err != nil {
		return fail("ca", err)
	}
	if first := believed[0]; !first.IsCA {
		return fail("ca", fmt.Errorf("%s: a certificate (%s) is not that of an authority", f.CA, subject(first)))
	}
	chainPEM, chain, err := readCertificates(f.Cert)
	if err != nil {
		return fail("cert", err)
	}
	key, err := guarded.ReadFile(f.Key, maxFile)
	if err != nil {
		return fail("key", err)
	}
	cert, err := tls.X509KeyPair(chainPEM, key)
	if err != nil {
		return fail("key", fmt.Errorf("%s with %s: %w", f.Cert, f.Key, err))
	}
	l := &loaded{cert: cert, roots: x509.NewCertPool()}
	l.cert.Leaf = chain[0]
	for _, b := range believed {
		l.roots.AddCert(b)
	}
	name, err := nameOf(chain[0])
	if err != nil {
		return fail("cert", fmt.Errorf("%s: %w", f.Cert, err))
	}
	for use := range uses {
		if _, err := verify(chain, l.roots, use, name.Run, now); err != nil {
			if errors.Is(err, ErrAuthority) {
				return fail("cert", fmt.Errorf("%s: %w, which are in %s", f.Cert, err, f.CA))
			}
			return fail("cert", fmt.Errorf("%s: %w", f.Cert, err))
		}
	}
	return l, name, nil
}

// readCertificates reads all certificates of a file, at least one, and returns the
// file, too.
func readCertificates(name string) (text []byte, certs []*x509.Certificate, err error) {
	text, err = guarded.ReadFile(name, maxFile)
	if err != nil {
		return nil, nil, err
	}
	for rest := text; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && bytes.Contains(rest, []byte("-----BEGIN")):
			return nil, nil, fmt.Errorf("%s: it breaks off, or is damaged, after %s", name, figure.Plural(len(certs), "certificate"))
		case block == nil && len(certs) == 0:
			return nil, nil, fmt.Errorf("%s: no certificate in it: want PEM, which begins with -----BEGIN CERTIFICATE-----", name)
		case block == nil:
			return text, certs, nil
		case block.Type != "CERTIFICATE":
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: certificate %d: %w", name, len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
}
