package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// names is a resolver that a test can change.
type names struct {
	mu    sync.Mutex
	addrs map[string]string // by name, apart by spaces; a name that is missing has no answer
	asked int
}

func (n *names) set(name, addrs string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.addrs == nil {
		n.addrs = make(map[string]string)
	}
	if addrs == "" {
		delete(n.addrs, name)
	} else {
		n.addrs[name] = addrs
	}
}

func (n *names) lookup(_ context.Context, host string) (found []netip.Addr, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	addrs, ok := n.addrs[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	for _, a := range strings.Fields(addrs) {
		found = append(found, netip.MustParseAddr(a))
	}
	return found, nil
}

// sourcesOf returns the sources of a run with these peers, for a host with the address
// 10.0.0.1, and a clock that a test sets.
func sourcesOf(n *names, now *time.Duration, also string, peers ...string) *Sources {
	var list []Peer
	for _, addr := range peers {
		list = append(list, Peer{AnyID, addr})
	}
	var prefixes []netip.Prefix
	if also != "" {
		prefixes = append(prefixes, netip.MustParsePrefix(also))
	}
	s := NewSources(list, prefixes)
	s.lookup = n.lookup
	s.own = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.0.0.1")} }
	s.now = func() time.Time { return time.Unix(0, 0).Add(*now) }
	return s
}

func TestSources(t *testing.T) {
	var n names
	n.set("hostb", "192.0.2.2 2001:db8::2")
	n.set("here", "10.0.0.1")
	n.set("debian", "127.0.1.1")
	for _, tt := range []struct {
		also  string
		peers string
		from  string
		want  bool
	}{
		{"", "hostb:1", "192.0.2.2", true},
		{"", "hostb:1", "::ffff:192.0.2.2", true},
		{"", "hostb:1", "2001:db8::2", true},
		{"", "hostb:1", "192.0.2.3", false},
		{"", "hostb:1", "2001:db8::3", false},
		{"", "hostb:1", "127.0.0.1", false},
		{"", "hostb:1", "10.0.0.1", false},
		{"", "192.0.2.7:1,[fe80::7%eth0]:2", "192.0.2.7", true},
		{"", "192.0.2.7:1,[fe80::7%eth0]:2", "fe80::7%eth1", true},
		{"", "missing:1", "192.0.2.2", false},
		{"", "missing:1,hostb:1", "192.0.2.2", true},
		{"", "127.0.0.1:1", "127.0.0.1", true},
		{"", "127.0.0.1:1", "127.0.0.9", true},
		{"", "127.0.0.1:1", "::1", true},
		{"", "127.0.0.1:1", "10.0.0.1", true},
		{"", "127.0.0.1:1", "192.0.2.2", false},
		{"", "[::1]:1", "127.0.0.1", true},
		{"", "here:1,hostb:1", "10.0.0.1", true},
		{"", "here:1,hostb:1", "127.0.0.1", true},
		{"", "debian:1", "127.0.0.1", true},
		{"", "debian:1", "10.0.0.1", true},
		{"198.51.100.0/24", "hostb:1", "198.51.100.9", true},
		{"198.51.100.0/24", "hostb:1", "198.51.101.9", false},
		{"198.51.100.0/24", "hostb:1", "192.0.2.2", true},
		{"0.0.0.0/0", "hostb:1", "203.0.113.1", true},
		{"0.0.0.0/0", "hostb:1", "2001:db8::9", false},
		{"::/0", "hostb:1", "2001:db8::9", true},
	} {
		var now time.Duration
		s := sourcesOf(&n, &now, tt.also, strings.Split(tt.peers, ",")...)
		assert.Equal(t, tt.want, s.Allow(t.Context(), netip.MustParseAddr(tt.from)), "%v", tt)
	}
}

// A peer that is back at another address is found there, but names are not looked up for
// each stranger.
func TestSourcesAreLookedUpAgain(t *testing.T) {
	var n names
	var now time.Duration
	s := sourcesOf(&n, &now, "", "hostb:1", "hostc:1")
	first, second, third := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	n.set("hostb", first.String())
	assert.True(t, s.Allow(t.Context(), first))
	assert.Equal(t, 2, n.asked)
	n.set("hostb", second.String())
	for range 1000 {
		assert.False(t, s.Allow(t.Context(), second), "not looked up again yet")
	}
	assert.True(t, s.Allow(t.Context(), first))
	assert.Equal(t, 2, n.asked)
	now += lookAgain
	assert.True(t, s.Allow(t.Context(), second))
	assert.False(t, s.Allow(t.Context(), first), "where it was, somebody else may be")
	n.set("hostb", "")
	n.set("hostc", third.String())
	now += lookAgain
	assert.True(t, s.Allow(t.Context(), third), "it has a name now")
	assert.True(t, s.Allow(t.Context(), second), "no answer is none: the last one counts")
	assert.Equal(t, 6, n.asked)
}

// However many call at once, names are looked up once, and nobody waits for longer than
// for its own connection.
func TestSourcesAreLookedUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		s := NewSources([]Peer{{AnyID, "hostb:1"}}, nil)
		s.own = func() []netip.Addr { return nil }
		s.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			asked.Add(1)
			select {
			case <-time.After(2 * time.Second):
				return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		var all sync.WaitGroup
		var allowed atomic.Int32
		for i := range 100 {
			all.Go(func() {
				if s.Allow(t.Context(), netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})) {
					allowed.Add(1)
				}
			})
		}
		synctest.Wait()
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		assert.False(t, s.Allow(brief, netip.MustParseAddr("192.0.2.1")))
		assert.Equal(t, time.Second, time.Since(began))
		all.Wait()
		assert.EqualValues(t, 1, asked.Load())
		assert.EqualValues(t, 1, allowed.Load())
	})
}

