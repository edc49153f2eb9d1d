package roster

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/transport"
)

// seat is where this process sits in a list of machines, if it does.
type seat struct {
	list  []transport.Peer
	port  int   // 0: not said
	told  *told // nil: nothing has told the id
	world World
	base  int

	by string // what has told the id in the end
}

// named reports whether entries say which machine they are. If none does, a list with this
// process in it is in the order of the ids.
func (s *seat) named() bool {
	return slices.ContainsFunc(s.list, func(p transport.Peer) bool { return p.ID != transport.AnyID })
}

// find returns the own entry, below 0 for none, and the id.
func (s *seat) find() (at, id int, err error) {
	if s.told != nil {
		s.by = s.told.by
	}
	if s.named() {
		at, id, err = s.amongNamed()
	} else {
		at, id, err = s.inOrder()
	}
	if err != nil || at >= 0 || s.told != nil {
		return at, id, err
	}
	n, ok := ordinal(s.world.Hostname)
	if !ok {
		return 0, 0, wrong("id", "", "nothing says which machine this is, 0, 1, …: not the environment, no number at the end of the host name %s, and no entry of the peers is this host's", s.world.Hostname)
	}
	s.by = "the host name " + s.world.Hostname
	id, err = based(n, s.base, s.by)
	return -1, id, err
}

// amongNamed finds the own entry by the id.
func (s *seat) amongNamed() (at, id int, err error) {
	seen := make(map[int]string)
	for _, p := range s.list {
		if other, twice := seen[p.ID]; twice && p.ID != transport.AnyID {
			return 0, 0, wrong("peers", "", "peers %s and %s have one id, %d", other, p.Addr, p.ID)
		}
		seen[p.ID] = p.Addr
	}
	if s.told != nil {
		at = slices.IndexFunc(s.list, func(p transport.Peer) bool { return p.ID == s.told.id })
		if at < 0 && s.port != 0 { // the own entry may have no id, and another's must not be this machine's
			if here := s.here(plainly); len(here) == 1 {
				if p := s.list[here[0]]; p.ID != transport.AnyID {
					return 0, 0, wrong("id", "", "machine %d by %s, but %s of the peers, machine %d, is this host's", s.told.id, s.by, p.Addr, p.ID)
				}
				at = here[0]
			}
		}
		return at, s.told.id, nil
	}
	here := s.anywhere()
	if len(here) == 0 {
		return -1, 0, nil
	}
	if len(here) > 1 {
		return 0, 0, s.several(here)
	}
	p := s.list[here[0]]
	if p.ID == transport.AnyID {
		return 0, 0, wrong("id", "", "nothing says which machine this is: %s of the peers is this host's, and has no id", p.Addr)
	}
	s.by = p.Addr + " of the peers"
	return here[0], p.ID, nil
}

// inOrder finds the own entry in a list without ids.
func (s *seat) inOrder() (at, id int, err error) {
	if s.told == nil {
		here := s.anywhere()
		switch len(here) {
		case 0:
			return -1, 0, nil
		case 1:
			s.by = s.list[here[0]].Addr + " of the peers"
			return here[0], here[0], nil
		}
		return 0, 0, s.several(here)
	}
	id = s.told.id
	all := s.told.size == len(s.list) // the engine says that the list has all
	here := s.here(plainly)
	if len(here) == 0 && !all {
		here = s.anywhere()
	}
	switch {
	case slices.Contains(here, id):
		return id, id, nil
	case len(here) > 0 && id >= len(s.list):
		return 0, 0, wrong("id", "", "machine %d by %s, but the peers are %d machines with this one: ids are 0 to %d", id, s.by, len(s.list), len(s.list)-1)
	case len(here) > 0:
		return 0, 0, wrong("id", "", "machine %d by %s, but of the peers %s is this host's, in the place of machine %d: list all machines in the order of their ids, or as id=host:port",
			id, s.by, s.list[here[0]].Addr, here[0])
	case all && id < len(s.list):
		return id, id, nil
	}
	return -1, id, nil
}

// several says that it takes more to tell which entry is this process's.
func (s *seat) several(here []int) error {
	return wrong("id", "", "nothing says which machine this is: %s and %s of the peers are both this host's", s.list[here[0]].Addr, s.list[here[1]].Addr)
}

// likeness is how an entry's host can be this one.
type likeness int

const (
	plainly  likeness = iota // by its name or address
	likely                   // by the first word of its name, unless its address says otherwise
	resolved                 // by the addresses of its name
)

// anywhere returns the entries that are this host's by the plainest likeness that
// any has.
func (s *seat) anywhere() []int {
	for _, how := range []likeness{plainly, likely, resolved} {
		if here := s.here(how); len(here) > 0 {
			return here
		}
	}
	return nil
}

// here returns the entries with this process's port that are this host's.
func (s *seat) here(how likeness) (here []int) {
	var names []string
	hosts := make(map[int]string)
	for i, p := range s.list {
		host, _, _ := net.SplitHostPort(p.Addr)
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		if s.port != 0 && port(p.Addr) != s.port {
			continue
		}
		_, literal := netip.ParseAddr(host)
		switch {
		case how == plainly && s.isPlainly(host):
			here = append(here, i)
		case how == likely && s.isLikely(host), how == resolved && literal != nil:
			hosts[i] = host
			names = append(names, host)
		}
	}
	if len(names) == 0 || s.world.Lookup == nil {
		return here
	}
	slices.Sort(names)
	found := s.world.Lookup(slices.Compact(names))
	for i := range s.list {
		host, asked := hosts[i]
		addrs := found[host]
		if asked && (how == likely && len(addrs) == 0 || slices.ContainsFunc(addrs, s.isOwn)) {
			here = append(here, i)
		}
	}
	return here
}

// names are what this host is called.
func (s *seat) names() []string {
	names := []string{s.world.Hostname}
	if node := s.world.Getenv("SLURMD_NODENAME"); node != "" {
		names = append(names, node)
	}
	return names
}

func (s *seat) isPlainly(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return s.isOwn(addr)
	}
	return host == "localhost" || slices.ContainsFunc(s.names(), func(name string) bool { return strings.EqualFold(name, host) })
}

// isLikely reports whether one of two names is the other without its domain.
func (s *seat) isLikely(host string) bool {
	return slices.ContainsFunc(s.names(), func(name string) bool {
		name = strings.ToLower(name)
		return name != "" && (strings.HasPrefix(host, name+".") || strings.HasPrefix(name, host+"."))
	})
}

func (s *seat) isOwn(addr netip.Addr) bool {
	addr = transport.BareAddr(addr)
	return addr.IsLoopback() || slices.Contains(s.world.Addrs, addr)
}
