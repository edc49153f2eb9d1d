package certs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// issue makes a certificate by hand, as cert-manager or somebody else might; signed by
// itself where there is no authority.
func issue(t testing.TB, by *Authority, edit func(*x509.Certificate)) (*x509.Certificate, ed25519.PrivateKey) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "hand-made"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, URIs: uris(t, Name{"exam", 1}.URI()),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(template)
	}
	if by == nil {
		by = &Authority{template, key}
	}
	cert, err := sign(template, by.cert, public, by.key)
	require.NoError(t, err)
	return cert, key
}

func uris(t testing.TB, all ...string) (parsed []*url.URL) {
	for _, s := range all {
		u, err := url.Parse(s)
		require.NoError(t, err)
		parsed = append(parsed, u)
	}
	return parsed
}

func authority(t testing.TB) *Authority {
	a, err := NewAuthority(noon, AuthorityValid)
	require.NoError(t, err)
	return a
}

func pool(as ...*Authority) *x509.CertPool {
	p := x509.NewCertPool()
	for _, a := range as {
		p.AddCert(a.cert)
	}
	return p
}

// Every way in which a certificate can be wrong has its sentence, and so does not get in.
func TestVerify(t *testing.T) {
	ours, theirs := authority(t), authority(t)
	for _, c := range []struct {
		name string
		by   *Authority
		edit func(*x509.Certificate)
		kind error // nil: it is good
		says string
	}{
		{name: "good", by: ours},
		{name: "other names beside ours", by: ours, edit: func(c *x509.Certificate) {
			c.URIs = append(uris(t, "spiffe://cluster/ns/lab"), c.URIs...)
			c.DNSNames = []string{"vm-1"}
		}},
		{name: "any use", by: ours, edit: func(c *x509.Certificate) { c.ExtKeyUsage = nil }},
		{name: "any use, said", by: ours, edit: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }},
		{
			"another authority's", theirs, nil, ErrAuthority,
			`a certificate (CN=hand-made) is signed by none of the run's authorities`,
		},
		{
			"its own", nil, nil, ErrAuthority,
			`a certificate (CN=hand-made) is signed by none of the run's authorities`,
		},
		{
			"expired", ours, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }, ErrExpired,
			`the certificate of machine 1 of run "exam" expired at 2030-01-01 11:59:00 UTC`,
		},
		{
			"expired, and another authority's", theirs, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }, ErrAuthority,
			`a certificate (CN=hand-made) is signed by none of the run's authorities`,
		},
		{
			"not valid yet", ours, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Minute) }, ErrNotYet,
			`the certificate of machine 1 of run "exam" is valid only from 2030-01-01 12:01:00 UTC on, and here it is 2030-01-01 12:00:00 UTC: do the clocks of the hosts agree?`,
		},
		{
			"longer than its authority", ours, func(c *x509.Certificate) { c.NotAfter = noon.Add(10 * AuthorityValid) }, nil, "",
		},
		{
			"for something else", ours, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, ErrUsage,
			`a certificate (CN=hand-made) is not for a TLS server: a machine is both, so it has to allow server auth and client auth`,
		},
		{
			"without a name", ours, func(c *x509.Certificate) { c.URIs = nil; c.Subject = pkix.Name{} }, ErrName,
			`a certificate (without a subject) names no machine: want a URI such as lamport:/exam/machine/0 among its subject alternative names`,
		},
		{
			"a name that is none", ours, func(c *x509.Certificate) { c.URIs = uris(t, "lamport://exam/machine/1") }, ErrName,
			`a certificate (CN=hand-made) names no machine: "lamport://exam/machine/1" names no machine of a run: want lamport:/exam/machine/0 or lamport:/exam/gather`,
		},
		{
			"two names", ours, func(c *x509.Certificate) { c.URIs = uris(t, "lamport:/exam/machine/1", "lamport:/exam/machine/2") }, ErrName,
			`a certificate (CN=hand-made) names 2 machines: want one`,
		},
		{
			"another run", ours, func(c *x509.Certificate) { c.URIs = uris(t, "lamport:/exam2/machine/1") }, ErrRun,
			`the certificate is that of machine 1 of run "exam2", and this is run "exam"`,
		},
		{
			"a name that would do something to a terminal", theirs, func(c *x509.Certificate) {
				c.Subject.CommonName = "\x1b[2J" + strings.Repeat("long", 100)
			}, ErrAuthority, `a certificate (CN=\x1b[2Jlong`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert, _ := issue(t, c.by, c.edit)
			name, err := verify([]*x509.Certificate{cert}, pool(ours), asServer, "exam", noon)
			var m met
			for range 2 { // whether it was met or not
				again, differs := m.verify([]*x509.Certificate{cert}, pool(ours), asServer, "exam", noon)
				assert.Equal(t, name, again)
				assert.Equal(t, err, differs)
			}
			if c.kind == nil {
				require.NoError(t, err)
				assert.Equal(t, Name{"exam", 1}, name)
				return
			}
			require.ErrorIs(t, err, c.kind)
			assert.Contains(t, err.Error(), c.says)
			assert.Less(t, len(err.Error()), 300)
		})
	}
	_, err := verify(nil, pool(ours), asClient, "exam", noon)
	assert.ErrorIs(t, err, ErrNone)
	_, err = PeerOf(tls.ConnectionState{})
	assert.ErrorIs(t, err, ErrNone)
}

