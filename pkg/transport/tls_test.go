package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority makes certificates for the machines of a run.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
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

// machine returns how a machine proves who it is, and whom it believes.
func (a *authority) machine(id int) *tls.Config {
	name := "machine-" + strconv.Itoa(id)
	cert, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(int64(id) + 2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		RootCAs:      a.pool, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS13,
	}
}

// TLS with certificates on both sides fits underneath, by a listener and Config.Dial
// alone: messages arrive once, whatever happens to the connections below, and
// whoever has no certificate is turned away.
func TestLinksOverTLS(t *testing.T) {
	const count = 2000
	a := newAuthority(t)
	lns, names := make([]net.Listener, 2), map[string]string{}
	configs := []*tls.Config{a.machine(0), a.machine(1)}
	for i := range lns {
		ln := listen(t)
		names[ln.Addr().String()] = "machine-" + strconv.Itoa(i)
		lns[i] = tls.NewListener(ln, configs[i])
	}
	var mu sync.Mutex
	var below []net.Conn
	nodes, boxes := nodesOn(t, lns, func(c *Config) {
		mine := configs[c.ID]
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			below = append(below, conn)
			mu.Unlock()
			cfg := mine.Clone()
			cfg.ServerName = names[addr]
			over := tls.Client(conn, cfg)
			if err := over.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, err
			}
			return over, nil
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

	stranger, err := tls.Dial("tcp", nodes[0].ln.Addr().String(), &tls.Config{RootCAs: a.pool, ServerName: "machine-0"})
	if err == nil { // in TLS 1.3 the client hears of it when it reads
		_, err = stranger.Read(make([]byte, 1))
		_ = stranger.Close()
	}
	require.ErrorContains(t, err, "certificate required")
	eventually(t, "the stranger is counted", func() bool { return nodes[0].Stats().Refused == 1 })

	finish(t, nodes)
	for i, b := range boxes {
		b.check(t)
		assert.EqualValues(t, count, b.got(1-i))
		assert.Positive(t, nodes[i].Stats().Reconnects)
	}
}