// Who calls from elsewhere gets the one answer that tells nothing, without having been
// heard, and is counted; the machines of the run do not notice.
func TestStrangersByAddress(t *testing.T) {
	var log diary
	var closed atomic.Bool
	nodes, _ := mesh(t, 2, func(c *Config) {
		if c.ID == 0 {
			c.Logger = log.logger()
			c.Allow = func(_ context.Context, from netip.Addr) bool {
				assert.Equal(t, "127.0.0.1", from.String())
				return !closed.Load()
			}
		}
	})
	connect(t, nodes)
	closed.Store(true)
	answers := make(map[string]bool)
	for _, said := range []string{"", "GET / HTTP/1.1\r\n\r\n", string(hello{version: Version, machines: 2, from: 1, window: 10, run: "test"}.frame())} {
		conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
		require.NoError(t, err)
		_, _ = conn.Write([]byte(said))
		_ = conn.SetReadDeadline(time.Now().Add(deadline))
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		answers[string(answer)] = true
		conn.Close()
	}
	want := errorFrame(&RefusedError{Code: CodeProtocol, Text: strangerText})
	assert.Equal(t, map[string]bool{string(want): true}, answers)
	eventually(t, "they are counted", func() bool { return nodes[0].Stats().Refused == 3 })
	assert.Equal(t, 1, log.count("reason=it calls from an address that is none of the peers'"), "%s", &log)
	finish(t, nodes)
}

// A machine whose address is not known yet comes again, and does not give up.
func TestPeerWhoseAddressIsNotKnownYet(t *testing.T) {
	var known atomic.Bool
	var log diary
	nodes, _ := mesh(t, 2, func(c *Config) {
		if c.ID == 0 {
			c.Logger = log.logger()
			c.Allow = func(context.Context, netip.Addr) bool { return known.Load() }
		}
	})
	t.Cleanup(func() { each(nodes, func(_ int, n *Node) { n.Close(cancelled()) }) })
	both := make(chan error, 2)
	for _, n := range nodes {
		go func() { both <- n.Connect(within(t)) }()
	}
	eventually(t, "it is turned away", func() bool { return log.contains("none of the peers'") })
	known.Store(true)
	for range nodes {
		require.NoError(t, <-both)
	}
	finish(t, nodes)
}

// A machine that waits says that somebody was turned away for his address.
func TestMissingNamesWhoCallsFromElsewhere(t *testing.T) {
	nodes, _ := mesh(t, 2, func(c *Config) {
		if c.ID == 0 {
			c.Allow = func(context.Context, netip.Addr) bool { return false }
		}
	})
	t.Cleanup(func() { each(nodes, func(_ int, n *Node) { n.Close(cancelled()) }) })
	var connecting sync.WaitGroup
	defer connecting.Wait()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for _, n := range nodes {
		connecting.Go(func() { _ = n.Connect(ctx) })
	}
	eventually(t, "it is turned away", func() bool { return len(nodes[0].callers.all()) > 0 })
	missing := nodes[0].missing()
	assert.ErrorContains(t, missing, "turned away 127.0.0.1")
	var refused *RefusedError
	require.ErrorAs(t, missing, &refused)
	assert.Equal(t, CodeAddress, refused.Code)
}
