package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority makes certificates for the machines of a run. What they are called is a
// matter of whoever uses this package: here it is by the name of a host.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "run"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(template, nil)
	a.pool.AddCert(a.cert)
	return a
}

// sign signs a certificate, by itself if there is no other to do that.
func (a *authority) sign(template *x509.Certificate, by *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	signer := a.key
	if by == nil {
		by, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert, key
}

// certificate makes a certificate of a machine.
func (a *authority) certificate(id int, edit func(*x509.Certificate)) tls.Certificate {
	name := "machine-" + strconv.Itoa(id)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(id) + 2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if edit != nil {
		edit(template)
	}
	cert, key := a.sign(template, a.cert)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// machine returns how a machine proves who it is, and whom it believes.
func (a *authority) machine(id int) *TLS { return a.with(a.certificate(id, nil)) }

func (a *authority) with(cert tls.Certificate) *TLS { return believing(a.pool, cert) }

func believing(pool *x509.CertPool, cert tls.Certificate) *TLS {
	verify := func(use x509.ExtKeyUsage) func(tls.ConnectionState) error {
		return func(s tls.ConnectionState) error {
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{use}})
			if err != nil {
				return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
			}
			return nil
		}
	}
	return &TLS{
		Client: &tls.Config{
			Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
			VerifyConnection: verify(x509.ExtKeyUsageServerAuth), DynamicRecordSizingDisabled: true,
		},
		Server: &tls.Config{
			Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
			VerifyConnection: verify(x509.ExtKeyUsageClientAuth), SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
		},
		Machine: func(s tls.ConnectionState) (int, error) {
			for _, name := range s.PeerCertificates[0].DNSNames {
				if id, ok := strings.CutPrefix(name, "machine-"); ok {
					return strconv.Atoi(id)
				}
			}
			return 0, errors.New("the certificate names no machine")
		},
	}
}

// With TLS underneath, messages arrive once, whatever happens to the connections below.
func TestLinksOverTLS(t *testing.T) {
	const count = 2000
	a := newAuthority(t)
	var mu sync.Mutex
	var below []net.Conn
	nodes, boxes := mesh(t, 2, func(c *Config) {
		c.TLS = a.machine(c.ID)
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil {
				mu.Lock()
				below = append(below, conn)
				mu.Unlock()
			}
			return conn, err
		}
	})
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	ctx := within(t)
	each(nodes, func(i int, n *Node) {
		waitForAll(ctx, t, n)
		for seq := range uint64(count) {
			n.Send(1-i, numbered(seq+1))
			if seq == count/2 {
				mu.Lock()
				for _, conn := range below {
					_ = conn.Close()
				}
				below = nil
				mu.Unlock()
			}
		}
	})
	finish(t, nodes)
	for i, b := range boxes {
		b.check(t)
		assert.EqualValues(t, count, b.got(1-i))
		assert.Positive(t, nodes[i].Stats().Reconnects)
	}
}
