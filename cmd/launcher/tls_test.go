//go:build unix

package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/certs"
)

// A run over TLS is one like another: what breaks is survived, machines come back, and
// nothing is left of the keys. It can be done again.
func TestRunOverTLS(t *testing.T) {
	t.Parallel()
	const plan = `at 300ms kill 1 for 200ms
		at 600ms partition 0 | 1,2 for 300ms
		from 800ms delay 0-* 20ms 10ms for 500ms
		at 1s reset *
		at 1200ms stop-reading 2 for 300ms
		random reset every 400ms`
	dir, temporary := t.TempDir(), t.TempDir()
	over := func(args ...string) *program {
		p := launcher(t, dir, args...)
		p.cmd.Env = append(p.cmd.Env, "TMPDIR="+temporary)
		return p.start()
	}
	p := over("run", "--tls", "--ports", "auto", "--out", "run", "--rates", "300,200,250", "--die", "4", "--duration", "2s", "--faults", plan)
	eventually(t, func() bool { return len(files(t, temporary)) > 0 || hasEnded(p) }, "there are certificates")
	require.Equal(t, "0", p.wait())
	run := filepath.Join(dir, "run")
	requireCorrect(t, run)
	assert.Empty(t, files(t, temporary), "no key is left")
	assert.Equal(t, 1, restarts(t, run))
	assert.True(t, recordOf(t, run).TLS)
	said := readFile(t, filepath.Join(run, "vm_1.stderr"))
	assert.Equal(t, 2, strings.Count(said, "links are under TLS"), "both processes say so\n%s", said)

	again := over("rerun", "--ports", "auto", "--out", "again", "run")
	require.Equal(t, "0", again.wait())
	requireCorrect(t, filepath.Join(dir, "again"))
	assert.True(t, recordOf(t, filepath.Join(dir, "again")).TLS)
	assert.Empty(t, files(t, temporary))

	// Nothing is left where the run does not begin, either.
	taken := over("run", "--tls", "--ports", "auto", "--out", "run")
	require.Equal(t, "2", taken.wait())
	assert.Empty(t, files(t, temporary))
}

// certified makes certificates for machines that a person starts, by the command.
func certified(t *testing.T, dir string, args ...string) string {
	t.Helper()
	p := launcher(t, dir, append([]string{"certs", "certs"}, args...)...).start()
	require.Equal(t, "0", p.wait())
	return filepath.Join(dir, "certs")
}

// withCertificates are the flags of each machine alike.
func withCertificates(dir string) []string {
	each := filepath.Join(dir, "vm-{id}")
	return []string{"--tls-cert", filepath.Join(each, "tls.crt"), "--tls-key", filepath.Join(each, "tls.key"), "--tls-ca", filepath.Join(each, "ca.crt")}
}

// Machines that a person starts with the certificates of the laboratory meet, and take
// nobody else for one of theirs. The run has the name that is in the certificates.
func TestByHandOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := certified(t, t.TempDir(), "--run", "exam")
	h := &byHand{t: t, dir: dir, ports: freePorts(t, 3), flags: append(withCertificates(made), "--rate", "20", "--duration", "1s", "--require-tls")}
	first := h.start(0)
	eventually(t, func() bool { return strings.Contains(first.errors.String(), "links are under TLS") }, "it says so")

	// Somebody with another laboratory's certificate, and somebody who speaks no TLS.
	port := net.JoinHostPort("127.0.0.1", strconv.Itoa(h.ports[0]))
	stranger, err := certs.Open(certs.FilesOf(certified(t, t.TempDir(), "--run", "exam"), 1))
	require.NoError(t, err)
	_, err = tls.Dial("tcp", port, stranger.Client())
	require.ErrorIs(t, err, certs.ErrAuthority)
	conn, err := net.Dial("tcp", port)
	require.NoError(t, err)
	_, _ = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	answer, _ := io.ReadAll(conn)
	assert.Empty(t, answer)
	_ = conn.Close()
	eventually(t, func() bool { return strings.Contains(first.errors.String(), "it does not begin with a TLS handshake") }, "it says whom it has turned away")

	machines := []*program{first, h.start(1), h.start(2)}
	for id, p := range machines {
		assert.Equal(t, "0", p.wait())
		assert.Equal(t, "exam", records(t, logs(t, dir)[id])[0].Start.Run)
	}
	requireCorrect(t, dir)
}

