package certs_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"

	"github.com/scalemodel/lamport/pkg/certs"
)

// Two machines of a run meet, and each knows which one the other is.
func Example() {
	dir, _ := os.MkdirTemp("", "certs")
	defer os.RemoveAll(dir)
	if _, err := certs.Make(dir, certs.Plan{Run: "exam", Machines: 2}); err != nil {
		fmt.Println(err)
		return
	}
	zero, _ := certs.Open(certs.FilesOf(dir, 0))
	one, _ := certs.Open(certs.FilesOf(dir, 1))

	near, far := net.Pipe()
	go func() { _ = tls.Server(far, one.Server()).Handshake() }()
	conn := tls.Client(near, zero.Client())
	if err := conn.Handshake(); err != nil {
		fmt.Println(err)
		return
	}
	peer, _ := certs.PeerOf(conn.ConnectionState())
	fmt.Println(zero.Name(), "has met", peer)
	// Output: machine 0 of run "exam" has met machine 1 of run "exam"
}
