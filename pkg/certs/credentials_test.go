package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// words is a log that can be asked what it says.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.b.String(), text)
}

func (w *words) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func replace(t *testing.T, name string, text []byte) {
	t.Helper()
	require.NoError(t, put(name, text, 0o600))
}

// write writes what a machine has into files.
func write(t *testing.T, dir string, a *Authority, n Name, now time.Time) Files {
	t.Helper()
	cert, key, err := a.Issue(n, nil, now, time.Hour)
	require.NoError(t, err)
	f := Files{filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile), filepath.Join(dir, AuthorityFile)}
	replace(t, f.CA, a.Cert())
	replace(t, f.Key, key)
	replace(t, f.Cert, cert)
	return f
}

// Each way in which files can be wrong is an error that names the file.
func TestOpenWrongFiles(t *testing.T) {
	a, other := authority(t), authority(t)
	me := Name{"exam", 1}
	cert, key, err := a.Issue(me, nil, noon, time.Hour)
	require.NoError(t, err)
	otherCert, otherKey, err := other.Issue(me, nil, noon, time.Hour)
	require.NoError(t, err)
	for _, c := range []struct {
		name          string
		cert, key, ca []byte // nil: none
		later         time.Duration
		kind          error
		says          string
	}{
		{name: "no certificate", key: key, ca: a.Cert(), kind: fs.ErrNotExist, says: "tls.crt"},
		{name: "no key", cert: cert, ca: a.Cert(), kind: fs.ErrNotExist, says: "tls.key"},
		{name: "no authority", cert: cert, key: key, kind: fs.ErrNotExist, says: "ca.crt"},
		{name: "empty", cert: []byte{}, key: key, ca: a.Cert(), says: "tls.crt: no certificate in it: want PEM"},
		{name: "the key for the certificate", cert: key, key: key, ca: a.Cert(), says: "tls.crt: no certificate in it: want PEM"},
		{name: "the certificate for the key", cert: cert, key: cert, ca: a.Cert(), says: "tls.crt with "},
		{name: "half a certificate", cert: cert[:len(cert)/2], key: key, ca: a.Cert(), says: "tls.crt: it breaks off, or is damaged, after 0 certificates"},
		{name: "half an authority", cert: cert, key: key, ca: append(a.Cert(), other.Cert()[:100]...), says: "ca.crt: it breaks off, or is damaged, after 1 certificate"},
		{name: "damaged", cert: pemOf("CERTIFICATE", []byte("certificate")), key: key, ca: a.Cert(), says: "tls.crt: certificate 1: x509: malformed certificate"},
		{name: "another's key", cert: cert, key: otherKey, ca: a.Cert(), says: "private key does not match public key"},
		{name: "another authority", cert: otherCert, key: otherKey, ca: a.Cert(), kind: ErrAuthority, says: "signed by none of the run's authorities, which are in "},
		{name: "a machine for an authority", cert: cert, key: key, ca: cert, says: "ca.crt: a certificate (CN=vm-1,O=exam) is not that of an authority"},
		{name: "an authority for a machine", cert: a.Cert(), key: authorityKey(t, a), ca: a.Cert(), kind: ErrName, says: "tls.crt: a certificate (CN=lamport authority "},
		{name: "expired", cert: cert, key: key, ca: a.Cert(), later: 2 * time.Hour, kind: ErrExpired, says: `tls.crt: the certificate of machine 1 of run "exam" expired at 2030-01-01 13:00:00 UTC`},
		{name: "from the future", cert: cert, key: key, ca: a.Cert(), later: -time.Hour, kind: ErrNotYet, says: `valid only from 2030-01-01 11:50:00 UTC`},
		{name: "large", cert: make([]byte, maxFile+1), key: key, ca: a.Cert(), says: "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			f := Files{filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile), filepath.Join(dir, AuthorityFile)}
			for name, text := range map[string][]byte{f.Cert: c.cert, f.Key: c.key, f.CA: c.ca} {
				if text != nil {
					replace(t, name, text)
				}
			}
			_, err := open(f, func() time.Time { return noon.Add(c.later) })
			require.ErrorContains(t, err, c.says)
			if c.kind != nil {
				assert.ErrorIs(t, err, c.kind)
			}
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func pemOf(kind string, b []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})
}

func authorityKey(t *testing.T, a *Authority) []byte {
	key, err := keyPEM(a.key)
	require.NoError(t, err)
	return key
}

// A machine takes new certificates without a start, and keeps the old ones as long as
// the new ones do not do.
func TestRotation(t *testing.T) {
	now := noon
	a, next := authority(t), authority(t)
	dir := t.TempDir()
	f := write(t, dir, a, Name{"exam", 1}, now)
	var log words
	c, err := open(f, func() time.Time { return now })
	require.NoError(t, err)
	c.Log(log.logger())
	first := c.certificate()
	assert.Same(t, first, c.certificate(), "nothing has changed")

	// Half a new one: the key is there, the certificate is not.
	cert, key, err := a.Issue(Name{"exam", 1}, nil, now, 2*time.Hour)
	require.NoError(t, err)
	replace(t, f.Key, key)
	for range 3 {
		assert.Same(t, first, c.certificate())
	}
	assert.Equal(t, 1, log.count("new certificates do not do; the old ones stay"), "it is said once")
	replace(t, f.Cert, cert[:len(cert)-30])
	assert.Same(t, first, c.certificate())
	assert.Equal(t, 2, log.count("new certificates do not do; the old ones stay"))
	replace(t, f.Cert, cert)
	second := c.certificate()
	assert.NotSame(t, first, second)
	assert.Equal(t, now.Add(2*time.Hour), c.NotAfter())
	assert.Equal(t, 1, log.count("certificates were read again"))

	// Another machine's, or another run's, is not taken.
	for _, n := range []Name{{"exam", 2}, {"exam2", 1}} {
		write(t, dir, a, n, now)
		assert.Same(t, second, c.certificate())
	}
	assert.Equal(t, 1, log.count(`is of machine 2 of run \"exam\", and this is machine 1 of run \"exam\"`))
	require.NoError(t, os.Remove(f.CA))
	assert.Same(t, second, c.certificate(), "a file that is gone is no reason to stop")

	// Another authority, and who it vouches for is believed; who the old one does is not.
	write(t, dir, next, Name{"exam", 1}, now)
	assert.NotSame(t, second, c.certificate())
	fresh, _ := issue(t, next, nil)
	old, _ := issue(t, a, nil)
	verify := c.Server().VerifyConnection
	assert.NoError(t, verify(stateOf(fresh)))
	require.ErrorIs(t, verify(stateOf(old)), ErrAuthority)
	replace(t, f.CA, append(a.Cert(), next.Cert()...))
	assert.NoError(t, verify(stateOf(fresh)))
	assert.NoError(t, verify(stateOf(old)), "as long as both are believed")
}

// The files are not looked at again at once: many handshakes come together.
func TestALookDoesForAWhile(t *testing.T) {
	a, dir := authority(t), t.TempDir()
	c, err := open(write(t, dir, a, Name{"exam", 1}, noon), func() time.Time { return noon })
	require.NoError(t, err)
	c.every = time.Hour
	first := c.certificate()
	write(t, dir, a, Name{"exam", 1}, noon)
	assert.Same(t, first, c.certificate())
	c.every = 0
	assert.NotSame(t, first, c.certificate())
}

func stateOf(chain ...*x509.Certificate) tls.ConnectionState {
	return tls.ConnectionState{PeerCertificates: chain}
}

// Kubernetes changes all files of a volume at once: they are links through a link to the
// directory of one version.
func TestRotationOfALink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	a, dir := authority(t), t.TempDir()
	version := func(name string) {
		d := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(d, 0o700))
		write(t, d, a, Name{"exam", 1}, noon)
		require.NoError(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("..1")
	f := Files{filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile), filepath.Join(dir, AuthorityFile)}
	for _, name := range []string{f.Cert, f.Key, f.CA} {
		require.NoError(t, os.Symlink(filepath.Join("..data", filepath.Base(name)), name))
	}
	c, err := open(f, func() time.Time { return noon })
	require.NoError(t, err)
	first := c.certificate()
	version("..2")
	second := c.certificate()
	assert.NotEqual(t, first.Certificate, second.Certificate)
	assert.Same(t, second, c.certificate())
}

