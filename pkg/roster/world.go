package roster

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// World is what a process can see of the place where it runs.
type World struct {
	Getenv   func(name string) string
	Hostname string
	Addrs    []netip.Addr // of this host's interfaces
	// Lookup returns the addresses of those of the names that have some.
	Lookup   func(names []string) map[string][]netip.Addr
	ReadFile func(name string) ([]byte, error)
}

// lookupTime is how long names are looked up, at most. A name that has no address in
// that time is not known to be this host's.
const lookupTime = 2 * time.Second

// Here returns the world of this process.
func Here() World {
	name, _ := os.Hostname() // without one, nothing is found by it
	return World{
		Getenv:   os.Getenv,
		Hostname: name,
		Addrs:    ownAddrs(),
		Lookup:   lookup,
		ReadFile: func(name string) ([]byte, error) { return guarded.ReadFile(name, maxText) },
	}
}

func ownAddrs() (all []netip.Addr) {
	found, _ := net.InterfaceAddrs()
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, plainAddr(prefix.Addr()))
		}
	}
	return all
}

// plainAddr returns an address as it is compared: without a zone, and IPv4 as IPv4.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func lookup(names []string) map[string][]netip.Addr {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	var mu sync.Mutex
	found := make(map[string][]netip.Addr)
	var wg sync.WaitGroup
	few := make(chan struct{}, 32)
	for _, name := range names {
		few <- struct{}{}
		wg.Go(func() {
			defer func() { <-few }()
			addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found[name] = addrs
		})
	}
	wg.Wait()
	return found
}
