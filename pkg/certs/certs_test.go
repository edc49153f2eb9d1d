package certs

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name Name
		uri  string
	}{
		{Name{"exam", 0}, "lamport:/exam/machine/0"},
		{Name{"exam", 12}, "lamport:/exam/machine/12"},
		{Name{"exam", NoMachine}, "lamport:/exam/gather"},
		{Name{"by-hand_2.b", 3}, "lamport:/by-hand_2.b/machine/3"},
		{Name{"a/b c%", 3}, "lamport:/a%2Fb%20c%25/machine/3"},
		{Name{"..", 3}, "lamport:/../machine/3"},
		{Name{"é\x00", 1}, "lamport:/%C3%A9%00/machine/1"},
	} {
		assert.Equal(t, c.uri, c.name.URI())
		got, err := ParseURI(c.uri)
		assert.NoError(t, err)
		assert.Equal(t, c.name, got)
	}
	for _, uri := range []string{
		"", "lamport:", "lamport:/", "lamport:/exam", "lamport:/exam/", "lamport:/exam/machine", "lamport:/exam/machine/",
		"lamport:/exam/machine/00", "lamport:/exam/machine/+1", "lamport:/exam/machine/-1", "lamport:/exam/machine/1/", "lamport:/exam/machine/1x",
		"lamport:/exam/machine/4294967296", "lamport:/exam/gather/", "lamport:/exam/gather/0", "lamport://exam/machine/0", "lamport:///exam/machine/0",
		"LAMPORT:/exam/machine/0", "lamport:/ex%61m/machine/0", "lamport:/exam%2fa/machine/0", "lamport:/exam/machine/0?x", "lamport:/exam/machine/0#x",
		"lamport:/exam%/machine/0", "lamport://machine/0", "lamport:/" + strings.Repeat("a", 65) + "/machine/0", "spiffe://exam/machine/0", "exam/machine/0",
	} {
		_, err := ParseURI(uri)
		assert.Error(t, err, uri)
	}
}

// Every name has one spelling, and comes back from it.
func TestNamesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Name{string(rapid.SliceOfN(rapid.Byte(), 1, MaxRun).Draw(t, "run")), rapid.IntRange(NoMachine, maxMachine).Draw(t, "machine")}
		got, err := ParseURI(n.URI())
		require.NoError(t, err)
		require.Equal(t, n, got)
	})
}

func FuzzParseURI(f *testing.F) {
	f.Add("lamport:/exam/machine/0")
	f.Add("lamport:/a%2Fb/gather")
	f.Fuzz(func(t *testing.T, uri string) {
		if n, err := ParseURI(uri); err == nil {
			require.NoError(t, n.Check())
			require.Equal(t, uri, n.URI())
		}
	})
}

// shake lets two ends shake hands, and returns what each of them has to say of it, and
// whom it has met.
func shake(t *testing.T, client, server *tls.Config) (met [2]Name, errs [2]error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			errs[1] = err
			return
		}
		defer conn.Close()
		s := tls.Server(conn, server)
		if errs[1] = s.Handshake(); errs[1] == nil {
			met[1], errs[1] = PeerOf(s.ConnectionState())
			_, _ = s.Write([]byte{1})
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	c := tls.Client(conn, client)
	if errs[0] = c.Handshake(); errs[0] == nil {
		met[0], errs[0] = PeerOf(c.ConnectionState())
		if errs[0] == nil { // the server's last word comes after the handshake
			_, errs[0] = c.Read(make([]byte, 1))
		}
	} else {
		_ = conn.Close()
	}
	<-done
	return met, errs
}

func opened(t *testing.T, dir string, machine int) *Credentials {
	t.Helper()
	c, err := Open(FilesOf(dir, machine))
	require.NoError(t, err)
	return c
}

func TestMachinesMeet(t *testing.T) {
	dir := t.TempDir()
	_, err := Make(dir, Plan{Run: "exam", Machines: 2})
	require.NoError(t, err)
	zero, one, gatherer := opened(t, dir, 0), opened(t, dir, 1), opened(t, dir, NoMachine)
	met, errs := shake(t, zero.Client(), one.Server())
	assert.Equal(t, [2]error{}, errs)
	assert.Equal(t, [2]Name{{"exam", 1}, {"exam", 0}}, met)
	met, errs = shake(t, zero.Client(), gatherer.Server())
	assert.Equal(t, [2]error{}, errs)
	assert.Equal(t, [2]Name{{"exam", NoMachine}, {"exam", 0}}, met)
}
