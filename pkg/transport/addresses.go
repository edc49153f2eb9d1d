package transport

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// BareAddr returns an address as addresses are compared: IPv4 as such, and without the name
// of an interface.
func BareAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// OwnAddrs returns the addresses of this host's interfaces, as they are compared. Where the
// system does not tell them, there are none.
func OwnAddrs() (all []netip.Addr) {
	found, _ := net.InterfaceAddrs()
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, BareAddr(prefix.Addr()))
		}
	}
	return all
}

// LookupHost returns the addresses of a host, by the system's resolver.
func LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// lookupsAtOnce is how many names are looked up at one time.
const lookupsAtOnce = 32

// LookupAll looks hosts up side by side, and returns the addresses of those for which lookup
// has an answer.
func LookupAll(ctx context.Context, hosts []string, lookup func(ctx context.Context, host string) ([]netip.Addr, error)) map[string][]netip.Addr {
	found := make(map[string][]netip.Addr)
	var mu sync.Mutex
	var all sync.WaitGroup
	turns := make(chan struct{}, lookupsAtOnce)
	for _, host := range hosts {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			addrs, err := lookup(ctx, host)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found[host] = addrs
		})
	}
	all.Wait()
	return found
}