// Certificates are renewed while machines run: whoever connects anew has the new one, and
// nothing is lost.
func TestByHandNewCertificates(t *testing.T) {
	t.Parallel()
	made := certified(t, t.TempDir(), "--machines", "2")
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), named: true,
		flags: append(withCertificates(made), "--rate", "50", "--die", "4", "--duration", "6s", "--linger", "60s", "--faults", "random reset every 200ms")}
	machines := []*program{h.start(0), h.start(1)}
	waitForEvents(t, h.dir, 2, 10)
	renew := launcher(t, filepath.Dir(made), "certs", "--renew", "certs").start()
	require.Equal(t, "0", renew.wait())
	for _, p := range machines {
		eventually(t, func() bool { return strings.Contains(p.errors.String(), "certificates were read again") }, "it has the new one")
	}
	for _, p := range machines {
		assert.Equal(t, "0", p.wait()) // not stopped by hand: a moment without a link would be too long then
	}
	requireCorrect(t, h.dir)
}

// What is wrong with certificates is said in a line that names the mend.
func TestCertificatesByHandThatDoNotFit(t *testing.T) {
	t.Parallel()
	made := certified(t, t.TempDir())
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"another id", []string{"--id", "1", "--tls-cert", "vm-0/tls.crt", "--tls-key", "vm-0/tls.key", "--tls-ca", "ca.crt"},
			`the certificate is that of machine 0 of run "by-hand", and this is machine 1 of run "by-hand": give --tls-cert and --tls-key of machine 1, or another --id`},
		{"another run", []string{"--id", "0", "--run", "exam", "--tls-cert", "vm-0/tls.crt", "--tls-key", "vm-0/tls.key", "--tls-ca", "ca.crt"},
			`the certificate is that of machine 0 of run "by-hand", and this is machine 0 of run "exam": leave out --run to take the name of the certificate, or give the certificate of this run`},
		{"the gatherer's", []string{"--id", "0", "--tls-cert", "gather/tls.crt", "--tls-key", "gather/tls.key", "--tls-ca", "ca.crt"},
			`the certificate is that of the gatherer of run "by-hand", and this is machine 0 of run "by-hand": give --tls-cert and --tls-key of machine 0, or another --id`},
		{"no key", []string{"--id", "0", "--tls-cert", "vm-0/tls.crt", "--tls-ca", "ca.crt"},
			`--tls-key is missing: --tls-cert, --tls-key and --tls-ca belong together; "launcher certs" makes all three`},
		{"an empty name", []string{"--id", "0", "--tls-cert", "", "--tls-key", "x", "--tls-ca", "x"}, `--tls-cert is empty: want the name of a file`},
		{"another's key", []string{"--id", "0", "--tls-cert", "vm-0/tls.crt", "--tls-key", "vm-1/tls.key", "--tls-ca", "ca.crt"},
			`--tls-key: vm-0/tls.crt with vm-1/tls.key: tls: private key does not match public key`},
		{"no such file", []string{"--id", "0", "--tls-cert", "vm-9/tls.crt", "--tls-key", "vm-1/tls.key", "--tls-ca", "ca.crt"},
			`--tls-cert: stat vm-9/tls.crt: no such file or directory`},
		{"no such key", []string{"--id", "0", "--tls-cert", "vm-0/tls.crt", "--tls-key", "vm-9/tls.key", "--tls-ca", "ca.crt"},
			`--tls-key: stat vm-9/tls.key: no such file or directory`},
		{"no such authority", []string{"--id", "0", "--tls-cert", "vm-0/tls.crt", "--tls-key", "vm-0/tls.key", "--tls-ca", "nope.crt"},
			`--tls-ca: stat nope.crt: no such file or directory`},
		{"open where that is not allowed", []string{"--id", "0", "--require-tls"},
			`--require-tls, and there is no certificate: give --tls-cert, --tls-key and --tls-ca; "launcher certs" makes all three`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			logDir := t.TempDir()
			port := freePorts(t, 1)[0]
			p := prepare(t, made, filepath.Join(bin, "vm"), append(c.args, "--port", strconv.Itoa(port), "--log-dir", logDir,
				"--peers", "127.0.0.1:1", "--connect-timeout", "100ms")...).start()
			assert.Equal(t, "2", p.wait())
			assert.Equal(t, "vm: "+c.want+"\n", p.errors.String())
			assert.Empty(t, files(t, logDir))
		})
	}
}

