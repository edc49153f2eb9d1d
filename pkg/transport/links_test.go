package transport

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a node says of its links follows from what was sent, consumed and lost.
func TestLinks(t *testing.T) {
	const window = 10 // so small that each message is acknowledged at once
	nodes, boxes := mesh(t, 2, func(c *Config) { c.Window = window })
	before := nodes[0].Links()
	assert.Equal(t, []LinkStats{{Peer: 1, Window: window}}, before)
	assert.False(t, before[0].Stands())
	connect(t, nodes)
	for seq := range uint64(5) {
		nodes[0].Send(1, numbered(seq+1))
	}
	eventually(t, "all have come", func() bool { return boxes[1].got(0) == 5 })
	nodes[1].Consumed(0, 3)
	eventually(t, "three are consumed", func() bool { return nodes[0].Links()[0].Unconsumed == 2 })
	assert.Equal(t, []LinkStats{{Peer: 1, To: true, From: true, Sent: 5, Unconsumed: 2, Window: window}}, nodes[0].Links())
	assert.Equal(t, []LinkStats{{Peer: 0, To: true, From: true, Consumed: 3, Window: window}}, nodes[1].Links())
	// What one has sent the other has received, but for what is under way.
	eventually(t, "all bytes have come", func() bool {
		return nodes[0].Received() == nodes[1].Stats().Bytes && nodes[1].Received() == nodes[0].Stats().Bytes
	})

	nodes[0].out[0].mu.Lock()
	conn := nodes[0].out[0].session.conn
	nodes[0].out[0].mu.Unlock()
	require.NoError(t, conn.Close())
	eventually(t, "the link is made again", func() bool { l := nodes[0].Links()[0]; return l.Reconnects == 1 && l.Stands() })
	nodes[1].Consumed(0, 5)
	finish(t, nodes)
	assert.True(t, nodes[0].Links()[0].Stands(), "nothing is waited for")
	assert.True(t, nodes[0].Links()[0].Left)
}

// Whoever asks is answered, and is no stranger that was turned away; with others that do
// not say HELLO it is as before.
func TestAsked(t *testing.T) {
	nodes, _ := mesh(t, 2, func(c *Config) {
		c.Asked = func(conn net.Conn, read []byte) {
			rest := make([]byte, len("GET /healthz\n")-len(read))
			if _, err := io.ReadFull(conn, rest); err == nil {
				_, _ = conn.Write(append(read, rest...))
			}
		}
	})
	connect(t, nodes)
	ask := func(pieces ...string) string {
		conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		for _, p := range pieces {
			_, err = conn.Write([]byte(p))
			require.NoError(t, err)
		}
		b, _ := io.ReadAll(conn)
		return string(b)
	}
	assert.Equal(t, "GET /healthz\n", ask("GET /healthz\n"))
	assert.Equal(t, "GET /healthz\n", ask("G", "ET /hea", "lthz\n"))
	assert.Zero(t, nodes[0].Stats().Refused)
	ask("POST /healthz\n")
	ask("GEX /healthz\n")
	eventually(t, "others are turned away", func() bool { return nodes[0].Stats().Refused == 2 })
	finish(t, nodes)
}

// A thousand that ask and then say nothing are strangers as all others: they keep nobody out.
func TestAskersDoNotDisturb(t *testing.T) {
	nodes, _ := mesh(t, 2, func(c *Config) {
		c.Asked = func(conn net.Conn, _ []byte) {
			var b [1]byte
			_, _ = conn.Read(b[:])
		}
	})
	var conns []net.Conn
	for range 300 {
		conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
		require.NoError(t, err)
		_, err = conn.Write([]byte("GET "))
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	connect(t, nodes)
	for _, c := range conns {
		_ = c.Close()
	}
	finish(t, nodes)
}

// A probe in the machine's container may ask, whoever the peers are; and no more than that.
func TestThisHostMayAsk(t *testing.T) {
	nodes, _ := mesh(t, 2, func(c *Config) {
		c.Asked = func(conn net.Conn, _ []byte) { _, _ = conn.Write([]byte("fine")) }
		if c.ID == 0 {
			c.Allow = func(context.Context, netip.Addr) bool { return false }
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	connected := make(chan struct{})
	go func() {
		defer close(connected)
		_ = nodes[0].Connect(ctx)
	}()
	defer func() {
		cancel()
		<-connected
		nodes[0].Close(cancelled())
		nodes[1].Close(cancelled())
	}()
	say := func(what []byte) string {
		conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write(what)
		require.NoError(t, err)
		b, _ := io.ReadAll(conn)
		return string(b)
	}
	assert.Equal(t, "fine", say([]byte("GET /")))
	assert.Zero(t, nodes[0].Stats().Refused)
	said := say(hello{version: Version, machines: 2, from: 1, to: anyID, secret: NewSecret(), window: 10, run: "test"}.frame())
	frames := newFrameReader(strings.NewReader(said), MaxFrame)
	typ, body, err := frames.next()
	require.NoError(t, err)
	require.Equal(t, frameError, typ)
	assert.Equal(t, strangerText, parseError(body).Text)
	assert.EqualValues(t, 1, nodes[0].Stats().Refused)
}
