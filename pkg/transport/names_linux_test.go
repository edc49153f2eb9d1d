package transport

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// nameServer answers over UDP, for every name, with an address that can change. It
// returns a resolver that asks it. (Only Linux has all of 127.0.0.0/8 without more ado.)
func nameServer(t *testing.T, addr *atomic.Pointer[netip.Addr]) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12 // RFC 1035, 4.1: behind the header, one question
			for end < n && buf[end] != 0 {
				end += int(buf[end]) + 1
			}
			end += 5
			if end > n {
				continue
			}
			isA := binary.BigEndian.Uint16(buf[end-4:]) == 1
			answer := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, buf[12:end]...)
			if isA {
				answer[7] = 1
				ip := addr.Load().As4()
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2], ip[3])
			}
			_, _ = pc.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// A machine that is started again at another address is found there, by its name,
// which is looked up at each dial.
func TestPeerComesBackAtAnotherAddress(t *testing.T) {
	var where atomic.Pointer[netip.Addr]
	at := func(s string) { a := netip.MustParseAddr(s); where.Store(&a) }
	at("127.0.0.2")
	resolver := nameServer(t, &where)

	ln0 := listen(t)
	ln1, err := net.Listen("tcp", "127.0.0.2:0")
	require.NoError(t, err)
	port := strconv.Itoa(ln1.Addr().(*net.TCPAddr).Port)
	peer := Peer{ID: 1, Addr: "machine-1.test:" + port}
	zero, err := New(Config{
		ID: 0, Run: "test", Life: 1, Handler: newInbox(), Peers: []Peer{peer},
		Dial: (&net.Dialer{Resolver: resolver}).DialContext,
	}, ln0)
	require.NoError(t, err)
	// from returns machine 1, which calls from the address that it listens on.
	from := func(ln net.Listener) *Node {
		local := &net.TCPAddr{IP: ln.Addr().(*net.TCPAddr).IP}
		n, err := New(Config{
			ID: 1, Run: "test", Life: 1, Handler: newInbox(), Peers: []Peer{{ID: 0, Addr: ln0.Addr().String()}},
			Dial: (&net.Dialer{LocalAddr: local}).DialContext,
		}, ln)
		require.NoError(t, err)
		return n
	}
	one := from(ln1)
	connect(t, []*Node{zero, one})
	one.Close(cancelled())

	at("127.0.0.3")
	ln1, err = net.Listen("tcp", "127.0.0.3:"+port)
	require.NoError(t, err)
	again := from(ln1)
	t.Cleanup(func() { again.Close(cancelled()) })
	require.NoError(t, again.Connect(within(t)), "it reaches the other, and is reached")
	eventually(t, "both links of the other", func() bool {
		return zero.out[0].stands() && zero.in[1].connected()
	})
}
