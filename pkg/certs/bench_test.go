package certs

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkHandshake is both ends of a handshake, on all processors at once and without a
// network in between, where the two meet for the first time. "s/100machines" is what the 4,950
// handshakes take so with which a hundred machines begin.
func BenchmarkHandshake(b *testing.B) {
	dir := b.TempDir()
	_, err := Make(dir, Plan{Run: "exam", Machines: 2})
	require.NoError(b, err)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		zero, err := Open(FilesOf(dir, 0))
		if err != nil {
			b.Error(err)
			return
		}
		one, err := Open(FilesOf(dir, 1))
		if err != nil {
			b.Error(err)
			return
		}
		client, server := zero.Client(), one.Server()
		for pb.Next() {
			zero.held.met.forget()
			one.held.met.forget()
			near, far := net.Pipe()
			done := make(chan error)
			go func() { done <- tls.Server(far, server).Handshake() }()
			if err := tls.Client(near, client).Handshake(); err != nil {
				b.Error(err)
			}
			if err := <-done; err != nil {
				b.Error(err)
			}
			_ = near.Close()
			_ = far.Close()
		}
	})
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*4950, "s/100machines")
}

func (m *met) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passports = nil
}
