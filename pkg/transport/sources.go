package transport

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// lookAgain is after how long the peers' names are looked up again, at the
	// earliest, when somebody calls from an address that is none of theirs.
	lookAgain = time.Second
	// maxLook is how long that may take. Names that have no answer by then keep the
	// addresses that they had.
	maxLook = 5 * time.Second
)

// Sources are the addresses from which the machines of a run can call: those that the
// peers' names lead to, and those that were named. A peer that comes back at another
// address is found there when it calls. Where a peer is on this host, so are all
// of this host's own addresses.
//
// An address can be forged by who is on the way, and taken over by who is on the same
// network; it proves nothing. But who has none of these does not come as far as a HELLO.
type Sources struct {
	hosts []string // of the peers: names and addresses
	also  []netip.Prefix
	// The world outside.
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	own    func() []netip.Addr
	now    func() time.Time

	mu     sync.Mutex
	found  map[string][]netip.Addr // by host, what its last lookup has found
	known  map[netip.Addr]bool     // all of that, and own addresses where a peer is here
	looked time.Time               // when the last lookup ended; zero: there was none
	under  chan struct{}           // closed when the lookup that is under way ends; nil: none is
}

// NewSources returns the addresses of these peers, and those with a prefix of also.
func NewSources(peers []Peer, also []netip.Prefix) *Sources {
	s := &Sources{
		also: also, lookup: LookupHost, own: OwnAddrs, now: time.Now,
		found: make(map[string][]netip.Addr), known: make(map[netip.Addr]bool),
	}
	seen := make(map[string]bool)
	for _, p := range peers {
		if host, _, err := net.SplitHostPort(p.Addr); err == nil && !seen[host] {
			seen[host] = true
			s.hosts = append(s.hosts, host)
		}
	}
	return s
}

// Allow reports whether a machine of the run can call from an address. It may look the
// peers' names up, and waits for the answer until ctx ends. It is for [Config.Allow].
func (s *Sources) Allow(ctx context.Context, from netip.Addr) bool {
	from = BareAddr(from)
	return s.has(from) || s.look(ctx) && s.has(from)
}

func (s *Sources) has(from netip.Addr) bool {
	if slices.ContainsFunc(s.also, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[from] || from.IsLoopback() && s.known[netip.IPv6Loopback()]
}

// look looks the peers' names up, or waits for somebody else who does. It reports
// false where that is not done: it was not long ago, or ctx has ended.
func (s *Sources) look(ctx context.Context) bool {
	s.mu.Lock()
	if under := s.under; under != nil {
		s.mu.Unlock()
		select {
		case <-under:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if !s.looked.IsZero() && s.now().Sub(s.looked) < lookAgain {
		s.mu.Unlock()
		return false
	}
	s.under = make(chan struct{})
	s.mu.Unlock()

	within, cancel := context.WithTimeout(ctx, maxLook)
	found := LookupAll(within, s.hosts, s.lookup)
	cancel()

	s.mu.Lock()
	defer s.mu.Unlock()
	for host, addrs := range found {
		s.found[host] = addrs
	}
	s.settle()
	s.looked = s.now()
	close(s.under)
	s.under = nil
	return true
}

// settle makes known of found; mu is held.
func (s *Sources) settle() {
	clear(s.known)
	for _, addrs := range s.found {
		for _, a := range addrs {
			s.known[BareAddr(a)] = true
		}
	}
	own := append(s.own(), netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	here := false
	for a := range s.known {
		here = here || a.IsLoopback()
	}
	for _, a := range own {
		here = here || s.known[BareAddr(a)]
	}
	if !here {
		return
	}
	for _, a := range own {
		s.known[BareAddr(a)] = true
	}
}

// judgeSource decides by the address from which somebody calls.
func (n *Node) judgeSource(conn net.Conn) error {
	if n.cfg.Allow == nil {
		return nil
	}
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil { // it is of no network with addresses
		return nil
	}
	ctx, cancel := context.WithTimeout(n.ctx, hundreds(len(n.in))*HelloTimeout)
	defer cancel()
	if n.cfg.Allow(ctx, from.Addr()) {
		return nil
	}
	return refuse(CodeAddress, "it calls from an address that is none of the peers'")
}