// Where one machine has certificates and the other has none, both say so, and the one
// without ends.
func TestByHandTLSAtOneEnd(t *testing.T) {
	t.Parallel()
	made := certified(t, t.TempDir(), "--machines", "2")
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2)}
	sealed, open := h.start(0, withCertificates(made)...), h.start(1)
	assert.Equal(t, "2", open.wait())
	assert.Contains(t, open.errors.String(), "refuses this machine: TLS is spoken here, and the other end speaks without: give all machines of a run --tls-cert, --tls-key and --tls-ca, or none of them")
	eventually(t, func() bool {
		return strings.Contains(sealed.errors.String(), "give all machines of a run --tls-cert, --tls-key and --tls-ca, or none of them")
	}, "it says so")
	sealed.signal(os.Interrupt)
	sealed.wait()
}

// The command says what it has made, and what is wrong.
func TestCerts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launcher(t, dir, "certs", "--machines", "2", "--hosts", "hosta, 192.0.2.7", "--days", "1", "certs").start()
	require.Equal(t, "0", p.wait())
	assert.Regexp(t, `^certs/ca.crt +made +until \S+ \S+  the authority
certs/vm-0 +made +until \S+ \S+  machine 0 of run "by-hand", hosta
certs/vm-1 +made +until \S+ \S+  machine 1 of run "by-hand", 192.0.2.7
certs/gather +made +until \S+ \S+  the gatherer of run "by-hand"
$`, p.out.String())
	assert.Contains(t, p.errors.String(), "--tls-cert certs/vm-{id}/tls.crt --tls-key certs/vm-{id}/tls.key --tls-ca certs/vm-{id}/ca.crt")
	assert.Contains(t, p.errors.String(), "certs/ca.key")

	before := readFile(t, filepath.Join(dir, "certs/vm-0/tls.crt"))
	p = launcher(t, dir, "certs", "--hosts", "hostb,192.0.2.7,hostc", "certs").start()
	require.Equal(t, "0", p.wait())
	assert.Contains(t, p.out.String(), "certs/vm-2")
	assert.Contains(t, p.errors.String(), "certs/vm-0 is kept, and so are the hosts in it: --renew changes them\n")
	assert.Equal(t, before, readFile(t, filepath.Join(dir, "certs/vm-0/tls.crt")))
	p = launcher(t, dir, "certs", "--renew", "--quiet", "certs").start()
	require.Equal(t, "0", p.wait())
	assert.Regexp(t, `certs/vm-2 +new `, p.out.String())
	assert.Empty(t, p.errors.String())
	assert.NotEqual(t, before, readFile(t, filepath.Join(dir, "certs/vm-0/tls.crt")))

	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "certs: where? Name a directory for the certificates, for example certs"},
		{[]string{"certs", "more"}, "certs takes one directory, and here are 2"},
		{[]string{"--machines", "0", "new"}, "--machines 0: want 1 to 10000"},
		{[]string{"--days", "0", "new"}, "--days 0: want 1 to 3650"},
		{[]string{"--hosts", "a,,b", "new"}, `--hosts "a,,b": want names or addresses, separated by commas`},
		{[]string{"--hosts", "a b", "new"}, `--hosts "a b": want names or addresses, separated by commas`},
		{[]string{"--hosts", "a,b", "--machines", "3", "new"}, "--hosts has 2 for a run of 3: give one each"},
		{[]string{"--run", "a/b", "new"}, `--run "a/b": want a name of 1 to 64 letters, digits, dots, dashes or underscores`},
		{[]string{"--run", "exam", "certs"}, `certs/vm-0/tls.crt is of machine 0 of run "by-hand", not of machine 0 of run "exam": choose another directory, or leave out --run`},
		{[]string{"/dev/null/certs"}, "/dev/null/certs/ca.crt: not a directory"},
	} {
		t.Run(fmt.Sprint(c.args), func(t *testing.T) {
			p := launcher(t, dir, append([]string{"certs"}, c.args...)...).start()
			assert.Equal(t, "2", p.wait())
			assert.Contains(t, p.errors.String(), c.want+"\n")
			assert.Equal(t, 1, strings.Count(p.errors.String(), "\n"))
			assert.NoDirExists(t, filepath.Join(dir, "new"))
		})
	}
}
