package certs

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkHandshake is both ends of a handshake, in one process and without a network
// between them.
func BenchmarkHandshake(b *testing.B) {
	dir := b.TempDir()
	_, err := Make(dir, Plan{Run: "exam", Machines: 2})
	require.NoError(b, err)
	zero, err := Open(FilesOf(dir, 0))
	require.NoError(b, err)
	one, err := Open(FilesOf(dir, 1))
	require.NoError(b, err)
	client, server := zero.Client(), one.Server()
	b.ReportAllocs()
	for b.Loop() {
		near, far := net.Pipe()
		done := make(chan error)
		go func() { done <- tls.Server(far, server).Handshake() }()
		c := tls.Client(near, client)
		require.NoError(b, c.Handshake())
		require.NoError(b, <-done)
		_ = near.Close()
		_ = far.Close()
	}
}
