package certs

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

const (
	// DefaultValid is for how long a certificate is valid, where nothing else is said.
	DefaultValid = 30 * 24 * time.Hour
	// AuthorityValid is for how long an authority is, at least: so the certificates under
	// it can be renewed.
	AuthorityValid = 365 * 24 * time.Hour
	// Slack is how long before it was made a certificate is valid from, since the clocks
	// of hosts differ.
	Slack = 10 * time.Minute
)

// Authority signs the certificates of runs. Its key and theirs are of Ed25519, which takes
// less time than ECDSA.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes an authority with a key of its own, valid from now on for that long.
func NewAuthority(now time.Time, valid time.Duration) (*Authority, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// Another authority of the same name would be taken for this one, until its
		// signature turns out to be another's.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("lamport authority %08x", new(big.Int).Rsh(serial, 94))},
		NotBefore:             now.Add(-Slack).UTC(),
		NotAfter:              now.Add(valid).UTC(),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true, // it signs machines, and no other authorities
		KeyUsage:              x509.KeyUsageCertSign,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{cert, key}, nil
}

// Issue makes a key, and a certificate for it, valid from now on for that long, but no
// longer than the authority itself. Hosts are names or addresses of the host that the
// machine is on, for other programs: this package does not look at them. Both are
// returned in PEM.
func (a *Authority) Issue(n Name, hosts []string, now time.Time, valid time.Duration) (cert, key []byte, err error) {
	if err := n.Check(); err != nil {
		return nil, nil, err
	}
	uri, err := url.Parse(n.URI())
	if err != nil {
		return nil, nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	end := now.Add(valid)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: directory(n), Organization: []string{n.Run}},
		NotBefore:    now.Add(-Slack).UTC(),
		NotAfter:     end.UTC(),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{uri},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	made, err := sign(template, a.cert, own.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(own)
	return certPEM(made), key, err
}

// Cert returns the authority's certificate in PEM.
func (a *Authority) Cert() []byte { return certPEM(a.cert) }

// NotAfter returns until when the authority is valid.
func (a *Authority) NotAfter() time.Time { return a.cert.NotAfter }

func sign(template, by *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, by, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newSerial draws a serial number of 126 bits, above 0: no two are ever the same, and
// no list of them has to be kept.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return n.Add(n, big.NewInt(1)), nil
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