// What each use needs is what [x509.Certificate.Verify] says that it needs.
func TestUsesAreThoseOfX509(t *testing.T) {
	ours := authority(t)
	some := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageAny, x509.ExtKeyUsageCodeSigning}
	for set := range 1 << len(some) {
		cert, _ := issue(t, ours, func(c *x509.Certificate) {
			c.ExtKeyUsage = nil
			for i, u := range some {
				if set&(1<<i) != 0 {
					c.ExtKeyUsage = append(c.ExtKeyUsage, u)
				}
			}
		})
		for use, u := range uses {
			_, want := cert.Verify(x509.VerifyOptions{Roots: pool(ours), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{u.key}})
			_, got := verify([]*x509.Certificate{cert}, pool(ours), use, "exam", noon)
			assert.Equal(t, want == nil, got == nil, "%v as a %s: %v, %v", cert.ExtKeyUsage, u.name, want, got)
		}
	}
}

// Who was met once is not let in for good: its time runs out, and so does that of the
// authorities above it.
func TestWhoWasMetExpires(t *testing.T) {
	root := authority(t)
	middle, key := issue(t, root, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.URIs, c.ExtKeyUsage = true, true, nil, nil
		c.KeyUsage = x509.KeyUsageCertSign
		c.NotAfter = noon.Add(time.Minute)
	})
	root.cert.MaxPathLenZero, root.cert.MaxPathLen = false, -1 // as an authority of authorities has it
	leaf, _ := issue(t, &Authority{middle, key}, nil)
	chain := []*x509.Certificate{leaf, middle}
	var m met
	for _, c := range []struct {
		at   time.Duration
		kind error
	}{{0, nil}, {time.Minute, nil}, {2 * time.Minute, ErrExpired}, {3 * time.Hour, ErrExpired}, {-2 * time.Hour, ErrNotYet}, {30 * time.Second, nil}} {
		_, err := m.verify(chain, pool(root), asClient, "exam", noon.Add(c.at))
		assert.ErrorIs(t, err, c.kind, "%v", c.at)
	}
	assert.Len(t, m.passports, 1)
	_, err := m.verify(chain[:1], pool(root), asClient, "exam", noon)
	assert.ErrorIs(t, err, ErrAuthority, "without the one between")
}

// A certificate that an authority between has signed is good, and one that a machine has
// signed is not.
func TestMachinesAreNoAuthorities(t *testing.T) {
	root := authority(t)
	machine, key := issue(t, root, nil)
	forged, _ := issue(t, &Authority{machine, key}, func(c *x509.Certificate) { c.URIs = uris(t, "lamport:/exam/machine/0") })
	_, err := verify([]*x509.Certificate{forged, machine}, pool(root), asClient, "exam", noon)
	assert.ErrorIs(t, err, ErrAuthority)
}

// A certificate that stands among the authorities is believed as it is, whoever has signed it: but
// nobody for whom it has signed, and no longer or for more than it says itself.
func TestBelievedAsItStands(t *testing.T) {
	ours := authority(t)
	for _, by := range []*Authority{nil, ours, authority(t)} {
		roots := pool(ours)
		believed, key := issue(t, by, nil)
		roots.AddCert(believed)
		name, err := verify([]*x509.Certificate{believed}, roots, asClient, "exam", noon)
		require.NoError(t, err)
		assert.Equal(t, Name{"exam", 1}, name)
		_, err = verify([]*x509.Certificate{believed}, roots, asClient, "exam2", noon)
		require.ErrorIs(t, err, ErrRun)
		_, err = verify([]*x509.Certificate{believed}, roots, asClient, "exam", noon.Add(2*time.Hour))
		require.ErrorIs(t, err, ErrExpired)
		forged, _ := issue(t, &Authority{believed, key}, func(c *x509.Certificate) { c.URIs = uris(t, "lamport:/exam/machine/0") })
		for _, chain := range [][]*x509.Certificate{{forged}, {forged, believed}} {
			_, err = verify(chain, roots, asClient, "exam", noon)
			require.ErrorIs(t, err, ErrAuthority)
		}
	}
}