// An own certificate that has expired is said once, and shown all the same: it is for the
// peers to refuse it.
func TestOwnCertificateExpires(t *testing.T) {
	now := noon
	f := write(t, t.TempDir(), authority(t), Name{"exam", 1}, now)
	var log words
	c, err := open(f, func() time.Time { return now })
	require.NoError(t, err)
	c.Log(log.logger())
	c.certificate()
	assert.Zero(t, log.count("expired"))
	now = now.Add(2 * time.Hour)
	for range 3 {
		assert.NotNil(t, c.certificate())
	}
	assert.Equal(t, 1, log.count("this machine's certificate has expired"))
}

// Handshakes go on while files change: no handshake fails for it. The race detector looks
// on.
func TestRotationUnderHandshakes(t *testing.T) {
	a := authority(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	var cs [2]*Credentials
	for i, dir := range dirs {
		var err error
		cs[i], err = open(write(t, dir, a, Name{"exam", i}, noon), func() time.Time { return noon })
		require.NoError(t, err)
	}
	client, server := cs[0].Client(), cs[1].Server()
	ctx, cancel := context.WithCancel(t.Context())
	var rotating sync.WaitGroup
	rotating.Go(func() {
		for ctx.Err() == nil {
			for i, dir := range dirs {
				write(t, dir, a, Name{"exam", i}, noon)
			}
		}
	})
	var shaking sync.WaitGroup
	for range 4 {
		shaking.Go(func() {
			for range 10 {
				met, errs := shake(t, client, server)
				assert.Equal(t, [2]error{}, errs)
				assert.Equal(t, [2]Name{{"exam", 1}, {"exam", 0}}, met)
			}
		})
	}
	shaking.Wait()
	cancel()
	rotating.Wait()
}
