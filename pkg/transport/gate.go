package transport

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// gate holds the connections that have not shown yet that they belong to the run, at
// most total of them, and at most perSource from one address. When one more comes,
// another has to go: from the same address, where that has its share; else from
// the address with the most; and there the one that has been silent for longest. So
// strangers can delay a machine's connection, but never keep it out for as long as
// they sit there, and those of one address do not even delay the others.
type gate struct {
	total, perSource int

	mu      sync.Mutex
	at      map[net.Conn]place
	sources map[string]*list.List // of net.Conn, the oldest in front; none is empty
	entered uint64                // how many ever have
}

// place is where a connection stands.
type place struct {
	source  string
	element *list.Element
	number  uint64 // of those that have entered
}

func newGate(total, perSource int) *gate {
	return &gate{total: total, perSource: perSource, at: make(map[net.Conn]place), sources: make(map[string]*list.List)}
}

// enter admits a connection from an address and returns the one that has to go for
// it, if any.
func (g *gate) enter(c net.Conn, source string) (evicted net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch from := g.sources[source]; {
	case from != nil && from.Len() >= g.perSource:
		evicted = oldest(from)
	case len(g.at) >= g.total:
		evicted = oldest(g.largest())
	}
	if evicted != nil {
		g.remove(evicted)
	}
	from := g.sources[source]
	if from == nil {
		from = list.New()
		g.sources[source] = from
	}
	g.entered++
	g.at[c] = place{source, from.PushBack(c), g.entered}
	return evicted
}

func oldest(from *list.List) net.Conn { return from.Front().Value.(net.Conn) }

// largest returns the connections of the address that has the most; of several, of
// the one whose oldest is the oldest.
func (g *gate) largest() (most *list.List) {
	for _, from := range g.sources {
		if most == nil || from.Len() > most.Len() ||
			from.Len() == most.Len() && g.at[oldest(from)].number < g.at[oldest(most)].number {
			most = from
		}
	}
	return most
}

// leave lets a connection out, and reports whether it was still in.
func (g *gate) leave(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.remove(c)
}

func (g *gate) remove(c net.Conn) bool {
	p, ok := g.at[c]
	if !ok {
		return false
	}
	delete(g.at, c)
	from := g.sources[p.source]
	if from.Remove(p.element); from.Len() == 0 {
		delete(g.sources, p.source)
	}
	return true
}

// source returns what counts as one address: of IPv6 the half that says the network, as
// the other half is for its owner to choose.
func source(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	ip := ap.Addr().Unmap()
	if ip.Is6() {
		if network, err := ip.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// unknownLimits returns how many connections the gate of a node may hold, in all and
// from one address, where the process may have this many open files. The links
// of the machine come first: of each peer one that goes out, one that comes in, and
// the two that may wait for its place.
func unknownLimits(machines, descriptors int) (total, perSource int) {
	const (
		own     = 16 // standard streams, log, listener and the like
		perPeer = 4
		atLeast = 4
	)
	left := max(descriptors-own-perPeer*(machines-1), atLeast)
	total = min(MaxUnknown+machines, left)
	return total, min(MaxUnknown/2+machines, total-(total+7)/8)
}
