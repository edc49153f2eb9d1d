package roster

import (
	"context"
	"net/netip"
	"os"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/transport"
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
		Addrs:    transport.OwnAddrs(),
		Lookup:   lookup,
		ReadFile: func(name string) ([]byte, error) { return guarded.ReadFile(name, maxText) },
	}
}

func lookup(names []string) map[string][]netip.Addr {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	return transport.LookupAll(ctx, names, transport.LookupHost)
}
